//! Pictures for a bench: files as a camera would have given them.

use plumb_inspection::{Frame, Image, PixelFormat, Stamp};
use std::{
    fs,
    path::{Path, PathBuf},
};

/// What the reader of pictures knows by its ending.
const ENDINGS: [&str; 6] = ["png", "jpg", "jpeg", "bmp", "tif", "tiff"];

/// More tell little more and take their time; of a larger folder these are taken at even steps.
pub(super) const PICTURES_MAX: usize = 200;

/// The pictures in `folder`, by name.
///
/// # Errors
/// In a sentence, where it is no folder or there is no picture in it.
pub(super) fn list(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let cannot = |error| format!("--pictures {}: {error}", folder.display());
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).map_err(cannot)? {
        let file = entry.map_err(cannot)?.path();
        let ending = file.extension().and_then(|ending| ending.to_str()).map(str::to_ascii_lowercase);
        if ending.is_some_and(|ending| ENDINGS.contains(&ending.as_str())) {
            files.push(file);
        }
    }
    if files.is_empty() {
        let endings = ENDINGS.join(", ");
        return Err(format!("--pictures {}: there is no picture in it ({endings})", folder.display()));
    }
    files.sort();
    let step = files.len().div_ceil(PICTURES_MAX);
    Ok(files.into_iter().step_by(step).collect())
}

/// A picture file as a frame; grey stays grey, all else becomes BGR.
pub(super) fn read(file: &Path) -> Result<Frame, String> {
    let no_picture = |error: String| format!("{} is no picture that can be read: {error}", file.display());
    let picture = image::open(file).map_err(|error| no_picture(error.to_string()))?;
    let (width, height) = (picture.width(), picture.height());
    let image = if picture.color().has_color() {
        let mut rgb = picture.into_rgb8();
        rgb.pixels_mut().for_each(|pixel| pixel.0.reverse());
        Image::packed(width, height, PixelFormat::Bgr8, rgb.into_raw())
    } else {
        Image::packed(width, height, PixelFormat::Gray8, picture.into_luma8().into_raw())
    };
    image.map(frame).map_err(|error| no_picture(error.to_string()))
}

/// A picture of no thing: something to run on where there are no pictures.
pub(super) fn drawn(width: u32, height: u32) -> Frame {
    let pixels =
        (0..width as usize * height as usize * 3).map(|i| ((i * 2_654_435_761) >> 13) as u8).collect();
    frame(Image::packed(width, height, PixelFormat::Bgr8, pixels).expect("made to measure, and no side is 0"))
}

fn frame(image: Image) -> Frame {
    Frame { camera: "bench".into(), seq: 1, camera_frame_id: None, at: Stamp::now(), image }
}
