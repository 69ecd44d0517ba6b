//! Gage R&R: components beside AIAG's limits, the table of variances, and who measures what how.

use crate::{Design, Study, analysis::crossed};
use plumb_quality::gauge::{Anova, Component, Repeatability};
use plumb_report::{
    Block, Page, Table, Tone,
    plot::{Bars, Line, Lines},
};

pub(super) fn add(page: Page, study: &Study, anova: &Repeatability, ranges: Option<&Repeatability>) -> Page {
    let Design::Grr { appraisers, parts, tolerance, unit, trials } = &study.design else { return page };
    let taken: Vec<_> = study.steps().into_iter().zip(study.values().into_iter().flatten()).collect();
    let values = crossed(appraisers, parts, &taken);
    let worst = anova.gauge.percent_tolerance.unwrap_or(0.0).max(anova.gauge.percent_study);
    let grade = match worst {
        ..=10.0 => (Tone::Good, "GRR is at most 10 %: the gauge is acceptable."),
        ..=30.0 => (
            Tone::Careful,
            "GRR lies between 10 and 30 %: acceptable only where the application and its cost allow.",
        ),
        _ => (Tone::Bad, "GRR is above 30 %: the gauge is not acceptable."),
    };
    let categories = match anova.distinct_categories {
        Some(n) if n >= 5 => (Tone::Good, format!("It tells {n} categories of parts apart; 5 are wanted.")),
        Some(n) => (
            Tone::Bad,
            format!(
                "It tells {n} categories of parts apart; 5 are wanted. Were the parts taken over the whole range?"
            ),
        ),
        None => (Tone::Good, "The gauge never varied; its categories cannot be counted.".to_owned()),
    };
    let mut result = vec![
        Block::Note(grade.0, grade.1.to_owned()),
        Block::Note(categories.0, categories.1),
        Block::Table(components(anova, unit)),
    ];
    // A gauge that never varied has no F.
    if let Some(table) = anova.anova.as_ref().filter(|table| table.interaction_f.is_finite()) {
        result.push(Block::Text(format!(
            "Interaction of appraisers and parts: F = {:.4}, p = {:.4}; {}.",
            table.interaction_f,
            table.interaction_p,
            if table.is_pooled { "above 0.25, so counted with the equipment" } else { "kept" }
        )));
    }
    let mut page = page
        .fact("Appraisers", appraisers.join(", "))
        .fact("Parts and trials", format!("{} parts, {trials} trials each", parts.len()))
        .fact("Tolerance", tolerance.map_or("none given".to_owned(), |width| format!("{width} {unit} wide")))
        .section("Result by analysis of variance", result);
    if let Some(table) = &anova.anova {
        page = page.section("Analysis of variance", vec![Block::Table(variances(table))]);
    }
    page = match ranges {
        Some(ranges) => page.section("By averages and ranges", vec![Block::Table(components(ranges, unit))]),
        None => page,
    };
    page.section(
        "Plots",
        vec![
            Block::Plot(shares(anova).plot("Where the spread comes from, in per cent of the study")),
            Block::Plot(
                averages(appraisers, parts, &values, unit)
                    .plot("Each appraiser's average of each part: parallel lines are people who agree"),
            ),
            Block::Plot(
                spreads(appraisers, parts, &values, unit)
                    .plot("Each appraiser's range over the trials of each part: high ones are unsure"),
            ),
        ],
    )
    .section("Measurements", vec![Block::Table(measurements(appraisers, parts, &values))])
}

fn named(found: &Repeatability) -> [(&'static str, &Component); 5] {
    [
        ("GRR", &found.gauge),
        ("repeatability (EV)", &found.repeatability),
        ("reproducibility (AV)", &found.reproducibility),
        ("parts (PV)", &found.parts),
        ("total (TV)", &found.total),
    ]
}

fn components(found: &Repeatability, unit: &str) -> Table {
    let rows = named(found).map(|(name, component)| {
        [
            name.to_owned(),
            format!("{:.6} {unit}", component.deviation),
            format!("{:.2} %", component.percent_study),
            format!("{:.2} %", component.percent_contribution),
            component.percent_tolerance.map_or("–".to_owned(), |percent| format!("{percent:.2} %")),
        ]
    });
    Table::new(["source", "standard deviation", "of the study", "contribution", "of the tolerance (6 σ)"])
        .rows(rows)
}

fn variances(anova: &Anova) -> Table {
    let rows = [
        ("appraisers", anova.appraisers),
        ("parts", anova.parts),
        ("interaction", anova.interaction),
        ("equipment", anova.equipment),
    ];
    Table::new(["source", "sum of squares", "df", "mean square"]).rows(rows.map(|(name, row)| {
        [name.to_owned(), format!("{:.7}", row.sum), format!("{:.0}", row.free), format!("{:.7}", row.mean)]
    }))
}

fn shares(found: &Repeatability) -> Bars {
    Bars {
        bars: named(found)[..4].iter().map(|(name, c)| ((*name).to_owned(), c.percent_study)).collect(),
        limits: vec![(10.0, "10 %".to_owned()), (30.0, "30 %".to_owned())],
        x: "source".to_owned(),
        y: "of the study, %".to_owned(),
        cumulative: false,
    }
}

fn by_part(
    appraisers: &[String],
    parts: &[String],
    values: &[Vec<Vec<f64>>],
    y: String,
    of: impl Fn(&[f64]) -> f64,
) -> Lines {
    let lines = appraisers
        .iter()
        .zip(values)
        .map(|(name, cells)| Line { name: name.clone(), values: cells.iter().map(|cell| of(cell)).collect() })
        .collect();
    Lines { places: parts.to_vec(), lines, x: "part".to_owned(), y }
}

fn averages(appraisers: &[String], parts: &[String], values: &[Vec<Vec<f64>>], unit: &str) -> Lines {
    let mean = |cell: &[f64]| cell.iter().sum::<f64>() / cell.len() as f64;
    by_part(appraisers, parts, values, format!("average, {unit}"), mean)
}

fn spreads(appraisers: &[String], parts: &[String], values: &[Vec<Vec<f64>>], unit: &str) -> Lines {
    let range = |cell: &[f64]| {
        cell.iter().fold(f64::NEG_INFINITY, |high, v| high.max(*v))
            - cell.iter().fold(f64::INFINITY, |low, v| low.min(*v))
    };
    by_part(appraisers, parts, values, format!("range, {unit}"), range)
}

fn measurements(appraisers: &[String], parts: &[String], values: &[Vec<Vec<f64>>]) -> Table {
    let head = std::iter::once("part".to_owned()).chain(appraisers.iter().cloned());
    let rows = parts.iter().enumerate().map(|(part, name)| {
        let cells = values
            .iter()
            .map(|by_part| by_part[part].iter().map(f64::to_string).collect::<Vec<_>>().join("  "));
        std::iter::once(name.clone()).chain(cells).collect::<Vec<_>>()
    });
    Table::new(head).rows(rows)
}
