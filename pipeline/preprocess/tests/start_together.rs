//! A station starts one preprocessor a camera, and tests start many stations: OpenCV's set-up must survive that.
//!
//! In a process of its own, because the set-up happens once a process.

use plumb_inspection::{ColourOrder, Element, Fit, Frame, Image, Layout, PixelFormat, Stamp, TensorSpec};
use plumb_preprocess::{Cut, Optics, Preprocessor};
use std::sync::Barrier;

#[test]
fn many_cameras_may_start_at_the_same_moment() {
    const CAMERAS: usize = 16;
    let start = Barrier::new(CAMERAS);
    std::thread::scope(|scope| {
        for camera in 0..CAMERAS {
            let start = &start;
            scope.spawn(move || {
                let spec = TensorSpec {
                    width: 64,
                    height: 64,
                    colour: ColourOrder::Rgb,
                    layout: Layout::Nchw,
                    element: Element::F32,
                    fit: Fit::Stretch,
                    scale: 1.0 / 255.0,
                    mean: vec![],
                    std: vec![],
                };
                let image = Image::packed(128, 96, PixelFormat::Bgr8, vec![camera as u8; 128 * 96 * 3])
                    .expect("whole");
                let frame =
                    Frame { camera: "any".into(), seq: 1, camera_frame_id: None, at: Stamp::now(), image };
                start.wait();
                for _ in 0..20 {
                    let cut = Cut { region: "whole".into(), rect_px: None, spec: spec.clone() };
                    let mut preprocessor =
                        Preprocessor::new(Optics::default(), vec![cut]).expect("a sound cut");
                    assert_eq!(preprocessor.prepare(&frame).expect("a sound frame").len(), 1);
                }
            });
        }
    });
}
