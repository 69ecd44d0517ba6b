//! Stages that hang, and stages that panic.

use crate::{
    breaker::StageFault::{Hangs, Panics},
    cell::{
        After, Cell,
        Names::{Reads, Rises},
    },
};

pub(crate) fn cells() -> Vec<Cell> {
    let up = "plumb_stage_up";
    vec![
        Cell::new(
            "stage hangs",
            "capture",
            |rig| rig.breaker.stage("capture", Hangs),
            vec![Rises("plumb_missed_total", &["cause=\"frame_lost\""])],
        ),
        Cell {
            meanwhile: "degraded",
            ..Cell::new(
                "stage hangs",
                "preprocess",
                |rig| rig.breaker.stage("preprocess", Hangs),
                vec![
                    Rises("plumb_missed_total", &["cause=\"deadline\""]),
                    Reads(up, &["stage=\"preprocess\""], 0.0),
                ],
            )
        },
        Cell {
            meanwhile: "degraded",
            ..Cell::new(
                "stage hangs",
                "infer",
                |rig| rig.breaker.stage("infer", Hangs),
                vec![
                    Rises("plumb_missed_total", &["cause=\"deadline\""]),
                    Reads(up, &["stage=\"infer\""], 0.0),
                ],
            )
        },
        Cell {
            meanwhile: "degraded",
            ..Cell::new(
                "stage hangs",
                "verdict",
                |rig| rig.breaker.stage("verdict", Hangs),
                vec![Reads(up, &["stage=\"verdict\""], 0.0)],
            )
        },
        Cell {
            meanwhile: "degraded",
            ..Cell::new(
                "stage hangs",
                "plc",
                |rig| rig.breaker.stage("plc", Hangs),
                vec![Reads(up, &["stage=\"verdict\""], 0.0)],
            )
        },
        Cell {
            meanwhile: "degraded",
            ..Cell::new(
                "stage hangs",
                "ledger",
                |rig| rig.breaker.stage("ledger", Hangs),
                vec![Reads(up, &["stage=\"ledger\""], 0.0)],
            )
        },
        Cell {
            meanwhile: "degraded",
            ..Cell::new(
                "stage panics",
                "capture",
                |rig| rig.breaker.stage("capture", Panics),
                vec![
                    Rises("plumb_missed_total", &["cause=\"camera_down\""]),
                    Rises("plumb_camera_reconnects_total", &["camera=\"top\""]),
                ],
            )
        },
        Cell::new(
            "stage panics",
            "preprocess",
            |rig| rig.breaker.stage("preprocess", Panics),
            vec![Rises("plumb_missed_total", &["cause=\"preprocess\""])],
        ),
        Cell::new(
            "stage panics",
            "infer",
            |rig| rig.breaker.stage("infer", Panics),
            vec![Rises("plumb_missed_total", &["cause=\"model\""])],
        ),
        Cell::new(
            "stage panics",
            "verdict",
            |rig| rig.breaker.stage("verdict", Panics),
            vec![Rises("plumb_missed_total", &["cause=\"verdict\""])],
        ),
        Cell {
            meanwhile: "fault",
            after: After::Restart,
            may_lose: Some("plumb_unaccounted_parts"),
            ..Cell::new(
                "stage panics",
                "plc",
                |rig| rig.breaker.stage("plc", Panics),
                vec![Reads("plumb_state", &["state=\"fault\""], 1.0), Rises("plumb_unaccounted_parts", &[])],
            )
        },
        Cell {
            meanwhile: "degraded",
            ..Cell::new(
                "stage panics",
                "ledger",
                |rig| rig.breaker.stage("ledger", Panics),
                vec![Rises("plumb_store_write_errors_total", &[])],
            )
        },
    ]
}
