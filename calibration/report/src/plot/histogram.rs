//! How often values fall where: one or two series over the same bins.

use super::{
    Plot,
    frame::{Axis, Frame},
};

/// Values of one kind.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    /// As it is called: `good`.
    pub name: String,
    /// Any order; what is not finite is left out.
    pub values: Vec<f64>,
}

/// Series over common bins, with named places such as thresholds and tolerances.
#[derive(Clone, Debug, PartialEq)]
pub struct Histogram {
    /// One or two.
    pub series: Vec<Series>,
    /// Upright lines: where, and their names.
    pub marks: Vec<(f64, String)>,
    /// Below the horizontal axis, with its unit.
    pub x: String,
}

/// How series look: filled, and hatched, so that they differ in grey too.
const FILLS: [(&str, &str); 2] = [("#8fb3d1", "#1f4e79"), ("none", "#b3261e")];

impl Histogram {
    /// Draws it.
    pub fn plot(&self, caption: &str) -> Plot {
        let finite = |values: &[f64]| values.iter().copied().filter(|v| v.is_finite()).collect::<Vec<f64>>();
        let series: Vec<(&str, Vec<f64>)> =
            self.series.iter().map(|s| (s.name.as_str(), finite(&s.values))).collect();
        let all = series.iter().flat_map(|(_, values)| values.iter().copied());
        let x = Axis::around(all.chain(self.marks.iter().map(|(at, _)| *at)), &self.x);
        let most = series.iter().map(|(_, values)| values.len()).max().unwrap_or(0);
        // Sturges' rule is too coarse for scores; the square root is what engineers expect.
        let bins = ((most as f64).sqrt().ceil() as usize).clamp(5, 40);
        let (low, width) = (x.low, (x.high - x.low) / bins as f64);
        let counts: Vec<Vec<u32>> = series
            .iter()
            .map(|(_, values)| {
                let mut counts = vec![0; bins];
                for value in values {
                    counts[(((value - low) / width) as usize).min(bins - 1)] += 1;
                }
                counts
            })
            .collect();
        let y = Axis::from_zero(counts.iter().flatten().map(|count| f64::from(*count)), "how many");
        let mut frame = Frame::new(x, y, caption, (16.0, series.iter().map(|(name, _)| *name)));
        for (nth, counts) in counts.iter().enumerate() {
            let (fill, stroke) = FILLS[nth % FILLS.len()];
            for (bin, count) in counts.iter().enumerate().filter(|(_, count)| **count > 0) {
                let left = frame.px(low + bin as f64 * width);
                let right = frame.px(low + (bin + 1) as f64 * width);
                let (top, bottom) = (frame.py(f64::from(*count)), frame.py(0.0));
                frame.push(&format!(
                    "<rect x=\"{left:.1}\" y=\"{top:.1}\" width=\"{:.1}\" height=\"{:.1}\" fill=\"{fill}\" stroke=\"{stroke}\" stroke-width=\"1.2\"/>",
                    right - left,
                    bottom - top
                ));
            }
            let (x, y) = frame.beside(nth);
            frame.push(&format!(
                "<rect x=\"{x:.1}\" y=\"{:.1}\" width=\"11\" height=\"11\" fill=\"{fill}\" stroke=\"{stroke}\" stroke-width=\"1.2\"/><text x=\"{:.1}\" y=\"{y:.1}\">{}</text>",
                y - 10.0,
                x + 16.0,
                crate::text::escape(series[nth].0)
            ));
        }
        for (at, name) in &self.marks {
            frame.upright(*at, name, "#333", "5 3");
        }
        Plot::new(frame.close(), caption)
    }
}
