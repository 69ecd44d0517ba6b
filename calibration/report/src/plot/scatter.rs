//! Points over a measured axis, with a line and the band in which it may lie.

use super::{
    Plot,
    frame::{Axis, Frame},
};

/// A line with its band, at one place.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Band {
    /// Where.
    pub x: f64,
    /// The line.
    pub y: f64,
    /// Its lower end.
    pub lower: f64,
    /// Its upper end.
    pub upper: f64,
}

/// Points and what is fitted to them.
#[derive(Clone, Debug, PartialEq)]
pub struct Scatter {
    /// Each point.
    pub points: Vec<(f64, f64)>,
    /// The line and its band from left to right; may be empty.
    pub band: Vec<Band>,
    /// Lines across: where, and their names.
    pub limits: Vec<(f64, String)>,
    /// Below the horizontal axis, with its unit.
    pub x: String,
    /// Beside the vertical axis, with its unit.
    pub y: String,
}

impl Scatter {
    /// Draws it.
    pub fn plot(&self, caption: &str) -> Plot {
        let xs = self.points.iter().map(|(x, _)| *x).chain(self.band.iter().map(|band| band.x));
        let ys = self
            .points
            .iter()
            .map(|(_, y)| *y)
            .chain(self.band.iter().flat_map(|band| [band.lower, band.upper]))
            .chain(self.limits.iter().map(|(at, _)| *at));
        let names = self.limits.iter().map(|(_, name)| name.as_str());
        let mut frame =
            Frame::new(Axis::around(xs, &self.x), Axis::around(ys, &self.y), caption, (0.0, names));
        let upper = self.band.iter().map(|band| (band.x, band.upper));
        let lower = self.band.iter().rev().map(|band| (band.x, band.lower));
        let outline: String =
            upper.chain(lower).map(|(x, y)| format!("{:.1},{:.1} ", frame.px(x), frame.py(y))).collect();
        if !outline.is_empty() {
            frame.push(&format!("<polygon points=\"{outline}\" fill=\"#dde8f1\"/>"));
        }
        let line: Vec<(f64, f64)> = self.band.iter().map(|band| (band.x, band.y)).collect();
        frame.line(&line, "#1f4e79", "");
        for (at, name) in &self.limits {
            frame.across(*at, name, "#7a7a7a", "6 4");
        }
        for (x, y) in &self.points {
            frame.point(*x, *y, false);
        }
        Plot::new(frame.close(), caption)
    }
}
