//! Where light comes from: one file a kind of camera. To add one: a file here, an arm below, an example in `deploy`.

mod files;
mod gige;
mod line;
mod pipeline;
mod rtsp;
mod v4l2;

pub use files::{FilesConfig, Pace};
pub(crate) use gige::libaravis_is_there;
pub use gige::{Activation, GigeConfig, GigePixelFormat, GigeTrigger};
pub use line::{LineCamera, LineExposure, LineSourceConfig};
pub use pipeline::PipelineConfig;
pub use rtsp::{RtspConfig, Transport};
pub use v4l2::{V4l2Config, V4l2Format};

use crate::{error::CaptureError, event::Failure, feed::Feed};
use plumb_inspection::CameraId;
use serde::{Deserialize, Serialize};
use std::{path::Path, sync::Arc};

/// `[camera.source]`: which kind, and what that kind must know.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum SourceConfig {
    /// A folder of pictures, one picture, or a video file.
    Files(FilesConfig),
    /// A camera the Linux kernel drives: USB webcams, frame grabbers.
    V4l2(V4l2Config),
    /// A network camera's video stream.
    Rtsp(RtspConfig),
    /// An industrial camera: GigE Vision or USB3 Vision.
    Gige(GigeConfig),
    /// A GStreamer launch line, for what we did not think of.
    Pipeline(PipelineConfig),
    /// The built-in simulated line.
    Line(LineSourceConfig),
}

/// A source that passed its checks and can be opened, again and again.
pub(crate) trait Open: Send {
    /// Whose source.
    fn camera(&self) -> &CameraId;

    /// Opens it; frames go to `feed` until the stream is dropped. May take seconds.
    fn open(&mut self, feed: Feed) -> Result<Box<dyn Stream>, Failure>;
}

/// An open source. Dropping it closes it and waits for its streaming thread.
pub(crate) trait Stream {
    /// How to ask it for a picture, if it can be asked.
    fn trigger(&self) -> Option<Arc<dyn SoftwareTrigger>> {
        None
    }
}

/// Asks an open camera for one picture.
pub(crate) trait SoftwareTrigger: Send + Sync {
    /// Returns when the camera has taken the order.
    fn trigger(&self) -> Result<(), NotTriggered>;
}

/// Why, for people; and whether a picture may come all the same.
#[derive(Debug)]
pub(crate) enum NotTriggered {
    /// None will.
    Refused(String),
    /// Nobody can tell: the order may have arrived, and the answer been lost.
    Unknown(String),
}

impl SourceConfig {
    /// The word after `kind =`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Files(_) => "files",
            Self::V4l2(_) => "v4l2",
            Self::Rtsp(_) => "rtsp",
            Self::Gige(_) => "gige",
            Self::Pipeline(_) => "pipeline",
            Self::Line(_) => "line",
        }
    }

    /// The same source with its paths below `folder`, where they are not absolute.
    pub fn relative_to(mut self, folder: &Path) -> Self {
        if let Self::Files(files) = &mut self {
            files.path = folder.join(&files.path);
        }
        self
    }

    /// True if a frame comes only for a trigger, by software or by wire; false if the camera runs free.
    pub fn frames_on_trigger(&self) -> bool {
        match self {
            Self::Gige(gige) => gige.trigger != GigeTrigger::FreeRun,
            Self::Line(_) => true,
            Self::Files(_) | Self::V4l2(_) | Self::Rtsp(_) | Self::Pipeline(_) => false,
        }
    }

    /// Why `Camera::trigger` makes no sense; `None` where it does.
    pub(crate) fn not_triggerable(&self) -> Option<&'static str> {
        match self {
            Self::Line(_) | Self::Gige(GigeConfig { trigger: GigeTrigger::Software, .. }) => None,
            Self::Gige(GigeConfig { trigger: GigeTrigger::Hardware { .. }, .. }) => {
                Some("it is triggered by wire; set `trigger = \"software\"` to trigger it from here")
            }
            Self::Gige(_) => Some("it runs free; set `trigger = \"software\"` to trigger it from here"),
            Self::Files(_) | Self::V4l2(_) | Self::Rtsp(_) | Self::Pipeline(_) => {
                Some("this kind of source runs free; use the photo-eye, or a frame a part")
            }
        }
    }

    /// True where no frame for a long time is nothing to worry about.
    pub(crate) fn silence_is_normal(&self) -> bool {
        // Playing files waits for the sink, for as long as it pleases.
        self.frames_on_trigger() || matches!(self, Self::Files(_))
    }

    /// Checks what can be checked without the camera.
    pub(crate) fn prepare(
        self,
        camera: &CameraId,
        line: Option<Arc<dyn LineCamera>>,
    ) -> Result<Box<dyn Open>, CaptureError> {
        Ok(match self {
            Self::Files(config) => Box::new(files::Files::prepare(camera, config)?),
            Self::V4l2(config) => Box::new(v4l2::V4l2::prepare(camera, config)?),
            Self::Rtsp(config) => Box::new(rtsp::Rtsp::prepare(camera, config)?),
            Self::Gige(config) => Box::new(gige::Gige::prepare(camera, config)?),
            Self::Pipeline(config) => Box::new(pipeline::Pipeline::prepare(camera, config)?),
            Self::Line(_) => Box::new(line::Line::prepare(camera, line)?),
        })
    }
}
