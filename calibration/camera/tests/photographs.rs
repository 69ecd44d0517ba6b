//! Real photographs of a chessboard, and what OpenCV's own Python makes of the same ones.

use plumb_camera::{Gathering, LensFit, Picture, Target, calibrate, unused_shots};
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::Command,
};

fn photographs() -> Option<PathBuf> {
    let beside = || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    let folder = std::env::var_os("PLUMB_DATA").map_or_else(beside, PathBuf::from).join("calib");
    if folder.is_dir() {
        return Some(folder);
    }
    eprintln!("skipped: no photographs at {}; set PLUMB_DATA", folder.display());
    None
}

fn calibrated(folder: &Path) -> (Gathering, LensFit) {
    let target: Target = "chessboard:9x6:25".parse().expect("a target");
    let mut gathering = Gathering::new(target.clone(), Some([1280, 720]));
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(folder).expect("the folder").flatten().map(|e| e.path()).collect();
    files.retain(|file| file.extension().is_some_and(|end| end == "jpg"));
    files.sort();
    for file in &files {
        let picture = Picture::read(file).expect("a photograph");
        let _taken = gathering.look(&picture).expect("OpenCV works");
    }
    let fit = calibrate(&target, [1280, 720], gathering.shots(), files.len(), None).expect("a lens");
    (gathering, fit)
}

#[test]
fn photographs_give_a_lens_and_each_unused_one_is_named_with_its_reason() {
    let Some(folder) = photographs() else { return };
    let (gathering, fit) = calibrated(&folder);
    for shot in &fit.shots {
        eprintln!("{} {} points, {:.3} px", shot.picture, shot.points, shot.rms_px);
    }
    eprintln!("{:?}\n{:?}\n{:#?}", fit.lens, fit.choice, fit.warnings);
    let unused: BTreeMap<String, String> = unused_shots(gathering.rejected(), &fit)
        .into_iter()
        .map(|rejected| (rejected.picture.clone(), rejected.says()))
        .collect();
    eprintln!("{unused:#?}");
    assert!(fit.rms_px <= 0.85, "RMS is {} px", fit.rms_px);
    assert_eq!(fit.shots.len() + unused.len(), 13, "every photograph is accounted for");
    assert!(unused["calibration15.jpg"].contains("1281x721 px, the others are 1280x720"), "{unused:?}");
    assert!(unused["calibration5.jpg"].contains("no chessboard:9x6:25 found"), "{unused:?}");
    assert!(unused["calibration4.jpg"].contains("cut off"), "{unused:?}");
    let focal_u = fit.uncertainty.fx / fit.lens.fx;
    assert!(focal_u > 0.0 && focal_u < 0.01, "known to {:.2} %", focal_u * 100.0);
}

#[test]
fn opencvs_own_python_finds_the_same_focal_length_in_the_same_photographs() {
    let Some(folder) = photographs() else { return };
    let python = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../.plumb/venv/bin/python");
    let has_opencv =
        Command::new(&python).args(["-c", "import cv2"]).output().is_ok_and(|o| o.status.success());
    if !has_opencv {
        eprintln!("skipped: {} has no OpenCV; deploy/setup.sh --test brings it", python.display());
        return;
    }
    let (_, fit) = calibrated(&folder);
    let script = "
import sys, cv2, numpy as np
board = np.zeros((54, 3), np.float32)
board[:, :2] = np.mgrid[0:9, 0:6].T.reshape(-1, 2) * 25
objects, images = [], []
for file in sys.argv[1:]:
    grey = cv2.imread(file, cv2.IMREAD_GRAYSCALE)
    found, corners = cv2.findChessboardCorners(grey, (9, 6))
    assert found, file
    corners = cv2.cornerSubPix(grey, corners, (11, 11), (-1, -1), (3, 30, 0.001))
    objects.append(board)
    images.append(corners)
rms, camera, _, _, _ = cv2.calibrateCamera(objects, images, (1280, 720), None, None)
print(rms, camera[0, 0], camera[1, 1])
";
    let files = fit.shots.iter().map(|shot| folder.join(&shot.picture));
    let output = Command::new(&python).arg("-c").arg(script).args(files).output().expect("Python runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8_lossy(&output.stdout);
    let numbers: Vec<f64> = text.split_whitespace().map(|word| word.parse().expect("a number")).collect();
    let [rms, fx, fy] = numbers[..] else { panic!("three numbers, not {text}") };
    eprintln!(
        "Python: rms {rms:.3}, fx {fx:.2}, fy {fy:.2}; here {:.3}, {:.2}, {:.2}",
        fit.rms_px, fit.lens.fx, fit.lens.fy
    );
    assert!((fit.lens.fx / fx - 1.0).abs() < 0.01, "fx {} here, {fx} there", fit.lens.fx);
    assert!((fit.lens.fy / fy - 1.0).abs() < 0.01, "fy {} here, {fy} there", fit.lens.fy);
}
