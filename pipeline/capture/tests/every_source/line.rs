//! The built-in line, played by a camera of our own.

use crate::witness::{QUICK, Witness};
use plumb_capture::{CameraEvent, CaptureError, LineCamera, LineExposure};
use plumb_inspection::{Image, PixelFormat};
use std::{
    sync::{
        Arc, Barrier,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

/// Counts its exposures; loses number 3.
struct TestLine {
    next: AtomicU64,
    image: Image,
}

fn test_line() -> Arc<TestLine> {
    let image = Image::packed(8, 6, PixelFormat::Bgr8, (0..144).collect()).expect("8 x 6 x 3");
    Arc::new(TestLine { next: AtomicU64::new(1), image })
}

impl LineCamera for TestLine {
    fn expose(&self) -> Option<LineExposure> {
        let frame_id = self.next.fetch_add(1, Relaxed);
        (frame_id != 3).then(|| LineExposure { image: self.image.clone(), frame_id })
    }
}

#[test]
fn each_trigger_is_one_exposure_and_a_lost_one_is_told() {
    let line = test_line();
    let address = line.image.bytes().as_ptr();
    let camera = Witness::with("kind = 'line'", QUICK, Some(line));
    assert!(camera.camera.frames_on_trigger());
    camera.until_up();
    for _ in 0..4 {
        camera.camera.trigger().expect("it is up");
    }
    let (mut told, mut lost) = (Vec::new(), 0);
    for _ in 0..3 {
        told.push(camera.until("a picture", |event| match event {
            CameraEvent::FramesLost { count } => {
                lost += count;
                None
            }
            CameraEvent::Frame(frame) => {
                assert_eq!(frame.image.bytes().as_ptr(), address, "the pixels were copied");
                Some((frame.seq, frame.camera_frame_id))
            }
            other => panic!("{other:?}"),
        }));
    }
    assert_eq!(lost, 1);
    assert_eq!(told, [(1, Some(1)), (2, Some(2)), (3, Some(4))]);
    assert!(camera.next(Duration::from_millis(1500)).is_none(), "silence is no stall here");
}

#[test]
fn a_line_source_without_a_line_does_not_start() {
    assert!(matches!(Witness::refused("kind = 'line'"), CaptureError::NoLine { .. }));
}

#[test]
fn triggers_that_rendering_cannot_follow_are_refused_and_not_piled_up() {
    struct Slow(Barrier);
    impl LineCamera for Slow {
        fn expose(&self) -> Option<LineExposure> {
            self.0.wait();
            let image = Image::packed(1, 1, PixelFormat::Gray8, vec![0]).expect("1 px");
            Some(LineExposure { image, frame_id: 1 })
        }
    }
    let slow = Arc::new(Slow(Barrier::new(2)));
    let camera = Witness::with("kind = 'line'", QUICK, Some(slow.clone()));
    camera.until_up();
    let taken = (0..50).take_while(|_| camera.camera.trigger().is_ok()).count();
    assert!((8..=9).contains(&taken), "{taken} orders were taken");
    for _ in 0..taken {
        slow.0.wait();
        camera.until_frame();
    }
}

#[test]
fn a_line_that_panics_is_a_camera_that_is_down() {
    struct Broken;
    impl LineCamera for Broken {
        fn expose(&self) -> Option<LineExposure> {
            panic!("a test of what happens when rendering panics");
        }
    }
    let camera = Witness::with("kind = 'line'", QUICK, Some(Arc::new(Broken)));
    camera.until_up();
    camera.camera.trigger().expect("it is up");
    assert!(camera.until_down().1.contains("panicked"));
    camera.until_up();
}
