//! Numbers on paper: printable HTML pages with tables and plots, for people who sign them.
//!
//! A page is one file without script and without network: it looks the same in ten years. Plots are drawn as SVG by the
//! little that quality needs: points with limits, histograms, bars, lines of several appraisers.
//!
//! ```
//! use plumb_report::{Block, Page, Table};
//! let page = Page::new("Gauge study")
//!     .fact("Station", "line 4")
//!     .section("Result", vec![Block::Table(Table::new(["what", "value"]).row(["GRR", "27.9 %"]))]);
//! assert!(page.html().contains("<h1>Gauge study</h1>"));
//! ```

mod page;
pub mod plot;
mod table;
mod text;

pub use page::{Block, Page, Picture, Tone};
pub use plot::Plot;
pub use table::Table;
