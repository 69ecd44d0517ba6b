//! A camera the Linux kernel drives: USB cameras, frame grabbers.

use super::{Open, Stream};
use crate::{
    elements::require,
    error::CaptureError,
    event::{DownCause, Failure},
    feed::Feed,
    playing::{AtEnd, FrameIdsFrom, Play, build, play},
};
use gstreamer::{self as gst, prelude::*};
use plumb_inspection::CameraId;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// `kind = "v4l2"`. What is left out is the driver's choice.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct V4l2Config {
    /// Device file; `/dev/v4l/by-id/…` stays the same when cameras are plugged in another order.
    #[serde(default = "video0")]
    pub device: PathBuf,
    /// Width in px.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub width: Option<u32>,
    /// Height in px.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub height: Option<u32>,
    /// Frames a second.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fps: Option<f64>,
    /// What travels over the cable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<V4l2Format>,
}

fn video0() -> PathBuf {
    "/dev/video0".into()
}

/// What travels over the cable. `gray8`, `bgr` and Bayer arrive as they are; the others are converted to BGR.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum V4l2Format {
    /// One grey byte a pixel.
    Gray8,
    /// Blue, green, red.
    Bgr,
    /// Two bytes a pixel, halved colour.
    Yuyv,
    /// A JPEG a frame.
    Mjpeg,
    /// Mosaic, first row R G.
    BayerRggb,
    /// Mosaic, first row G R.
    BayerGrbg,
    /// Mosaic, first row G B.
    BayerGbrg,
    /// Mosaic, first row B G.
    BayerBggr,
}

impl V4l2Config {
    /// Caps that the device must give, and what must be done to them.
    fn launch(&self) -> Result<String, String> {
        let (caps, then) = match self.format {
            None => ("", "decodebin ! videoconvert"),
            Some(V4l2Format::Gray8) => ("video/x-raw,format=GRAY8", "identity"),
            Some(V4l2Format::Bgr) => ("video/x-raw,format=BGR", "identity"),
            Some(V4l2Format::Yuyv) => ("video/x-raw,format=YUY2", "videoconvert"),
            Some(V4l2Format::Mjpeg) => ("image/jpeg", "jpegdec ! videoconvert"),
            Some(V4l2Format::BayerRggb) => ("video/x-bayer,format=rggb", "identity"),
            Some(V4l2Format::BayerGrbg) => ("video/x-bayer,format=grbg", "identity"),
            Some(V4l2Format::BayerGbrg) => ("video/x-bayer,format=gbrg", "identity"),
            Some(V4l2Format::BayerBggr) => ("video/x-bayer,format=bggr", "identity"),
        };
        let mut size = String::new();
        if let Some(px) = self.width {
            size += &format!(",width={px}");
        }
        if let Some(px) = self.height {
            size += &format!(",height={px}");
        }
        if let Some(fps) = self.fps {
            let rate = (fps > 0.0).then(|| gst::Fraction::approximate_f64(fps)).flatten();
            let rate = rate.ok_or(format!("`fps` is {fps}, and must be above 0"))?;
            size += &format!(",framerate={}/{}", rate.numer(), rate.denom());
        }
        let caps = match (caps, size.is_empty()) {
            ("", true) => "ANY".into(),
            ("", false) => format!("video/x-raw{size};image/jpeg{size}"),
            (caps, _) => format!("{caps}{size}"),
        };
        Ok(format!("v4l2src name=light ! capsfilter caps=\"{caps}\" ! {then}"))
    }
}

pub(super) struct V4l2 {
    camera: CameraId,
    config: V4l2Config,
    launch: String,
}

impl V4l2 {
    pub(super) fn prepare(camera: &CameraId, config: V4l2Config) -> Result<Self, CaptureError> {
        require(camera, &["v4l2src", "decodebin", "jpegdec", "videoconvert", "appsink"])?;
        let launch = config.launch().map_err(|says| CaptureError::Setting {
            camera: camera.clone(),
            key: "source",
            says,
        })?;
        Ok(Self { camera: camera.clone(), config, launch })
    }
}

impl Open for V4l2 {
    fn camera(&self) -> &CameraId {
        &self.camera
    }

    fn open(&mut self, feed: Feed) -> Result<Box<dyn Stream>, Failure> {
        let device = &self.config.device;
        if !device.exists() {
            let says = format!("there is no {}; is the camera plugged in?", device.display());
            return Err(Failure::new(DownCause::Unplugged, says));
        }
        let pipeline =
            build(&self.launch).map_err(|error| Failure::new(DownCause::Failed, error.message()))?;
        let light = pipeline.by_name("light").expect("named in the launch line");
        light.set_property("device", device.to_string_lossy().as_ref());
        // v4l2src counts frames in its buffers' offset, skipping those the driver dropped; decoders forget it.
        let how = Play {
            what: device.display().to_string(),
            frame_ids: FrameIdsFrom::Light,
            at_end: AtEnd::Down,
            pace: None,
            whole_jpegs: true,
        };
        Ok(Box::new(play(pipeline, feed, how)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(toml: &str) -> V4l2Config {
        toml::from_str(toml).expect("valid")
    }

    #[test]
    fn every_format_builds_into_a_pipeline() {
        gst::init().expect("GStreamer starts");
        if gst::ElementFactory::find("v4l2src").is_none() {
            return println!("skipped: no v4l2src here");
        }
        let sizes = ["", "width = 640\nheight = 480\nfps = 29.97\n"];
        let formats =
            ["", "gray8", "bgr", "yuyv", "mjpeg", "bayer_rggb", "bayer_grbg", "bayer_gbrg", "bayer_bggr"];
        for (size, format) in sizes.iter().flat_map(|size| formats.iter().map(move |format| (size, format))) {
            let format = if format.is_empty() { String::new() } else { format!("format = \"{format}\"") };
            let launch = config(&format!("{size}{format}")).launch().expect("numbers are fine");
            build(&launch).unwrap_or_else(|error| panic!("{launch}: {error}"));
        }
    }

    #[test]
    fn a_rate_of_nothing_is_refused() {
        gst::init().expect("GStreamer starts");
        assert!(config("fps = 0.0").launch().is_err());
    }
}
