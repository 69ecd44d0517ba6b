//! Which parts of the view and which tilts the shots show, and in words which are missing.

use crate::target::{Sighting, Target};
use opencv::{
    calib3d,
    core::{Mat, Point2f, Point3f, Vector},
    prelude::*,
};
use serde::{Deserialize, Serialize};

/// From so many degrees on a target counts as tilted.
pub const TILT_WANTED_DEG: f64 = 15.0;

/// The view is cut into so many columns and rows.
const CELLS: usize = 5;

/// How a target is held.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Pose {
    /// Degrees about the vertical: above 0 its left side is nearer to the camera, below 0 its right.
    pub tilt_x_deg: f64,
    /// Degrees about the horizontal: above 0 its top is nearer, below 0 its bottom.
    pub tilt_y_deg: f64,
    /// From the camera to the target's first point, in mm.
    pub distance_mm: f64,
}

impl Pose {
    /// From OpenCV's rotation and translation of the target.
    pub(crate) fn of(
        rotation: &impl opencv::core::ToInputArray,
        translation: [f64; 3],
    ) -> opencv::Result<Self> {
        let mut matrix = Mat::default();
        calib3d::rodrigues_def(rotation, &mut matrix)?;
        let m = matrix.data_typed::<f64>()?;
        let normal = [m[2], m[5], m[8]];
        // On the plane n·p = c depth changes by -n.x / n.z a step to the right.
        let tilt = |across: f64| (-across / normal[2]).atan().to_degrees();
        let [x, y, z] = translation;
        Ok(Self {
            tilt_x_deg: tilt(normal[0]),
            tilt_y_deg: tilt(normal[1]),
            distance_mm: (x * x + y * y + z * z).sqrt(),
        })
    }

    /// For guidance, before the lens is known: as a lens of common length would see it, without distortion.
    pub(crate) fn guessed(
        target: &Target,
        sighting: &Sighting,
        [width, height]: [u32; 2],
    ) -> opencv::Result<Self> {
        let f = 1.2 * f64::from(width.max(height));
        let camera = [[f, 0.0, f64::from(width) / 2.0], [0.0, f, f64::from(height) / 2.0], [0.0, 0.0, 1.0]];
        let camera = Mat::from_slice_2d(&camera)?;
        let (mut rotation, mut translation) = (Mat::default(), Mat::default());
        calib3d::solve_pnp(
            &object_points(target, sighting),
            &image_points(sighting),
            &camera,
            &Mat::default(),
            &mut rotation,
            &mut translation,
            false,
            calib3d::SOLVEPNP_ITERATIVE,
        )?;
        let t = translation.data_typed::<f64>()?;
        Self::of(&rotation, [t[0], t[1], t[2]])
    }

    /// Degrees between the target and the sensor's plane.
    pub fn tilt_deg(&self) -> f64 {
        let [x, y] = [self.tilt_x_deg, self.tilt_y_deg].map(|deg| deg.to_radians().tan());
        x.hypot(y).atan().to_degrees()
    }
}

pub(crate) fn object_points(target: &Target, sighting: &Sighting) -> Vector<Point3f> {
    let places = sighting.points.iter().map(|&index| target.position_mm(index));
    places.map(|[x, y]| Point3f::new(x as f32, y as f32, 0.0)).collect()
}

pub(crate) fn image_points(sighting: &Sighting) -> Vector<Point2f> {
    sighting.at_px.iter().map(|p| Point2f::new(p[0] as f32, p[1] as f32)).collect()
}

/// What the shots taken so far show.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Coverage {
    /// Points seen in each cell of the view, row by row from the top left, 5 × 5.
    pub cells: [[u32; CELLS]; CELLS],
    /// Parts of the view without any point, in words.
    pub missing_views: Vec<&'static str>,
    /// Ways to hold the target that no shot shows, in words.
    pub missing_tilts: Vec<&'static str>,
}

/// Each named part of the view with its cells: first and last column, first and last row.
const ZONES: [(&str, [usize; 4]); 9] = [
    ("the top left corner", [0, 0, 0, 0]),
    ("the top edge", [1, 3, 0, 0]),
    ("the top right corner", [4, 4, 0, 0]),
    ("the left edge", [0, 0, 1, 3]),
    ("the middle", [1, 3, 1, 3]),
    ("the right edge", [4, 4, 1, 3]),
    ("the bottom left corner", [0, 0, 4, 4]),
    ("the bottom edge", [1, 3, 4, 4]),
    ("the bottom right corner", [4, 4, 4, 4]),
];

impl Coverage {
    /// Of sightings and poses in a view of `size_px`.
    pub(crate) fn of<'a>(size_px: [u32; 2], shots: impl Iterator<Item = (&'a Sighting, Pose)>) -> Self {
        let mut cells = [[0; CELLS]; CELLS];
        let mut poses = Vec::new();
        for (sighting, pose) in shots {
            poses.push(pose);
            for p in &sighting.at_px {
                let cell =
                    |at: f64, side: u32| ((at / f64::from(side) * CELLS as f64) as usize).min(CELLS - 1);
                cells[cell(p[1], size_px[1])][cell(p[0], size_px[0])] += 1;
            }
        }
        let empty = |[left, right, top, bottom]: [usize; 4]| {
            let inside = cells[top..=bottom].iter().flat_map(|row| &row[left..=right]);
            let (seen, all) = inside.fold((0, 0), |(seen, all), &n| (seen + u32::from(n > 0), all + 1));
            seen * 2 < all
        };
        let lacks = |held: &dyn Fn(&Pose) -> bool| !poses.iter().any(held);
        let tilts: [(&str, bool); 5] = [
            ("its left side nearer to the camera", lacks(&|p| p.tilt_x_deg >= TILT_WANTED_DEG)),
            ("its right side nearer to the camera", lacks(&|p| p.tilt_x_deg <= -TILT_WANTED_DEG)),
            ("its top nearer to the camera", lacks(&|p| p.tilt_y_deg >= TILT_WANTED_DEG)),
            ("its bottom nearer to the camera", lacks(&|p| p.tilt_y_deg <= -TILT_WANTED_DEG)),
            ("its face straight to the camera", lacks(&|p| p.tilt_deg() < TILT_WANTED_DEG)),
        ];
        Self {
            cells,
            missing_views: ZONES.iter().filter(|(_, zone)| empty(*zone)).map(|(name, _)| *name).collect(),
            missing_tilts: tilts.iter().filter(|(_, lacks)| *lacks).map(|(name, _)| *name).collect(),
        }
    }

    /// True if nothing is missing.
    pub fn is_complete(&self) -> bool {
        self.missing_views.is_empty() && self.missing_tilts.is_empty()
    }

    /// What to do next, as sentences; none where nothing is missing.
    pub fn advice(&self) -> Vec<String> {
        let list = |what: &[&str]| what.join(", ");
        let views = (!self.missing_views.is_empty())
            .then(|| format!("hold the target into {}", list(&self.missing_views)));
        let tilts =
            (!self.missing_tilts.is_empty()).then(|| format!("hold it with {}", list(&self.missing_tilts)));
        views.into_iter().chain(tilts).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sighting(at: &[[f64; 2]]) -> Sighting {
        Sighting { points: (0..at.len()).collect(), at_px: at.to_vec(), window_px: 5.0 }
    }

    #[test]
    fn what_is_missing_is_told_in_words() {
        let flat = Pose::default();
        let left = Pose { tilt_x_deg: 20.0, ..flat };
        let middle: Vec<[f64; 2]> =
            (0..9).map(|i| [f64::from(i % 3) * 20.0 + 30.0, f64::from(i / 3) * 20.0 + 30.0]).collect();
        let middle = sighting(&middle);
        let corner = sighting(&[[1.0, 1.0], [99.0, 1.0]]);
        let coverage = Coverage::of([100, 100], [(&middle, flat), (&corner, left)].into_iter());
        assert_eq!(
            coverage.missing_views,
            [
                "the top edge",
                "the left edge",
                "the right edge",
                "the bottom left corner",
                "the bottom edge",
                "the bottom right corner"
            ]
        );
        assert_eq!(coverage.missing_tilts.len(), 3);
        assert!(!coverage.is_complete() && coverage.advice()[1].contains("its right side nearer"));
    }

    #[test]
    fn a_target_whose_left_side_is_nearer_says_so() {
        // Turned by 20° about the vertical: with y down and z away, x' = x cos, z' = x sin for this sign.
        let rotation = Mat::from_slice(&[0.0_f64, -20_f64.to_radians(), 0.0]).expect("3").clone_pointee();
        let pose = Pose::of(&rotation, [0.0, 0.0, 500.0]).expect("a pose");
        assert!((pose.tilt_x_deg - 20.0).abs() < 1e-6, "{pose:?}");
        assert!((pose.tilt_deg() - 20.0).abs() < 1e-6 && pose.tilt_y_deg.abs() < 1e-6);
    }
}
