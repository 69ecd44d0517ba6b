//! A camera the kernel drives. Frames need a device, which this suite cannot make: the kernel's `vivid` needs a module.

use crate::witness::{Witness, source};
use plumb_capture::{Camera, CameraEvent, CaptureError, DownCause};
use std::path::Path;

#[test]
fn a_device_that_is_not_there_is_down_and_named() {
    let camera = Witness::start("kind = 'v4l2'\ndevice = '/dev/video99'\nformat = 'mjpeg'");
    let (why, says) = camera.until_down();
    assert_eq!(why, DownCause::Unplugged);
    assert!(says.contains("/dev/video99") && says.contains("plugged in"), "{says}");
    assert_eq!(camera.until_down().0, DownCause::Unplugged, "it is tried again");
    assert!(matches!(camera.camera.trigger(), Err(CaptureError::NotTriggerable { .. })));
}

#[test]
fn a_file_that_is_no_camera_is_down_and_named() {
    let (_, says) = Witness::start("kind = 'v4l2'\ndevice = '/dev/null'").until_down();
    assert!(says.contains("/dev/null"), "{says}");
}

#[test]
fn a_real_device_gives_frames() {
    let device = "/dev/video0";
    if !Path::new(device).exists() {
        return println!("skipped: there is no {device} here");
    }
    let (tell, events) = std::sync::mpsc::channel();
    let config = source(&format!("kind = 'v4l2'\ndevice = '{device}'"));
    let camera = Camera::start("top".into(), config, Default::default(), None, move |event| {
        let _ = tell.send(event);
    });
    let _camera = camera.expect("starts");
    let frames = events.iter().take(20).filter(|event| matches!(event, CameraEvent::Frame(_))).count();
    assert!(frames > 10, "{frames} frames");
}
