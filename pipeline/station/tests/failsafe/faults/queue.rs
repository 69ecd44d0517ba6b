//! Queues that are full: a stage hangs, and parts are asked for beside those of the PLC, faster than any line brings them.

use crate::{
    breaker::StageFault::Hangs,
    cell::{
        After, Cell,
        Names::{Reads, Rises},
        lasts,
    },
    rig::Rig,
};
use plumb_plc::simulator::Fault;
use std::{thread, time::Duration};

pub(crate) fn cells() -> Vec<Cell> {
    vec![
        Cell::new(
            "queue full",
            "capture",
            |rig| {
                rig.breaker.stage("capture", Hangs);
                ask(rig, 40, FAST);
            },
            vec![Rises("plumb_missed_total", &["cause=\"camera_down\""])],
        ),
        Cell {
            meanwhile: "degraded",
            ..Cell::new(
                "queue full",
                "preprocess",
                |rig| {
                    rig.breaker.stage("preprocess", Hangs);
                    ask(rig, 10, SLOWLY);
                },
                vec![
                    Rises("plumb_missed_total", &["cause=\"overrun\""]),
                    Rises("plumb_frames_dropped_total", &["reason=\"overrun\""]),
                ],
            )
        },
        Cell {
            meanwhile: "degraded",
            ..Cell::new(
                "queue full",
                "infer",
                |rig| {
                    rig.breaker.stage("infer", Hangs);
                    ask(rig, 20, SLOWLY);
                },
                vec![
                    Rises("plumb_missed_total", &["cause=\"overrun\""]),
                    Rises("plumb_frames_dropped_total", &["reason=\"overrun\""]),
                ],
            )
        },
        Cell {
            meanwhile: "fault",
            after: After::Restart,
            may_lose: Some("plumb_unaccounted_parts"),
            ..Cell::new(
                "queue full",
                "verdict",
                |rig| {
                    rig.breaker.stage("verdict", Hangs);
                    ask(rig, 600, FAST);
                },
                vec![Reads("plumb_state", &["state=\"fault\""], 1.0), Rises("plumb_unaccounted_parts", &[])],
            )
        },
        Cell {
            meanwhile: "degraded",
            mends: |rig| rig.plc.set_fault(Fault::None),
            ..Cell::new(
                "queue full",
                "plc",
                |rig| {
                    rig.plc.set_fault(Fault::Deaf);
                    ask(rig, 60, FAST);
                },
                vec![Rises("plumb_plc_errors_total", &["kind=\"answer_overrun\""])],
            )
        },
        Cell {
            meanwhile: "degraded",
            after: After::Degraded,
            may_lose: Some("plumb_records_lost_total"),
            ..Cell::new(
                "queue full",
                "ledger",
                |rig| {
                    rig.breaker.stage("ledger", Hangs);
                    ask(rig, 1_500, FAST);
                },
                vec![
                    Rises("plumb_records_lost_total", &[]),
                    Reads("plumb_stage_up", &["stage=\"ledger\""], 0.0),
                ],
            )
        },
    ]
}

/// Nothing has the time to follow, but the way to the verdict stage does not fill up unless that stands still.
const FAST: Duration = Duration::from_micros(300);
/// Each part's picture is taken before the next is asked for.
const SLOWLY: Duration = Duration::from_millis(40);

/// Asks for `count` parts, one `every` so often. No camera follows a flood; where it has put the count out of step, whoever
/// asked waits for the last picture and says that the belt is clear.
fn ask(rig: &mut Rig, count: usize, every: Duration) {
    for _ in 0..count {
        rig.trigger();
        thread::sleep(every);
    }
    lasts(1.0);
    rig.rezero();
}
