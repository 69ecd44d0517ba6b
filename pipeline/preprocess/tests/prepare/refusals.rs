//! What cannot be prepared is refused, in words that say what to do.

use crate::scene::{frame, shot, spec};
use plumb_inspection::{Fit, FlatField, Lens, PixelFormat, TensorSpec};
use plumb_preprocess::{Cut, Optics, PreprocessError, Preprocessor};

fn cut(rect_px: Option<[f32; 4]>) -> Cut {
    Cut { region: "thread".into(), rect_px: rect_px.map(Into::into), spec: spec(16, 16) }
}

fn lens(width: u32, height: u32, k1: f64) -> Lens {
    let (cx, cy) = (f64::from(width) / 2.0 - 0.5, f64::from(height) / 2.0 - 0.5);
    Lens {
        size_px: [width, height],
        fx: 60.0,
        fy: 60.0,
        cx,
        cy,
        distortion: [k1, 0.0, 0.0, 0.0, 0.0],
        rational: [0.0; 3],
    }
}

fn through(lens: Lens) -> Optics {
    Optics { lens: Some(lens), flat_field: None }
}

/// What a first frame of this size and format gets.
fn refused(optics: Optics, cut: Cut, width: u32, height: u32, format: PixelFormat) -> String {
    let mut preprocessor = match Preprocessor::new(optics, vec![cut]) {
        Err(error) => return error.to_string(),
        Ok(preprocessor) => preprocessor,
    };
    let frame = frame(shot(width, height, format, |_, _| [100; 3]));
    preprocessor.prepare(&frame).expect_err("it should be refused").to_string()
}

#[test]
fn each_refusal_names_the_thing_and_the_way_out() {
    let with = |change: fn(&mut TensorSpec)| {
        let mut cut = cut(None);
        change(&mut cut.spec);
        cut
    };
    let none = Optics::default;
    let flat = |width: u32, height: u32| FlatField {
        width,
        height,
        gain: vec![1.0; (width * height) as usize].into(),
    };
    let flat = |width, height| Optics { lens: None, flat_field: Some(flat(width, height)) };
    let gray = PixelFormat::Gray8;
    let table = [
        (
            refused(none(), cut(Some([10.0, 5.0, 0.0, 9.0])), 99, 99, gray),
            "region \"thread\" is [10, 5, 0, 9]",
        ),
        (
            refused(none(), cut(Some([90.0, 5.0, 20.0, 9.0])), 99, 80, gray),
            "region \"thread\" [90, 5, 20, 9] reaches beyond the 99x80 frames of camera \"top\"; draw it inside",
        ),
        (refused(none(), cut(Some([-3.0, 5.0, 20.0, 9.0])), 99, 80, gray), "reaches beyond"),
        (refused(none(), cut(Some([500.0, 500.0, 20.0, 9.0])), 99, 80, gray), "reaches beyond"),
        (
            refused(none(), with(|spec| spec.width = 0), 9, 9, gray),
            "wants 0x16 px, possible is 1..=8192 a side",
        ),
        (refused(none(), with(|spec| spec.height = 9000), 9, 9, gray), "wants 16x9000 px"),
        (
            refused(none(), with(|spec| spec.mean = vec![0.1; 2]), 9, 9, gray),
            "2 values of `mean` for 3 channels",
        ),
        (refused(none(), with(|spec| spec.std = vec![0.1, 0.0, 0.2]), 9, 9, gray), "`std` = 0"),
        (refused(none(), with(|spec| spec.scale = f32::NAN), 9, 9, gray), "`scale` = NaN"),
        (
            refused(through(lens(99, 80, 0.1)), cut(None), 80, 99, gray),
            "camera \"top\" gave a 80x99 frame, its lens was made at 99x80; set the camera back",
        ),
        (refused(flat(99, 80), cut(None), 98, 80, gray), "its flat field was made at 99x80"),
        (refused(through(lens(99, 80, -0.9)), cut(None), 99, 80, gray), "calibrate again with boards"),
        (
            refused(through(lens(99, 80, 2.0)), cut(Some([0.0, 0.0, 12.0, 10.0])), 99, 80, gray),
            "sees only 0.0 % of region \"thread\"",
        ),
        (
            refused(none(), cut(None), 2, 40, PixelFormat::BayerGbrg),
            "camera \"top\" gave a Bayer frame of 2x40 px; its colours need 3 px a side",
        ),
    ];
    for (got, wanted) in table {
        assert!(got.contains(wanted), "{got}\n  should say: {wanted}");
    }
}

#[test]
fn a_region_drawn_at_one_size_is_not_looked_for_at_another() {
    let mut preprocessor =
        Preprocessor::new(Optics::default(), vec![cut(Some([1.0, 1.0, 9.0, 9.0]))]).expect("a good cut");
    let sized = |width, height| frame(shot(width, height, PixelFormat::Gray8, |_, _| [100; 3]));
    preprocessor.prepare(&sized(40, 30)).expect("the first size is the one");
    let error = preprocessor.prepare(&sized(80, 60)).expect_err("it would show another place");
    assert!(matches!(
        &error,
        PreprocessError::FrameSizeChanged { width: 80, height: 60, was_width: 40, was_height: 30, .. }
    ));
    assert!(error.to_string().contains("reload the recipe if the new one is meant"), "{error}");
    preprocessor.prepare(&sized(40, 30)).expect("and it still is when the camera comes back to it");
}

#[test]
fn a_refused_first_frame_does_not_set_the_size() {
    let mut preprocessor =
        Preprocessor::new(Optics::default(), vec![cut(Some([10.0, 10.0, 30.0, 20.0]))]).expect("a good cut");
    let sized = |width, height| frame(shot(width, height, PixelFormat::Gray8, |_, _| [100; 3]));
    preprocessor.prepare(&sized(20, 20)).expect_err("too small for the region");
    preprocessor.prepare(&sized(60, 40)).expect("the region is inside");
}

#[test]
fn whole_frames_may_change_their_size() {
    let mut preprocessor = Preprocessor::new(Optics::default(), vec![cut(None)]).expect("a good cut");
    for side in [40, 50, 60, 70, 80, 90, 40] {
        let image = shot(side, 40, PixelFormat::Gray8, |_, _| [100; 3]);
        let tensor = preprocessor.prepare(&frame(image)).expect("any size").remove(0);
        assert!((tensor.placement.rect(tensor.placement.content_px).w - side as f32).abs() < 1e-3);
    }
}

#[test]
fn a_whole_frame_may_have_black_corners_where_the_lens_sees_nothing() {
    let spec = TensorSpec { fit: Fit::Letterbox { pad: 114 }, ..spec(99, 80) };
    let cut = Cut { region: "thread".into(), rect_px: None, spec };
    let mut preprocessor = Preprocessor::new(through(lens(99, 80, 0.5)), vec![cut]).expect("a good cut");
    let image = shot(99, 80, PixelFormat::Gray8, |_, _| [100; 3]);
    let tensor = preprocessor.prepare(&frame(image)).expect("it is what there is").remove(0);
    let values = crate::scene::numbers(&tensor);
    assert_eq!((values[0], values[40 * 99 + 50]), (0.0, 100.0));
}
