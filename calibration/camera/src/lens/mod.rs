//! Shots to a lens: solved, outliers thrown out, the distortion model chosen by shots it has not seen, and refused where
//! the shots do not say how long the lens is.

mod solve;

use crate::{
    CameraError,
    coverage::{Coverage, Pose},
    error::opencv,
    gathering::{Rejected, Rejection, Shot},
    geometry::folds_at,
    quality::median,
    target::Target,
};
use plumb_inspection::Lens;
use serde::{Deserialize, Serialize};
use solve::Solved;
use std::{fmt, str::FromStr};

/// The fewest shots from which a lens can follow at all, and what a good one rests on.
const SHOTS_MIN: usize = 3;
const SHOTS_WANTED: usize = 10;
/// A shot is an outlier from this many times the median shot's RMS on, if it is above [`OUTLIER_MIN_PX`] too.
const OUTLIER_TIMES: f64 = 3.0;
const OUTLIER_MIN_PX: f64 = 0.3;
/// Rounds of throwing out outliers, one a round.
const OUTLIER_ROUNDS: usize = 5;
/// Eight coefficients earn their place if shots they have not seen fit by so much better, and so many of them do: a
/// target that is not quite flat makes a few fit better by chance.
const HELD_OUT_GAIN: f64 = 0.95;
const HELD_OUT_BETTER: f64 = 0.8;
/// Shots from which on there is enough to hold some out, and into how many parts they are cut.
const HELD_OUT_SHOTS: usize = 10;
const HELD_OUT_PARTS: usize = 5;
/// Of the focal length: standard uncertainty over value. Above the first it is no focal length, above the second poor.
const FOCAL_U_MAX: f64 = 0.05;
const FOCAL_U_WARN: f64 = 0.005;
/// Degrees of the most tilted shot. Below the first nothing tells focal length from distance.
const TILT_MIN_DEG: f64 = 5.0;
const TILT_WARN_DEG: f64 = 15.0;

/// How many coefficients describe the distortion.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Model {
    /// Five: `k1 k2 p1 p2 k3`.
    Plain,
    /// Eight: and `k4 k5 k6` below the fraction line, for wide lenses.
    Rational,
}

impl fmt::Display for Model {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Plain => "plain",
            Self::Rational => "rational",
        })
    }
}

impl FromStr for Model {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "plain" => Ok(Self::Plain),
            "rational" => Ok(Self::Rational),
            _ => Err(format!(
                "\"{text}\" is no distortion model; there are plain (5) and rational (8 coefficients)"
            )),
        }
    }
}

/// Which model was taken, and what both made of shots they had not seen.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ModelChoice {
    /// Taken.
    pub taken: Model,
    /// True if it was asked for.
    pub asked: bool,
    /// RMS in px of held-out shots with five coefficients; absent where there were too few shots to hold some out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plain_held_out_px: Option<f64>,
    /// The same with eight.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rational_held_out_px: Option<f64>,
}

/// Standard uncertainty of each number of the lens, as its own residuals tell it (OpenCV's `stdDeviationsIntrinsics`).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct LensUncertainty {
    /// Of the focal length along x, in px.
    pub fx: f64,
    /// Along y.
    pub fy: f64,
    /// Of the principal point, x.
    pub cx: f64,
    /// y.
    pub cy: f64,
    /// Of `k1 k2 p1 p2 k3 k4 k5 k6`.
    pub coefficients: [f64; 8],
}

/// How one shot fits.
#[derive(Clone, Debug, PartialEq)]
pub struct ShotFit {
    /// The picture's name.
    pub picture: String,
    /// The picture's digest.
    pub sha256: String,
    /// Points of the target it shows.
    pub points: usize,
    /// RMS distance in px between where its points are and where the lens puts them.
    pub rms_px: f64,
    /// How the target was held.
    pub pose: Pose,
}

/// A lens, and how well it is known.
#[derive(Clone, Debug)]
pub struct LensFit {
    /// What the stages use.
    pub lens: Lens,
    /// How well each number is known.
    pub uncertainty: LensUncertainty,
    /// The distortion model, and why.
    pub choice: ModelChoice,
    /// RMS over all points, in px.
    pub rms_px: f64,
    /// In the order they were taken.
    pub shots: Vec<ShotFit>,
    /// Thrown out because they do not fit.
    pub outliers: Vec<Rejected>,
    /// What the shots show, now that the lens is known.
    pub coverage: Coverage,
    /// What is not as it should be, in sentences.
    pub warnings: Vec<String>,
}

/// Pictures without a place in a calibration: refused, or outliers.
pub fn unused_shots(refused: &[Rejected], fit: &LensFit) -> Vec<Rejected> {
    refused.iter().chain(&fit.outliers).cloned().collect()
}

/// The lens that `shots` of `target` show. `wanted` takes that distortion model unasked.
///
/// # Errors
/// With too few shots, with shots that leave the focal length open, or where OpenCV fails.
pub fn calibrate(
    target: &Target,
    size_px: [u32; 2],
    shots: &[Shot],
    given: usize,
    wanted: Option<Model>,
) -> Result<LensFit, CameraError> {
    let too_few =
        |usable: usize| CameraError::TooFewShots { usable, given, needed: SHOTS_MIN, wanted: SHOTS_WANTED };
    if shots.len() < SHOTS_MIN {
        return Err(too_few(shots.len()));
    }
    let steepest = shots.iter().map(|shot| shot.pose.tilt_deg()).fold(0.0, f64::max);
    if steepest < TILT_MIN_DEG {
        let why = format!("no shot is tilted by more than {steepest:.1} degrees");
        return Err(CameraError::NotConstrained { why });
    }
    let solver = Solver { target, size_px };
    let mut kept: Vec<&Shot> = shots.iter().collect();
    let (first, outliers) = solver.without_outliers(&mut kept, wanted.unwrap_or(Model::Plain))?;
    let choice = match wanted {
        Some(taken) => {
            ModelChoice { taken, asked: true, plain_held_out_px: None, rational_held_out_px: None }
        }
        None => solver.choose(&kept)?,
    };
    let solved = if choice.taken == Model::Plain || wanted.is_some() {
        first
    } else {
        solver.solve(&kept, choice.taken)?
    };
    solver.fit(&kept, solved, choice, outliers)
}

struct Solver<'a> {
    target: &'a Target,
    size_px: [u32; 2],
}

impl Solver<'_> {
    fn solve(&self, shots: &[&Shot], model: Model) -> Result<Solved, CameraError> {
        let open = |why: String| CameraError::NotConstrained { why };
        let solved = Solved::new(self.target, self.size_px, shots, model)
            // OpenCV's own words for shots from which nothing follows are about matrices.
            .map_err(|error| {
                open(format!("OpenCV found no lens that fits them ({})", error.message.trim()))
            })?;
        let numbers = [solved.lens.fx, solved.lens.fy, solved.lens.cx, solved.lens.cy, solved.rms_px];
        if numbers.iter().chain(&solved.lens.coefficients()).any(|number| !number.is_finite()) {
            return Err(open("the numbers run off to infinity".to_owned()));
        }
        Ok(solved)
    }

    /// Solves, throws out the worst shot if it is one, and again.
    fn without_outliers(
        &self,
        shots: &mut Vec<&Shot>,
        model: Model,
    ) -> Result<(Solved, Vec<Rejected>), CameraError> {
        let mut outliers = Vec::new();
        let mut solved = self.solve(shots, model)?;
        for _ in 0..OUTLIER_ROUNDS {
            let others_px = median(&mut solved.rms_px_of.clone());
            let worst = solved.rms_px_of.iter().copied().enumerate().max_by(|a, b| a.1.total_cmp(&b.1));
            let Some((at, rms_px)) = worst else { break };
            let stands_out = rms_px > OUTLIER_MIN_PX && rms_px > others_px * OUTLIER_TIMES;
            if !stands_out || shots.len() <= SHOTS_MIN {
                break;
            }
            let shot = shots.remove(at);
            let reasons = vec![Rejection::Outlier { rms_px, others_px }];
            outliers.push(Rejected { picture: shot.picture.clone(), reasons });
            solved = self.solve(shots, model)?;
        }
        Ok((solved, outliers))
    }

    /// Eight coefficients always fit the shots they are made from better than five. Whether they fit the lens better
    /// shows in shots they have not seen.
    fn choose(&self, shots: &[&Shot]) -> Result<ModelChoice, CameraError> {
        let plain = ModelChoice {
            taken: Model::Plain,
            asked: false,
            plain_held_out_px: None,
            rational_held_out_px: None,
        };
        if shots.len() < HELD_OUT_SHOTS {
            return Ok(plain);
        }
        let five = self.held_out(shots, Model::Plain)?;
        let eight = self.held_out(shots, Model::Rational)?;
        let rms = |squares: &[(f64, usize)]| {
            let (sum, points) = squares.iter().fold((0.0, 0), |(sum, all), (s, n)| (sum + s, all + n));
            (sum / points as f64).sqrt()
        };
        let earned = five.as_ref().zip(eight.as_ref()).is_some_and(|(five, eight)| {
            let better = five.iter().zip(eight).filter(|(five, eight)| eight.0 < five.0).count();
            rms(eight) < rms(five) * HELD_OUT_GAIN && better as f64 >= shots.len() as f64 * HELD_OUT_BETTER
        });
        let sound =
            || self.solve(shots, Model::Rational).is_ok_and(|solved| folds_at(&solved.lens).is_none());
        let taken = if earned && sound() { Model::Rational } else { Model::Plain };
        let [plain_held_out_px, rational_held_out_px] = [five, eight].map(|squares| squares.map(|s| rms(&s)));
        Ok(ModelChoice { taken, plain_held_out_px, rational_held_out_px, ..plain })
    }

    /// Sum of squares in px² and points of each shot seen through the lens that the other parts make; `None` where they
    /// make none.
    fn held_out(&self, shots: &[&Shot], model: Model) -> Result<Option<Vec<(f64, usize)>>, CameraError> {
        let mut squares = Vec::with_capacity(shots.len());
        for part in 0..HELD_OUT_PARTS {
            let is_out = |index: usize| index % HELD_OUT_PARTS == part;
            let of =
                |out: bool| (0..).zip(shots).filter(move |(i, _)| is_out(*i) == out).map(|(_, shot)| *shot);
            let rest: Vec<&Shot> = of(false).collect();
            let Ok(solved) = self.solve(&rest, model) else { return Ok(None) };
            for shot in of(true) {
                let sum = solve::squares_px(self.target, &solved.lens, shot)
                    .map_err(opencv("laid a shot beside the lens of the others"))?;
                squares.push((sum, shot.sighting.points.len()));
            }
        }
        Ok(Some(squares))
    }

    fn fit(
        &self,
        shots: &[&Shot],
        solved: Solved,
        choice: ModelChoice,
        outliers: Vec<Rejected>,
    ) -> Result<LensFit, CameraError> {
        let Solved { lens, uncertainty, rms_px, rms_px_of, poses } = solved;
        let focal_u = (uncertainty.fx / lens.fx).max(uncertainty.fy / lens.fy);
        if focal_u > FOCAL_U_MAX {
            let why = format!("its focal length is known to {:.1} % only", focal_u * 100.0);
            return Err(CameraError::NotConstrained { why });
        }
        if let Some(part) = folds_at(&lens) {
            return Err(CameraError::Folds { folds_at_percent: part * 100.0 });
        }
        let coverage =
            Coverage::of(self.size_px, shots.iter().zip(&poses).map(|(shot, pose)| (&shot.sighting, *pose)));
        let steepest = poses.iter().map(Pose::tilt_deg).fold(0.0, f64::max);
        let mut warnings = Vec::new();
        if shots.len() < SHOTS_WANTED {
            warnings.push(format!("{} shots are few; {SHOTS_WANTED} or more say it better", shots.len()));
        }
        if steepest < TILT_WARN_DEG || focal_u > FOCAL_U_WARN {
            warnings.push(format!(
                "the focal length is known to {:.2} % only (k=1), the steepest tilt is {steepest:.0} degrees; add shots tilted by 20 to 40 degrees",
                focal_u * 100.0
            ));
        }
        warnings.extend(coverage.advice().into_iter().map(|advice| format!("not covered: {advice}")));
        let shot_fit = |((shot, rms_px), pose): ((&&Shot, f64), Pose)| ShotFit {
            picture: shot.picture.clone(),
            sha256: shot.sha256.clone(),
            points: shot.sighting.points.len(),
            rms_px,
            pose,
        };
        let shots = shots.iter().zip(rms_px_of).zip(poses).map(shot_fit).collect();
        Ok(LensFit { lens, uncertainty, choice, rms_px, shots, outliers, coverage, warnings })
    }
}
