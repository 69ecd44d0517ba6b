//! The table as a page: what the cells say, which the test has just proved.

use crate::cell::{After, Cell, Names, Parts};
use std::{fmt::Write as _, fs, path::Path};

const STAGES: [&str; 7] = ["station", "capture", "preprocess", "infer", "verdict", "plc", "ledger"];

const HEAD: &str = "\
# What fails, and what then becomes of the parts

<!-- Written by `PLUMB_WRITE_DOCS=1 cargo test -p plumb-station --test failsafe`, which also proves it; do not edit. -->

A whole line runs: parts on a belt, half of them defective, photo-eye, camera, a PLC by real Modbus whose default is
reject, and the station with its threads, its model and its ledger. Each cell breaks it in one way while parts go on
coming, looks, mends it, and looks again. In every cell:

- **no defective part passes**, and none is released but by a PASS that was given for that very part, from its own
  picture and under its own number;
- **each part has one answer and one record**, or the cell says which metric counts those without;
- **a metric names the cause**;
- the station **judges again by itself** when the fault is over, or the cell says what it needs.

`J`: parts are judged as ever while the fault lasts. `R`: all are rejected. `R/J`: as the fault comes and goes. `*`: it
needs somebody afterwards.

";

/// Fails where the page is not what was proved; writes it with `PLUMB_WRITE_DOCS=1`.
pub(crate) fn compare(cells: &[Cell]) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/docs/failsafe.md");
    let page = page(cells);
    if std::env::var_os("PLUMB_WRITE_DOCS").is_some() {
        fs::create_dir_all(file.parent().expect("a folder")).expect("a folder");
        fs::write(&file, page).expect("the page is written");
        return;
    }
    let there = fs::read_to_string(&file).unwrap_or_default();
    assert_eq!(there, page, "{} is not what was proved; write it with PLUMB_WRITE_DOCS=1", file.display());
}

fn page(cells: &[Cell]) -> String {
    let mut faults: Vec<&str> = Vec::new();
    for cell in cells {
        if !faults.contains(&cell.fault) {
            faults.push(cell.fault);
        }
    }
    let mut page = HEAD.to_owned();
    let _ = writeln!(page, "| fault | {} |\n|---|{}", STAGES.join(" | "), ":-:|".repeat(STAGES.len()));
    for fault in &faults {
        let at = |stage: &&str| {
            cells.iter().find(|cell| cell.fault == *fault && cell.stage == *stage).map_or(" ", short)
        };
        let row: Vec<&str> = STAGES.iter().map(at).collect();
        let _ = writeln!(page, "| {fault} | {} |", row.join(" | "));
    }
    page += "\n| fault | stage | parts meanwhile | named by | state meanwhile | afterwards |\n|---|---|---|---|---|---|\n";
    for cell in faults.iter().flat_map(|fault| cells.iter().filter(move |cell| cell.fault == *fault)) {
        page += &long(cell);
    }
    page
}

fn short(cell: &Cell) -> &'static str {
    match (cell.parts, cell.after == After::ByItself) {
        (Parts::Rejected, true) => "R",
        (Parts::Rejected, false) => "R*",
        (Parts::Judged, true) => "J",
        (Parts::Judged, false) => "J*",
        (Parts::JudgedOrRejected, true) => "R/J",
        (Parts::JudgedOrRejected, false) => "R/J*",
    }
}

fn long(cell: &Cell) -> String {
    let parts = match cell.parts {
        Parts::Rejected => "all rejected",
        Parts::Judged => "judged as ever",
        Parts::JudgedOrRejected => "rejected where it strikes, else judged",
    };
    let after = cell.names_after.iter().map(|names| format!("afterwards {}", name(*names)));
    let names: Vec<String> = cell.names.iter().map(|names| name(*names)).chain(after).collect();
    let names = if names.is_empty() { vec!["nothing is wrong".to_owned()] } else { names };
    let state = if cell.meanwhile.is_empty() { "–".to_owned() } else { format!("`{}`", cell.meanwhile) };
    let mut after = match cell.after {
        After::ByItself => "judges again by itself".to_owned(),
        After::Rezeroed => "judges again once the count has been re-zeroed".to_owned(),
        After::Degraded => "judges again by itself; `degraded` until it is started again".to_owned(),
        After::Restart => "`fault` until it is started again".to_owned(),
    };
    if let Some(metric) = cell.may_lose {
        let _ = write!(after, "; parts without a record: `{metric}`");
    }
    if cell.forgets {
        after += "; a part without a record was rejected";
    }
    format!("| {} | {} | {parts} | {} | {state} | {after} |\n", cell.fault, cell.stage, names.join("<br>"))
}

fn name(names: Names) -> String {
    let series = |name: &str, labels: &[&str]| match labels {
        [] => format!("`{name}`"),
        _ => format!("`{name}{{{}}}`", labels.join(",")),
    };
    match names {
        Names::Rises(name, labels) => format!("{} rises", series(name, labels)),
        Names::Reads(name, labels, value) => format!("{} = {value}", series(name, labels)),
        Names::Jumps(name, labels, by) => format!("{} moves by {by:+} s", series(name, labels)),
        Names::Silence => "no answer to a scrape: `up` = 0".to_owned(),
    }
}
