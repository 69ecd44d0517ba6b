//! Is the station a capable gauge? The studies of AIAG's *Measurement Systems Analysis* (4th edition), one a file.

mod agreement;
mod linearity;
mod repeatability;
mod type1;

pub use agreement::{Agreement, AgreementError, Grade, Kappa, Table, agreement, cohen, fleiss};
pub use linearity::{Fit, Linearity, LinearityError, linearity};
pub use repeatability::{Anova, AnovaRow, Component, GaugeError, GaugeStudy, Repeatability};
pub use type1::{Type1, Type1Error, Type1Settings, type1};
