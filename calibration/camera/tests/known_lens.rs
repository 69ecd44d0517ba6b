//! Boards rendered through a lens that is known: what comes out must be that lens, or an honest refusal.

mod workshop;

use plumb_camera::{
    CameraError, Gathering, LensFit, Model, PlaneFit, Rejection, Target, calibrate, undistorted_px,
};
use plumb_inspection::{Image, Lens, PixelFormat};
use workshop::{Held, Scene};

fn lens() -> Lens {
    Lens {
        size_px: [640, 480],
        fx: 610.0,
        fy: 606.0,
        cx: 322.3,
        cy: 236.8,
        distortion: [-0.21, 0.06, 0.0008, -0.0005, 0.0],
        rational: [0.0; 3],
    }
}

fn held(at_mm: [f64; 3], turned_deg: [f64; 3]) -> Held {
    Held { at_mm, turned_deg }
}

/// Straight and tilted four ways, in the middle and in every corner.
fn poses(near_mm: f64) -> Vec<Held> {
    let side = near_mm * 0.2;
    vec![
        held([0.0, 0.0, near_mm], [0.0, 0.0, 2.0]),
        held([0.0, 0.0, near_mm], [0.0, 30.0, 0.0]),
        held([0.0, 0.0, near_mm], [0.0, -30.0, 5.0]),
        held([0.0, 0.0, near_mm], [30.0, 0.0, -4.0]),
        held([0.0, 0.0, near_mm], [-30.0, 0.0, 0.0]),
        held([-side, -side * 0.6, near_mm], [15.0, -20.0, 0.0]),
        held([side, -side * 0.6, near_mm], [15.0, 20.0, 10.0]),
        held([-side, side * 0.6, near_mm], [-15.0, -20.0, -8.0]),
        held([side, side * 0.6, near_mm], [-15.0, 20.0, 3.0]),
        held([0.0, 0.0, near_mm * 1.25], [25.0, 25.0, 20.0]),
        held([-side * 1.1, 0.0, near_mm], [5.0, -35.0, 7.0]),
        held([side * 1.1, 0.0, near_mm], [-5.0, 35.0, -7.0]),
        held([0.0, -side * 0.7, near_mm], [35.0, 4.0, 12.0]),
        held([0.0, side * 0.7, near_mm], [-35.0, -4.0, -12.0]),
    ]
}

fn gathered(target: &Target, lens: &Lens, poses: &[Held]) -> Gathering {
    let scene = Scene::new(target);
    let mut gathering = Gathering::new(target.clone(), Some(lens.size_px));
    for (index, held) in poses.iter().enumerate() {
        let picture = scene.picture(&format!("{index}.png"), lens, *held);
        if let Err(rejected) = gathering.look(&picture).expect("OpenCV works") {
            panic!("{}: {} ({held:?})", rejected.picture, rejected.says());
        }
    }
    gathering
}

fn calibrated(gathering: &Gathering) -> Result<LensFit, CameraError> {
    let given = gathering.shots().len();
    let size_px = gathering.size_px().expect("there were pictures");
    calibrate(gathering.target(), size_px, gathering.shots(), given, None)
}

/// The largest distance, over the middle 80 % of the view, between where two lenses say that the light of a pixel came
/// from, in px of the true lens. A turn of the whole camera is no difference: shots held otherwise would hide it too.
fn apart_px(truth: &Lens, found: &Lens) -> f64 {
    let [width, height] = truth.size_px.map(f64::from);
    let places = (1..10)
        .flat_map(|y| (1..10).map(move |x| [f64::from(x) / 10.0 * width, f64::from(y) / 10.0 * height]));
    let apart: Vec<[f64; 2]> = places
        .map(|px| {
            let (true_px, [u, v]) = (undistorted_px(truth, px), undistorted_px(found, px));
            let ray = [(u - found.cx) / found.fx, (v - found.cy) / found.fy];
            [ray[0] * truth.fx + truth.cx - true_px[0], ray[1] * truth.fy + truth.cy - true_px[1]]
        })
        .collect();
    let mean = [0, 1].map(|axis| apart.iter().map(|d| d[axis]).sum::<f64>() / apart.len() as f64);
    apart.iter().map(|d| (d[0] - mean[0]).hypot(d[1] - mean[1])).fold(0.0, f64::max)
}

fn recovered(text: &str, near_mm: f64, apart_max_px: f64) -> LensFit {
    let target: Target = text.parse().expect(text);
    let fit = calibrated(&gathered(&target, &lens(), &poses(near_mm))).expect(text);
    let (truth, found) = (lens(), fit.lens);
    eprintln!(
        "{text}: rms {:.3} px, fx {:.2} ({:+.3} %), cx {:.2}, cy {:.2}, {:.3} px apart, u(fx) {:.2}, u(cy) {:.2}",
        fit.rms_px,
        found.fx,
        (found.fx / truth.fx - 1.0) * 100.0,
        found.cx,
        found.cy,
        apart_px(&truth, &found),
        fit.uncertainty.fx,
        fit.uncertainty.cy
    );
    for (found, truth) in [(found.fx, truth.fx), (found.fy, truth.fy)] {
        assert!((found / truth - 1.0).abs() < 0.002, "{text}: focal length {found:.3}, true is {truth}");
    }
    assert!(fit.rms_px < 0.1, "{text}: {} px", fit.rms_px);
    assert!(fit.outliers.is_empty(), "{text}: {:?}", fit.outliers);
    // Rendered edges are not quite independent of each other; three times the stated uncertainty is a fair bound.
    for (found, truth, u) in
        [(found.cx, truth.cx, fit.uncertainty.cx), (found.cy, truth.cy, fit.uncertainty.cy)]
    {
        assert!(
            (found - truth).abs() < 3.0 * u + 0.1,
            "{text}: principal point {found:.2} ± {u:.2}, true is {truth}"
        );
    }
    let apart = apart_px(&truth, &found);
    assert!(apart < apart_max_px, "{text}: rays are {apart:.3} px apart somewhere");
    fit
}

#[test]
fn a_chessboard_gives_the_lens_back_with_the_five_coefficients_that_describe_it() {
    let fit = recovered("chessboard:9x6:20", 330.0, 0.1);
    assert_eq!((fit.choice.taken, fit.lens.rational), (Model::Plain, [0.0; 3]), "{:?}", fit.choice);
    assert!(fit.choice.plain_held_out_px.is_some() && fit.choice.rational_held_out_px.is_some());
}

// Its corners are read from windows so narrow that no marker is in them, and there are 40 of them only.
#[test]
fn a_charuco_board_gives_the_lens_back() {
    recovered("charuco:9x6:24:16:5x5_100", 350.0, 0.25);
}

#[test]
fn a_charuco_board_that_is_partly_in_view_is_used_and_with_even_rows_as_well() {
    let target: Target = "charuco:10x8:20:15:4x4_50".parse().expect("a target");
    let scene = Scene::new(&target);
    let mut gathering = Gathering::new(target.clone(), None);
    let picture = scene.picture("half.png", &lens(), held([90.0, 0.0, 330.0], [0.0, 20.0, 0.0]));
    let shot = gathering.look(&picture).expect("OpenCV works").expect("half of it is enough");
    assert!(shot.sighting.points.len() >= 20 && shot.sighting.points.len() < target.len());
    let off = shot.sighting.points.iter().zip(&shot.sighting.at_px).map(|(&index, px)| {
        let there =
            scene.px_of(&lens(), held([90.0, 0.0, 330.0], [0.0, 20.0, 0.0]), target.position_mm(index));
        (px[0] - there[0]).hypot(px[1] - there[1])
    });
    let worst = off.fold(0.0, f64::max);
    assert!(worst < 0.25, "a corner is {worst:.3} px off");
}

#[test]
fn circle_grids_give_the_lens_back() {
    recovered("circles:9x6:20", 330.0, 0.1);
    recovered("asymmetric_circles:4x11:14", 440.0, 0.15);
}

#[test]
fn shots_without_tilt_are_refused_and_say_what_is_missing() {
    let target: Target = "chessboard:9x6:20".parse().expect("a target");
    let flat: Vec<Held> = [[0.0, 0.0], [40.0, 20.0], [-40.0, 20.0], [40.0, -20.0], [-40.0, -20.0]]
        .iter()
        .map(|[x, y]| held([*x, *y, 330.0], [0.0, 0.0, 1.0]))
        .collect();
    let gathering = gathered(&target, &lens(), &flat);
    assert!(gathering.coverage().missing_tilts.len() == 4, "{:?}", gathering.coverage());
    let told = calibrated(&gathering).expect_err("nothing says how long the lens is").to_string();
    assert!(told.contains("do not say how long the lens is") && told.contains("tilted 20 to 40"), "{told}");
}

#[test]
fn one_shot_is_too_few_and_the_same_shot_twice_is_one() {
    let target: Target = "chessboard:9x6:20".parse().expect("a target");
    let gathering = gathered(&target, &lens(), &poses(330.0)[1..2]);
    let told = calibrated(&gathering).expect_err("one shot").to_string();
    assert!(told.contains("1 of 1 pictures can be used, a lens needs at least 3"), "{told}");
    let mut gathering = gathering;
    let scene = Scene::new(&target);
    let again = scene.picture("again.png", &lens(), held([0.3, 0.0, 330.0], [0.0, 30.0, 0.0]));
    let refused = gathering.look(&again).expect("OpenCV works").expect_err("seen already");
    assert!(
        matches!(&refused.reasons[..], [Rejection::Duplicate { of, .. }] if of == "0.png"),
        "{refused:?}"
    );
}

#[test]
fn each_bad_picture_is_refused_with_its_reason() {
    let target: Target = "chessboard:9x6:20".parse().expect("a target");
    let scene = Scene::new(&target);
    let good = scene.seen(&lens(), held([0.0, 0.0, 330.0], [10.0, 15.0, 0.0]));
    let mut gathering = Gathering::new(target, Some([640, 480]));
    let changed = |change: &dyn Fn(u8) -> f64| {
        let bytes = good.bytes().iter().map(|v| change(*v).round().clamp(0.0, 255.0) as u8).collect();
        Image::packed(640, 480, PixelFormat::Gray8, bytes).expect("a picture")
    };
    let mut told = |name: &str, image: &Image| {
        let picture = plumb_camera::Picture::of_frame(name, image);
        match gathering.look(&picture).expect("OpenCV works") {
            Ok(shot) => panic!("{name} was taken: {:?}", shot.quality),
            Err(rejected) => rejected.says(),
        }
    };
    assert_eq!(told("black", &changed(&|_| 0.0)), "the picture is black");
    assert!(told("faint", &changed(&|v| 100.0 + f64::from(v) * 0.06)).contains("more light"));
    assert!(told("over", &changed(&|v| f64::from(v) * 1.8)).contains("over-exposed"));
    assert!(told("blurred", &blurred(&good, 8)).contains("blurred"));
    let far = scene.seen(&lens(), held([0.0, 0.0, 1500.0], [10.0, 15.0, 0.0]));
    let says = told("far", &far);
    assert!(says.contains("too small") || says.contains("no chessboard"), "{says}");
    let small = Image::packed(320, 240, PixelFormat::Gray8, vec![90; 320 * 240]).expect("a picture");
    assert!(
        told("small", &small).starts_with("320x240 px, the others are 640x480; no chessboard:9x6:20 found")
    );
    let wrong: Target = "chessboard:8x6:20".parse().expect("a target");
    let mut miscounted = Gathering::new(wrong, None);
    let refused = miscounted.look(&plumb_camera::Picture::of_frame("good", &good)).expect("OpenCV works");
    let says = refused.expect_err("it has another count").says();
    assert!(says.contains("but a chessboard:9x6:20: is all of it"), "{says}");
}

/// A box filter, `radius` px each way.
fn blurred(image: &Image, radius: i64) -> Image {
    let (width, height) = (i64::from(image.width()), i64::from(image.height()));
    let at = |x: i64, y: i64| {
        u32::from(image.bytes()[(y.clamp(0, height - 1) * width + x.clamp(0, width - 1)) as usize])
    };
    let n = (2 * radius + 1) as u32;
    let across: Vec<u32> = (0..height)
        .flat_map(|y| (0..width).map(move |x| (x, y)))
        .map(|(x, y)| (-radius..=radius).map(|d| at(x + d, y)).sum::<u32>() / n)
        .collect();
    let down = |x: i64, y: i64| across[(y.clamp(0, height - 1) * width + x) as usize];
    let bytes = (0..height)
        .flat_map(|y| (0..width).map(move |x| (x, y)))
        .map(|(x, y)| ((-radius..=radius).map(|d| down(x, y + d)).sum::<u32>() / n) as u8)
        .collect();
    Image::packed(width as u32, height as u32, PixelFormat::Gray8, bytes).expect("a picture")
}

#[test]
fn a_known_length_on_a_slanted_plane_comes_back_within_its_uncertainty() {
    let target: Target = "chessboard:9x6:20".parse().expect("a target");
    let scene = Scene::new(&target);
    for turned_deg in [[0.0, 0.0, 3.0], [4.0, -3.0, 0.0], [12.0, 8.0, 20.0]] {
        let held = held([5.0, -4.0, 330.0], turned_deg);
        let mut gathering = Gathering::new(target.clone(), None);
        let shot = gathering
            .look(&scene.picture("plane.png", &lens(), held))
            .expect("OpenCV works")
            .expect("found")
            .clone();
        let plane = PlaneFit::of_target(&target, &shot.sighting, Some(&lens()), 0.0).expect("a plane");
        assert!(plane.rms_mm < 0.05, "{turned_deg:?}: residuals of {} mm", plane.rms_mm);
        // Lengths that the fit has not seen, along, across and aslant.
        for (a, b) in
            [([10.0, 10.0], [150.0, 10.0]), ([30.0, 5.0], [30.0, 95.0]), ([5.0, 15.0], [120.0, 80.0])]
        {
            let [from, to] = [a, b].map(|mm| scene.px_of(&lens(), held, mm));
            let length = plane.measure(Some(&lens()), from, to, 0.05);
            let true_mm = f64::hypot(a[0] - b[0], a[1] - b[1]);
            let exact = length.by_homography_mm.expect("a homography");
            assert!((exact - true_mm).abs() < 0.1, "{turned_deg:?}: {exact:.3} of {true_mm:.3} mm");
            assert!(
                (length.mm - true_mm).abs() < 2.0 * length.u_mm,
                "{turned_deg:?}: {true_mm:.3} is {length:?}"
            );
        }
    }
}
