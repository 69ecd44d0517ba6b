//! Targets: what is printed, how large, and where each of its points lies. To add one: a file here and an arm below.

mod charuco;
mod chessboard;
mod circles;
pub mod draw;
mod markers;

pub use markers::Dictionary;

use crate::error::{CameraError, opencv};
use opencv::core::Mat;
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// A flat target with points at known places.
///
/// As text: `chessboard:9x6:25` (inner corners, mm a square), `charuco:8x6:30:22:5x5_100` (squares, mm a square, mm a
/// marker, dictionary), `circles:7x6:20` and `asymmetric_circles:4x11:20` (circles, mm apart).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Target {
    /// Black and white squares; the points are the corners where four of them meet.
    Chessboard {
        /// Inner corners a row.
        columns: u32,
        /// Rows of inner corners.
        rows: u32,
        /// Side of a square in mm.
        square_mm: f64,
    },
    /// A chessboard with a marker in each white square: any part of it is enough, and each corner has a name.
    Charuco {
        /// Squares a row.
        columns: u32,
        /// Rows of squares.
        rows: u32,
        /// Side of a square in mm.
        square_mm: f64,
        /// Side of a marker in mm, its black border included.
        marker_mm: f64,
        /// Whose markers.
        dictionary: Dictionary,
    },
    /// Dark circles in a rectangular grid.
    Circles {
        /// Circles a row.
        columns: u32,
        /// Rows.
        rows: u32,
        /// From centre to centre, in mm.
        spacing_mm: f64,
    },
    /// Dark circles, every second row moved by half: its orientation is never in doubt.
    AsymmetricCircles {
        /// Circles a row.
        columns: u32,
        /// Rows.
        rows: u32,
        /// From row to row, in mm; neighbours in a row are twice that apart.
        spacing_mm: f64,
    },
}

/// A target as one picture shows it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sighting {
    /// Which points of the target, ascending; see [`Target::position_mm`].
    pub points: Vec<usize>,
    /// Where each of them is, in px, as OpenCV counts.
    pub at_px: Vec<[f64; 2]>,
    /// The part of the picture, in px around each point, that its place was read from.
    pub window_px: f64,
}

impl Target {
    /// Looks for the target in a grey picture. `None` where it is not, or not all of it where all is needed.
    pub(crate) fn find(&self, grey: &Mat) -> Result<Option<Sighting>, CameraError> {
        let found = match *self {
            Self::Chessboard { columns, rows, .. } => chessboard::find(grey, columns, rows),
            Self::Charuco { columns, rows, square_mm, marker_mm, dictionary } => {
                charuco::find(grey, [columns, rows], marker_mm / square_mm, dictionary)
            }
            Self::Circles { columns, rows, .. } => circles::find(grey, columns, rows, false),
            Self::AsymmetricCircles { columns, rows, .. } => circles::find(grey, columns, rows, true),
        };
        found.map_err(opencv("looked for the target"))
    }

    /// How many points it has.
    pub fn len(&self) -> usize {
        let [columns, rows] = self.grid();
        columns as usize * rows as usize
    }

    /// A target has points, or [`Target::problems`] says so.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The fewest points from which a picture can be used: all, but for the target whose points have names.
    pub(crate) fn points_min(&self) -> usize {
        match self {
            Self::Charuco { .. } => 8.min(self.len()),
            _ => self.len(),
        }
    }

    /// Points a row, and rows of them.
    pub fn grid(&self) -> [u32; 2] {
        match *self {
            Self::Chessboard { columns, rows, .. }
            | Self::Circles { columns, rows, .. }
            | Self::AsymmetricCircles { columns, rows, .. } => [columns, rows],
            Self::Charuco { columns, rows, .. } => [columns.saturating_sub(1), rows.saturating_sub(1)],
        }
    }

    /// The place of point `index` on the target, in mm from its first point: x along a row, y from row to row.
    pub fn position_mm(&self, index: usize) -> [f64; 2] {
        let columns = self.grid()[0] as usize;
        let (column, row) = ((index % columns) as f64, (index / columns) as f64);
        match *self {
            Self::Chessboard { square_mm: step, .. }
            | Self::Charuco { square_mm: step, .. }
            | Self::Circles { spacing_mm: step, .. } => [column * step, row * step],
            Self::AsymmetricCircles { spacing_mm, .. } => {
                [(2.0 * column + row % 2.0) * spacing_mm, row * spacing_mm]
            }
        }
    }

    /// Everything about it that cannot be.
    pub fn problems(&self) -> Vec<String> {
        let mut says = Vec::new();
        let [columns, rows] = self.grid();
        if !(2..=200).contains(&columns) || !(2..=200).contains(&rows) {
            says.push(format!("{columns}x{rows} points; it needs 2 to 200 a side"));
        }
        let mut size = |what: &str, mm: f64| {
            if !(mm.is_finite() && mm > 0.0 && mm < 10_000.0) {
                says.push(format!("{what} is {mm} mm; it must be above 0 and below 10 000"));
            }
        };
        match *self {
            Self::Chessboard { square_mm, .. } => size("a square", square_mm),
            Self::Circles { spacing_mm, .. } | Self::AsymmetricCircles { spacing_mm, .. } => {
                size("the spacing", spacing_mm)
            }
            Self::Charuco { square_mm, marker_mm, dictionary, columns, rows } => {
                size("a square", square_mm);
                size("a marker", marker_mm);
                if marker_mm >= square_mm {
                    says.push(format!(
                        "a marker of {marker_mm} mm does not fit in a square of {square_mm} mm"
                    ));
                }
                let (needs, has) = ((columns * rows).div_ceil(2), dictionary.len());
                if needs > has {
                    says.push(format!(
                        "{columns}x{rows} squares need {needs} markers, {dictionary} has {has}"
                    ));
                }
            }
        }
        says
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Chessboard { columns, rows, square_mm } => {
                write!(f, "chessboard:{columns}x{rows}:{square_mm}")
            }
            Self::Charuco { columns, rows, square_mm, marker_mm, dictionary } => {
                write!(f, "charuco:{columns}x{rows}:{square_mm}:{marker_mm}:{dictionary}")
            }
            Self::Circles { columns, rows, spacing_mm } => write!(f, "circles:{columns}x{rows}:{spacing_mm}"),
            Self::AsymmetricCircles { columns, rows, spacing_mm } => {
                write!(f, "asymmetric_circles:{columns}x{rows}:{spacing_mm}")
            }
        }
    }
}

impl FromStr for Target {
    type Err = CameraError;

    fn from_str(text: &str) -> Result<Self, CameraError> {
        let wrong = |says: Vec<String>| CameraError::Target { target: text.to_owned(), says };
        let words: Vec<&str> = text.split(':').collect();
        let mut says = Vec::new();
        let mut mm = |word: &str| {
            word.parse::<f64>().unwrap_or_else(|_| {
                says.push(format!("\"{word}\" is no length in mm"));
                1.0
            })
        };
        let grid = |word: &str| {
            let (columns, rows) = word.split_once('x')?;
            Some((columns.parse::<u32>().ok()?, rows.parse::<u32>().ok()?))
        };
        let (target, count) = match words[..] {
            ["chessboard", count, square] => {
                let square_mm = mm(square);
                (Self::Chessboard { columns: 0, rows: 0, square_mm }, count)
            }
            ["charuco", count, square, marker, dictionary] => {
                let (square_mm, marker_mm) = (mm(square), mm(marker));
                let known = dictionary.parse().unwrap_or_else(|error: String| {
                    says.push(error);
                    Dictionary::default()
                });
                (Self::Charuco { columns: 0, rows: 0, square_mm, marker_mm, dictionary: known }, count)
            }
            ["circles", count, spacing] => {
                let spacing_mm = mm(spacing);
                (Self::Circles { columns: 0, rows: 0, spacing_mm }, count)
            }
            ["asymmetric_circles", count, spacing] => {
                let spacing_mm = mm(spacing);
                (Self::AsymmetricCircles { columns: 0, rows: 0, spacing_mm }, count)
            }
            _ => {
                return Err(wrong(vec![
                    "write it as chessboard:9x6:25, charuco:8x6:30:22:5x5_100, circles:7x6:20 or asymmetric_circles:4x11:20 (counts, then mm)".to_owned(),
                ]));
            }
        };
        let Some((columns, rows)) = grid(count) else {
            says.push(format!("\"{count}\" is no count; write it as 9x6"));
            return Err(wrong(says));
        };
        let target = target.of_size(columns, rows);
        says.extend(target.problems());
        if says.is_empty() { Ok(target) } else { Err(wrong(says)) }
    }
}

impl Target {
    /// The same kind with another count.
    pub(crate) fn of_size(mut self, wanted_columns: u32, wanted_rows: u32) -> Self {
        match &mut self {
            Self::Chessboard { columns, rows, .. }
            | Self::Charuco { columns, rows, .. }
            | Self::Circles { columns, rows, .. }
            | Self::AsymmetricCircles { columns, rows, .. } => {
                (*columns, *rows) = (wanted_columns, wanted_rows)
            }
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_reads_as_it_is_written() {
        for text in [
            "chessboard:9x6:25",
            "charuco:8x6:30:22.5:5x5_100",
            "circles:7x6:20",
            "asymmetric_circles:4x11:20",
        ] {
            assert_eq!(text.parse::<Target>().expect(text).to_string(), text);
        }
        let told = |text: &str| text.parse::<Target>().expect_err(text).to_string();
        assert!(told("chess:9x6:25").contains("write it as chessboard:9x6:25"));
        assert!(told("chessboard:9:25").contains("\"9\" is no count"));
        assert!(told("chessboard:1x6:0").contains("1x6 points") && told("chessboard:1x6:0").contains("0 mm"));
        let charuco = told("charuco:30x30:20:22:4x4_50");
        assert!(charuco.contains("does not fit") && charuco.contains("need 450 markers"), "{charuco}");
        assert!(
            told("charuco:5x5:20:15:9x9_50").contains("there are"),
            "{}",
            told("charuco:5x5:20:15:9x9_50")
        );
    }

    #[test]
    fn points_lie_where_opencv_puts_them() {
        let asymmetric: Target = "asymmetric_circles:4x11:20".parse().expect("a target");
        assert_eq!(
            [0, 1, 4, 5].map(|i| asymmetric.position_mm(i)),
            [[0.0, 0.0], [40.0, 0.0], [20.0, 20.0], [60.0, 20.0]]
        );
        let charuco: Target = "charuco:8x6:30:22:5x5_100".parse().expect("a target");
        assert_eq!((charuco.grid(), charuco.position_mm(8)), ([7, 5], [30.0, 30.0]));
    }
}
