//! Fail-safe, proved: faults × stages, on a whole line with real threads, a real model, real Modbus and a PLC whose default
//! is reject. In every cell no defective part passes, each part has one answer and one record, a metric names the cause,
//! and the station is back when the fault is over, or where the table says.
//!
//! The table in `deploy/docs/failsafe.md` is written by this test (`PLUMB_WRITE_DOCS=1`), and the test fails where
//! the two differ. `PLUMB_FAILSAFE=ledger` runs the cells alone that have that word in fault or stage.

mod belt;
mod books;
mod breaker;
mod cell;
mod faults;
mod page;
mod process;
mod relay;
mod rig;

use cell::Cell;
use std::{
    sync::{Mutex, PoisonError},
    thread,
    time::Instant,
};

/// Lines that run at the same time. Each waits for its belt most of the time.
const AT_ONCE: usize = 6;

#[test]
fn whatever_fails_nothing_defective_passes_every_part_has_one_answer_and_the_cause_is_named() {
    let all = faults::all();
    let wanted = std::env::var("PLUMB_FAILSAFE").ok();
    let is_wanted = |cell: &Cell| {
        wanted.as_ref().is_none_or(|word| format!("{} {}", cell.fault, cell.stage).contains(word.as_str()))
    };
    let cells: Vec<&Cell> = all.iter().filter(|cell| is_wanted(cell)).collect();
    let (next, failures, skipped) = (Mutex::new(0), Mutex::new(Vec::new()), Mutex::new(Vec::new()));
    thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                loop {
                    let at = {
                        let mut next = next.lock().unwrap_or_else(PoisonError::into_inner);
                        *next += 1;
                        *next - 1
                    };
                    let Some(cell) = cells.get(at) else { return };
                    let begun = Instant::now();
                    let proved = cell.prove(7 + at as u64);
                    let name = format!("{} × {}", cell.fault, cell.stage);
                    eprintln!("{name}: {:.1} s, {}", begun.elapsed().as_secs_f64(), proved.is_ok());
                    match proved {
                        Ok(true) => {}
                        Ok(false) => push(&skipped, name),
                        Err(says) => push(&failures, format!("{name}: {says}")),
                    }
                }
            });
        }
    });
    let failures = failures.into_inner().unwrap_or_else(PoisonError::into_inner);
    assert!(
        failures.is_empty(),
        "{} of {} cells fail:\n\n{}",
        failures.len(),
        cells.len(),
        failures.join("\n\n")
    );
    for name in skipped.into_inner().unwrap_or_else(PoisonError::into_inner) {
        eprintln!("skipped: {name} cannot be tried on this machine");
    }
    page::compare(&all);
}

fn push(to: &Mutex<Vec<String>>, what: String) {
    to.lock().unwrap_or_else(PoisonError::into_inner).push(what);
}
