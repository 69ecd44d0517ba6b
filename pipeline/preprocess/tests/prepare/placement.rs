//! What is found at a place in the tensor lies, in the frame, where `Placement` says.

use crate::scene::{FORMATS, frame, numbers, shot, spec};
use opencv::{calib3d, core::Mat, core::Point2d, core::Vector};
use plumb_inspection::{
    ColourOrder, Element, Fit, Image, Layout, Lens, PixelFormat, PointPx, Tensor, TensorSpec,
};
use plumb_preprocess::{Cut, Optics, PreprocessError, Preprocessor};
use proptest::prelude::*;

/// A soft bright spot in the dark.
fn spot(width: u32, height: u32, format: PixelFormat, at: PointPx, sigma: f32) -> Image {
    shot(width, height, format, |x, y| {
        let r2 = (x as f32 + 0.5 - at.x).powi(2) + (y as f32 + 0.5 - at.y).powi(2);
        let value = if r2 < 25.0 * sigma * sigma { 250.0 * (-r2 / (2.0 * sigma * sigma)).exp() } else { 0.0 };
        [value.round() as u8; 3]
    })
}

/// The spot's centre of brightness, in tensor px.
fn centroid(tensor: &Tensor, layout: Layout) -> PointPx {
    let [_, a, b, c] = tensor.shape;
    let (channels, height, width) = if layout == Layout::Nchw { (a, b, c) } else { (c, a, b) };
    let values = numbers(tensor);
    let (mut sum, mut sum_x, mut sum_y) = (0.0_f64, 0.0, 0.0);
    for (i, value) in values.into_iter().enumerate() {
        let px = if layout == Layout::Nchw { i % (width * height) } else { i / channels };
        let value = f64::from(value);
        sum += value;
        sum_x += value * ((px % width) as f64 + 0.5);
        sum_y += value * ((px / width) as f64 + 0.5);
    }
    PointPx { x: (sum_x / sum) as f32, y: (sum_y / sum) as f32 }
}

fn prepare(optics: &Optics, cut: &Cut, image: Image) -> Result<Tensor, PreprocessError> {
    Ok(Preprocessor::new(optics.clone(), vec![cut.clone()])?.prepare(&frame(image))?.remove(0))
}

fn any_fit() -> impl Strategy<Value = Fit> {
    prop_oneof![Just(Fit::Stretch), Just(Fit::Crop), Just(Fit::Letterbox { pad: 0 })]
}

fn any_spec() -> impl Strategy<Value = TensorSpec> {
    let colour = prop_oneof![Just(ColourOrder::Rgb), Just(ColourOrder::Bgr), Just(ColourOrder::Grey)];
    let layout = prop_oneof![Just(Layout::Nchw), Just(Layout::Nhwc)];
    let element = prop_oneof![Just(Element::F32), Just(Element::F16), Just(Element::U8)];
    (64..320_u32, 64..320_u32, any_fit(), colour, layout, element).prop_map(
        |(width, height, fit, colour, layout, element)| TensorSpec {
            colour,
            layout,
            element,
            fit,
            ..spec(width, height)
        },
    )
}

/// A region of a 400×360 frame, not at whole px.
fn any_rect() -> impl Strategy<Value = [f32; 4]> {
    (80.0..320.0_f32, 80.0..320.0_f32, 0.0..1.0_f32, 0.0..1.0_f32)
        .prop_map(|(w, h, x, y)| [x * (399.0 - w), y * (359.0 - h), w, h])
}

/// Wide enough for the coarsest sampling any fit gives this region.
fn sigma_for(rect: [f32; 4], spec: &TensorSpec) -> f32 {
    (rect[2] / spec.width as f32).max(rect[3] / spec.height as f32).max(2.0)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(120))]

    #[test]
    fn a_spot_is_found_where_it_is_in_the_frame(
        spec in any_spec(), rect in any_rect(), format in prop::sample::select(FORMATS.as_slice()),
        along in 0.35..0.65_f32, down in 0.35..0.65_f32,
    ) {
        let cut = Cut { region: "face".into(), rect_px: Some(rect.into()), spec: spec.clone() };
        let dark = prepare(&Optics::default(), &cut, shot(400, 360, format, |_, _| [0; 3])).expect("inside");
        let content = dark.placement.content_px;
        let at = dark.placement.point(PointPx {
            x: content.x + along * content.w,
            y: content.y + down * content.h,
        });
        let tensor = prepare(&Optics::default(), &cut, spot(400, 360, format, at, sigma_for(rect, &spec)));
        let tensor = tensor.expect("inside");
        let found = tensor.placement.point(centroid(&tensor, spec.layout));
        // The promise is half a px. A slip between pixel centres and corners costs up to that, so we want less.
        prop_assert!((found.x - at.x).abs() < 0.2 && (found.y - at.y).abs() < 0.2, "{at:?} found at {found:?}");
    }

    #[test]
    fn a_spot_seen_through_a_lens_is_found_where_a_perfect_lens_would_show_it(
        spec in any_spec(), rect in any_rect(), format in prop::sample::select(FORMATS.as_slice()),
        k1 in -0.3..0.15_f64, k2 in -0.05..0.05_f64, p1 in -0.003..0.003_f64, p2 in -0.003..0.003_f64,
        cx in 180.0..220.0_f64, cy in 160.0..200.0_f64, f in 350.0..600.0_f64,
        along in 0.35..0.65_f32, down in 0.35..0.65_f32,
    ) {
        let lens = Lens { size_px: [400, 360], fx: f, fy: f * 1.01, cx, cy, distortion: [k1, k2, p1, p2, 0.01], rational: [0.0; 3] };
        let optics = Optics { lens: Some(lens), flat_field: None };
        let cut = Cut { region: "face".into(), rect_px: Some(rect.into()), spec: spec.clone() };
        let dark = match prepare(&optics, &cut, shot(400, 360, format, |_, _| [0; 3])) {
            Err(PreprocessError::RegionUnseen { .. }) => return Err(TestCaseError::reject("out of the lens's sight")),
            other => other.expect("inside"),
        };
        let content = dark.placement.content_px;
        let straight = dark.placement.point(PointPx {
            x: content.x + along * content.w,
            y: content.y + down * content.h,
        });
        let on_sensor = bent(&lens, straight);
        let tensor = prepare(&optics, &cut, spot(400, 360, format, on_sensor, sigma_for(rect, &spec)));
        let tensor = tensor.expect("inside");
        let found = tensor.placement.point(centroid(&tensor, spec.layout));
        // A lens bends a wide spot a little out of shape, which moves its centre more than our sampling does.
        prop_assert!(
            (found.x - straight.x).abs() < 0.5 && (found.y - straight.y).abs() < 0.5,
            "{straight:?} found at {found:?}"
        );
        let theirs = straightened_by_opencv(&lens, on_sensor);
        prop_assert!((found.x - theirs.x).abs() < 0.5 && (found.y - theirs.y).abs() < 0.5, "{theirs:?} {found:?}");
    }
}

/// Where a real lens shows what a perfect one shows at `straight`.
fn bent(lens: &Lens, straight: PointPx) -> PointPx {
    let [k1, k2, p1, p2, k3] = lens.distortion;
    let x = (f64::from(straight.x) - 0.5 - lens.cx) / lens.fx;
    let y = (f64::from(straight.y) - 0.5 - lens.cy) / lens.fy;
    let r2 = x * x + y * y;
    let radial = 1.0 + r2 * (k1 + r2 * (k2 + r2 * k3));
    let bent_x = x * radial + 2.0 * p1 * x * y + p2 * (r2 + 2.0 * x * x);
    let bent_y = y * radial + p1 * (r2 + 2.0 * y * y) + 2.0 * p2 * x * y;
    PointPx { x: (bent_x * lens.fx + lens.cx + 0.5) as f32, y: (bent_y * lens.fy + lens.cy + 0.5) as f32 }
}

pub(crate) fn straightened_by_opencv(lens: &Lens, on_sensor: PointPx) -> PointPx {
    let from =
        Vector::from_slice(&[Point2d::new(f64::from(on_sensor.x) - 0.5, f64::from(on_sensor.y) - 0.5)]);
    let matrix = Mat::from_slice_2d(&[[lens.fx, 0.0, lens.cx], [0.0, lens.fy, lens.cy], [0.0, 0.0, 1.0]])
        .expect("3x3");
    let distortion = Mat::from_slice(&lens.distortion).expect("1x5");
    let mut to = Vector::<Point2d>::new();
    calib3d::undistort_points(&from, &mut to, &matrix, &distortion, &Mat::default(), &matrix)
        .expect("one point");
    let p = to.get(0).expect("one point");
    PointPx { x: (p.x + 0.5) as f32, y: (p.y + 0.5) as f32 }
}

#[test]
fn a_lens_without_distortion_changes_no_number() {
    for fit in [Fit::Stretch, Fit::Letterbox { pad: 114 }, Fit::Crop] {
        let spec = TensorSpec { fit, ..spec(150, 97) };
        let cut = Cut { region: "face".into(), rect_px: None, spec };
        let picture = shot(100, 80, PixelFormat::Bgr8, |x, y| [(x * 2) as u8, (y * 3) as u8, (x + y) as u8]);
        let lens = Lens {
            size_px: [100, 80],
            fx: 90.0,
            fy: 91.0,
            cx: 50.0,
            cy: 40.0,
            distortion: [0.0; 5],
            rational: [0.0; 3],
        };
        let with =
            prepare(&Optics { lens: Some(lens), flat_field: None }, &cut, picture.clone()).expect("inside");
        let without = prepare(&Optics::default(), &cut, picture).expect("inside");
        assert_eq!(with.placement, without.placement);
        // To the edges: a pixel's outer half is not blended with the black beyond the sensor.
        for (a, b) in numbers(&with).into_iter().zip(numbers(&without)) {
            assert!((a - b).abs() <= 1.0, "{fit:?}: {a} and {b}");
        }
    }
}
