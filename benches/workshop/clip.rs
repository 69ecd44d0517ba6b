//! A 720p MJPEG video of the built-in line's parts, drawn and encoded when it is needed.

use super::Outcome;
use image::RgbImage;
use plumb_capture::{Camera, CameraEvent, FilesConfig, Pace, SourceConfig, WatchConfig};
use plumb_inspection::Frame;
use plumb_line::{LineConfig, Part, Scene, render};
use std::{
    path::{Path, PathBuf},
    process::Command,
    sync::mpsc,
};

/// Different pictures in the clip; they come round.
const PICTURES: u64 = 12;
const NAME: &str = "clip.avi";

/// The clip's pictures in `folder`, `00.png` …, 1280 × 720 px.
pub(crate) fn draw(folder: &Path) -> Outcome<()> {
    // Near enough for a part to fill most of the picture, and grain as a sensor gives it.
    let line = LineConfig { width: 1280, height: 720, mm_per_px: 0.04, ..LineConfig::default() };
    let scene = Scene::new(&line);
    for index in 0..PICTURES {
        let part = Part::draw(&line, index);
        let along_px = (-line.camera_mm / line.mm_per_px) as f32;
        let (picture, _) = render(&scene, &part, part.pose(&line, along_px), index);
        let rgb = picture.bytes().chunks_exact(3).flat_map(|px| [px[2], px[1], px[0]]).collect();
        let rgb = RgbImage::from_raw(picture.width(), picture.height(), rgb);
        rgb.ok_or("a picture is not its own size")?.save(folder.join(format!("{index:02}.png")))?;
    }
    Ok(())
}

/// A video in `folder`: `frames` frames of 1280 × 720, 4:2:0, quality 90.
///
/// # Errors
/// Where GStreamer's tools are not installed.
pub(crate) fn make(folder: &Path, frames: u32) -> Outcome<PathBuf> {
    draw(folder)?;
    let clip = folder.join(NAME);
    let launch = format!(
        "multifilesrc location={folder}/%02d.png stop-index={last} loop=true num-buffers={frames} \
         caps=image/png,framerate=25/1 ! pngdec ! videoconvert ! video/x-raw,format=I420 ! jpegenc quality=90 ! \
         avimux ! filesink location={clip}",
        folder = folder.display(),
        last = PICTURES - 1,
        clip = clip.display(),
    );
    let made = Command::new("gst-launch-1.0").arg("-q").args(launch.split_whitespace()).status();
    match made {
        Ok(status) if status.success() => Ok(clip),
        Ok(status) => Err(format!("gst-launch-1.0 could not make the clip ({status}): {launch}").into()),
        Err(error) => Err(format!("gst-launch-1.0 does not start ({error}); run `make setup`").into()),
    }
}

/// The word that makes a bench draw a clip.
const CLIP: &str = "--make-clip";

/// As [`make`], in a process of its own: drawing leaves its memory behind, which is not the station's.
pub(crate) fn make_apart(folder: &Path, frames: u32) -> Outcome<PathBuf> {
    let apart =
        Command::new(std::env::current_exe()?).arg(CLIP).arg(folder).arg(frames.to_string()).status()?;
    match apart.success() {
        true => Ok(folder.join(NAME)),
        false => Err("the clip could not be made".into()),
    }
}

/// True if this process was started to make a clip, which is made now.
pub(crate) fn was_this() -> Outcome<bool> {
    let arguments: Vec<String> = std::env::args().collect();
    let [.., word, folder, frames] = &arguments[..] else { return Ok(false) };
    if word != CLIP {
        return Ok(false);
    }
    make(Path::new(folder), frames.parse()?)?;
    Ok(true)
}

/// Plays `clip` as fast as it can be decoded; `see` is called on the streaming thread. Returns after the last frame.
pub(crate) fn play(clip: &Path, mut see: impl FnMut(Frame) + Send + 'static) -> Outcome<()> {
    let files = FilesConfig { path: clip.to_owned(), pace: Pace::Free, repeat: false };
    let (ended_in, ended) = mpsc::channel();
    let sink = move |event| match event {
        CameraEvent::Frame(frame) => see(frame),
        CameraEvent::Ended => drop(ended_in.send(Ok(()))),
        CameraEvent::Down { says, .. } | CameraEvent::Corrupt { says } => drop(ended_in.send(Err(says))),
        CameraEvent::Up | CameraEvent::FramesLost { .. } => {}
    };
    let camera = Camera::start("top".into(), SourceConfig::Files(files), WatchConfig::default(), None, sink)?;
    let ended = ended.recv()?;
    drop(camera);
    Ok(ended?)
}
