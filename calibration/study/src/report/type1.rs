//! Cg and Cgk, with the run of the repetitions.

use crate::{Design, Study, Value};
use plumb_quality::gauge::Type1;
use plumb_report::{
    Block, Page, Table, Tone,
    plot::{Limit, RunChart},
};

/// The usual limit; plants may ask for 1.67.
const LIMIT: f64 = 1.33;

pub(super) fn add(page: Page, study: &Study, found: &Type1) -> Page {
    let Design::Type1 { reference, tolerance, settings, unit, .. } = &study.design else { return page };
    let values: Vec<f64> = study
        .values()
        .into_iter()
        .flatten()
        .filter_map(|value| match value {
            Value::Number(number) => Some(number),
            Value::Word(_) => None,
        })
        .collect();
    let word = match (found.cg >= LIMIT, found.cgk >= LIMIT) {
        (true, true) => (Tone::Good, "Cg and Cgk reach 1.33: the gauge is fit to begin a study with."),
        (true, false) => {
            (Tone::Bad, "Cgk is below 1.33 for its bias: adjust the gauge and take the study again.")
        }
        (false, _) => (Tone::Bad, "Cg is below 1.33: the gauge spreads too much for this tolerance."),
    };
    let known = format!(
        "Cg = {} · T / ({} · s), Cgk = ({} / 2 · T − |bias|) / ({} / 2 · s)",
        settings.tolerance_share, settings.deviations, settings.tolerance_share, settings.deviations
    );
    let table = Table::new(["what", "value", "limit"])
        .row(["Cg".to_owned(), format!("{:.3}", found.cg), format!("at least {LIMIT}")])
        .row(["Cgk".to_owned(), format!("{:.3}", found.cgk), format!("at least {LIMIT}")])
        .row([
            "mean".to_owned(),
            format!("{:.6} {unit}", found.mean),
            format!("reference {reference} {unit}"),
        ])
        .row(["standard deviation".to_owned(), format!("{:.6} {unit}", found.deviation), String::new()])
        .row([
            "bias".to_owned(),
            format!("{:.6} {unit}", found.bias),
            format!("p = {:.4} if there were none", found.bias_p),
        ])
        .row(["repetitions".to_owned(), found.n.to_string(), "50 are usual".to_owned()]);
    let edge = settings.tolerance_share / 2.0 * tolerance;
    let limit = |at: f64, name: &str, is_centre| Limit { at, name: name.to_owned(), is_centre };
    let chart = RunChart {
        values,
        stand_out: Vec::new(),
        limits: vec![
            limit(*reference, "reference", true),
            limit(reference + edge, "+ share", false),
            limit(reference - edge, "− share", false),
        ],
        x: "repetition".to_owned(),
        y: format!("value, {unit}"),
    };
    let caption =
        format!("Each repetition, with half of {} of the tolerance on each side", settings.tolerance_share);
    page.section(
        "Result",
        vec![Block::Note(word.0, word.1.to_owned()), Block::Table(table), Block::Text(known)],
    )
    .section("Repetitions", vec![Block::Plot(chart.plot(&caption))])
}
