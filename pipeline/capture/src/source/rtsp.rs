//! A network camera's video stream. Its pictures were compressed: good for looking, poor for measuring.

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

/// `kind = "rtsp"`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RtspConfig {
    /// `rtsp://host[:port]/path` or `rtsps://…`, without user and password.
    pub url: String,
    /// How the pictures travel.
    #[serde(default)]
    pub transport: Transport,
    /// Time given to late packets, in ms. All of it is added to every answer.
    #[serde(default = "latency_ms")]
    pub latency_ms: u32,
    /// User, where the camera wants one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Name of the environment variable that holds the password, so that no password is in a file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password_env: Option<String>,
}

fn latency_ms() -> u32 {
    50
}

/// How RTSP pictures travel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Transport {
    /// Inside the control connection: nothing is lost.
    #[default]
    Tcp,
    /// Packets of their own: sooner there, or not at all.
    Udp,
}

pub(super) struct Rtsp {
    camera: CameraId,
    config: RtspConfig,
    password: Option<String>,
}

/// A camera that does not answer for so long is not there, in µs.
const TIMEOUT_US: u64 = 3_000_000;

impl Rtsp {
    pub(super) fn prepare(camera: &CameraId, config: RtspConfig) -> Result<Self, CaptureError> {
        let setting = |key, says| CaptureError::Setting { camera: camera.clone(), key, says };
        require(camera, &["rtspsrc", "rtpbin", "udpsrc", "decodebin", "videoconvert", "appsink"])?;
        if !config.url.starts_with("rtsp://") && !config.url.starts_with("rtsps://") {
            return Err(setting(
                "url",
                format!("is `{}`, and must begin with rtsp:// or rtsps://", config.url),
            ));
        }
        let password = match &config.password_env {
            None => None,
            Some(name) => Some(std::env::var(name).map_err(|_| {
                setting("password_env", format!("names the environment variable {name}, which is not set"))
            })?),
        };
        Ok(Self { camera: camera.clone(), config, password })
    }
}

impl Open for Rtsp {
    fn camera(&self) -> &CameraId {
        &self.camera
    }

    fn open(&mut self, feed: Feed) -> Result<Box<dyn Stream>, Failure> {
        let pipeline = build("rtspsrc name=light ! decodebin ! videoconvert")
            .map_err(|error| Failure::new(DownCause::Failed, error.message()))?;
        let light = pipeline.by_name("light").expect("named in the launch line");
        light.set_property("location", &self.config.url);
        light.set_property("latency", self.config.latency_ms);
        light.set_property("tcp-timeout", TIMEOUT_US);
        light.set_property("timeout", TIMEOUT_US);
        light.set_property_from_str(
            "protocols",
            match self.config.transport {
                Transport::Tcp => "tcp",
                Transport::Udp => "udp",
            },
        );
        if let Some(user) = &self.config.user {
            light.set_property("user-id", user);
        }
        if let Some(password) = &self.password {
            light.set_property("user-pw", password);
        }
        // A camera may offer sound too, and decodebin would take whatever comes first.
        light.connect("select-stream", false, |args| {
            let video = args[2]
                .get::<gst::Caps>()
                .ok()
                .and_then(|caps| caps.structure(0)?.get::<String>("media").ok())
                .is_some_and(|media| media == "video");
            Some(video.to_value())
        });
        let how = Play {
            what: self.config.url.clone(),
            frame_ids: FrameIdsFrom::Nowhere,
            at_end: AtEnd::Down,
            pace: None,
            whole_jpegs: true,
        };
        Ok(Box::new(play(pipeline, feed, how)?))
    }
}
