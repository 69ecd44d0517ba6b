//! Stored pictures as the station would prepare a whole frame, and what a model finds in them.

use plumb_inference::Model;
use plumb_inspection::{Findings, Frame, Image, PixelFormat, Stamp};
use plumb_preprocess::{Cut, Optics, Preprocessor};
use std::path::Path;

/// A model and the way into it.
pub(crate) struct Examiner {
    model: Model,
    preprocessor: Preprocessor,
    seen: u64,
}

impl Examiner {
    /// For `model`, over the whole frame, without a lens.
    pub(crate) fn new(model: Model) -> Result<Self, String> {
        let cut = Cut { region: "whole".into(), rect_px: None, spec: model.info().input.clone() };
        let preprocessor =
            Preprocessor::new(Optics::default(), vec![cut]).map_err(|error| error.to_string())?;
        Ok(Self { model, preprocessor, seen: 0 })
    }

    /// What the model finds in `picture`, an encoded file's bytes, and the picture's width and height in px; `file` is
    /// for messages.
    pub(crate) fn examine(&mut self, picture: &[u8], file: &Path) -> Result<(Findings, [f32; 2]), String> {
        let wrong = |says: String| format!("{}: {says}", file.display());
        let picture =
            image::load_from_memory(picture).map_err(|error| wrong(format!("is no picture: {error}")))?;
        let (width, height) = (picture.width(), picture.height());
        let (format, pixels) = if picture.color().has_color() {
            let mut pixels = picture.into_rgb8().into_raw();
            pixels.chunks_exact_mut(3).for_each(|pixel| pixel.reverse());
            (PixelFormat::Bgr8, pixels)
        } else {
            (PixelFormat::Gray8, picture.into_luma8().into_raw())
        };
        let image = Image::packed(width, height, format, pixels).map_err(|error| wrong(error.to_string()))?;
        self.seen += 1;
        let frame =
            Frame { camera: "stored".into(), seq: self.seen, camera_frame_id: None, at: Stamp::now(), image };
        let tensors = self.preprocessor.prepare(&frame).map_err(|error| wrong(error.to_string()))?;
        let tensor = tensors.first().ok_or_else(|| wrong("gave no tensor".to_owned()))?;
        let found = self.model.examine(tensor).map_err(|error| wrong(error.to_string()))?;
        Ok((found, [width as f32, height as f32]))
    }
}
