//! The camera and its pictures.

use crate::{
    breaker::CameraFault,
    cell::{
        After, Cell,
        Names::{Reads, Rises},
        Parts,
    },
};
use std::time::Duration;

const TOP: &str = "camera=\"top\"";

pub(crate) fn cells() -> Vec<Cell> {
    vec![
        Cell {
            meanwhile: "degraded",
            ..Cell::new(
                "camera unplugged",
                "capture",
                |rig| rig.breaker.camera(CameraFault::Unplugged),
                vec![Reads("plumb_camera_up", &[TOP], 0.0), Rises("plumb_camera_reconnects_total", &[TOP])],
            )
        },
        // A little more than a pitch: each picture comes while the next part waits for its own.
        Cell::new(
            "picture late",
            "capture",
            |rig| rig.breaker.camera(CameraFault::Late(Duration::from_millis(253))),
            vec![
                Rises("plumb_missed_total", &["cause=\"frame_lost\""]),
                Rises("plumb_frames_dropped_total", &[TOP, "reason=\"stale\""]),
            ],
        ),
        Cell {
            parts: Parts::JudgedOrRejected,
            ..Cell::new(
                "picture lost",
                "capture",
                |rig| rig.breaker.camera(CameraFault::Lossy),
                vec![
                    Rises("plumb_missed_total", &["cause=\"frame_lost\""]),
                    Rises("plumb_frames_dropped_total", &[TOP, "reason=\"lost\""]),
                ],
            )
        },
        Cell {
            meanwhile: "degraded",
            after: After::Rezeroed,
            ..Cell::new(
                "picture not asked for",
                "capture",
                |rig| rig.breaker.camera(CameraFault::Bouncing),
                vec![
                    Rises("plumb_lost_sync_total", &["why=\"frame_unasked\""]),
                    Rises("plumb_missed_total", &["cause=\"lost_sync\""]),
                ],
            )
        },
        Cell::new(
            "picture of the wrong size",
            "preprocess",
            |rig| rig.breaker.camera(CameraFault::Small),
            vec![Rises("plumb_missed_total", &["cause=\"preprocess\""])],
        ),
        Cell::new(
            "model gives no number",
            "infer",
            |rig| rig.breaker.camera(CameraFault::Black),
            vec![Rises("plumb_missed_total", &["cause=\"model\""])],
        ),
        Cell {
            meanwhile: "degraded",
            ..Cell::new(
                "device has no memory",
                "infer",
                |rig| rig.breaker.camera(CameraFault::White),
                vec![Rises("plumb_missed_total", &["cause=\"device\""])],
            )
        },
    ]
}
