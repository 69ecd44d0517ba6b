//! A region's content stays the same wherever the part lies, and what is found in it is told where it is in the frame.

use crate::render::{Plate, Random, picture};
use plumb_inspection::{
    ColourOrder, Element, Fit, Frame, Image, Layout, PointPx, Stamp, Tensor, TensorSpec, Values,
};
use plumb_preprocess::{AlignConfig, Aligner, Cut, Optics, PreprocessError, Preprocessor};

const TAUGHT: Plate = Plate { middle: [160.3, 120.8], angle_deg: 0.0, scale: 1.0 };

fn frame(image: Image) -> Frame {
    Frame { camera: "top".into(), seq: 1, camera_frame_id: None, at: Stamp::now(), image }
}

fn preprocessor() -> Preprocessor {
    let config = AlignConfig {
        reference: picture(320, 240, 2.0, 1, &TAUGHT),
        part_px: [94.0, 80.0, 132.0, 82.0].into(),
        search_px: 20.0,
        search_deg: 10.0,
        search_percent: 0.0,
        score_min: 0.7,
    };
    let spec = TensorSpec {
        width: 64,
        height: 64,
        colour: ColourOrder::Grey,
        layout: Layout::Nchw,
        element: Element::F32,
        fit: Fit::Stretch,
        scale: 1.0,
        mean: vec![],
        std: vec![],
    };
    // Around the hole.
    let cut = Cut { region: "hole".into(), rect_px: Some([116.0, 110.0, 32.0, 32.0].into()), spec };
    let aligner = Aligner::new(config).expect("a plate with a hole");
    Preprocessor::new(Optics::default(), vec![cut])
        .and_then(|cutter| cutter.following(aligner))
        .expect("sensible")
}

/// Where the dark hole's centre of gravity lies in the tensor.
fn hole(tensor: &Tensor) -> PointPx {
    let Values::F32(values) = &tensor.values else { panic!("asked for floats") };
    let (mut x, mut y, mut all) = (0.0, 0.0, 0.0);
    for (at, value) in values.iter().enumerate() {
        let dark = (190.0 - value).max(0.0) * f32::from(u8::from(*value < 170.0));
        (x, y, all) = (x + dark * (at % 64) as f32, y + dark * (at / 64) as f32, all + dark);
    }
    PointPx { x: x / all + 0.5, y: y / all + 0.5 }
}

#[test]
fn a_regions_content_stays_within_a_px_wherever_the_part_lies() {
    let mut cutter = preprocessor();
    let mut random = Random(3);
    let still = hole(&cutter.prepare(&frame(picture(320, 240, 2.0, 2, &TAUGHT))).expect("there")[0]);
    let (mut worst, mut worst_in_frame) = (0.0_f32, 0.0_f32);
    for seed in 0..30 {
        let plate = Plate {
            middle: [160.3 + random.between(-19.0, 19.0), 120.8 + random.between(-19.0, 19.0)],
            angle_deg: random.between(-10.0, 10.0),
            scale: 1.0,
        };
        let pieces = cutter.pieces(&frame(picture(320, 240, 2.0, seed, &plate))).expect("there");
        assert!((pieces.pose.expect("searched").angle_deg - plate.angle_deg).abs() < 0.2);
        let seen = hole(&pieces.tensors[0]);
        // A tensor px is half a frame px here.
        worst = worst.max((seen.x - still.x).hypot(seen.y - still.y) / 2.0);
        let (sin, cos) = plate.angle_deg.to_radians().sin_cos();
        let wanted = [plate.middle[0] - 28.0 * cos - 5.0 * sin, plate.middle[1] - 28.0 * sin + 5.0 * cos];
        let told = pieces.tensors[0].placement.point(seen);
        worst_in_frame = worst_in_frame.max((told.x - wanted[0] as f32).hypot(told.y - wanted[1] as f32));
    }
    println!("content within {worst:.3} px, found places within {worst_in_frame:.3} px of the frame");
    assert!(worst < 1.0 && worst_in_frame < 1.0, "{worst} {worst_in_frame}");
}

#[test]
fn a_part_that_is_not_there_is_no_tensor() {
    let nothing = picture(320, 240, 2.0, 2, &|_: [f64; 2]| 99.0);
    let error = preprocessor().prepare(&frame(nothing)).expect_err("no part");
    assert!(matches!(error, PreprocessError::NotAligned { .. }), "{error}");
}
