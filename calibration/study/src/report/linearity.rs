//! Bias over the range, with the line and the band in which it may lie.

use crate::{Design, Study, Value};
use plumb_quality::gauge::Linearity;
use plumb_report::{
    Block, Page, Table, Tone,
    plot::{Band, Scatter},
};

/// The risk at which a coefficient is told from 0, as AIAG does.
const RISK: f64 = 0.05;

pub(super) fn add(page: Page, study: &Study, found: &Linearity) -> Page {
    let Design::Linearity { parts, unit, .. } = &study.design else { return page };
    let note = match (found.slope.p > RISK, found.is_acceptable(RISK)) {
        (_, true) => {
            (Tone::Good, "Neither slope nor bias can be told from 0: the gauge is linear and without bias.")
        }
        (true, false) => {
            (Tone::Careful, "The gauge is linear, but has a bias over its whole range: adjust it.")
        }
        (false, _) => (Tone::Bad, "The bias changes over the range: the gauge is not linear."),
    };
    let row = |name: &str, fit: &plumb_quality::gauge::Fit| {
        [
            name.to_owned(),
            format!("{:.6}", fit.value),
            format!("{:.6} to {:.6}", fit.interval.lower, fit.interval.upper),
            format!("{:.4}", fit.p),
        ]
    };
    let line = Table::new(["coefficient", "value", "interval", "p"])
        .row(row("slope", &found.slope))
        .row(row(&format!("intercept, {unit}"), &found.intercept));
    let biases = Table::new([format!("reference, {unit}"), format!("mean bias, {unit}")])
        .rows(found.biases.iter().map(|(reference, bias)| [reference.to_string(), format!("{bias:.6}")]));
    let reference = |name: &str| parts.iter().find(|(part, _)| part == name).map(|(_, value)| *value);
    let points: Vec<(f64, f64)> = study
        .steps()
        .iter()
        .zip(study.values())
        .filter_map(|(step, value)| match value {
            Some(Value::Number(measured)) => reference(&step.part).map(|x| (x, measured - x)),
            _ => None,
        })
        .collect();
    let plot = Scatter {
        band: band(&points, found),
        points,
        limits: vec![(0.0, "0".to_owned())],
        x: format!("reference, {unit}"),
        y: format!("bias, {unit}"),
    };
    page.section(
        "Result",
        vec![
            Block::Note(note.0, note.1.to_owned()),
            Block::Table(line),
            Block::Text(format!("The line explains {:.1} % of the biases' spread.", 100.0 * found.r2)),
            Block::Plot(plot.plot("Each bias, the fitted line, and the band in which the line lies")),
        ],
    )
    .section("Mean biases", vec![Block::Table(biases)])
}

/// The line with its pointwise band; its half width follows from the intervals of the two coefficients at the points' mean.
fn band(points: &[(f64, f64)], found: &Linearity) -> Vec<Band> {
    let n = points.len() as f64;
    let mean = points.iter().map(|(x, _)| x).sum::<f64>() / n;
    let sxx: f64 = points.iter().map(|(x, _)| (x - mean).powi(2)).sum();
    // Half width of the slope's interval is t·s/√Sxx; so t·s follows, and with it the width anywhere.
    let wide = (found.slope.interval.upper - found.slope.value) * sxx.sqrt();
    let (low, high) = points
        .iter()
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), (x, _)| (low.min(*x), high.max(*x)));
    (0..=20)
        .map(|i| {
            let x = low + (high - low) * f64::from(i) / 20.0;
            let y = found.intercept.value + found.slope.value * x;
            let half = wide * (1.0 / n + (x - mean).powi(2) / sxx).sqrt();
            Band { x, y, lower: y - half, upper: y + half }
        })
        .collect()
}
