//! Calipers: where edges lie along lines drawn across them, to a fraction of a px, and what is fitted through them.
//!
//! Along each scan line the grey profile is differentiated by a Gaussian of σ = 1 px. Where that is steepest is *about*
//! where the edge is: a step that falls within a px leans the peak by up to 0.04 px to one side, its centre of gravity
//! not at all. So the edge is the centre of gravity of the slope under a Gaussian window of σ = 2 px that is moved until
//! it lies in the middle: a sixth of the lean is left, and far less noise than without a window.

use crate::{grey::View, small_linear::solve};
use plumb_inspection::Value;
use serde::{Deserialize, Serialize};

/// What the px grid may hide from the scatter of the scan lines: all lines along a row share it. One standard deviation
/// of an edge's place, in px, as renders of known geometry show it at every place between two px.
const U_GRID_PX: f64 = 0.006;
/// An edge less steep than this, in grey levels a px, is noise at any camera's gain.
const SLOPE_MIN: f64 = 3.0;
/// Slopes on either side of the steepest that its centre of gravity is reckoned from.
const WINDOW: usize = 5;
/// How far a profile begins before its scan line and ends after it, so that an edge may lie anywhere on the line.
const LEAD_PX: i64 = WINDOW as i64 + 3;
/// Gaussian derivative, σ = 1 px, at -3..=3 px.
const DERIVATIVE: [f64; 7] = [-0.013_296, -0.107_982, -0.241_971, 0.0, 0.241_971, 0.107_982, 0.013_296];

/// Which change of brightness is an edge.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Polarity {
    /// Dark to bright along the scan line.
    Rising,
    /// Bright to dark.
    Falling,
    /// Either.
    #[default]
    Any,
}

/// Which edge of a scan line counts, where there are several.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pick {
    /// The one nearest to where the line begins, of those at least a third as steep as the steepest.
    First,
    /// The one nearest to where it ends.
    Last,
    /// The steepest.
    #[default]
    Steepest,
}

/// Parallel scan lines across one straight edge.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Caliper {
    /// Where the middle scan line begins, in px of the reference picture (of the frame where there is none).
    pub from_px: [f64; 2],
    /// Where it ends, beyond the edge.
    pub to_px: [f64; 2],
    /// From the first scan line to the last, along the edge, in px.
    pub width_px: f64,
    /// Scan lines, 3 to 200; as many as there are px of width, at two px from one to the next, where not given.
    #[serde(default)]
    pub lines: Option<usize>,
    /// Which change is the edge.
    #[serde(default)]
    pub polarity: Polarity,
    /// Which of several.
    #[serde(default)]
    pub pick: Pick,
}

/// Scan lines from inside a circle outwards.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RoundCaliper {
    /// About where its middle is.
    pub centre_px: [f64; 2],
    /// The edge lies between this radius …
    pub radius_min_px: f64,
    /// … and this one.
    pub radius_max_px: f64,
    /// Scan lines, 8 to 400; 64 where not given.
    #[serde(default)]
    pub lines: Option<usize>,
    /// Which change is the edge, seen from inside.
    #[serde(default)]
    pub polarity: Polarity,
    /// Which of several.
    #[serde(default)]
    pub pick: Pick,
}

impl Caliper {
    /// Where each scan line begins and ends.
    pub(crate) fn scan_lines(&self) -> Vec<[[f64; 2]; 2]> {
        let [dx, dy] = [self.to_px[0] - self.from_px[0], self.to_px[1] - self.from_px[1]];
        let length = dx.hypot(dy);
        let across = [-dy / length, dx / length];
        let lines = self.lines.unwrap_or((self.width_px / 2.0) as usize + 1).clamp(3, 200);
        (0..lines)
            .map(|at| {
                let by = self.width_px * (at as f64 / (lines - 1) as f64 - 0.5);
                [self.from_px, self.to_px].map(|[x, y]| [x + by * across[0], y + by * across[1]])
            })
            .collect()
    }

    /// Why it cannot be laid on a picture.
    pub(crate) fn problem(&self) -> Option<String> {
        let [dx, dy] = [self.to_px[0] - self.from_px[0], self.to_px[1] - self.from_px[1]];
        let length = dx.hypot(dy);
        if !(8.0..=4096.0).contains(&length) {
            return Some(format!(
                "a scan line from from_px to to_px is {length:.1} px long; it can be 8 to 4096"
            ));
        }
        if !(4.0..=4096.0).contains(&self.width_px) {
            return Some(format!("width_px is {}; it can be 4 to 4096", self.width_px));
        }
        lines_problem(self.lines, 3, 200)
    }
}

impl RoundCaliper {
    /// Where each scan line begins and ends.
    pub(crate) fn scan_lines(&self) -> Vec<[[f64; 2]; 2]> {
        let lines = self.lines.unwrap_or(64).clamp(8, 400);
        (0..lines)
            .map(|at| {
                let (sin, cos) = (std::f64::consts::TAU * at as f64 / lines as f64).sin_cos();
                [self.radius_min_px, self.radius_max_px]
                    .map(|r| [self.centre_px[0] + r * cos, self.centre_px[1] + r * sin])
            })
            .collect()
    }

    /// Why it cannot be laid on a picture.
    pub(crate) fn problem(&self) -> Option<String> {
        let RoundCaliper { centre_px: [x, y], radius_min_px: least, radius_max_px: most, .. } = *self;
        if !(x.is_finite() && y.is_finite() && least >= 1.0 && most - least >= 8.0 && most <= 4096.0) {
            let says = "its middle must be a place, radius_min_px at least 1, radius_max_px at least 8 more and at most 4096";
            return Some(says.to_owned());
        }
        lines_problem(self.lines, 8, 400)
    }
}

fn lines_problem(lines: Option<usize>, least: usize, most: usize) -> Option<String> {
    let lines = lines.filter(|lines| !(least..=most).contains(lines))?;
    Some(format!("lines is {lines}; it can be {least} to {most}"))
}

/// Where along `line` the edge lies; `Ok(None)` where there is none, `Err` where the line leaves the picture.
pub(crate) fn edge_on(
    view: &View<'_>,
    [from, to]: [[f64; 2]; 2],
    polarity: Polarity,
    pick: Pick,
) -> Result<Option<[f64; 2]>, Outside> {
    let length = (to[0] - from[0]).hypot(to[1] - from[1]);
    let [ux, uy] = [(to[0] - from[0]) / length, (to[1] - from[1]) / length];
    let along = |at: f64| [from[0] + at * ux, from[1] + at * uy];
    let profile: Vec<f64> = (-LEAD_PX..=length.floor() as i64 + LEAD_PX)
        .map(|at| view.at(along(at as f64)).ok_or(Outside))
        .collect::<Result<_, _>>()?;
    let slopes: Vec<f64> = profile
        .windows(DERIVATIVE.len())
        .map(|seven| seven.iter().zip(DERIVATIVE).map(|(grey, weight)| grey * weight).sum())
        .collect();
    let steep = |at: usize| match polarity {
        Polarity::Rising => slopes[at],
        Polarity::Falling => -slopes[at],
        Polarity::Any => slopes[at].abs(),
    };
    let peaks = || {
        (WINDOW..slopes.len() - WINDOW)
            .filter(|&at| steep(at) >= SLOPE_MIN && steep(at) > steep(at - 1) && steep(at) >= steep(at + 1))
    };
    let steepest = peaks().map(steep).fold(0.0, f64::max);
    let clear = |at: &usize| steep(*at) >= steepest / 3.0;
    let chosen = match pick {
        Pick::First => peaks().find(clear),
        Pick::Last => peaks().rfind(clear),
        Pick::Steepest => peaks().find(|&at| steep(at) >= steepest),
    };
    Ok(chosen.map(|at| along(centre_of_gravity(&slopes, at) - WINDOW as f64)))
}

/// Of the slope around its peak at `at`, as far as it has the peak's sign.
fn centre_of_gravity(slopes: &[f64], at: usize) -> f64 {
    let sign = slopes[at].signum();
    let near = &slopes[at - WINDOW..=at + WINDOW];
    let mut middle = WINDOW as f64;
    for _ in 0..8 {
        let (mut sum, mut weights) = (0.0, 0.0);
        for (place, slope) in near.iter().enumerate() {
            let away = place as f64 - middle;
            let weight = (-away * away / 8.0).exp() * (sign * slope).max(0.0);
            sum += weight * place as f64;
            weights += weight;
        }
        middle = sum / weights;
    }
    (at - WINDOW) as f64 + middle
}

/// A scan line leaves what the camera sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Outside;

/// A straight edge.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Line {
    /// The middle of the places it was fitted through.
    pub(crate) middle: [f64; 2],
    /// Along it, of length 1.
    pub(crate) along: [f64; 2],
    /// Standard uncertainty of its place across itself, at its middle.
    pub(crate) u_across: f64,
    /// Standard uncertainty of its direction, in radians.
    pub(crate) u_angle: f64,
}

impl Line {
    /// Total least squares, each place weighed by Tukey's biweight. `unit` is how long a px is, for what the grid hides.
    pub(crate) fn through(places: &[[f64; 2]], unit: f64) -> Option<Self> {
        let mut weights = vec![1.0; places.len()];
        let mut line = None;
        for _ in 0..8 {
            let fitted = Self::weighed(places, &weights, unit)?;
            let far: Vec<f64> = places.iter().map(|place| fitted.away(*place)).collect();
            weights = biweights(&far, 0.02 * unit);
            line = Some(fitted);
        }
        line
    }

    fn weighed(places: &[[f64; 2]], weights: &[f64], unit: f64) -> Option<Self> {
        let n: f64 = weights.iter().sum();
        let kept = weights.iter().filter(|weight| **weight > 0.0).count();
        if kept < 3 {
            return None;
        }
        let all = || places.iter().zip(weights);
        let middle = [0, 1].map(|axis| all().map(|(place, weight)| weight * place[axis]).sum::<f64>() / n);
        let (mut xx, mut xy, mut yy) = (0.0, 0.0, 0.0);
        for (place, weight) in all() {
            let [dx, dy] = [place[0] - middle[0], place[1] - middle[1]];
            (xx, xy, yy) = (xx + weight * dx * dx, xy + weight * dx * dy, yy + weight * dy * dy);
        }
        let angle = 0.5 * (2.0 * xy).atan2(xx - yy);
        let along = [angle.cos(), angle.sin()];
        let fitted = Self { middle, along, u_across: 0.0, u_angle: 0.0 };
        let (mut across, mut spread) = (0.0, 0.0);
        for (place, weight) in all() {
            across += weight * fitted.away(*place).powi(2);
            spread +=
                weight * ((place[0] - middle[0]) * along[0] + (place[1] - middle[1]) * along[1]).powi(2);
        }
        if spread.is_nan() || spread <= 0.0 {
            return None;
        }
        let scatter = across / n * (kept as f64 / (kept - 2) as f64);
        let grid = U_GRID_PX * unit;
        Some(Self {
            u_across: (scatter / n + grid * grid).sqrt(),
            u_angle: (scatter / spread + grid * grid * n / spread / 4.0).sqrt(),
            ..fitted
        })
    }

    /// How far a place lies from it, with a sign.
    pub(crate) fn away(&self, place: [f64; 2]) -> f64 {
        (place[1] - self.middle[1]) * self.along[0] - (place[0] - self.middle[0]) * self.along[1]
    }

    /// How far apart two edges are: the mean of each one's distance from the other's middle, seen across their mean
    /// direction.
    pub(crate) fn distance(&self, other: &Self) -> Value {
        let apart = (self.away(other.middle).abs() + other.away(self.middle).abs()) / 2.0;
        // The middles lie beside each other by so much, which turns an angle's doubt into one of distance.
        let beside = [0, 1].map(|axis| other.middle[axis] - self.middle[axis]);
        let slid = (beside[0] * self.along[0] + beside[1] * self.along[1]).abs() / 2.0;
        let turned = (self.u_angle.powi(2) + other.u_angle.powi(2)).sqrt() * slid;
        Value { value: apart, u: (self.u_across.powi(2) + other.u_across.powi(2) + turned * turned).sqrt() }
    }

    /// The angle between two edges, 0..=90 degrees.
    pub(crate) fn angle(&self, other: &Self) -> Value {
        let cross = self.along[0] * other.along[1] - self.along[1] * other.along[0];
        let dot = self.along[0] * other.along[0] + self.along[1] * other.along[1];
        let u = (self.u_angle.powi(2) + other.u_angle.powi(2)).sqrt();
        Value { value: cross.abs().atan2(dot.abs()).to_degrees(), u: u.to_degrees() }
    }
}

/// A round edge.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Circle {
    pub(crate) centre: [f64; 2],
    pub(crate) radius: f64,
    /// Standard uncertainty of the radius, and of the middle along each axis.
    pub(crate) u_radius: f64,
    pub(crate) u_centre: f64,
}

impl Circle {
    /// Least squares of the distances from the circle (Gauss–Newton from Kåsa's), each place weighed by Tukey's biweight.
    pub(crate) fn through(places: &[[f64; 2]], unit: f64) -> Option<Self> {
        if places.len() < 5 {
            return None;
        }
        let (mut centre, mut radius) = kasa(places)?;
        let mut far: Vec<f64> = Vec::new();
        let mut weights = vec![1.0; places.len()];
        for _ in 0..20 {
            let (mut normal, mut right) = ([[0.0; 3]; 3], [0.0; 3]);
            for (place, weight) in places.iter().zip(&weights) {
                let [dx, dy] = [place[0] - centre[0], place[1] - centre[1]];
                let away = dx.hypot(dy);
                let row = [dx / away, dy / away, 1.0];
                for (i, a) in row.iter().enumerate() {
                    right[i] += weight * a * (away - radius);
                    for (j, b) in row.iter().enumerate() {
                        normal[i][j] += weight * a * b;
                    }
                }
            }
            let step = solve(normal, right)?;
            centre = [centre[0] + step[0], centre[1] + step[1]];
            radius += step[2];
            far = places.iter().map(|[x, y]| (x - centre[0]).hypot(y - centre[1]) - radius).collect();
            weights = biweights(&far, 0.02 * unit);
        }
        let n: f64 = weights.iter().sum();
        let kept = weights.iter().filter(|weight| **weight > 0.0).count();
        if kept < 5 || radius.is_nan() || radius <= 0.0 {
            return None;
        }
        let scatter = far.iter().zip(&weights).map(|(far, weight)| weight * far * far).sum::<f64>() / n
            * (kept as f64 / (kept - 3) as f64);
        // The rays meet the grid at every phase, so it averages out but for what is common to all.
        let grid = (U_GRID_PX * unit / 2.0).powi(2);
        Some(Self {
            centre,
            radius,
            u_radius: (scatter / n + grid).sqrt(),
            u_centre: (2.0 * scatter / n + grid).sqrt(),
        })
    }
}

/// `x² + y² = a x + b y + c`, linear least squares about the mean (Kåsa 1976).
fn kasa(places: &[[f64; 2]]) -> Option<([f64; 2], f64)> {
    let n = places.len() as f64;
    let mean = [0, 1].map(|axis| places.iter().map(|place| place[axis]).sum::<f64>() / n);
    let (mut normal, mut right) = ([[0.0; 3]; 3], [0.0; 3]);
    for place in places {
        let [x, y] = [place[0] - mean[0], place[1] - mean[1]];
        let row = [x, y, 1.0];
        for (i, a) in row.iter().enumerate() {
            right[i] += a * (x * x + y * y);
            for (j, b) in row.iter().enumerate() {
                normal[i][j] += a * b;
            }
        }
    }
    let [a, b, c] = solve(normal, right)?;
    let square = c + (a * a + b * b) / 4.0;
    (square > 0.0).then(|| ([a / 2.0 + mean[0], b / 2.0 + mean[1]], square.sqrt()))
}

/// Tukey's, c = 4.685, from residuals whose spread is taken as `least` at the least.
fn biweights(far: &[f64], least: f64) -> Vec<f64> {
    let mut sizes: Vec<f64> = far.iter().map(|v| v.abs()).collect();
    let middle = sizes.len() / 2;
    let spread = match sizes.is_empty() {
        true => least,
        false => (1.4826 * *sizes.select_nth_unstable_by(middle, f64::total_cmp).1).max(least),
    };
    let weight = |far: &f64| {
        let by = far / (4.685 * spread);
        if by.abs() < 1.0 { (1.0 - by * by).powi(2) } else { 0.0 }
    };
    far.iter().map(weight).collect()
}
