//! The frame of a plot: two axes with ticks, and where a value lies between them.

use crate::text::{escape, number};
use std::fmt::Write as _;

pub(super) const WIDTH: f64 = 640.0;
pub(super) const HEIGHT: f64 = 280.0;
const LEFT: f64 = 64.0;
/// At least so much stands free to the right, and at most.
const BESIDE: (f64, f64) = (86.0, 250.0);
/// A letter of a name, px: wider than most.
const LETTER: f64 = 7.2;
const TOP: f64 = 14.0;
const BOTTOM: f64 = 44.0;

/// One axis: from where to where, and what it shows.
#[derive(Clone, Debug)]
pub(super) struct Axis {
    pub(super) low: f64,
    pub(super) high: f64,
    pub(super) name: String,
    /// Names in place of numbers, at 0, 1, 2, …
    pub(super) names: Option<Vec<String>>,
}

impl Axis {
    /// Around all finite `values`, with a little air. One value or none still makes an axis.
    pub(super) fn around(values: impl IntoIterator<Item = f64>, name: &str) -> Self {
        let finite = values.into_iter().filter(|value| value.is_finite());
        let (low, high) = finite
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(value), high.max(value)));
        let (low, high) = if low <= high { (low, high) } else { (0.0, 1.0) };
        let air = if high > low { (high - low) * 0.06 } else { (low.abs() * 0.1).max(0.5) };
        Self { low: low - air, high: high + air, name: name.to_owned(), names: None }
    }

    /// From 0 to a little above all `values`.
    pub(super) fn from_zero(values: impl IntoIterator<Item = f64>, name: &str) -> Self {
        let high = values.into_iter().filter(|value| value.is_finite()).fold(0.0, f64::max);
        Self {
            low: 0.0,
            high: if high > 0.0 { high * 1.08 } else { 1.0 },
            name: name.to_owned(),
            names: None,
        }
    }

    /// One place a name.
    pub(super) fn of_names(names: Vec<String>, name: &str) -> Self {
        let high = names.len() as f64 - 0.5;
        Self { low: -0.5, high: high.max(0.5), name: name.to_owned(), names: Some(names) }
    }

    /// Round numbers, about `wanted` of them.
    fn ticks(&self, wanted: f64) -> (Vec<f64>, f64) {
        let rough = (self.high - self.low) / wanted;
        let power = 10f64.powf(rough.log10().floor());
        let step =
            [1.0, 2.0, 5.0, 10.0].map(|m| m * power).into_iter().find(|step| *step >= rough).unwrap_or(rough);
        let first = (self.low / step).ceil();
        let count = ((self.high / step).floor() - first).clamp(0.0, 100.0) as i64;
        ((0..=count).map(|i| (first + i as f64) * step).collect(), step)
    }

    fn labels(&self, wanted: f64) -> Vec<(f64, String)> {
        if let Some(names) = &self.names {
            let every = names.len().div_ceil(24).max(1);
            return names
                .iter()
                .enumerate()
                .step_by(every)
                .map(|(at, name)| (at as f64, name.clone()))
                .collect();
        }
        let (ticks, step) = self.ticks(wanted);
        ticks.into_iter().map(|tick| (tick, number(tick, step))).collect()
    }
}

/// A drawing in the making.
pub(super) struct Frame {
    x: Axis,
    y: Axis,
    /// Where the plot ends and names begin, px from the left.
    right: f64,
    svg: String,
}

impl Frame {
    /// `beside`: the names that will stand to the right of it, and how much room each needs for what is drawn before it, px.
    pub(super) fn new<'a>(
        x: Axis,
        y: Axis,
        says: &str,
        (before, beside): (f64, impl IntoIterator<Item = &'a str>),
    ) -> Self {
        let longest = beside.into_iter().map(|name| name.chars().count()).max().unwrap_or(0);
        let right = WIDTH - (longest as f64 * LETTER + before + 10.0).clamp(BESIDE.0, BESIDE.1);
        let says = escape(says);
        let mut svg = format!(
            "<svg role=\"img\" aria-label=\"{says}\" width=\"{WIDTH}\" height=\"{HEIGHT}\" viewBox=\"0 0 {WIDTH} {HEIGHT}\">"
        );
        let mut frame = Self { x, y, right, svg: String::new() };
        let (left, top, bottom) = (LEFT, TOP, HEIGHT - BOTTOM);
        let _ = write!(svg, "<path d=\"M{left} {top}V{bottom}H{right}\" fill=\"none\" stroke=\"#333\"/>");
        for (tick, label) in frame.x.labels(8.0) {
            let at = frame.px(tick);
            let _ = write!(
                svg,
                "<path d=\"M{at:.1} {bottom}v4\" stroke=\"#333\"/><text x=\"{at:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>",
                bottom + 17.0,
                escape(&label)
            );
        }
        for (tick, label) in frame.y.labels(5.0) {
            let at = frame.py(tick);
            let _ = write!(
                svg,
                "<path d=\"M{left} {at:.1}H{right}\" stroke=\"#e4e4e4\"/><text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
                left - 7.0,
                at + 4.0,
                escape(&label)
            );
        }
        let middle = (left + right) / 2.0;
        let _ = write!(
            svg,
            "<text x=\"{middle:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>",
            HEIGHT - 7.0,
            escape(&frame.x.name)
        );
        let middle = (top + bottom) / 2.0;
        let _ = write!(
            svg,
            "<text transform=\"translate(14 {middle:.1}) rotate(-90)\" text-anchor=\"middle\">{}</text>",
            escape(&frame.y.name)
        );
        frame.svg = svg;
        frame
    }

    /// Where the `nth` name beside the plot stands, px from left and top.
    pub(super) fn beside(&self, nth: usize) -> (f64, f64) {
        (self.right + 6.0, 24.0 + 18.0 * nth as f64)
    }

    /// Where `x` lies, px from the left.
    pub(super) fn px(&self, x: f64) -> f64 {
        LEFT + (x - self.x.low) / (self.x.high - self.x.low) * (self.right - LEFT)
    }

    /// Where `y` lies, px from the top.
    pub(super) fn py(&self, y: f64) -> f64 {
        HEIGHT - BOTTOM - (y - self.y.low) / (self.y.high - self.y.low) * (HEIGHT - TOP - BOTTOM)
    }

    /// A polyline through the finite points.
    pub(super) fn line(&mut self, points: &[(f64, f64)], stroke: &str, dash: &str) {
        let finite = points.iter().filter(|(x, y)| x.is_finite() && y.is_finite());
        let points: String = finite.map(|(x, y)| format!("{:.1},{:.1} ", self.px(*x), self.py(*y))).collect();
        let dash = if dash.is_empty() { String::new() } else { format!(" stroke-dasharray=\"{dash}\"") };
        self.push(&format!(
            "<polyline points=\"{points}\" fill=\"none\" stroke=\"{stroke}\" stroke-width=\"1.6\"{dash}/>"
        ));
    }

    /// A line across the whole plot, named at its right end.
    pub(super) fn across(&mut self, y: f64, name: &str, stroke: &str, dash: &str) {
        if !y.is_finite() {
            return;
        }
        let (low, high) = (self.x.low, self.x.high);
        self.line(&[(low, y), (high, y)], stroke, dash);
        let (x, y) = (self.right + 5.0, self.py(y) + 4.0);
        self.push(&format!("<text x=\"{x:.1}\" y=\"{y:.1}\">{}</text>", escape(name)));
    }

    /// A line from bottom to top, named at its upper end.
    pub(super) fn upright(&mut self, x: f64, name: &str, stroke: &str, dash: &str) {
        let (low, high) = (self.y.low, self.y.high);
        self.line(&[(x, low), (x, high)], stroke, dash);
        let at = self.px(x);
        self.push(&format!("<text x=\"{:.1}\" y=\"{:.1}\">{}</text>", at + 4.0, TOP + 10.0, escape(name)));
    }

    /// A point: a disc, or a square where it stands out.
    pub(super) fn point(&mut self, x: f64, y: f64, stands_out: bool) {
        if !(x.is_finite() && y.is_finite()) {
            return;
        }
        let (x, y) = (self.px(x), self.py(y));
        self.push(&match stands_out {
            false => format!("<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"2.6\" fill=\"#1f4e79\"/>"),
            true => format!(
                "<rect x=\"{:.1}\" y=\"{:.1}\" width=\"9\" height=\"9\" fill=\"#b3261e\"/>",
                x - 4.5,
                y - 4.5
            ),
        });
    }

    pub(super) fn push(&mut self, svg: &str) {
        self.svg.push_str(svg);
    }

    pub(super) fn close(self) -> String {
        self.svg + "</svg>"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_lie_within() {
        for (low, high) in [(0.0, 1.0), (-3.2, 17.9), (0.00012, 0.00019), (1e6, 5e6)] {
            let axis = Axis { low, high, name: String::new(), names: None };
            let (ticks, _) = axis.ticks(6.0);
            assert!((3..=13).contains(&ticks.len()), "{low} to {high}: {ticks:?}");
            assert!(ticks.iter().all(|tick| *tick >= low - 1e-9 && *tick <= high + 1e-9), "{ticks:?}");
        }
    }

    #[test]
    fn no_value_one_value_and_what_is_no_number_still_make_an_axis() {
        for values in [vec![], vec![5.0], vec![f64::NAN, f64::INFINITY]] {
            let axis = Axis::around(values, "x");
            assert!(axis.high > axis.low && axis.low.is_finite() && axis.high.is_finite());
        }
    }
}
