//! OpenCV's solver, with its numbers given names.

use super::{LensUncertainty, Model};
use crate::{
    coverage::{Pose, image_points, object_points},
    gathering::Shot,
    target::Target,
};
use opencv::{
    calib3d,
    core::{Mat, Point2f, Point3f, Size, TermCriteria, TermCriteria_COUNT, TermCriteria_EPS, Vector},
    prelude::*,
};
use plumb_inspection::Lens;

/// One solution.
pub(super) struct Solved {
    pub(super) lens: Lens,
    pub(super) uncertainty: LensUncertainty,
    pub(super) rms_px: f64,
    /// A shot each.
    pub(super) rms_px_of: Vec<f64>,
    pub(super) poses: Vec<Pose>,
}

impl Solved {
    pub(super) fn new(
        target: &Target,
        size_px: [u32; 2],
        shots: &[&Shot],
        model: Model,
    ) -> opencv::Result<Self> {
        let objects: Vector<Vector<Point3f>> =
            shots.iter().map(|shot| object_points(target, &shot.sighting)).collect();
        let images: Vector<Vector<Point2f>> = shots.iter().map(|shot| image_points(&shot.sighting)).collect();
        let (mut camera, mut coefficients) = (Mat::default(), Mat::default());
        let (mut rotations, mut translations) = (Vector::<Mat>::new(), Vector::<Mat>::new());
        let (mut deviations, mut of_poses, mut of_views) = (Mat::default(), Mat::default(), Mat::default());
        let flags = if model == Model::Rational { calib3d::CALIB_RATIONAL_MODEL } else { 0 };
        let rms_px = calib3d::calibrate_camera_extended(
            &objects,
            &images,
            Size::new(size_px[0] as i32, size_px[1] as i32),
            &mut camera,
            &mut coefficients,
            &mut rotations,
            &mut translations,
            &mut deviations,
            &mut of_poses,
            &mut of_views,
            flags,
            TermCriteria::new(TermCriteria_COUNT | TermCriteria_EPS, 100, f64::EPSILON)?,
        )?;
        let m = camera.data_typed::<f64>()?;
        let k = coefficients.data_typed::<f64>()?;
        let at = |index: usize| k.get(index).copied().unwrap_or(0.0);
        let u = deviations.data_typed::<f64>()?;
        let u_at = |index: usize| u.get(index).copied().unwrap_or(0.0);
        let pose = |(rotation, translation): (Mat, Mat)| {
            let t = translation.data_typed::<f64>()?;
            Pose::of(&rotation, [t[0], t[1], t[2]])
        };
        Ok(Self {
            lens: Lens {
                size_px,
                fx: m[0],
                fy: m[4],
                cx: m[2],
                cy: m[5],
                distortion: [at(0), at(1), at(2), at(3), at(4)],
                rational: [at(5), at(6), at(7)],
            },
            uncertainty: LensUncertainty {
                fx: u_at(0),
                fy: u_at(1),
                cx: u_at(2),
                cy: u_at(3),
                coefficients: std::array::from_fn(|index| u_at(4 + index)),
            },
            rms_px,
            rms_px_of: of_views.data_typed::<f64>()?.to_vec(),
            poses: rotations.iter().zip(&translations).map(pose).collect::<opencv::Result<_>>()?,
        })
    }
}

/// Sum of squared distances in px between a shot's points and where `lens` puts them, the target held as fits best.
pub(super) fn squares_px(target: &Target, lens: &Lens, shot: &Shot) -> opencv::Result<f64> {
    let camera = Mat::from_slice_2d(&[[lens.fx, 0.0, lens.cx], [0.0, lens.fy, lens.cy], [0.0, 0.0, 1.0]])?;
    let coefficients = lens.coefficients();
    let coefficients = Mat::from_slice(&coefficients)?;
    let (objects, images) = (object_points(target, &shot.sighting), image_points(&shot.sighting));
    let (mut rotation, mut translation) = (Mat::default(), Mat::default());
    let iterative = calib3d::SOLVEPNP_ITERATIVE;
    calib3d::solve_pnp(
        &objects,
        &images,
        &camera,
        &coefficients,
        &mut rotation,
        &mut translation,
        false,
        iterative,
    )?;
    let mut there = Vector::<Point2f>::new();
    calib3d::project_points_def(&objects, &rotation, &translation, &camera, &coefficients, &mut there)?;
    let off =
        images.iter().zip(&there).map(|(a, b)| f64::from(a.x - b.x).powi(2) + f64::from(a.y - b.y).powi(2));
    Ok(off.sum())
}
