//! Lengths, diameters, angles and areas of parts of known geometry: true on average, steady, and as sure as they say.

use crate::render::{Random, Shape, picture};
use plumb_inspection::{Affine, Image, MmPerPx, PixelFormat, Value};
use plumb_preprocess::{Gauge, Plane, Scale};

const FRAME: (u32, u32) = (200, 160);

fn gauge(toml: &str) -> Gauge {
    let gauge: Gauge =
        toml::from_str(&format!("name = 'it'\n{toml}")).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(gauge.problems(), [""; 0], "{toml}");
    gauge
}

fn measured(gauge: &Gauge, frame: &Image) -> Value {
    let measurement = gauge.measure(frame, None, None, &Scale::default());
    measurement.px.unwrap_or_else(|| panic!("{measurement:?}"))
}

/// A bar of `width` px whose middle lies at `middle`, its edges turned from upright by `angle_deg`.
fn bar(middle: [f64; 2], width: f64, angle_deg: f64) -> impl Shape {
    let (sin, cos) = angle_deg.to_radians().sin_cos();
    move |[x, y]: [f64; 2]| ((x - middle[0]) * cos + (y - middle[1]) * sin).abs() - width / 2.0
}

fn disc(middle: [f64; 2], radius: f64) -> impl Shape {
    move |[x, y]: [f64; 2]| (x - middle[0]).hypot(y - middle[1]) - radius
}

/// What many measurements of known things came to.
#[derive(Default)]
struct Trials {
    errors: Vec<f64>,
    /// How many lay within two of their own standard uncertainties.
    covered: usize,
    stated: f64,
}

impl Trials {
    fn add(&mut self, value: Value, truth: f64) {
        assert!(value.u > 0.0 && value.u.is_finite(), "{value:?}");
        self.errors.push(value.value - truth);
        self.stated += value.u;
        self.covered += usize::from((value.value - truth).abs() <= 2.0 * value.u);
    }

    fn bias(&self) -> f64 {
        self.errors.iter().sum::<f64>() / self.errors.len() as f64
    }

    fn three_sigma(&self) -> f64 {
        let bias = self.bias();
        let square = self.errors.iter().map(|error| (error - bias).powi(2)).sum::<f64>();
        3.0 * (square / (self.errors.len() - 1) as f64).sqrt()
    }

    /// The promise: bias at most 0.05, three standard deviations at most 0.1, in `unit`; two uncertainties hold the truth
    /// about 95 times of 100.
    fn hold(&self, what: &str, unit: f64) {
        let (bias, spread) = (self.bias(), self.three_sigma());
        let covered = self.covered as f64 / self.errors.len() as f64;
        let stated = self.stated / self.errors.len() as f64;
        eprintln!(
            "{what}: stated {stated:.4}, bias {bias:+.4}, 3 sigma {spread:.4}, {:.1} % within 2 u",
            covered * 100.0
        );
        assert!(bias.abs() <= 0.05 * unit, "{what}: bias {bias}");
        assert!(spread <= 0.1 * unit, "{what}: 3 sigma {spread}");
        assert!(covered >= 0.9, "{what}: {covered} covered");
        // An uncertainty that is far too large covers everything and says nothing.
        assert!(stated <= spread, "{what}: {stated} stated, a third of {spread} seen");
    }
}

const ACROSS: &str = "kind = 'length'\n\
    a = { from_px = [50, 80], to_px = [80, 80], width_px = 60, polarity = 'rising' }\n\
    b = { from_px = [150, 80], to_px = [120, 80], width_px = 60, polarity = 'rising' }";

#[test]
fn a_width_is_true_at_every_place_between_px_and_at_every_angle() {
    let gauge = gauge(ACROSS);
    let mut random = Random(11);
    let (mut upright, mut slanting) = (Trials::default(), Trials::default());
    for seed in 0..120 {
        let (width, angle) = (70.0 + random.even(), random.between(-8.0, 8.0));
        let middle = [100.0 + random.between(-2.0, 2.0), 80.0];
        let frame = picture(FRAME.0, FRAME.1, 2.0, seed, &bar(middle, width, 0.0));
        upright.add(measured(&gauge, &frame), width);
        let frame = picture(FRAME.0, FRAME.1, 2.0, 1000 + seed, &bar(middle, width, angle));
        slanting.add(measured(&gauge, &frame), width);
    }
    upright.hold("upright width", 1.0);
    slanting.hold("slanting width", 1.0);
}

#[test]
fn one_part_measured_again_and_again_stays_within_a_tenth_px() {
    let gauge = gauge(ACROSS);
    let mut trials = Trials::default();
    for seed in 0..60 {
        let frame = picture(FRAME.0, FRAME.1, 2.0, seed, &bar([100.3, 80.0], 70.25, 1.0));
        trials.add(measured(&gauge, &frame), 70.25);
    }
    trials.hold("the same width", 1.0);
}

#[test]
fn a_diameter_a_position_and_an_area_are_true() {
    let round = gauge(
        "kind = 'diameter'\nround = { centre_px = [100, 80], radius_min_px = 30, radius_max_px = 52, polarity = 'falling' }",
    );
    let area = gauge("kind = 'area'\nrect_px = [45, 25, 110, 110]");
    let position = gauge("kind = 'position'\nedge = { from_px = [50, 80], to_px = [90, 80], width_px = 40 }");
    let mut random = Random(5);
    let (mut diameters, mut areas, mut positions) = (Trials::default(), Trials::default(), Trials::default());
    for seed in 0..100 {
        let radius = 40.0 + random.even();
        let middle = [100.0 + random.between(-1.5, 1.5), 80.0 + random.between(-1.5, 1.5)];
        let frame = picture(FRAME.0, FRAME.1, 2.0, seed, &disc(middle, radius));
        diameters.add(measured(&round, &frame), 2.0 * radius);
        areas.add(measured(&area, &frame), std::f64::consts::PI * radius * radius);
        let frame = picture(FRAME.0, FRAME.1, 2.0, seed, &bar(middle, 60.0, 0.0));
        positions.add(measured(&position, &frame), middle[0] - 30.0 - 50.0);
    }
    diameters.hold("diameter", 1.0);
    positions.hold("position", 1.0);
    // Half a px² for each px of the border's length is what a radius off by half a px would be.
    areas.hold("area", 2.0 * std::f64::consts::PI * 40.0);
}

#[test]
fn an_angle_is_true_to_a_tenth_degree() {
    let gauge = gauge(
        "kind = 'angle'\n\
         a = { from_px = [85, 105], to_px = [115, 105], width_px = 80 }\n\
         b = { from_px = [150, 20], to_px = [150, 60], width_px = 60 }",
    );
    let mut random = Random(3);
    let mut trials = Trials::default();
    for seed in 0..80 {
        let (one, other) = (random.between(-6.0, 6.0), random.between(-6.0, 6.0));
        let left = bar([150.0, 80.0], 100.0, one);
        let (sin, cos) = other.to_radians().sin_cos();
        let corner =
            move |at: [f64; 2]| left.distance(at).max(-((at[1] - 40.0) * cos - (at[0] - 100.0) * sin));
        let frame = picture(FRAME.0, FRAME.1, 2.0, seed, &corner);
        let value = measured(&gauge, &frame);
        // Upright turned by `one` leans its edge by the same; level turned by `other` likewise.
        trials.add(value, 90.0 - (one - other).abs());
    }
    trials.hold("angle", 3.0);
}

#[test]
fn what_is_measured_follows_the_part_and_is_told_in_mm_along_each_axis() {
    let gauge = gauge(ACROSS);
    let frame = picture(FRAME.0, FRAME.1, 0.0, 1, &bar([108.0, 75.0], 70.5, 7.0));
    // The part was taught upright at (100, 80).
    let (sin, cos) = 7.0_f64.to_radians().sin_cos();
    let map = Affine {
        rows: [[cos, -sin, 108.0 - cos * 100.0 + sin * 80.0], [sin, cos, 75.0 - sin * 100.0 - cos * 80.0]],
    };
    let value = gauge.measure(&frame, None, Some(&map), &Scale::default()).px.expect("both edges are there");
    assert!((value.value - 70.5).abs() < 0.03, "{value:?}");
    let frame = picture(FRAME.0, FRAME.1, 0.0, 1, &bar([100.0, 80.0], 70.5, 0.0));
    let plane = Plane { mm_per_px: MmPerPx { x: 0.1, y: 0.2 }, u_relative: 0.01 };
    let scale = Scale { known: Some(plane), uncalibrated: None };
    let told = gauge.measure(&frame, None, None, &scale);
    assert!(told.says.ends_with(" mm (k=2)"), "{told:?}");
    let mm = told.mm.expect("there is a scale");
    assert!((mm.value - 7.05).abs() < 0.003, "{mm:?}");
    assert!(mm.u > 0.0705 && mm.u < 0.08, "the doubt about the scale is in it: {mm:?}");
}

#[test]
fn what_cannot_be_measured_says_why() {
    let gauge = gauge(ACROSS);
    let says = |gauge: &Gauge, frame: &Image| {
        let measurement = gauge.measure(frame, None, None, &Scale::default());
        assert_eq!((measurement.px, measurement.mm), (None, None));
        measurement.says
    };
    let empty = picture(FRAME.0, FRAME.1, 2.0, 1, &|_: [f64; 2]| 99.0);
    assert!(says(&gauge, &empty).contains("only 0 of 31 scan lines show its edge"));
    let small = Image::packed(60, 60, PixelFormat::Gray8, vec![7; 3600]).expect("as many");
    assert!(says(&gauge, &small).contains("frame"), "{}", says(&gauge, &small));
    let area = self::gauge("kind = 'area'\nrect_px = [10, 10, 50, 50]");
    assert!(says(&area, &empty).contains("nothing stands out"), "{}", says(&area, &empty));
    assert!(
        says(&area, &Image::packed(200, 160, PixelFormat::Gray8, vec![0; 32000]).expect("as many"))
            .contains("one grey")
    );
}

#[test]
fn a_caliper_that_fits_no_picture_is_refused() {
    let table = [
        ("kind = 'position'\nedge = { from_px = [1, 1], to_px = [1, 1], width_px = 9 }", "8 to 4096"),
        ("kind = 'position'\nedge = { from_px = [nan, 1], to_px = [30, 1], width_px = 9 }", "8 to 4096"),
        ("kind = 'position'\nedge = { from_px = [1, 1], to_px = [30, 1], width_px = 1 }", "width_px is 1"),
        (
            "kind = 'position'\nedge = { from_px = [1, 1], to_px = [30, 1], width_px = 9, lines = 1 }",
            "lines is 1",
        ),
        (
            "kind = 'diameter'\nround = { centre_px = [1, 1], radius_min_px = 9, radius_max_px = 5 }",
            "radius_max_px",
        ),
        ("kind = 'area'\nrect_px = [1, 1, 0, 9]", "rect_px"),
    ];
    for (toml, wanted) in table {
        let gauge: Gauge = toml::from_str(&format!("name = 'it'\n{toml}")).expect(toml);
        let problems = gauge.problems().join("; ");
        assert!(problems.contains(wanted), "{toml}: {problems}");
    }
    let misspelt = "name = 'it'\nkind = 'diametre'";
    assert!(toml::from_str::<Gauge>(misspelt).is_err());
}
