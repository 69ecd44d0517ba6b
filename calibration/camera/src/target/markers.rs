//! ArUco markers: which there are, what is on them, and where a picture shows them. The one file that knows that OpenCV
//! moved them from one module to another in 4.7.

use opencv::{
    core::{Mat, Point2f, Vec4b, Vector},
    prelude::*,
};
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

#[cfg(not(markers_in_objdetect))]
use opencv::aruco as library;
#[cfg(markers_in_objdetect)]
use opencv::objdetect as library;

/// A family of markers, by OpenCV's name without `DICT_`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Dictionary(usize);

/// Name, OpenCV's number, how many markers, bits a side.
const DICTIONARIES: [(&str, i32, u32, u32); 16] = [
    ("4x4_50", library::DICT_4X4_50, 50, 4),
    ("4x4_100", library::DICT_4X4_100, 100, 4),
    ("4x4_250", library::DICT_4X4_250, 250, 4),
    ("4x4_1000", library::DICT_4X4_1000, 1000, 4),
    ("5x5_50", library::DICT_5X5_50, 50, 5),
    ("5x5_100", library::DICT_5X5_100, 100, 5),
    ("5x5_250", library::DICT_5X5_250, 250, 5),
    ("5x5_1000", library::DICT_5X5_1000, 1000, 5),
    ("6x6_50", library::DICT_6X6_50, 50, 6),
    ("6x6_100", library::DICT_6X6_100, 100, 6),
    ("6x6_250", library::DICT_6X6_250, 250, 6),
    ("6x6_1000", library::DICT_6X6_1000, 1000, 6),
    ("7x7_50", library::DICT_7X7_50, 50, 7),
    ("7x7_100", library::DICT_7X7_100, 100, 7),
    ("7x7_250", library::DICT_7X7_250, 250, 7),
    ("7x7_1000", library::DICT_7X7_1000, 1000, 7),
];

/// One marker in a picture: its number and its corners, clockwise from its own top left.
pub(super) struct Marker {
    pub(super) id: u32,
    pub(super) corners_px: [Point2f; 4],
}

impl Dictionary {
    /// How many markers it has.
    pub fn len(self) -> u32 {
        DICTIONARIES[self.0].2
    }

    /// No dictionary is.
    pub fn is_empty(self) -> bool {
        false
    }

    /// Bits a side, without the border.
    pub(super) fn side(self) -> u32 {
        DICTIONARIES[self.0].3
    }

    /// The bits of marker `id`, row by row, true for white. Without its black border.
    ///
    /// OpenCV keeps a row of bytes a marker, first those of the upright one: eight bits a byte, highest first, and what
    /// is left over at the low end of the last.
    pub(super) fn bits(self, id: u32) -> opencv::Result<Vec<bool>> {
        let bytes = self.bytes()?;
        let row: Vec<u8> = bytes.at_row::<Vec4b>(id as i32)?.iter().flat_map(|four| four.0).collect();
        let count = (self.side() * self.side()) as usize;
        Ok((0..count)
            .map(|bit| {
                let in_byte = (count - bit / 8 * 8).min(8);
                row[bit / 8] >> (in_byte - 1 - bit % 8) & 1 == 1
            })
            .collect())
    }

    fn bytes(self) -> opencv::Result<Mat> {
        Ok(library::get_predefined_dictionary_i32(DICTIONARIES[self.0].1)?.bytes_list())
    }

    /// Every marker of this family that the picture shows.
    pub(super) fn find(self, grey: &Mat) -> opencv::Result<Vec<Marker>> {
        let (mut corners, mut ids) = (Vector::<Vector<Point2f>>::new(), Vector::<i32>::new());
        self.detect(grey, &mut corners, &mut ids)?;
        let one = |(id, corners): (i32, Vector<Point2f>)| {
            let corners_px = corners.to_vec().try_into().ok()?;
            Some(Marker { id: u32::try_from(id).ok()?, corners_px })
        };
        Ok(ids.iter().zip(&corners).filter_map(one).collect())
    }

    #[cfg(not(markers_in_objdetect))]
    fn detect(
        self,
        grey: &Mat,
        corners: &mut Vector<Vector<Point2f>>,
        ids: &mut Vector<i32>,
    ) -> opencv::Result<()> {
        let dictionary = library::get_predefined_dictionary_i32(DICTIONARIES[self.0].1)?;
        library::detect_markers_def(grey, &dictionary, corners, ids)
    }

    #[cfg(markers_in_objdetect)]
    fn detect(
        self,
        grey: &Mat,
        corners: &mut Vector<Vector<Point2f>>,
        ids: &mut Vector<i32>,
    ) -> opencv::Result<()> {
        let dictionary = library::get_predefined_dictionary_i32(DICTIONARIES[self.0].1)?;
        let parameters = library::DetectorParameters::default()?;
        let refining = library::RefineParameters::new_def()?;
        library::ArucoDetector::new(&dictionary, &parameters, refining)?
            .detect_markers_def(grey, corners, ids)
    }
}

impl fmt::Display for Dictionary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(DICTIONARIES[self.0].0)
    }
}

impl FromStr for Dictionary {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let plain = text.to_lowercase();
        let plain = plain.strip_prefix("dict_").unwrap_or(&plain);
        DICTIONARIES.iter().position(|known| known.0 == plain).map(Self).ok_or_else(|| {
            let known: Vec<&str> = DICTIONARIES.iter().map(|known| known.0).collect();
            format!("there is no dictionary \"{text}\"; there are {}", known.join(", "))
        })
    }
}

impl TryFrom<String> for Dictionary {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Dictionary> for String {
    fn from(dictionary: Dictionary) -> Self {
        dictionary.to_string()
    }
}
