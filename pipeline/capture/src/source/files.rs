//! Pictures and videos from disk: for replay, for teaching, for trying out a recipe without a camera.

mod decoder;
mod pace;
mod pictures;

pub use pace::Pace;

use super::{Open, Stream};
use crate::{
    elements::require,
    error::CaptureError,
    event::{DownCause, Failure},
    feed::Feed,
    playing::{AtEnd, FrameIdsFrom, Play, build, play},
};
use decoder::PictureKind;
use gstreamer::prelude::*;
use pace::Pacer;
use pictures::Pictures;
use plumb_inspection::CameraId;
use serde::{Deserialize, Serialize};
use std::{fs::File, io::Read, path::Path, path::PathBuf};

/// `kind = "files"`.
///
/// Nothing is left out for want of time: while the sink is busy, playing waits. Damaged pictures in a folder are told
/// as [`Corrupt`](crate::CameraEvent::Corrupt) and playing goes on; so is a video that breaks off, which then ends.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FilesConfig {
    /// A folder, whose JPEG, PNG, BMP and TIFF pictures are taken in the order of their names; one picture; or a video.
    pub path: PathBuf,
    /// How fast.
    #[serde(default)]
    pub pace: Pace,
    /// True to begin anew after the last picture.
    #[serde(default, rename = "loop")]
    pub repeat: bool,
}

impl FilesConfig {
    /// True if the next picture comes as soon as the last one was taken, so that a slow sink loses nothing and nobody
    /// is kept waiting.
    pub fn plays_as_fast_as_taken(&self) -> bool {
        match self.pace {
            Pace::Free => true,
            Pace::Recorded => self.path.is_dir() || pictures::is_picture(&self.path),
            Pace::Fps(_) => false,
        }
    }

    /// True if `path` is a video: neither a folder nor a picture.
    pub fn is_video(&self) -> bool {
        !self.path.is_dir() && !pictures::is_picture(&self.path)
    }
}

pub(super) struct Files {
    camera: CameraId,
    config: FilesConfig,
}

impl Files {
    pub(super) fn prepare(camera: &CameraId, config: FilesConfig) -> Result<Self, CaptureError> {
        require(camera, &["filesrc", "decodebin", "jpegdec", "pngdec", "videoconvert", "appsink"])?;
        if let Pace::Fps(fps) = config.pace
            && !(fps.is_finite() && fps > 0.0)
        {
            let says = format!("is {fps} frames a second, and must be above 0");
            return Err(CaptureError::Setting { camera: camera.clone(), key: "pace", says });
        }
        Ok(Self { camera: camera.clone(), config })
    }
}

impl Open for Files {
    fn camera(&self) -> &CameraId {
        &self.camera
    }

    fn open(&mut self, feed: Feed) -> Result<Box<dyn Stream>, Failure> {
        let FilesConfig { path, pace, repeat } = &self.config;
        if path.is_dir() || picture_kind(path)?.is_some() {
            return Ok(Box::new(Pictures::open(path, *pace, *repeat, feed)?));
        }
        let pipeline = build("filesrc name=file ! decodebin ! videoconvert")
            .map_err(|error| Failure::new(DownCause::Failed, error.message()))?;
        let file = pipeline.by_name("file").expect("named in the launch line");
        file.set_property("location", path.to_string_lossy().as_ref());
        let mut pacer = Pacer::new(*pace);
        let how = Play {
            what: path.display().to_string(),
            frame_ids: FrameIdsFrom::Nowhere,
            at_end: if *repeat { AtEnd::Again } else { AtEnd::Ended },
            pace: Some(Box::new(move |pts, stopped| pacer.wait(pts, stopped))),
            whole_jpegs: true,
        };
        Ok(Box::new(play(pipeline, feed, how)?))
    }
}

/// What picture `path` is; `None` for what may be a video.
fn picture_kind(path: &Path) -> Result<Option<PictureKind>, Failure> {
    let shown = path.display();
    let missing = |error| match std::io::Error::kind(&error) {
        std::io::ErrorKind::NotFound => Failure::new(DownCause::Unplugged, format!("there is no {shown}")),
        _ => Failure::new(DownCause::Refused, format!("{shown} cannot be read: {error}")),
    };
    let mut head = [0; 16];
    let read = File::open(path).and_then(|mut file| file.read(&mut head)).map_err(missing)?;
    if read == 0 {
        return Err(Failure::new(DownCause::Corrupt, format!("{shown} is empty")));
    }
    Ok(PictureKind::of(&head[..read]))
}
