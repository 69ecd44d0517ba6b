//! What a person must put right before a camera can start, and why a trigger was not taken.

use plumb_inspection::CameraId;

/// An error that no retry heals.
#[derive(Debug, thiserror::Error)]
pub enum CaptureError {
    /// GStreamer itself does not start.
    #[error("GStreamer does not start: {says}; install libgstreamer1.0-0 and gstreamer1.0-plugins-base")]
    GStreamer {
        /// In GStreamer's words.
        says: String,
    },
    /// A part of GStreamer, or a camera library, is not installed.
    #[error("camera {camera} needs {element}, which is not installed; run: apt-get install {package}")]
    Missing {
        /// Who needs it.
        camera: CameraId,
        /// GStreamer element or library.
        element: String,
        /// Debian package that has it.
        package: &'static str,
    },
    /// The launch line of a `pipeline` source cannot be built.
    #[error("camera {camera}: `launch` is not a GStreamer pipeline: {says}; try it with gst-launch-1.0")]
    Launch {
        /// Whose.
        camera: CameraId,
        /// In GStreamer's words.
        says: String,
    },
    /// A setting that can never work.
    #[error("camera {camera}: `{key}` {says}")]
    Setting {
        /// Whose.
        camera: CameraId,
        /// Key below `[camera.source]`.
        key: &'static str,
        /// What is wrong and what was expected.
        says: String,
    },
    /// A `line` source where no built-in line was handed over.
    #[error(
        "camera {camera} looks at the built-in line, which only `plumb demo` and benches have; choose another source"
    )]
    NoLine {
        /// Whose.
        camera: CameraId,
    },
    /// The camera gives frames of its own accord, or on an electric signal.
    #[error("camera {camera} takes no software trigger: {says}")]
    NotTriggerable {
        /// Which.
        camera: CameraId,
        /// How it gives frames instead.
        says: &'static str,
    },
    /// The camera is not there to be triggered.
    #[error("camera {camera} is down and was not triggered")]
    Down {
        /// Which.
        camera: CameraId,
    },
    /// The camera refused the trigger: no picture comes for it.
    #[error("camera {camera} refused the software trigger: {says}")]
    Refused {
        /// Which.
        camera: CameraId,
        /// What it answered.
        says: String,
    },
    /// The camera did not say that it has taken the trigger; it may have, and then a picture comes.
    #[error("camera {camera} did not take the software trigger: {says}")]
    Trigger {
        /// Which.
        camera: CameraId,
        /// What it answered.
        says: String,
    },
    /// The operating system gave us no thread.
    #[error("no thread for camera {camera}: {source}")]
    Thread {
        /// For which.
        camera: CameraId,
        /// In the system's words.
        source: std::io::Error,
    },
}
