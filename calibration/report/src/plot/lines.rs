//! Several lines over named places: each appraiser's average of each part.

use super::{
    Plot,
    frame::{Axis, Frame},
};

/// One line.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    /// As it is called.
    pub name: String,
    /// One value a place; NaN leaves a gap.
    pub values: Vec<f64>,
}

/// Lines over the same places.
#[derive(Clone, Debug, PartialEq)]
pub struct Lines {
    /// Names of the places.
    pub places: Vec<String>,
    /// At most six can be told apart.
    pub lines: Vec<Line>,
    /// Below the horizontal axis.
    pub x: String,
    /// Beside the vertical axis, with its unit.
    pub y: String,
}

/// Colour and dash: lines differ in black and white too.
const LOOKS: [(&str, &str); 6] = [
    ("#1f4e79", ""),
    ("#b3261e", "7 3"),
    ("#1b7f3b", "2 3"),
    ("#7a4fa3", "9 3 2 3"),
    ("#b26a00", "12 4"),
    ("#444444", "4 4"),
];

impl Lines {
    /// Draws it.
    pub fn plot(&self, caption: &str) -> Plot {
        let y = Axis::around(self.lines.iter().flat_map(|line| line.values.iter().copied()), &self.y);
        let x = Axis::of_names(self.places.clone(), &self.x);
        let mut frame = Frame::new(x, y, caption, (27.0, self.lines.iter().map(|line| line.name.as_str())));
        for (nth, line) in self.lines.iter().enumerate() {
            let (stroke, dash) = LOOKS[nth % LOOKS.len()];
            let points: Vec<(f64, f64)> =
                line.values.iter().enumerate().map(|(x, y)| (x as f64, *y)).collect();
            frame.line(&points, stroke, dash);
            let (x, y) = frame.beside(nth);
            frame.push(&format!(
                "<path d=\"M{x:.1} {:.1}h22\" stroke=\"{stroke}\" stroke-width=\"1.8\" stroke-dasharray=\"{dash}\"/><text x=\"{:.1}\" y=\"{y:.1}\">{}</text>",
                y - 4.0,
                x + 27.0,
                crate::text::escape(&line.name)
            ));
        }
        Plot::new(frame.close(), caption)
    }
}
