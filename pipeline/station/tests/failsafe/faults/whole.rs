//! The station as a whole: its process, its clock, its share of the machine.

use crate::{
    cell::{
        Cell,
        Names::{Jumps, Rises, Silence},
        Parts, lasts,
    },
    process,
    rig::{House, Rig},
};
use std::path::PathBuf;

const LAST_FRAME: &str = "plumb_camera_last_frame_timestamp_seconds";

pub(crate) fn cells() -> Vec<Cell> {
    let whole = |fault, breaks: fn(&mut Rig), mends: fn(&mut Rig), names| Cell {
        house: House::Process,
        meanwhile: "",
        mends,
        ..Cell::new(fault, "station", breaks, names)
    };
    vec![
        // And killed once more, as it starts.
        Cell {
            forgets: true,
            ..whole(
                "process killed, and started again",
                Rig::kill,
                |rig| {
                    rig.start();
                    rig.kill();
                    rig.start();
                },
                vec![Silence],
            )
        },
        whole(
            "process stopped (SIGSTOP)",
            |rig| {
                rig.process().pause(true);
                lasts(1.0);
            },
            |rig| rig.process().pause(false),
            vec![Silence],
        ),
        Cell {
            parts: Parts::Judged,
            meanwhile: "running",
            data: movable_clock,
            ..whole(
                "clock set a day ahead",
                |rig| rig.process().set_clock(86_400),
                |rig| rig.process().set_clock(0),
                vec![Jumps(LAST_FRAME, &[], 86_400.0)],
            )
        },
        Cell {
            parts: Parts::Judged,
            meanwhile: "running",
            data: movable_clock,
            ..whole(
                "clock set a day back",
                |rig| rig.process().set_clock(-86_400),
                |rig| rig.process().set_clock(0),
                vec![Jumps(LAST_FRAME, &[], -86_400.0)],
            )
        },
        // The database is open and stays so; it is the pictures that cannot be kept.
        Cell {
            stage: "ledger",
            parts: Parts::Judged,
            names_after: vec![Rises("plumb_store_write_errors_total", &[])],
            ..whole(
                "no file or socket can be opened",
                |rig| rig.process().starve(true),
                |rig| rig.process().starve(false),
                vec![Silence],
            )
        },
        Cell {
            stage: "plc",
            names_after: vec![Rises("plumb_plc_errors_total", &["kind=\"unreachable\""])],
            ..whole(
                "no file or socket can be opened",
                |rig| {
                    rig.process().starve(true);
                    rig.plc.restart(); // its connections are cut
                },
                |rig| rig.process().starve(false),
                vec![Silence],
            )
        },
    ]
}

fn movable_clock() -> Option<PathBuf> {
    process::clock_can_be_set().then(|| "data".into())
}
