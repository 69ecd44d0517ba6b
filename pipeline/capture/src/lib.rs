//! Light to Frame: the only crate that knows GStreamer.
//!
//! [`Camera::start`] opens a [`SourceConfig`], keeps it open through unplugging, stalls and damage, and hands every
//! picture to a sink as a [`Frame`](plumb_inspection::Frame) whose pixels are still the camera's own buffer.
//!
//! ```text
//! source/<kind> ─ opens ─▶ stream ─ frames, failures ─▶ feed ─ numbered, in order ─▶ sink
//!       ▲                                                │
//!       └── supervisor, thread `camera-<id>` ◀─ reports ─┘      reconnect: when to open, when to give up
//! ```

mod appsink;
mod camera;
mod cut_off;
mod elements;
mod error;
mod event;
mod feed;
mod frame_id;
mod playing;
mod reconnect;
mod source;
mod stream_thread;
pub mod trigger;

pub use camera::Camera;
pub use elements::{ElementCheck, doctor_elements, gstreamer_version};
pub use error::CaptureError;
pub use event::{CameraEvent, DownCause};
pub use reconnect::WatchConfig;
pub use source::{
    Activation, FilesConfig, GigeConfig, GigePixelFormat, GigeTrigger, LineCamera, LineExposure,
    LineSourceConfig, Pace, PipelineConfig, RtspConfig, SourceConfig, Transport, V4l2Config, V4l2Format,
};
