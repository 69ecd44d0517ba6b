//! A frame for whoever calibrates: the next one of a camera, handed over where parts end their way.

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use plumb_inspection::{CameraId, Frame};
use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

/// Where parts pass by. Without a wish it costs one look at a flag.
pub(crate) struct FramesPassing(Arc<Wish>);

/// Where a frame is wished for. One waits at a time.
pub(crate) struct NextFrame {
    wish: Arc<Wish>,
    frames: Receiver<Frame>,
}

struct Wish {
    is_open: AtomicBool,
    camera: Mutex<Option<CameraId>>,
    frames: Sender<Frame>,
}

/// Both ends.
pub(crate) fn frames() -> (FramesPassing, NextFrame) {
    // One: a frame is a camera's own buffer, and goes home as soon as it is copied.
    let (sender, frames) = bounded(1);
    let wish = Arc::new(Wish { is_open: AtomicBool::new(false), camera: Mutex::default(), frames: sender });
    (FramesPassing(wish.clone()), NextFrame { wish, frames })
}

impl FramesPassing {
    /// Never waits: who is being told the camera's name right now gets the next frame.
    pub(super) fn pass(&self, frames: &[Frame]) {
        let wish = &*self.0;
        if !wish.is_open.load(Relaxed) {
            return;
        }
        let Ok(camera) = wish.camera.try_lock() else { return };
        if let Some(frame) = frames.iter().find(|frame| camera.as_ref() == Some(&frame.camera)) {
            wish.is_open.store(false, Relaxed);
            let _ = wish.frames.try_send(frame.clone()); // full: an older one waits already
        }
    }
}

impl NextFrame {
    /// The next frame of `camera`; `None` where none passes in time.
    pub(super) fn wait(&self, camera: &CameraId, patience: Duration) -> Option<Frame> {
        *self.wish.camera.lock().unwrap_or_else(PoisonError::into_inner) = Some(camera.clone());
        while self.frames.try_recv().is_ok() {} // of a wish that was given up
        self.wish.is_open.store(true, Relaxed);
        let frame = self.frames.recv_timeout(patience);
        self.wish.is_open.store(false, Relaxed);
        frame.or(Err(RecvTimeoutError::Timeout)).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use plumb_inspection::{Image, PixelFormat, Stamp};

    fn frame(camera: &str, seq: u64) -> Frame {
        let image = Image::packed(8, 8, PixelFormat::Gray8, vec![0; 64]).expect("a picture");
        Frame { camera: camera.into(), seq, camera_frame_id: None, at: Stamp::now(), image }
    }

    #[test]
    fn the_wished_cameras_next_frame_is_handed_over_once_and_nothing_without_a_wish() {
        let (passing, next) = frames();
        passing.pass(&[frame("top", 1)]);
        assert!(next.wait(&"top".into(), Duration::from_millis(1)).is_none(), "what passed before is gone");
        let passes = std::thread::spawn(move || {
            for seq in 2..200 {
                passing.pass(&[frame("side", seq), frame("top", seq)]);
                std::thread::sleep(Duration::from_millis(2));
            }
        });
        let first = next.wait(&"top".into(), Duration::from_secs(5)).expect("it passed");
        let second = next.wait(&"top".into(), Duration::from_secs(5)).expect("it passed");
        assert!(first.camera.as_str() == "top" && second.seq > first.seq);
        drop(next);
        passes.join().expect("nobody waits for whoever is gone");
    }
}
