//! Px to mm on the part's plane: from one picture of a target lying in it, or from known lengths.
//!
//! All px are of the undistorted frame where there is a lens. A camera that looks straight down has one scale; one that
//! looks aslant has another in each place, so the fit keeps the whole homography beside the two numbers that rules use,
//! and its uncertainty says how far these are wrong within the target.

use crate::{
    CameraError,
    error::opencv,
    geometry::{through, undistorted_px},
    target::{Sighting, Target},
};
use opencv::{
    calib3d,
    core::{Point2f, Vector, no_array},
    prelude::*,
};
use plumb_inspection::{Lens, MmPerPx};
use serde::{Deserialize, Serialize};

/// How one point fits: where it is in the undistorted frame, and how far the homography puts it from its place.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Residual {
    /// In px.
    pub at_px: [f64; 2],
    /// In mm, along the target's rows and columns.
    pub off_mm: [f64; 2],
}

/// The part's plane as the camera sees it.
#[derive(Clone, Debug, PartialEq)]
pub struct PlaneFit {
    /// Undistorted px to mm on the plane; absent where only lengths are known.
    pub mm_from_px: Option<[[f64; 3]; 3]>,
    /// Mm along the frame's x and y that one px covers, in the middle of the target.
    pub mm_per_px: MmPerPx,
    /// Standard uncertainty of each scale as a share of it: fit, slant within the target, and the target's own.
    pub relative_u: [f64; 2],
    /// RMS of the residuals in mm; 0 where two points leave none.
    pub rms_mm: f64,
    /// Smallest and largest scale over the target, as shares of the one in its middle.
    pub scale_range: [f64; 2],
    /// A point each.
    pub residuals: Vec<Residual>,
}

/// Two places in the picture that are a known length apart.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct KnownLength {
    /// One end in px, as the camera gives the frame.
    pub from_px: [f64; 2],
    /// The other.
    pub to_px: [f64; 2],
    /// How long it is.
    pub mm: f64,
}

/// A length that was measured.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Length {
    /// By the two scales, as rules measure.
    pub mm: f64,
    /// Its standard uncertainty.
    pub u_mm: f64,
    /// By the homography, where there is one: exact on a slanted plane as well.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by_homography_mm: Option<f64>,
}

impl PlaneFit {
    /// From a target that lies in the part's plane. `target_u` is the standard uncertainty of the target's own lengths, as
    /// a share of them.
    ///
    /// # Errors
    /// When fewer than four points are seen, or they lie in one line.
    pub fn of_target(
        target: &Target,
        sighting: &Sighting,
        lens: Option<&Lens>,
        target_u: f64,
    ) -> Result<Self, CameraError> {
        let at_px: Vec<[f64; 2]> = sighting.at_px.iter().map(|px| straight(lens, *px)).collect();
        let at_mm: Vec<[f64; 2]> = sighting.points.iter().map(|&index| target.position_mm(index)).collect();
        if at_px.len() < 4 {
            return Err(CameraError::Points { says: format!("only {} points are seen", at_px.len()) });
        }
        let mm_from_px = homography(&at_px, &at_mm)?;
        let residual = |(at_px, mm): (&[f64; 2], &[f64; 2])| {
            let there = through(&mm_from_px, *at_px);
            Residual { at_px: *at_px, off_mm: [there[0] - mm[0], there[1] - mm[1]] }
        };
        let residuals: Vec<Residual> = at_px.iter().zip(&at_mm).map(residual).collect();
        let n = residuals.len() as f64;
        let squares: f64 = residuals.iter().map(|r| r.off_mm[0].powi(2) + r.off_mm[1].powi(2)).sum();
        let rms_mm = (squares / n).sqrt();
        let middle = [0, 1].map(|axis| at_px.iter().map(|p| p[axis]).sum::<f64>() / n);
        let [x, y] = scale_at(&mm_from_px, middle);
        let scales: Vec<[f64; 2]> = at_px.iter().map(|px| scale_at(&mm_from_px, *px)).collect();
        let shares = || scales.iter().flat_map(|[sx, sy]| [sx / x, sy / y]);
        let scale_range = [shares().fold(f64::MAX, f64::min), shares().fold(f64::MIN, f64::max)];
        let relative_u = [0, 1].map(|axis| {
            let spread = |values: &mut dyn Iterator<Item = f64>| {
                let (lo, hi) = values.fold((f64::MAX, f64::MIN), |(lo, hi), v| (lo.min(v), hi.max(v)));
                hi - lo
            };
            // The slope of a line through n points of that scatter, over the length they span (ordinary least squares,
            // evenly spread points: s·√12 / (span·√n)).
            let span_mm = spread(&mut at_px.iter().map(|p| p[axis])) * [x, y][axis];
            let fit = (rms_mm / 2_f64.sqrt()) * 12_f64.sqrt() / (span_mm * n.sqrt());
            // Anywhere between the two extremes: a rectangular distribution.
            let slant = spread(&mut scales.iter().map(|s| s[axis])) / [x, y][axis] / 2.0 / 3_f64.sqrt();
            (fit * fit + slant * slant + target_u * target_u).sqrt()
        });
        let finite = [x, y, relative_u[0], relative_u[1]].iter().all(|v| v.is_finite() && *v >= 0.0);
        if !finite || x <= 0.0 || y <= 0.0 {
            return Err(CameraError::Points { says: "they lie in one line".to_owned() });
        }
        let mm_per_px = MmPerPx { x, y };
        Ok(Self { mm_from_px: Some(mm_from_px), mm_per_px, relative_u, rms_mm, scale_range, residuals })
    }

    /// From known lengths: one gives one scale for both directions, two of different directions one each. `u_px` is
    /// the standard uncertainty of each end.
    ///
    /// # Errors
    /// When a length is none, or two point the same way.
    pub fn of_lengths(known: &[KnownLength], lens: Option<&Lens>, u_px: f64) -> Result<Self, CameraError> {
        let says = |says: &str| CameraError::Points { says: says.to_owned() };
        let spans: Vec<([f64; 2], f64)> = known
            .iter()
            .map(|length| {
                let (from, to) = (straight(lens, length.from_px), straight(lens, length.to_px));
                ([to[0] - from[0], to[1] - from[1]], length.mm)
            })
            .collect();
        let sound = |(span, mm): &([f64; 2], f64)| {
            span[0].hypot(span[1]) > 1.0 && span.iter().all(|v| v.is_finite()) && mm.is_finite() && *mm > 0.0
        };
        if !spans.iter().all(sound) {
            return Err(says("a length is 0 or no number, or its ends are less than a px apart"));
        }
        let [x, y] = match spans[..] {
            [([dx, dy], mm)] => [mm / dx.hypot(dy); 2],
            [([ax, ay], a_mm), ([bx, by], b_mm)] => {
                // mm² = sx²·dx² + sy²·dy², twice.
                let det = ax * ax * by * by - bx * bx * ay * ay;
                let size = (ax * ax + ay * ay) * (bx * bx + by * by);
                if det.abs() < 0.05 * size {
                    return Err(says("both lengths point the same way; give one along x and one along y"));
                }
                let sx2 = (a_mm * a_mm * by * by - b_mm * b_mm * ay * ay) / det;
                let sy2 = (ax * ax * b_mm * b_mm - bx * bx * a_mm * a_mm) / det;
                [sx2.sqrt(), sy2.sqrt()]
            }
            _ => return Err(says("give one known length, or two")),
        };
        if !(x.is_finite() && y.is_finite() && x > 0.0 && y > 0.0) {
            return Err(says("the two lengths contradict each other"));
        }
        // Two ends, each uncertain by u_px, along the length.
        let shortest = spans.iter().map(|(span, _)| span[0].hypot(span[1])).fold(f64::MAX, f64::min);
        let relative_u = [2_f64.sqrt() * u_px / shortest; 2];
        let mm_per_px = MmPerPx { x, y };
        Ok(Self {
            mm_from_px: None,
            mm_per_px,
            relative_u,
            rms_mm: 0.0,
            scale_range: [1.0; 2],
            residuals: Vec::new(),
        })
    }

    /// How far two places are apart, in px as the camera gives the frame. `u_px` is the standard uncertainty of each.
    pub fn measure(&self, lens: Option<&Lens>, from_px: [f64; 2], to_px: [f64; 2], u_px: f64) -> Length {
        let (from, to) = (straight(lens, from_px), straight(lens, to_px));
        let along = [(to[0] - from[0]) * self.mm_per_px.x, (to[1] - from[1]) * self.mm_per_px.y];
        let mm = along[0].hypot(along[1]);
        let of_axis =
            |axis: usize| along[axis] * along[axis] / mm.max(f64::MIN_POSITIVE) * self.relative_u[axis];
        let ends = 2_f64.sqrt() * u_px * self.mm_per_px.x.max(self.mm_per_px.y);
        let u_mm = (of_axis(0).powi(2) + of_axis(1).powi(2) + ends * ends).sqrt();
        let by_homography_mm = self.mm_from_px.map(|h| {
            let (a, b) = (through(&h, from), through(&h, to));
            (a[0] - b[0]).hypot(a[1] - b[1])
        });
        Length { mm, u_mm, by_homography_mm }
    }
}

fn straight(lens: Option<&Lens>, px: [f64; 2]) -> [f64; 2] {
    lens.map_or(px, |lens| undistorted_px(lens, px))
}

/// Mm on the plane a px along x and along y, at `px`.
fn scale_at(mm_from_px: &[[f64; 3]; 3], [x, y]: [f64; 2]) -> [f64; 2] {
    const STEP: f64 = 0.5;
    let apart = |dx: f64, dy: f64| {
        let (a, b) = (through(mm_from_px, [x - dx, y - dy]), through(mm_from_px, [x + dx, y + dy]));
        (a[0] - b[0]).hypot(a[1] - b[1])
    };
    [apart(STEP, 0.0), apart(0.0, STEP)]
}

fn homography(px: &[[f64; 2]], mm: &[[f64; 2]]) -> Result<[[f64; 3]; 3], CameraError> {
    let doing = opencv("fitted the plane");
    let points = |from: &[[f64; 2]]| from.iter().map(|p| Point2f::new(p[0] as f32, p[1] as f32)).collect();
    let (px, mm): (Vector<Point2f>, Vector<Point2f>) = (points(px), points(mm));
    let found = calib3d::find_homography(&px, &mm, &mut no_array(), 0, 3.0).map_err(&doing)?;
    if found.empty() {
        return Err(CameraError::Points { says: "they lie in one line".to_owned() });
    }
    let h = found.data_typed::<f64>().map_err(&doing)?;
    Ok([[h[0], h[1], h[2]], [h[3], h[4], h[5]], [h[6], h[7], h[8]]])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_known_length_gives_one_scale_and_two_give_one_each() {
        let length = |to: [f64; 2], mm: f64| KnownLength { from_px: [10.0, 10.0], to_px: to, mm };
        let one = PlaneFit::of_lengths(&[length([110.0, 10.0], 20.0)], None, 0.5).expect("a scale");
        assert_eq!((one.mm_per_px.x, one.mm_per_px.y), (0.2, 0.2));
        let two = PlaneFit::of_lengths(&[length([110.0, 10.0], 20.0), length([10.0, 60.0], 5.0)], None, 0.5);
        let two = two.expect("two scales");
        assert!((two.mm_per_px.x - 0.2).abs() < 1e-12 && (two.mm_per_px.y - 0.1).abs() < 1e-12);
        let same = [length([110.0, 10.0], 20.0), length([60.0, 10.0], 10.0)];
        let told = PlaneFit::of_lengths(&same, None, 0.5).expect_err("both along x").to_string();
        assert!(told.contains("point the same way"), "{told}");
        for bad in [length([10.0, 10.0], 5.0), length([50.0, 10.0], 0.0), length([f64::NAN, 1.0], 2.0)] {
            assert!(PlaneFit::of_lengths(&[bad], None, 0.5).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_slanted_plane_is_measured_exactly_by_its_homography_and_within_its_uncertainty_by_its_scales() {
        let target = Target::Chessboard { columns: 9, rows: 6, square_mm: 10.0 };
        // Px of a plane that falls away to the right.
        let px_of = |mm: [f64; 2]| {
            let w = 1.0 + 0.0004 * mm[0];
            [(100.0 + 8.0 * mm[0]) / w, (80.0 + 8.0 * mm[1]) / w]
        };
        let at_px: Vec<[f64; 2]> = (0..target.len()).map(|i| px_of(target.position_mm(i))).collect();
        let sighting = Sighting { points: (0..target.len()).collect(), at_px, window_px: 5.0 };
        let plane = PlaneFit::of_target(&target, &sighting, None, 0.0).expect("a plane");
        assert!(plane.rms_mm < 1e-3 && plane.mm_from_px.is_some());
        assert!(plane.scale_range[0] < 0.97 && plane.scale_range[1] > 1.03, "{:?}", plane.scale_range);
        let length = plane.measure(None, px_of([10.0, 20.0]), px_of([60.0, 40.0]), 0.0);
        let true_mm = 50_f64.hypot(20.0);
        assert!((length.by_homography_mm.expect("a homography") - true_mm).abs() < 1e-2, "{length:?}");
        assert!((length.mm - true_mm).abs() < 3.0 * length.u_mm, "{length:?}");
    }
}
