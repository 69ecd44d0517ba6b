//! One picture as a camera gave it, and when.

use crate::{CameraId, Image};
use std::time::{Instant, SystemTime};

/// One moment on both clocks: `mono` for durations and deadlines, `wall` for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// Never jumps.
    pub mono: Instant,
    /// UTC; may jump when the clock is set.
    pub wall: SystemTime,
}

impl Stamp {
    /// Both clocks, read now.
    pub fn now() -> Self {
        Self { mono: Instant::now(), wall: SystemTime::now() }
    }
}

/// A picture lent by its camera. Cloning shares the pixels.
#[derive(Clone, Debug)]
pub struct Frame {
    /// Who took it.
    pub camera: CameraId,
    /// Counts the frames that reached the station from this camera, from 1, across reconnects.
    pub seq: u64,
    /// The camera's own frame counter, where it has one. A jump is a lost frame.
    pub camera_frame_id: Option<u64>,
    /// When it arrived, read on the streaming thread.
    pub at: Stamp,
    /// The pixels, in the camera's own buffer.
    pub image: Image,
}
