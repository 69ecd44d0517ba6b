//! What keeps a calibration from being made or used, told to who can put it right.

use std::path::PathBuf;

/// Why there is no calibration.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CameraError {
    /// A file that is no picture, or cannot be read.
    #[error("{} is no picture that can be read: {says}", file.display())]
    Picture {
        /// Which.
        file: PathBuf,
        /// The decoder's or the system's words.
        says: String,
    },
    /// A target that cannot be.
    #[error("target \"{target}\": {}", says.join("; "))]
    Target {
        /// As it was given.
        target: String,
        /// Everything that is wrong with it.
        says: Vec<String>,
    },
    /// Too few shots are left.
    #[error(
        "{usable} of {given} pictures can be used, a lens needs at least {needed} (better {wanted}); take more, held differently each time"
    )]
    TooFewShots {
        /// Shots that passed.
        usable: usize,
        /// Pictures there were.
        given: usize,
        /// The least.
        needed: usize,
        /// Advised.
        wanted: usize,
    },
    /// The shots leave the focal length open.
    #[error(
        "the shots do not say how long the lens is: {why}; take shots with the target tilted 20 to 40 degrees to the left, right, top and bottom"
    )]
    NotConstrained {
        /// What was found.
        why: String,
    },
    /// A distortion that no lens has.
    #[error(
        "the lens found folds the picture back on itself {folds_at_percent:.0} % of the way from the middle to the corner; add shots with the target in the corners of the view, or take --model plain"
    )]
    Folds {
        /// Where, in percent of the way from the principal point to the farthest corner.
        folds_at_percent: f64,
    },
    /// Known lengths from which no scale follows.
    #[error("no scale follows from these points: {says}")]
    Points {
        /// Why.
        says: String,
    },
    /// Not enough of the target for a plane.
    #[error("the target was not found in {picture}: {says}")]
    NoTarget {
        /// The picture.
        picture: String,
        /// What to do.
        says: String,
    },
    /// Pictures of a size that does not fit the rest.
    #[error(
        "{picture} has {width}x{height} px, {than} has {expected_width}x{expected_height}; take it at that size"
    )]
    Size {
        /// The picture.
        picture: String,
        /// Its width in px.
        width: u32,
        /// Its height in px.
        height: u32,
        /// What it is compared with.
        than: String,
        /// That one's width in px.
        expected_width: u32,
        /// That one's height in px.
        expected_height: u32,
    },
    /// A white picture that says nothing about the light.
    #[error("no flat field follows from these pictures: {says}")]
    Light {
        /// Why.
        says: String,
    },
    /// A calibration file that is none, or no longer what was written.
    #[error("{}  {says}", file.display())]
    File {
        /// Which.
        file: PathBuf,
        /// What is wrong, what to do.
        says: String,
    },
    /// OpenCV refused.
    #[error("OpenCV failed while it {doing}: {source}")]
    OpenCv {
        /// What it was at.
        doing: &'static str,
        /// Its words.
        source: opencv::Error,
    },
}

/// Names what OpenCV was at when it failed.
pub(crate) fn opencv(doing: &'static str) -> impl Fn(opencv::Error) -> CameraError {
    move |source| CameraError::OpenCv { doing, source }
}
