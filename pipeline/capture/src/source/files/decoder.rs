//! One stored picture's bytes → [`Image`], decoded by GStreamer on the calling thread.

use crate::{
    appsink::{CAPS, Shape},
    cut_off::is_cut_off,
};
use gstreamer::{self as gst, prelude::*};
use gstreamer_app as gst_app;
use plumb_inspection::Image;
use std::sync::{Arc, Mutex, PoisonError};

/// Told by a file's first bytes; its name may lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PictureKind {
    Jpeg,
    Png,
    Bmp,
    Tiff,
}

impl PictureKind {
    /// `None` for what is no picture we know.
    pub(super) fn of(head: &[u8]) -> Option<Self> {
        match head {
            [0xFF, 0xD8, 0xFF, ..] => Some(Self::Jpeg),
            [0x89, b'P', b'N', b'G', ..] => Some(Self::Png),
            [b'B', b'M', ..] => Some(Self::Bmp),
            [b'I', b'I', b'*', 0, ..] | [b'M', b'M', 0, b'*', ..] => Some(Self::Tiff),
            _ => None,
        }
    }

    fn decoder(self) -> &'static str {
        match self {
            Self::Jpeg => "jpegdec",
            Self::Png => "pngdec",
            Self::Bmp | Self::Tiff => "gdkpixbufdec",
        }
    }

    fn media_type(self) -> &'static str {
        match self {
            Self::Jpeg => "image/jpeg",
            Self::Png => "image/png",
            Self::Bmp => "image/bmp",
            Self::Tiff => "image/tiff",
        }
    }
}

/// A decoder that stays open from picture to picture: opening one costs as much as decoding ten.
///
/// It has no thread: `decode` pushes the bytes through decoder, converter and appsink itself, so that when the push
/// returns, the picture is there or never will be.
pub(super) struct Decoder {
    pub(super) kind: PictureKind,
    pipeline: gst::Pipeline,
    entry: gst::Pad,
    result: Arc<Mutex<Option<Result<gst::Sample, String>>>>,
    shape: Option<Shape>,
    count: u64,
}

impl Decoder {
    /// # Errors
    /// A sentence, if the decoder is not installed.
    pub(super) fn new(kind: PictureKind) -> Result<Self, String> {
        let launch = format!(
            "{} name=decoder ! videoconvert ! appsink name=plumb sync=false async=false",
            kind.decoder()
        );
        let pipeline: gst::Pipeline = gst::parse::launch(&launch)
            .map_err(|error| format!("cannot be decoded: {}", error.message()))?
            .downcast()
            .expect("three elements make a pipeline");
        let result = Arc::new(Mutex::new(None));
        let sink: gst_app::AppSink =
            pipeline.by_name("plumb").and_then(|sink| sink.downcast().ok()).expect("in the launch line");
        sink.set_caps(Some(&CAPS.parse().expect("constant caps are well written")));
        sink.set_property("enable-last-sample", false);
        let cell = result.clone();
        sink.set_callbacks(
            gst_app::AppSinkCallbacks::builder()
                .new_sample(move |sink| {
                    let sample = sink.pull_sample().map_err(|_| gst::FlowError::Eos)?;
                    put(&cell, Ok(sample));
                    Ok(gst::FlowSuccess::Ok)
                })
                .build(),
        );
        let cell = result.clone();
        pipeline.bus().expect("a pipeline has a bus").set_sync_handler(move |_, message| {
            match message.view() {
                gst::MessageView::Error(error) => put(&cell, Err(error.error().message().to_owned())),
                gst::MessageView::Warning(warning) => put(&cell, Err(warning.error().message().to_owned())),
                _ => {}
            }
            gst::BusSyncReply::Drop
        });
        let entry = gst::Pad::builder(gst::PadDirection::Src).name("entry").build();
        let decoder = pipeline.by_name("decoder").expect("in the launch line");
        let failed = |what: &str| format!("cannot be decoded: its decoder {what}");
        entry
            .link(&decoder.static_pad("sink").expect("decoders have a sink"))
            .map_err(|_| failed("takes no input"))?;
        pipeline.set_state(gst::State::Playing).map_err(|_| failed("does not start"))?;
        entry.set_active(true).map_err(|_| failed("does not start"))?;
        entry.push_event(gst::event::StreamStart::new("picture"));
        // A frame rate, and time as the unit, tell the decoders that a buffer is one whole picture.
        let caps = gst::Caps::builder(kind.media_type()).field("framerate", gst::Fraction::new(1, 1)).build();
        entry.push_event(gst::event::Caps::new(&caps));
        entry.push_event(gst::event::Segment::new(&gst::FormattedSegment::<gst::ClockTime>::new()));
        Ok(Self { kind, pipeline, entry, result, shape: None, count: 0 })
    }

    /// Decodes one whole picture. After an error this decoder may be in any state and should be thrown away.
    ///
    /// # Errors
    /// A sentence without the picture's name: truncated, damaged, not what its first bytes say.
    pub(super) fn decode(&mut self, picture: Vec<u8>) -> Result<Image, String> {
        if is_cut_off(&picture) {
            return Err("is cut off before its end".into());
        }
        let mut buffer = gst::Buffer::from_slice(picture);
        if let Some(buffer) = buffer.get_mut() {
            buffer.set_pts(gst::ClockTime::from_seconds(self.count));
            buffer.set_duration(gst::ClockTime::SECOND);
        }
        self.count += 1;
        *self.result.lock().unwrap_or_else(PoisonError::into_inner) = None;
        let pushed = self.entry.push(buffer);
        let result = self.result.lock().unwrap_or_else(PoisonError::into_inner).take();
        let sample = match (result, pushed) {
            (Some(Ok(sample)), _) => sample,
            (Some(Err(says)), _) => return Err(format!("cannot be decoded: {says}")),
            (None, Ok(_)) => return Err("is cut off or holds no picture".into()),
            (None, Err(flow)) => return Err(format!("cannot be decoded ({flow})")),
        };
        let (Some(caps), Some(buffer)) = (sample.caps(), sample.buffer_owned()) else {
            return Err("holds no picture".into());
        };
        let shape = match self.shape.take().filter(|shape| shape.is_of(caps)) {
            Some(shape) => shape,
            None => Shape::read(caps).map_err(|failure| failure.says)?,
        };
        self.shape.insert(shape).image(buffer)
    }
}

/// An error outlives a picture: a decoder that complained and still gave something has guessed.
fn put(cell: &Mutex<Option<Result<gst::Sample, String>>>, new: Result<gst::Sample, String>) {
    let mut cell = cell.lock().unwrap_or_else(PoisonError::into_inner);
    if !matches!(*cell, Some(Err(_))) {
        *cell = Some(new);
    }
}

impl Drop for Decoder {
    fn drop(&mut self) {
        let _ = self.entry.set_active(false);
        let _ = self.pipeline.set_state(gst::State::Null);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::{ImageFormat, RgbImage};
    use std::io::Cursor;

    fn encoded(format: ImageFormat, grey: bool) -> Vec<u8> {
        let picture = RgbImage::from_fn(50, 40, |x, y| image::Rgb([(x * 5) as u8, (y * 6) as u8, 200]));
        let picture = image::DynamicImage::from(picture);
        let picture = if grey { picture.to_luma8().into() } else { picture };
        let mut bytes = Cursor::new(Vec::new());
        picture.write_to(&mut bytes, format).expect("encodes");
        bytes.into_inner()
    }

    fn decode(bytes: Vec<u8>) -> Result<Image, String> {
        gst::init().expect("GStreamer starts");
        Decoder::new(PictureKind::of(&bytes).expect("a picture")).expect("installed").decode(bytes)
    }

    const KINDS: [ImageFormat; 4] =
        [ImageFormat::Jpeg, ImageFormat::Png, ImageFormat::Bmp, ImageFormat::Tiff];

    #[test]
    fn every_kind_decodes_to_the_colours_that_went_in() {
        for kind in KINDS {
            let image = decode(encoded(kind, false)).unwrap_or_else(|error| panic!("{kind:?} {error}"));
            assert_eq!((image.width(), image.height()), (50, 40), "{kind:?}");
            let px = &image.row(20)[30 * 3..][..3];
            let near = |got: u8, wanted: i32| (i32::from(got) - wanted).abs() <= 6;
            assert!(
                near(px[0], 200) && near(px[1], 120) && near(px[2], 150),
                "{kind:?}: {px:?} is not blue, green, red"
            );
        }
    }

    #[test]
    fn a_grey_picture_stays_grey() {
        for kind in [ImageFormat::Jpeg, ImageFormat::Png] {
            let image = decode(encoded(kind, true)).unwrap_or_else(|error| panic!("{kind:?} {error}"));
            assert_eq!(image.format(), plumb_inspection::PixelFormat::Gray8, "{kind:?}");
        }
    }

    #[test]
    fn a_picture_cut_anywhere_is_no_picture() {
        for kind in KINDS {
            let whole = encoded(kind, false);
            for share in [0.2, 0.5, 0.9, 0.99] {
                let cut = whole[..(whole.len() as f64 * share) as usize].to_vec();
                assert!(decode(cut).is_err(), "{kind:?} cut to {share} was taken");
            }
        }
    }

    #[test]
    fn one_decoder_takes_pictures_of_changing_size() {
        gst::init().expect("GStreamer starts");
        let mut decoder = Decoder::new(PictureKind::Png).expect("installed");
        for side in [10, 30, 20] {
            let mut bytes = Cursor::new(Vec::new());
            RgbImage::new(side, side).write_to(&mut bytes, ImageFormat::Png).expect("encodes");
            assert_eq!(decoder.decode(bytes.into_inner()).map(|image| image.width()), Ok(side));
        }
    }
}
