//! Control charts on paper.

use plumb_inspection::RecipeName;
use plumb_process::{Drift, Process, ScoreChart, meaning};
use plumb_quality::{Confidence, chart::EwmaPoint};
use plumb_report::{
    Block, Page, Table, Tone,
    plot::{Bars, Limit, Line, Lines, RunChart},
};
use std::path::Path;

pub(super) fn page(process: &Process, recipe: &RecipeName, data: &Path) -> Page {
    let confidence = Confidence::NINETY_FIVE;
    let rejected = process.reject_share().map_or("none".to_owned(), |share| share.says(confidence));
    let mut page = Page::new(format!("Process of recipe {recipe}"))
        .fact("Ledger", data.display().to_string())
        .fact("Parts", process.parts.to_string())
        .fact("From", process.from.clone())
        .fact("Until", process.until.clone())
        .fact("Rejected", rejected);
    for (model, parts) in &process.models {
        page = page.fact("Judged by", format!("{model}, {parts} parts"));
    }
    page = page.section("Share of rejects", share(process));
    if !process.pareto.is_empty() {
        let bars = process.pareto.iter().map(|bar| (bar.name.clone(), bar.count as f64)).collect();
        let bars =
            Bars { bars, limits: Vec::new(), x: "rule".to_owned(), y: "parts".to_owned(), cumulative: true };
        page = page.section("What parts were rejected for", vec![Block::Plot(bars.plot("Pareto chart"))]);
    }
    if let Some(score) = &process.score {
        page = page.section(format!("Score of rule {}", score.rule), scores(score));
    }
    page.to_sign(["Reviewed"])
}

fn share(process: &Process) -> Vec<Block> {
    let chart = &process.share;
    let mut blocks = Vec::new();
    if let Some(why) = &chart.without_limits {
        blocks.push(Block::Note(Tone::Careful, why.clone()));
    }
    if chart.is_preliminary {
        let says = format!("{} samples: limits are preliminary, they want 20 or more.", chart.samples.len());
        blocks.push(Block::Note(Tone::Careful, says));
    }
    let percent = |value: f64| 100.0 * value;
    let limits = chart.limits.first().map_or(Vec::new(), |limit| {
        let line = |name: &str, at: f64, is_centre| Limit {
            at: percent(at),
            name: format!("{name} {:.2}", percent(at)),
            is_centre,
        };
        vec![
            line("LCL", limit.lower, false),
            line("centre", limit.centre, true),
            line("UCL", limit.upper, false),
        ]
    });
    let run = RunChart {
        values: chart.samples.iter().map(|s| percent(s.rejects as f64 / s.parts as f64)).collect(),
        stand_out: chart.signals.iter().map(|hit| hit.at).collect(),
        limits,
        x: format!("sample of {} parts", chart.sample),
        y: "rejects, %".to_owned(),
    };
    blocks.push(Block::Plot(run.plot("Laney p′ chart, limits from the first half")));
    let signals = chart.signals.iter().map(|hit| {
        let sample = chart.samples[hit.at];
        [
            (hit.at + 1).to_string(),
            chart.first_parts[hit.at].to_string(),
            format!("{} of {}", sample.rejects, sample.parts),
            meaning(hit.rule).to_owned(),
        ]
    });
    match chart.signals.is_empty() {
        true => blocks.push(Block::Text("No sample stands out.".to_owned())),
        false => {
            blocks.push(Block::Table(Table::new(["sample", "from part", "rejects", "signal"]).rows(signals)))
        }
    }
    if let Some(single) = &process.single {
        let at = single.signals.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        let at = if at.is_empty() { "no signal".to_owned() } else { format!("signals at part {at}") };
        blocks.push(Block::Text(format!(
            "Part by part (Bernoulli CUSUM): {at}. Twice the usual {:.3} % would be told after {:.0} parts on the average; a \
             false alarm comes once in {:.0}.",
            percent(single.usual),
            single.told_after,
            single.false_alarm_after
        )));
    }
    blocks
}

fn scores(score: &ScoreChart) -> Vec<Block> {
    let Drift { ks, psi, shift, changed_at } = score.drift;
    let places = (1..=score.means.len()).map(|sample| sample.to_string()).collect();
    let line = |name: &str, values: Vec<f64>| Line { name: name.to_owned(), values };
    let of = |value: fn(&EwmaPoint) -> f64| score.ewma.iter().map(value).collect::<Vec<f64>>();
    let ewma = Lines {
        places,
        lines: vec![
            line("EWMA", of(|point| point.value)),
            line("lower limit", of(|point| point.lower)),
            line("upper limit", of(|point| point.upper)),
            line("sample mean", score.means.clone()),
        ],
        x: "sample".to_owned(),
        y: "score".to_owned(),
    };
    let cusum = RunChart {
        values: score.cusum.iter().map(|point| point.high.max(point.low)).collect(),
        stand_out: score
            .cusum
            .iter()
            .enumerate()
            .filter(|(_, point)| point.signals)
            .map(|(at, _)| at)
            .collect(),
        limits: vec![Limit { at: 5.0 * score.deviation, name: "limit".to_owned(), is_centre: false }],
        x: "sample".to_owned(),
        y: "sum, score".to_owned(),
    };
    let moved = psi > 0.25 || ks.p < 0.001;
    let at = changed_at
        .map_or(String::new(), |part| format!(" An adaptive window last forgot its past at part {part}."));
    let drift = format!(
        "Later half against the earlier: widest gap {:.3} (p = {:.4}), stability index {psi:.3}, shift {shift:+.2} standard \
         deviations.{at}",
        ks.gap, ks.p
    );
    vec![
        Block::Note(if moved { Tone::Careful } else { Tone::Good }, drift),
        Block::Plot(ewma.plot("EWMA of sample means, λ = 0.2, limits from the first half")),
        Block::Plot(
            cusum.plot("CUSUM of sample means, the larger side; slack 0.5, limit 5 standard deviations"),
        ),
    ]
}
