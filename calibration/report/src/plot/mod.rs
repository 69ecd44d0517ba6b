//! Drawings that quality needs. Each says on its axes what is shown; none uses colour alone.

mod bars;
mod frame;
mod histogram;
mod lines;
mod run;
mod scatter;

pub use bars::Bars;
pub use histogram::{Histogram, Series as HistogramSeries};
pub use lines::{Line, Lines};
pub use run::{Limit, RunChart};
pub use scatter::{Band, Scatter};

use crate::text::escape;

/// A drawing with its caption.
#[derive(Clone, Debug, PartialEq)]
pub struct Plot {
    svg: String,
    caption: String,
}

impl Plot {
    pub(crate) fn new(svg: String, caption: &str) -> Self {
        Self { svg, caption: caption.to_owned() }
    }

    /// The drawing alone, as an SVG element.
    pub fn svg(&self) -> &str {
        &self.svg
    }

    pub(crate) fn html(&self) -> String {
        format!("<figure>{}<figcaption>{}</figcaption></figure>\n", self.svg, escape(&self.caption))
    }
}
