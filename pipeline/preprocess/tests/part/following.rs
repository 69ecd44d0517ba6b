//! A region's content stays the same wherever the part lies, and what is found in it is told where it is in the frame.

use crate::render::{PART, Plate, Random, Shape, picture};
use plumb_inspection::{
    Alignment, ColourOrder, Element, Fit, FlatField, Frame, Image, Layout, Lens, PixelFormat, PointPx, Stamp,
    Tensor, TensorSpec, Values,
};
use plumb_preprocess::{AlignConfig, Aligner, Cut, Optics, PreprocessError, Preprocessor, Scale};

const TAUGHT: Plate = Plate { middle: [160.3, 120.8], angle_deg: 0.0, scale: 1.0 };

fn frame(image: Image) -> Frame {
    Frame { camera: "top".into(), seq: 1, camera_frame_id: None, at: Stamp::now(), image }
}

fn preprocessor(optics: Optics) -> Preprocessor {
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
    Preprocessor::new(optics, vec![cut]).expect("sensible").following(aligner)
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
    let mut cutter = preprocessor(Optics::default());
    let mut random = Random(3);
    let still = hole(&cutter.prepare(&frame(picture(320, 240, 2.0, 2, &TAUGHT))).expect("there")[0]);
    let (mut worst, mut worst_in_frame) = (0.0_f32, 0.0_f32);
    for seed in 0..30 {
        let plate = Plate {
            middle: [160.3 + random.between(-19.0, 19.0), 120.8 + random.between(-19.0, 19.0)],
            angle_deg: random.between(-10.0, 10.0),
            scale: 1.0,
        };
        let frame = frame(picture(320, 240, 2.0, seed, &plate));
        let pieces = cutter.pieces(&frame, &Scale::default()).expect("there");
        let Some(Alignment::Found(pose)) = pieces.alignment else { panic!("{:?}", pieces.alignment) };
        assert!((pose.angle_deg - plate.angle_deg).abs() < 0.2);
        let seen = hole(&pieces.tensors[0]);
        // A tensor px is half a frame px here.
        worst = worst.max((seen.x - still.x).hypot(seen.y - still.y) / 2.0);
        let (sin, cos) = plate.angle_deg.to_radians().sin_cos();
        let wanted = [plate.middle[0] - 28.0 * cos - 5.0 * sin, plate.middle[1] - 28.0 * sin + 5.0 * cos];
        let told = pieces.tensors[0].placement.point(seen);
        worst_in_frame = worst_in_frame.max((told.x - wanted[0] as f32).hypot(told.y - wanted[1] as f32));
    }
    eprintln!("content within {worst:.3} px, found places within {worst_in_frame:.3} px of the frame");
    assert!(worst < 1.0 && worst_in_frame < 1.0, "{worst} {worst_in_frame}");
}

/// What the camera shows of `plate` through `lens`: the lens inverted by fixed-point iteration.
fn through(lens: Lens, plate: Plate) -> impl Shape {
    move |[u, v]: [f64; 2]| {
        let (a, b) = ((u - 0.5 - lens.cx) / lens.fx, (v - 0.5 - lens.cy) / lens.fy);
        let (mut p, mut q) = (a, b);
        for _ in 0..30 {
            let r2 = p * p + q * q;
            let by = 1.0 + r2 * (lens.distortion[0] + r2 * lens.distortion[1]);
            (p, q) = (a / by, b / by);
        }
        plate.distance([p * lens.fx + lens.cx + 0.5, q * lens.fy + lens.cy + 0.5])
    }
}

#[test]
fn through_a_lens_and_in_uneven_light_the_content_stays_within_a_px_as_well() {
    let lens = Lens {
        size_px: [320, 240],
        fx: 300.0,
        fy: 300.0,
        cx: 159.5,
        cy: 119.5,
        distortion: [-0.2, 0.05, 0.0, 0.0, 0.0],
        rational: [0.0; 3],
    };
    let flat_field = FlatField { width: 320, height: 240, gain: vec![1.25; 320 * 240].into() };
    let mut cutter = preprocessor(Optics { lens: Some(lens), flat_field: Some(flat_field) });
    let mut random = Random(5);
    let mut cut = |seed, plate| {
        let seen = picture(320, 240, 2.0, seed, &through(lens, plate));
        // As bright as the light leaves it: the gains put that right.
        let dim = seen.bytes().iter().map(|v| (f32::from(*v) / 1.25) as u8).collect();
        let dim = Image::packed(320, 240, PixelFormat::Gray8, dim).expect("as many");
        cutter.prepare(&frame(dim)).expect("there").remove(0)
    };
    let still = cut(2, TAUGHT);
    let Values::F32(values) = &still.values else { panic!("asked for floats") };
    let brightest = values.iter().copied().fold(0.0, f32::max);
    assert!((brightest - PART as f32).abs() < 15.0, "{brightest}: the gains are not in it");
    let still = hole(&still);
    let mut worst = 0.0_f32;
    for seed in 0..12 {
        let plate = Plate {
            middle: [160.3 + random.between(-19.0, 19.0), 120.8 + random.between(-19.0, 19.0)],
            angle_deg: random.between(-10.0, 10.0),
            scale: 1.0,
        };
        let seen = hole(&cut(seed, plate));
        worst = worst.max((seen.x - still.x).hypot(seen.y - still.y) / 2.0);
    }
    eprintln!("content within {worst:.3} px");
    assert!(worst < 1.0, "{worst}");
}

#[test]
fn a_part_taught_in_frames_of_another_size_is_refused() {
    let error = preprocessor(Optics::default()).rehearse(&frame(picture(300, 240, 2.0, 2, &TAUGHT)));
    assert!(matches!(error, Err(PreprocessError::ReferenceSize { expected_width: 320, .. })), "{error:?}");
}

#[test]
fn a_part_that_is_not_there_is_no_tensor() {
    let nothing = picture(320, 240, 2.0, 2, &|_: [f64; 2]| 99.0);
    let error = preprocessor(Optics::default()).prepare(&frame(nothing)).expect_err("no part");
    assert!(matches!(error, PreprocessError::NotAligned { .. }), "{error}");
}
