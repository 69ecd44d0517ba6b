//! Registration: where the part of a taught reference picture lies in a frame.
//!
//! Two steps. **Search**: at a size where the part is 16 to 32 px a side, the correlation with the reference at every
//! place, angle and scale in range. **Refine**: from the best of them, size by size up to full, Gauss–Newton on place,
//! angle, scale, brightness and contrast at the reference's strongest edges, updated inverse-compositionally (Baker &
//! Matthews 2004), each px weighed by Tukey's biweight so that a defect or a shadow does not pull the part along.

use crate::{
    grey::{Grey, View},
    small_linear::solve,
};
use plumb_inspection::{Alignment, Image, Lens, PointPx, Pose, RectPx};

/// The least side of a part at the size that is searched, in px of it.
const COARSE_SIDE_PX: f64 = 16.0;
/// The smallest side of a part box in px.
const SIDE_MIN_PX: f32 = 16.0;
/// Places at which a part is compared while it is searched, and at each size while it is refined.
const SEARCH_POINTS: usize = 400;
const REFINE_POINTS: usize = 2500;
/// Best candidates of the search that are refined; more cost more, and the right one is nearly always the first.
const CANDIDATES: usize = 4;
/// Places × angles × scales at most: some tens of ms. A wider search wants a larger part or a smaller range.
const POSES_MAX: f64 = 200_000.0;
/// A picture with less spread than this, in grey levels of 255, is noise.
const SPREAD_MIN: f64 = 4.0;
/// Moved or turned in a way that is asked about, a reference must differ from itself by this much correlation.
const DISTINCT_MIN: f64 = 0.01;

/// What is searched, and how far.
#[derive(Clone, Debug)]
pub struct AlignConfig {
    /// The taught picture of a whole frame; undistorted where the camera has a lens calibration.
    pub reference: Image,
    /// Around the part in it, in px.
    pub part_px: RectPx,
    /// How far the part may lie from where it lay in the reference, in px along x and y.
    pub search_px: f32,
    /// How far it may be turned, in degrees either way; 0 for a part that looks the same at every angle.
    pub search_deg: f32,
    /// How much smaller or larger it may appear, in percent; 0 for a fixed distance.
    pub search_percent: f32,
    /// Correlation from which the part counts as found, above 0 and below 1.
    pub score_min: f32,
}

/// Why a part cannot be searched.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum AlignError {
    /// The box is not in the picture.
    #[error(
        "the part box [{}, {}, {}, {}] reaches beyond its {width}x{height} reference picture; draw it inside",
        part_px.x, part_px.y, part_px.w, part_px.h
    )]
    BoxOutside {
        /// As the recipe draws it.
        part_px: RectPx,
        /// Of the reference, in px.
        width: u32,
        /// Of the reference, in px.
        height: u32,
    },
    /// Too small to tell an angle from.
    #[error("the part box is {w} x {h} px; alignment needs at least {SIDE_MIN_PX} a side")]
    BoxSmall {
        /// Its width.
        w: f32,
        /// Its height.
        h: f32,
    },
    /// A setting out of range.
    #[error("{key} is {value}; it can be {least} to {most}")]
    Setting {
        /// Its name.
        key: &'static str,
        /// As given.
        value: f32,
        /// The least that makes sense.
        least: f32,
        /// The most that makes sense.
        most: f32,
    },
    /// Nothing to recognise.
    #[error(
        "the reference shows nothing in its part box (spread {spread:.1} grey levels, at least {SPREAD_MIN}); teach a lit part"
    )]
    Uniform {
        /// Standard deviation of its grey values.
        spread: f64,
    },
    /// It looks the same when it is moved so.
    #[error("the reference looks the same {how}, so that cannot be told; {remedy}")]
    Ambiguous {
        /// Moved or turned how.
        how: &'static str,
        /// What to do.
        remedy: &'static str,
    },
    /// The search would take too long.
    #[error(
        "the search has {poses:.0} poses, at most {POSES_MAX:.0}; narrow search_px, search_deg or search_percent"
    )]
    TooWide {
        /// Places × angles × scales.
        poses: f64,
    },
    /// OpenCV refused to read a picture.
    #[error("OpenCV could not read the reference: {says}")]
    OpenCv {
        /// What it says.
        says: String,
    },
}

/// A taught part, ready to be found. Owned by the camera's preprocess thread.
#[derive(Clone, Debug)]
pub struct Aligner {
    config: AlignConfig,
    middle: PointPx,
    /// From full size to the one that is searched; each half as large as the one before.
    levels: Vec<Level>,
    angles: Vec<f64>,
    scales: Vec<f64>,
    /// Places each way at the size that is searched.
    reach: i32,
}

/// The part at one size.
#[derive(Clone, Debug)]
struct Level {
    /// Evenly over the box: what the score is reckoned from.
    even: Vec<Spot>,
    /// Where it has edges: what its place is reckoned from.
    edges: Vec<Spot>,
}

/// One px of the part, counted from the box's middle.
#[derive(Clone, Copy, Debug)]
struct Spot {
    x: f64,
    y: f64,
    value: f64,
    slope: [f64; 2],
}

/// A pose at one size, counted from the corner of the searched picture.
#[derive(Clone, Copy, Debug)]
struct Guess {
    x: f64,
    y: f64,
    angle: f64,
    scale: f64,
}

impl Guess {
    fn place(&self, x: f64, y: f64) -> (f64, f64) {
        let (sin, cos) = self.angle.sin_cos();
        let (c, s) = (cos * self.scale, sin * self.scale);
        (self.x + c * x - s * y, self.y + s * x + c * y)
    }
}

impl AlignConfig {
    /// Every setting that makes no sense; what the picture shows is [`Aligner::new`]'s business.
    pub fn problems(&self) -> Vec<AlignError> {
        let (width, height) = (self.reference.width(), self.reference.height());
        let part = self.part_px;
        let inside = [part.x, part.y, part.w, part.h].iter().all(|v| v.is_finite())
            && part.x >= 0.0
            && part.y >= 0.0
            && part.right() <= width as f32
            && part.bottom() <= height as f32;
        let of_box = if !inside {
            Some(AlignError::BoxOutside { part_px: part, width, height })
        } else if part.w < SIDE_MIN_PX || part.h < SIDE_MIN_PX {
            Some(AlignError::BoxSmall { w: part.w, h: part.h })
        } else {
            None
        };
        let settings = [
            ("search_px", self.search_px, 0.0, 2000.0),
            ("search_deg", self.search_deg, 0.0, 180.0),
            ("search_percent", self.search_percent, 0.0, 30.0),
            ("score_min", self.score_min, 0.1, 0.99),
        ];
        let odd = settings.into_iter().filter(|(_, value, least, most)| !(least..=most).contains(&value));
        let odd = odd.map(|(key, value, least, most)| AlignError::Setting { key, value, least, most });
        of_box.into_iter().chain(odd).collect()
    }
}

impl AlignError {
    /// The setting that it is about.
    pub fn key(&self) -> &'static str {
        match self {
            Self::BoxOutside { .. } | Self::BoxSmall { .. } | Self::Ambiguous { .. } => "part_px",
            Self::Setting { key, .. } => key,
            Self::Uniform { .. } | Self::OpenCv { .. } => "reference",
            Self::TooWide { .. } => "search_px",
        }
    }
}

impl Aligner {
    /// Learns the part of `config.reference`.
    ///
    /// # Errors
    /// When the box or a setting makes no sense, or the part shows nothing its pose could be told from.
    pub fn new(config: AlignConfig) -> Result<Self, AlignError> {
        if let Some(problem) = config.problems().into_iter().next() {
            return Err(problem);
        }
        let (width, height) = (config.reference.width(), config.reference.height());
        let part = config.part_px;
        let whole = opencv::core::Rect::new(0, 0, width as i32, height as i32);
        let mut picture = Grey::of(&config.reference, whole)
            .map_err(|error| AlignError::OpenCv { says: error.to_string() })?
            .smoothed();
        let mut levels = vec![Level::of(&picture, part, 1.0)];
        let mut factor = 1.0;
        while f64::from(part.w.min(part.h)) / (2.0 * factor) >= COARSE_SIDE_PX {
            factor *= 2.0;
            picture = picture.halved();
            levels.push(Level::of(&picture, part, factor));
        }
        let radius = f64::from(part.w.hypot(part.h)) / 2.0 / factor;
        let steps = |range: f64| -> Vec<f64> {
            // At the box's corner a step is a px or so of the size that is searched: half of it is within reach of refining.
            let count = (range * radius / 1.2).ceil();
            (-(count as i32)..=count as i32).map(|at| range * f64::from(at) / count.max(1.0)).collect()
        };
        let angles = steps(f64::from(config.search_deg).to_radians());
        let scales = steps(f64::from(config.search_percent) / 100.0)
            .into_iter()
            .map(|by| 1.0 + by)
            .collect::<Vec<_>>();
        let reach = (f64::from(config.search_px) / factor).ceil() as i32 + 1;
        let poses = f64::from(2 * reach + 1).powi(2) * angles.len() as f64 * scales.len() as f64;
        if poses > POSES_MAX {
            return Err(AlignError::TooWide { poses });
        }
        let middle = part.centre();
        let aligner = Self { config, middle, levels, angles, scales, reach };
        aligner.check_distinct()?;
        Ok(aligner)
    }

    /// The middle of the part box in the reference: the place that a [`Pose`] tells of.
    pub fn middle(&self) -> PointPx {
        self.middle
    }

    /// Width and height of the frames that the part was taught in.
    pub fn size_px(&self) -> [u32; 2] {
        [self.config.reference.width(), self.config.reference.height()]
    }

    /// Finds the part in a frame, whose lens is taken out where there is one.
    ///
    /// # Errors
    /// When OpenCV cannot read the frame.
    pub fn find(&self, image: &Image, lens: Option<&Lens>) -> opencv::Result<Alignment> {
        let Some((area, corner)) = self.searched(image, lens)? else {
            return Ok(self.not_found(0.0));
        };
        let mut sizes = vec![area.smoothed()];
        for _ in 1..self.levels.len() {
            sizes.push(sizes.last().expect("one was put there").halved());
        }
        let (coarse, top) = (sizes.last().expect("one a level"), self.levels.last().expect("at least one"));
        let factor = self.factor();
        let start = (f64::from(self.middle.x) - corner[0], f64::from(self.middle.y) - corner[1]);
        let mut best: Option<(f64, Guess)> = None;
        for (_, guess) in self.search(top, coarse, (start.0 / factor, start.1 / factor)) {
            let refined = self.refine(top, coarse, guess);
            let score = top.score(coarse, &refined);
            if best.is_none_or(|(before, _)| score > before) {
                best = Some((score, refined));
            }
        }
        let Some((_, mut guess)) = best else { return Ok(self.not_found(0.0)) };
        for (level, size) in self.levels.iter().zip(&sizes).rev().skip(1) {
            guess = self.refine(level, size, Guess { x: guess.x * 2.0, y: guess.y * 2.0, ..guess });
        }
        let score = self.levels[0].score(&sizes[0], &guess);
        let pose = Pose {
            x: guess.x + corner[0],
            y: guess.y + corner[1],
            angle_deg: guess.angle.to_degrees(),
            scale: guess.scale,
            score,
        };
        Ok(if score >= f64::from(self.config.score_min) && self.is_in_range(&pose) {
            Alignment::Found(pose)
        } else {
            self.not_found(score)
        })
    }

    fn not_found(&self, score: f64) -> Alignment {
        // As the recipe writes it: 0.7, not the nearest number of 32 bits.
        let score_min = (f64::from(self.config.score_min) * 1e6).round() / 1e6;
        Alignment::NotFound { score, score_min }
    }

    fn factor(&self) -> f64 {
        2.0_f64.powi(self.levels.len() as i32 - 1)
    }

    /// What is beyond the range was not asked for: refining may have slid there.
    fn is_in_range(&self, pose: &Pose) -> bool {
        let slack = 1.0;
        let reach = f64::from(self.config.search_px) + slack;
        (pose.x - f64::from(self.middle.x)).abs() <= reach
            && (pose.y - f64::from(self.middle.y)).abs() <= reach
            && pose.angle_deg.abs() <= f64::from(self.config.search_deg) + slack
            && (pose.scale - 1.0).abs() * 100.0 <= f64::from(self.config.search_percent) + slack
    }

    /// The part of the frame where it may lie, and the corner of that, in undistorted frame px.
    fn searched(&self, image: &Image, lens: Option<&Lens>) -> opencv::Result<Option<(Grey, [f64; 2])>> {
        let part = self.config.part_px;
        let grown =
            f64::from(part.w.hypot(part.h)) / 2.0 * (1.0 + f64::from(self.config.search_percent) / 100.0);
        let reach = [part.w, part.h].map(|side| {
            let turned = if self.config.search_deg > 0.0 { grown } else { f64::from(side) / 2.0 * 1.3 };
            turned + f64::from(self.config.search_px) + 2.0 * self.factor()
        });
        let (mx, my) = (f64::from(self.middle.x), f64::from(self.middle.y));
        let left = (mx - reach[0]).floor().max(0.0);
        let top = (my - reach[1]).floor().max(0.0);
        let right = (mx + reach[0]).ceil().min(f64::from(image.width()));
        let bottom = (my + reach[1]).ceil().min(f64::from(image.height()));
        if right - left < 2.0 * self.factor() || bottom - top < 2.0 * self.factor() {
            return Ok(None);
        }
        let (width, height) = ((right - left) as usize, (bottom - top) as usize);
        if lens.is_none() {
            let area = opencv::core::Rect::new(left as i32, top as i32, width as i32, height as i32);
            return Ok(Some((Grey::of(image, area)?, [left, top])));
        }
        let border = (0..=8).flat_map(|step| {
            let t = f64::from(step) / 8.0;
            let (x, y) = (left + t * (right - left), top + t * (bottom - top));
            [[x, top], [x, bottom], [left, y], [right, y]]
        });
        let Some(view) = View::around(image, lens, border)? else { return Ok(None) };
        let at = |row: usize, column: usize| {
            view.at([left + column as f64 + 0.5, top + row as f64 + 0.5]).unwrap_or(0.0) as f32
        };
        let px = (0..height).flat_map(|row| (0..width).map(move |column| (row, column)));
        let px = px.map(|(row, column)| at(row, column)).collect();
        Ok(Some((Grey { width, height, px }, [left, top])))
    }

    /// The best poses at the size that is searched, best first, none beside a better one.
    fn search(&self, level: &Level, picture: &Grey, start: (f64, f64)) -> Vec<(f64, Guess)> {
        let mut all: Vec<(f64, Guess)> = Vec::new();
        for &scale in &self.scales {
            for &angle in &self.angles {
                let mut best = (f64::MIN, Guess { x: start.0, y: start.1, angle, scale });
                for dy in -self.reach..=self.reach {
                    for dx in -self.reach..=self.reach {
                        let guess =
                            Guess { x: start.0 + f64::from(dx), y: start.1 + f64::from(dy), angle, scale };
                        let score = level.score(picture, &guess);
                        if score > best.0 {
                            best = (score, guess);
                        }
                    }
                }
                all.push(best);
            }
        }
        all.sort_by(|a, b| b.0.total_cmp(&a.0));
        all.truncate(CANDIDATES);
        all
    }

    /// Gauss–Newton from `guess`; where it leads nowhere, the guess as it was.
    fn refine(&self, level: &Level, picture: &Grey, guess: Guess) -> Guess {
        let (turns, grows) = (self.config.search_deg > 0.0, self.config.search_percent > 0.0);
        let mut now = guess;
        let mut spread = f64::INFINITY;
        for _ in 0..12 {
            let mut normal = [[0.0; 6]; 6];
            let mut right = [0.0; 6];
            let mut samples: Vec<(usize, f64)> = Vec::with_capacity(level.edges.len());
            for (at, spot) in level.edges.iter().enumerate() {
                let (x, y) = now.place(spot.x, spot.y);
                if picture.holds(x, y) {
                    samples.push((at, f64::from(picture.at(x, y))));
                }
            }
            if samples.len() * 2 < level.edges.len() {
                return guess;
            }
            let (gain, offset) = contrast(samples.iter().map(|&(at, seen)| (level.edges[at].value, seen)));
            let residual = |at: usize, seen: f64| seen - gain * level.edges[at].value - offset;
            spread = spread.min(robust_spread(samples.iter().map(|&(at, seen)| residual(at, seen))));
            for &(at, seen) in &samples {
                let spot = &level.edges[at];
                let far = residual(at, seen) / (4.685 * spread.max(1.0));
                if far.abs() >= 1.0 {
                    continue;
                }
                let weight = (1.0 - far * far).powi(2);
                let [gx, gy] = spot.slope;
                let row = [
                    gx,
                    gy,
                    if turns { gy * spot.x - gx * spot.y } else { 0.0 },
                    if grows { gx * spot.x + gy * spot.y } else { 0.0 },
                    spot.value,
                    1.0,
                ];
                for (i, a) in row.iter().enumerate() {
                    right[i] += weight * a * seen;
                    for (j, b) in row.iter().enumerate() {
                        normal[i][j] += weight * a * b;
                    }
                }
            }
            if !turns {
                normal[2][2] = 1.0;
            }
            if !grows {
                normal[3][3] = 1.0;
            }
            let Some(step) = solve(normal, right) else { return guess };
            let gain = step[4];
            if gain.abs() < 1e-3 {
                return guess;
            }
            // The reference's px q = D(p) is seen where p was thought to lie, so the pose is W ∘ D⁻¹.
            let [dx, dy, turn, grow] = [step[0] / gain, step[1] / gain, step[2] / gain, step[3] / gain];
            let scale = now.scale / (1.0 + grow);
            let angle = now.angle - turn;
            let after = Guess { x: now.x, y: now.y, angle, scale };
            let (x, y) = after.place(-dx, -dy);
            now = Guess { x, y, ..after };
            if !(now.x.is_finite() && now.y.is_finite() && now.angle.is_finite() && now.scale > 0.1) {
                return guess;
            }
            if dx.hypot(dy) < 1e-3 && turn.abs() < 1e-5 && grow.abs() < 1e-5 {
                break;
            }
        }
        now
    }

    /// Refuses a part whose pose cannot be told from its picture.
    fn check_distinct(&self) -> Result<(), AlignError> {
        let level = &self.levels[0];
        let values = || level.even.iter().map(|spot| spot.value);
        let mean = values().sum::<f64>() / level.even.len() as f64;
        let spread = (values().map(|v| (v - mean).powi(2)).sum::<f64>() / level.even.len() as f64).sqrt();
        if spread < SPREAD_MIN {
            return Err(AlignError::Uniform { spread });
        }
        let whole = opencv::core::Rect::new(
            0,
            0,
            self.config.reference.width() as i32,
            self.config.reference.height() as i32,
        );
        let picture = Grey::of(&self.config.reference, whole)
            .map_err(|error| AlignError::OpenCv { says: error.to_string() })?
            .smoothed();
        let (mx, my) = (f64::from(self.middle.x), f64::from(self.middle.y));
        let still = Guess { x: mx, y: my, angle: 0.0, scale: 1.0 };
        let part = self.config.part_px;
        let (right, down) = (f64::from(part.w) * 0.08, f64::from(part.h) * 0.08);
        let same = |moved: Guess| 1.0 - level.score(&picture, &moved) < DISTINCT_MIN;
        let box_remedy = "draw the part box around the whole part";
        let moves = [
            (true, Guess { x: mx + right, ..still }, "moved sideways", box_remedy),
            (true, Guess { y: my + down, ..still }, "moved up or down", box_remedy),
            (
                self.config.search_deg > 0.0,
                Guess { angle: f64::from(self.config.search_deg.clamp(5.0, 20.0)).to_radians(), ..still },
                "turned",
                "set search_deg = 0, or draw the part box around something that shows its angle",
            ),
            (
                self.config.search_percent > 0.0,
                Guess { scale: 1.1, ..still },
                "made larger",
                "set search_percent = 0",
            ),
        ];
        match moves.into_iter().find(|(asked, moved, ..)| *asked && same(*moved)) {
            Some((.., how, remedy)) => Err(AlignError::Ambiguous { how, remedy }),
            None => Ok(()),
        }
    }
}

impl Level {
    /// The part at `1 / factor` of its size, from a picture of that size.
    fn of(picture: &Grey, part: RectPx, factor: f64) -> Self {
        let [x, y, w, h] = <[f32; 4]>::from(part).map(|v| f64::from(v) / factor);
        let middle = [x + w / 2.0, y + h / 2.0];
        let spot = |dx: f64, dy: f64| {
            let (px, py) = (middle[0] + dx, middle[1] + dy);
            let at = |x, y| f64::from(picture.at(x, y));
            Spot {
                x: dx,
                y: dy,
                value: at(px, py),
                slope: [
                    (at(px + 1.0, py) - at(px - 1.0, py)) / 2.0,
                    (at(px, py + 1.0) - at(px, py - 1.0)) / 2.0,
                ],
            }
        };
        let grid = |step: f64| {
            let (columns, rows) = ((w / step).floor().max(1.0) as i32, (h / step).floor().max(1.0) as i32);
            let from_middle = move |at: i32, count: i32| (f64::from(at) - f64::from(count - 1) / 2.0) * step;
            (0..rows).flat_map(move |row| {
                (0..columns).map(move |column| (from_middle(column, columns), from_middle(row, rows)))
            })
        };
        let even =
            grid((w * h / SEARCH_POINTS as f64).sqrt().max(1.0)).map(|(dx, dy)| spot(dx, dy)).collect();
        let mut edges: Vec<Spot> = grid(1.0).map(|(dx, dy)| spot(dx, dy)).collect();
        edges.sort_by(|a, b| b.slope[0].hypot(b.slope[1]).total_cmp(&a.slope[0].hypot(a.slope[1])));
        edges.truncate(REFINE_POINTS);
        Self { even, edges }
    }

    /// Correlation of the part with what lies there, -1..=1. What lies outside the picture counts as its border.
    fn score(&self, picture: &Grey, guess: &Guess) -> f64 {
        let (sin, cos) = guess.angle.sin_cos();
        let (c, s) = (cos * guess.scale, sin * guess.scale);
        let (mut n, mut st, mut si, mut stt, mut sii, mut sti) = (0.0, 0.0, 0.0, 0.0, 0.0, 0.0);
        for spot in &self.even {
            let (x, y) = (guess.x + c * spot.x - s * spot.y, guess.y + s * spot.x + c * spot.y);
            let (t, i) = (spot.value, f64::from(picture.at(x, y)));
            n += 1.0;
            st += t;
            si += i;
            stt += t * t;
            sii += i * i;
            sti += t * i;
        }
        let (vt, vi) = (stt - st * st / n, sii - si * si / n);
        if vt <= 0.0 || vi <= 0.0 { 0.0 } else { (sti - st * si / n) / (vt * vi).sqrt() }
    }
}

/// Gain and offset of the second against the first, least squares.
fn contrast(pairs: impl Iterator<Item = (f64, f64)>) -> (f64, f64) {
    let (mut n, mut st, mut si, mut stt, mut sti) = (0.0, 0.0, 0.0, 0.0, 0.0);
    for (t, i) in pairs {
        n += 1.0;
        st += t;
        si += i;
        stt += t * t;
        sti += t * i;
    }
    let variance = stt - st * st / n;
    let gain = if variance > 0.0 { (sti - st * si / n) / variance } else { 0.0 };
    (gain, (si - gain * st) / n)
}

/// 1.4826 × the median distance from 0: the standard deviation, were it normal.
fn robust_spread(values: impl Iterator<Item = f64>) -> f64 {
    let mut sizes: Vec<f64> = values.map(f64::abs).collect();
    let middle = sizes.len() / 2;
    if sizes.is_empty() {
        return 0.0;
    }
    1.4826 * *sizes.select_nth_unstable_by(middle, f64::total_cmp).1
}
