//! Bars side by side, one a name, perhaps with the cumulative share above them (Pareto).

use super::{
    Plot,
    frame::{Axis, Frame},
};

/// Bars.
#[derive(Clone, Debug, PartialEq)]
pub struct Bars {
    /// Name and height.
    pub bars: Vec<(String, f64)>,
    /// Lines across: where, and their names.
    pub limits: Vec<(f64, String)>,
    /// Below the horizontal axis.
    pub x: String,
    /// Beside the vertical axis, with its unit.
    pub y: String,
    /// Draws the sum so far, as a line.
    pub cumulative: bool,
}

impl Bars {
    /// Draws it.
    pub fn plot(&self, caption: &str) -> Plot {
        let total: f64 = if self.cumulative { self.bars.iter().map(|(_, height)| height).sum() } else { 0.0 };
        let heights = self.bars.iter().map(|(_, height)| *height);
        let y = Axis::from_zero(heights.chain(self.limits.iter().map(|(at, _)| *at)).chain([total]), &self.y);
        let x = Axis::of_names(self.bars.iter().map(|(name, _)| name.clone()).collect(), &self.x);
        let mut frame = Frame::new(x, y, caption, (0.0, self.limits.iter().map(|(_, name)| name.as_str())));
        let mut sum = 0.0;
        let mut line = Vec::new();
        for (at, (_, height)) in self.bars.iter().enumerate() {
            let (left, right) = (frame.px(at as f64 - 0.36), frame.px(at as f64 + 0.36));
            let (top, bottom) = (frame.py(height.max(0.0)), frame.py(0.0));
            frame.push(&format!(
                "<rect x=\"{left:.1}\" y=\"{top:.1}\" width=\"{:.1}\" height=\"{:.1}\" fill=\"#8fb3d1\" stroke=\"#1f4e79\"/>",
                right - left,
                bottom - top
            ));
            sum += height;
            line.push((at as f64, sum));
        }
        if self.cumulative {
            frame.line(&line, "#b3261e", "");
        }
        for (at, name) in &self.limits {
            frame.across(*at, name, "#7a7a7a", "6 4");
        }
        Plot::new(frame.close(), caption)
    }
}
