//! Pictures in, shots out: each picture is taken or refused at once, with every reason.

use crate::{
    CameraError,
    coverage::{Coverage, Pose},
    error::opencv,
    picture::Picture,
    quality::{self, Quality},
    target::{Sighting, Target},
};
use serde::Serialize;
use std::fmt;

/// A rise over more than this many px, and over more than [`RISE_SHARE_MAX`] of the spacing, is blurred.
const RISE_MAX_PX: f64 = 5.0;
/// See [`RISE_MAX_PX`].
const RISE_SHARE_MAX: f64 = 0.2;
/// Points nearer together than this cannot be read to a tenth of a px.
const SPACING_MIN_PX: f64 = 8.0;
/// A target on less of the view says next to nothing about the lens.
const VIEW_SHARE_MIN: f64 = 0.015;
/// A share of the target's bright half; above it edges move, for the bright grows into the dark.
const CLIPPED_SHARE_MAX: f64 = 0.5;
/// Grey levels between dark and bright.
const CONTRAST_MIN: f64 = 20.0;
/// Mean move of the points between two shots, as a share of the view's diagonal, below which they are one.
const MOVE_MIN: f64 = 0.006;
/// Points in a strip narrower than this are a line.
const BREADTH_MIN: f64 = 0.05;

/// Why a picture was not used.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "why", rename_all = "snake_case")]
pub enum Rejection {
    /// It cannot be read.
    NoPicture {
        /// The decoder's words.
        says: String,
    },
    /// The target was not found.
    NotFound {
        /// What was looked for.
        target: String,
        /// True if the picture is black.
        black: bool,
        /// Another count of the same kind that is in the picture; looked for in the first pictures only.
        other: Option<String>,
    },
    /// Another size than the others.
    Size {
        /// Its own, in px.
        size_px: [u32; 2],
        /// The others'.
        expected_px: [u32; 2],
    },
    /// The target reaches the edge of the picture.
    CutOff {
        /// Px from the outermost point to the edge.
        edge_px: f64,
        /// Px needed there.
        needed_px: f64,
    },
    /// Edges are wide.
    Blurred {
        /// Px from dark to bright.
        rise_px: f64,
        /// The most that is taken.
        limit_px: f64,
    },
    /// The target is far away.
    TooSmall {
        /// Share of the view, 0..=1.
        view_share: f64,
        /// Px between points.
        spacing_px: f64,
    },
    /// The bright half is clipped.
    OverExposed {
        /// How much of it, 0..=1.
        clipped_share: f64,
    },
    /// Dark and bright are alike.
    Faint {
        /// Grey levels between them.
        contrast: f64,
    },
    /// All points seen lie in one line.
    InOneLine {
        /// How many there are.
        points: usize,
    },
    /// It shows what another shot shows.
    Duplicate {
        /// The other.
        of: String,
        /// Mean distance of the points, in px.
        moved_px: f64,
    },
    /// Its points do not fit the lens that all others agree on.
    Outlier {
        /// RMS of its points in px.
        rms_px: f64,
        /// Of the shots in the middle.
        others_px: f64,
    },
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoPicture { says } => write!(f, "{says}"),
            Self::NotFound { black: true, .. } => write!(f, "the picture is black"),
            Self::NotFound { target, other: Some(other), .. } => {
                write!(
                    f,
                    "no {target} in it, but a {other}: is all of it in the picture, and is it counted right?"
                )
            }
            Self::NotFound { target, .. } => write!(f, "no {target} found; all of it must be in the picture"),
            Self::Size { size_px: [w, h], expected_px: [ew, eh] } => {
                write!(f, "{w}x{h} px, the others are {ew}x{eh}")
            }
            Self::CutOff { edge_px, needed_px } => write!(
                f,
                "the target is cut off: a point lies {edge_px:.1} px from the picture's edge, {needed_px:.0} px are needed"
            ),
            Self::Blurred { rise_px, limit_px } => {
                write!(f, "blurred: edges are {rise_px:.1} px wide, at most {limit_px:.1} are taken")
            }
            Self::TooSmall { view_share, spacing_px } => write!(
                f,
                "the target is too small: {:.1} % of the view, points {spacing_px:.1} px apart; hold it nearer",
                view_share * 100.0
            ),
            Self::OverExposed { clipped_share } => {
                write!(f, "over-exposed: {:.0} % of its bright half is clipped", clipped_share * 100.0)
            }
            Self::Faint { contrast } => {
                write!(f, "dark and bright differ by {contrast:.0} levels only; more light")
            }
            Self::InOneLine { points } => write!(f, "the {points} points seen lie in one line"),
            Self::Duplicate { of, moved_px } => {
                write!(f, "the same as {of}: moved by {moved_px:.1} px only")
            }
            Self::Outlier { rms_px, others_px } => write!(
                f,
                "does not fit the others: {rms_px:.2} px, theirs {others_px:.2} px; was the target bent or moving?"
            ),
        }
    }
}

/// A picture that was not used.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Rejected {
    /// Which.
    pub picture: String,
    /// Every reason.
    pub reasons: Vec<Rejection>,
}

impl Rejected {
    /// The reasons as one line.
    pub fn says(&self) -> String {
        self.reasons.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
    }
}

/// A picture that shows the target well.
#[derive(Clone, Debug)]
pub struct Shot {
    /// The picture's name.
    pub picture: String,
    /// The picture's digest.
    pub sha256: String,
    /// The points it shows.
    pub sighting: Sighting,
    /// How well.
    pub quality: Quality,
    /// How the target is held, roughly: the lens is not known yet.
    pub pose: Pose,
}

/// Collects shots of one target at one size.
#[derive(Debug)]
pub struct Gathering {
    target: Target,
    size_px: Option<[u32; 2]>,
    shots: Vec<Shot>,
    rejected: Vec<Rejected>,
    hints_left: usize,
}

impl Gathering {
    /// Pictures in which another count of points is looked for, which takes as long as looking a dozen times.
    const HINTS: usize = 2;

    /// For `target`. Pictures must be `size_px`, or where that is not given like the first.
    pub fn new(target: Target, size_px: Option<[u32; 2]>) -> Self {
        Self { target, size_px, shots: Vec::new(), rejected: Vec::new(), hints_left: Self::HINTS }
    }

    /// Looks at a picture and takes or refuses it.
    ///
    /// # Errors
    /// Only where OpenCV fails; a bad picture is a refusal.
    pub fn look(&mut self, picture: &Picture) -> Result<Result<&Shot, &Rejected>, CameraError> {
        let looked = self.judge(picture)?;
        Ok(match looked {
            Ok(shot) => {
                self.shots.push(shot);
                Ok(self.shots.last().expect("one was just pushed"))
            }
            Err(reasons) => Err(self.reject(picture.name.clone(), reasons)),
        })
    }

    /// Notes a file that is no picture.
    pub fn not_a_picture(&mut self, name: String, says: String) -> &Rejected {
        self.reject(name, vec![Rejection::NoPicture { says }])
    }

    fn reject(&mut self, picture: String, reasons: Vec<Rejection>) -> &Rejected {
        self.rejected.push(Rejected { picture, reasons });
        self.rejected.last().expect("one was just pushed")
    }

    fn judge(&mut self, picture: &Picture) -> Result<Result<Shot, Vec<Rejection>>, CameraError> {
        let size_px = picture.size_px();
        let expected_px = *self.size_px.get_or_insert(size_px);
        let mut reasons = Vec::new();
        if size_px != expected_px {
            reasons.push(Rejection::Size { size_px, expected_px });
        }
        let grey = picture.grey()?;
        let sighting = self.target.find(&grey)?.filter(|seen| seen.points.len() >= self.target.points_min());
        let Some(sighting) = sighting else {
            let black = quality::is_black(&grey)?;
            let other = if black || self.hints_left == 0 || !self.shots.is_empty() {
                None
            } else {
                self.other_count(&grey)?
            };
            reasons.push(Rejection::NotFound { target: self.target.to_string(), black, other });
            return Ok(Err(reasons));
        };
        let quality = Quality::of(&grey, &sighting)?;
        reasons.extend(bad(&quality, &sighting));
        if reasons.is_empty() {
            reasons.extend(self.duplicate(&sighting, size_px));
        }
        if !reasons.is_empty() {
            return Ok(Err(reasons));
        }
        let pose = Pose::guessed(&self.target, &sighting, size_px)
            .map_err(opencv("reckoned how the target is held"))?;
        let (name, sha256) = (picture.name.clone(), picture.sha256.clone());
        Ok(Ok(Shot { picture: name, sha256, sighting, quality, pose }))
    }

    /// People count squares for corners, or columns for rows.
    fn other_count(&mut self, grey: &opencv::core::Mat) -> Result<Option<String>, CameraError> {
        self.hints_left -= 1;
        if matches!(self.target, Target::Charuco { .. }) {
            return Ok(None);
        }
        let [columns, rows] = self.target.grid();
        let near = [
            (columns - 1, rows - 1),
            (columns + 1, rows + 1),
            (columns, rows - 1),
            (columns - 1, rows),
            (columns, rows + 1),
            (columns + 1, rows),
        ];
        for (columns, rows) in near.into_iter().filter(|(columns, rows)| *columns.min(rows) >= 3) {
            let other = self.target.clone().of_size(columns, rows);
            if other.find(grey)?.is_some() {
                return Ok(Some(other.to_string()));
            }
        }
        Ok(None)
    }

    fn duplicate(&self, sighting: &Sighting, [width, height]: [u32; 2]) -> Option<Rejection> {
        let limit = MOVE_MIN * f64::from(width).hypot(f64::from(height));
        self.shots.iter().find_map(|shot| {
            let moved_px = mean_move(&shot.sighting, sighting)?;
            (moved_px < limit).then(|| Rejection::Duplicate { of: shot.picture.clone(), moved_px })
        })
    }

    /// The target that is looked for.
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// Size of the pictures, once there was one.
    pub fn size_px(&self) -> Option<[u32; 2]> {
        self.size_px
    }

    /// Shots taken so far.
    pub fn shots(&self) -> &[Shot] {
        &self.shots
    }

    /// Pictures refused so far.
    pub fn rejected(&self) -> &[Rejected] {
        &self.rejected
    }

    /// What the shots show of the view, and what is missing.
    pub fn coverage(&self) -> Coverage {
        let size_px = self.size_px.unwrap_or([1, 1]);
        Coverage::of(size_px, self.shots.iter().map(|shot| (&shot.sighting, shot.pose)))
    }
}

fn bad(quality: &Quality, sighting: &Sighting) -> impl Iterator<Item = Rejection> {
    let Quality { rise_px, spacing_px, view_share, clipped_share, contrast, edge_px, breadth } = *quality;
    let limit_px = RISE_MAX_PX.max(spacing_px * RISE_SHARE_MAX);
    let needed_px = sighting.window_px + 1.0;
    [
        (edge_px < needed_px).then_some(Rejection::CutOff { edge_px, needed_px }),
        (rise_px > limit_px).then_some(Rejection::Blurred { rise_px, limit_px }),
        (spacing_px < SPACING_MIN_PX || view_share < VIEW_SHARE_MIN)
            .then_some(Rejection::TooSmall { view_share, spacing_px }),
        (clipped_share > CLIPPED_SHARE_MAX).then_some(Rejection::OverExposed { clipped_share }),
        (contrast < CONTRAST_MIN).then_some(Rejection::Faint { contrast }),
        (breadth < BREADTH_MIN).then_some(Rejection::InOneLine { points: sighting.points.len() }),
    ]
    .into_iter()
    .flatten()
}

/// Over the points that both show; `None` where they share fewer than four.
fn mean_move(a: &Sighting, b: &Sighting) -> Option<f64> {
    let mut moves = Vec::new();
    for (index, at) in a.points.iter().zip(&a.at_px) {
        if let Ok(there) = b.points.binary_search(index) {
            let to = b.at_px[there];
            moves.push((at[0] - to[0]).hypot(at[1] - to[1]));
        }
    }
    (moves.len() >= 4).then(|| moves.iter().sum::<f64>() / moves.len() as f64)
}
