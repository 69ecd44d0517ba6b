//! Shadow models: what each would have said of every part, kept beside what the machine said, and never acted upon.

mod query;
mod record;
mod row;
mod sender;
mod summary;

pub use query::ShadowQuery;
pub use record::{ShadowRecord, ShadowSchema, ShadowVerdict};
pub(crate) use row::{ShadowRow, insert};
pub use sender::ShadowSender;
pub use summary::{Interval, ShadowSummary};
