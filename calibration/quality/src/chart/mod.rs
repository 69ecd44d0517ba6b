//! Process charts: is what happens now what happened before? One chart a file.

mod attribute;
mod bernoulli;
mod cusum;
mod ewma;
mod nelson;

pub use attribute::{ChartError, Counted, Limits, laney_p_chart, laney_p_chart_on, np_chart, p_chart};
pub use bernoulli::{BernoulliCusum, BernoulliError};
pub use cusum::{Cusum, CusumPoint};
pub use ewma::{Ewma, EwmaPoint};
pub use nelson::{Hit, Rule, nelson};
