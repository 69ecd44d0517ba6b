//! Photographs: bottles on a belt, and a chessboard before a real lens.

use crate::{
    placement::straightened_by_opencv,
    scene::{frame, naive, numbers, spec},
};
use opencv::{
    calib3d,
    core::{Mat, Point2f, Size, TermCriteria, TermCriteria_EPS, TermCriteria_MAX_ITER, Vector},
    imgproc,
    prelude::*,
};
use plumb_inspection::{
    ColourOrder, Element, Fit, Image, Layout, Lens, PixelFormat, PointPx, TensorSpec, Values,
};
use plumb_preprocess::{Cut, Optics, Preprocessor};
use std::path::PathBuf;

/// The folder of real pictures, or `None` after saying so.
fn data(folder: &str) -> Option<PathBuf> {
    let beside = || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    let root = std::env::var_os("PLUMB_DATA").map_or_else(beside, PathBuf::from);
    let folder = root.join(folder);
    if !folder.is_dir() {
        println!("skipped: no shared data at {}", folder.display());
        return None;
    }
    Some(folder)
}

fn photograph(path: &std::path::Path) -> Image {
    let rgb = image::open(path).expect("a picture").into_rgb8();
    let (width, height) = rgb.dimensions();
    let mut pixels = rgb.into_raw();
    pixels.chunks_exact_mut(3).for_each(|px| px.swap(0, 2));
    Image::packed(width, height, PixelFormat::Bgr8, pixels).expect("tightly packed")
}

#[test]
fn a_bottle_photograph_is_prepared_as_plain_reckoning_has_it() {
    let Some(folder) = data("capvision/images") else { return };
    let mut paths: Vec<_> =
        walk(&folder).into_iter().filter(|p| p.extension().is_some_and(|e| e == "jpg")).collect();
    paths.sort();
    assert!(paths.len() >= 3, "{} holds {} pictures", folder.display(), paths.len());
    let detector = TensorSpec { fit: Fit::Letterbox { pad: 114 }, scale: 1.0 / 255.0, ..spec(352, 416) };
    let classifier = TensorSpec {
        fit: Fit::Crop,
        layout: Layout::Nhwc,
        mean: vec![0.485, 0.456, 0.406],
        std: vec![0.229, 0.224, 0.225],
        scale: 1.0 / 255.0,
        ..spec(224, 160)
    };
    let cuts = vec![
        Cut { region: "belt".into(), rect_px: None, spec: detector.clone() },
        Cut {
            region: "cap".into(),
            rect_px: Some([100.0, 50.0, 301.0, 277.0].into()),
            spec: classifier.clone(),
        },
    ];
    let mut preprocessor = Preprocessor::new(Optics::default(), cuts).expect("good cuts");
    for path in paths.iter().step_by(paths.len() / 3) {
        let image = photograph(path);
        let tensors = preprocessor.prepare(&frame(image.clone())).expect("inside");
        for (tensor, spec) in tensors.iter().zip([&detector, &classifier]) {
            let wanted = naive(&image, spec, &tensor.placement, None);
            let level = spec.scale / spec.mean_std(1).1;
            for (got, wanted) in numbers(tensor).into_iter().zip(wanted) {
                assert!((got - wanted).abs() < 1.2 * level, "{}: {got}, not {wanted}", path.display());
            }
        }
    }
}

fn walk(folder: &std::path::Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    entries.flat_map(|path| if path.is_dir() { walk(&path) } else { vec![path] }).collect()
}

/// What OpenCV finds from ten photographs of the board.
fn lens() -> Lens {
    Lens {
        size_px: [1280, 720],
        fx: 1151.993,
        fy: 1147.806,
        cx: 675.173,
        cy: 365.935,
        distortion: [-0.248_259, 0.047_129, -0.001_079, 0.000_218, -0.156_601],
        rational: [0.0; 3],
    }
}

fn grey(optics: Optics, image: &Image) -> Mat {
    let spec = TensorSpec { colour: ColourOrder::Grey, element: Element::U8, ..spec(1280, 720) };
    let cut = Cut { region: "board".into(), rect_px: None, spec };
    let mut preprocessor = Preprocessor::new(optics, vec![cut]).expect("a good cut");
    let tensor = preprocessor.prepare(&frame(image.clone())).expect("the calibrated size").remove(0);
    let Values::U8(bytes) = &tensor.values else { panic!("bytes were asked for") };
    Mat::new_rows_cols_with_data(720, 1280, bytes).expect("720p").clone_pointee()
}

fn corners(picture: &Mat) -> Vec<Point2f> {
    let board = Size::new(9, 6);
    let mut found = Vector::<Point2f>::new();
    let flags = calib3d::CALIB_CB_ADAPTIVE_THRESH + calib3d::CALIB_CB_NORMALIZE_IMAGE;
    assert!(
        calib3d::find_chessboard_corners(picture, board, &mut found, flags).expect("a picture"),
        "no board"
    );
    let stop = TermCriteria::new(TermCriteria_EPS + TermCriteria_MAX_ITER, 30, 0.01).expect("a criterion");
    let (window, no_zone) = (Size::new(7, 7), Size::new(-1, -1));
    imgproc::corner_sub_pix(picture, &mut found, window, no_zone, stop).expect("a picture");
    found.to_vec()
}

/// Mean distance of the board's corners from the straight line through the ends of their row, in px.
fn bend(corners: &[Point2f]) -> f32 {
    let mut sum = 0.0;
    for row in corners.chunks_exact(9) {
        let along = row[8] - row[0];
        let length = along.x.hypot(along.y);
        sum += row
            .iter()
            .map(|p| (along.x * (p.y - row[0].y) - along.y * (p.x - row[0].x)).abs() / length)
            .sum::<f32>();
    }
    sum / corners.len() as f32
}

#[test]
fn a_real_board_is_straight_once_its_lens_is_taken_out() {
    let Some(folder) = data("calib") else { return };
    for name in ["calibration12.jpg", "calibration16.jpg", "calibration18.jpg", "calibration19.jpg"] {
        let image = photograph(&folder.join(name));
        let before = corners(&grey(Optics::default(), &image));
        let after = corners(&grey(Optics { lens: Some(lens()), flat_field: None }, &image));
        let (bent, straight) = (bend(&before), bend(&after));
        println!("{name}: rows bend by {bent:.2} px, then {straight:.2} px");
        assert!(straight < 0.6 * bent, "{name}: {bent} px before, {straight} px after");
        for (raw, ours) in before.iter().zip(&after) {
            // OpenCV's corners have centres at whole numbers, ours at halves.
            let theirs = straightened_by_opencv(&lens(), PointPx { x: raw.x + 0.5, y: raw.y + 0.5 });
            let off = (theirs.x - 0.5 - ours.x).hypot(theirs.y - 0.5 - ours.y);
            assert!(off < 0.5, "{name}: a corner is {off} px from where OpenCV's own mathematics puts it");
        }
    }
}

#[test]
fn at_full_size_undistortion_is_opencvs_own() {
    let Some(folder) = data("calib") else { return };
    let image = photograph(&folder.join("calibration8.jpg"));
    let raw = grey(Optics::default(), &image);
    let ours = grey(Optics { lens: Some(lens()), flat_field: None }, &image);
    let lens = lens();
    let matrix = Mat::from_slice_2d(&[[lens.fx, 0.0, lens.cx], [0.0, lens.fy, lens.cy], [0.0, 0.0, 1.0]])
        .expect("3x3");
    let distortion = Mat::from_slice(&lens.distortion).expect("1x5");
    let mut theirs = Mat::default();
    calib3d::undistort(&raw, &mut theirs, &matrix, &distortion, &matrix).expect("720p");
    let (ours, theirs) = (ours.data_bytes().expect("packed"), theirs.data_bytes().expect("packed"));
    let off: Vec<u8> = ours.iter().zip(theirs).map(|(a, b)| a.abs_diff(*b)).collect();
    let mean = off.iter().copied().map(f64::from).sum::<f64>() / off.len() as f64;
    let far = off.iter().filter(|off| **off > 2).count();
    println!("mean difference {mean:.3} levels, {far} of {} px differ by more than 2", off.len());
    assert!(mean < 0.3 && far < off.len() / 1000, "mean {mean} levels, {far} px by more than 2");
}
