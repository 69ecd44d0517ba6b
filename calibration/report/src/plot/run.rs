//! Points in the order they came, between limits.

use super::{
    Plot,
    frame::{Axis, Frame},
};

/// A line across a chart.
#[derive(Clone, Debug, PartialEq)]
pub struct Limit {
    /// Where.
    pub at: f64,
    /// As it is called: `UCL 0.41`.
    pub name: String,
    /// The centre line is drawn through, limits are dashed.
    pub is_centre: bool,
}

/// Values in their order, with limits and those that stand out.
#[derive(Clone, Debug, PartialEq)]
pub struct RunChart {
    /// In order.
    pub values: Vec<f64>,
    /// Places in `values` of those to be seen.
    pub stand_out: Vec<usize>,
    /// Lines across.
    pub limits: Vec<Limit>,
    /// Below the horizontal axis: `measurement`.
    pub x: String,
    /// Beside the vertical axis, with its unit: `length, mm`.
    pub y: String,
}

impl RunChart {
    /// Draws it.
    pub fn plot(&self, caption: &str) -> Plot {
        let all = self.values.iter().copied().chain(self.limits.iter().map(|limit| limit.at));
        let y = Axis::around(all, &self.y);
        let x = Axis { low: 0.0, high: self.values.len() as f64 + 1.0, name: self.x.clone(), names: None };
        let mut frame = Frame::new(x, y, caption, (0.0, self.limits.iter().map(|limit| limit.name.as_str())));
        for limit in &self.limits {
            let dash = if limit.is_centre { "" } else { "6 4" };
            frame.across(limit.at, &limit.name, "#7a7a7a", dash);
        }
        let points: Vec<(f64, f64)> = self.values.iter().zip(1..).map(|(y, x)| (f64::from(x), *y)).collect();
        frame.line(&points, "#8fb3d1", "");
        for (at, (x, y)) in points.iter().enumerate() {
            frame.point(*x, *y, self.stand_out.contains(&at));
        }
        Plot::new(frame.close(), caption)
    }
}
