//! A GStreamer launch line, for what we did not think of.

use super::{Open, Stream};
use crate::{
    elements::{package_of, require},
    error::CaptureError,
    event::{DownCause, Failure},
    feed::Feed,
    playing::{AtEnd, FrameIdsFrom, Play, build, play},
};
use gstreamer as gst;
use plumb_inspection::CameraId;
use serde::{Deserialize, Serialize};

/// `kind = "pipeline"`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PipelineConfig {
    /// What one would write after `gst-launch-1.0`, without a sink. It must end in GRAY8, BGR or 8-bit Bayer; where it
    /// does not, `! videoconvert` helps. Nothing is added but the sink.
    pub launch: String,
    /// True if the buffers' offset counts the camera's frames, as many camera elements' does; a jump is then a loss.
    #[serde(default)]
    pub offset_counts_frames: bool,
}

pub(super) struct Pipeline {
    camera: CameraId,
    config: PipelineConfig,
}

impl Pipeline {
    pub(super) fn prepare(camera: &CameraId, config: PipelineConfig) -> Result<Self, CaptureError> {
        require(camera, &["appsink"])?;
        // It lends out memory that it goes on writing to, and frees while it is lent; see DECISIONS.md.
        if config.launch.split(|c: char| !c.is_alphanumeric()).any(|word| word == "aravissrc") {
            return Err(CaptureError::Setting {
                camera: camera.clone(),
                key: "launch",
                says: "uses aravissrc, whose pictures change while they are looked at; use `kind = \"gige\"`"
                    .into(),
            });
        }
        build(&config.launch).map_err(|error| unbuildable(camera, &error))?;
        Ok(Self { camera: camera.clone(), config })
    }
}

fn unbuildable(camera: &CameraId, error: &gst::glib::Error) -> CaptureError {
    let missing = error.matches(gst::ParseError::NoSuchElement);
    match error.message().split('"').nth(1) {
        Some(element) if missing => CaptureError::Missing {
            camera: camera.clone(),
            element: format!("the GStreamer element `{element}`"),
            package: package_of(element),
        },
        _ => CaptureError::Launch { camera: camera.clone(), says: error.message().to_owned() },
    }
}

impl Open for Pipeline {
    fn camera(&self) -> &CameraId {
        &self.camera
    }

    fn open(&mut self, feed: Feed) -> Result<Box<dyn Stream>, Failure> {
        let pipeline =
            build(&self.config.launch).map_err(|error| Failure::new(DownCause::Failed, error.message()))?;
        let frame_ids =
            if self.config.offset_counts_frames { FrameIdsFrom::Arriving } else { FrameIdsFrom::Nowhere };
        let how = Play {
            what: "its launch line".into(),
            frame_ids,
            at_end: AtEnd::Down,
            pace: None,
            whole_jpegs: false, // a JPEG may come to its decoder in pieces here
        };
        Ok(Box::new(play(pipeline, feed, how)?))
    }
}
