//! Where pictures come from: a folder, one picture, or the live camera of a station's config.

use super::{Stop, say};
use crate::cli::Exit;
use crossbeam_channel::{RecvTimeoutError, bounded};
use plumb_camera::Picture;
use plumb_capture::{Camera, CameraEvent, SourceConfig, WatchConfig};
use plumb_inspection::CameraId;
use serde::Deserialize as _;
use std::{
    collections::BTreeMap,
    fs,
    ops::ControlFlow,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

/// Which pictures.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Source {
    /// A folder of pictures, one picture, or a station.toml whose camera is to be used.
    #[arg(value_name = "PICTURES|STATION.toml")]
    pub(super) source: PathBuf,
    #[command(flatten)]
    pub(super) live: Live,
}

/// How a live camera is used.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Live {
    /// Which camera of the station, where it has several.
    #[arg(long, value_name = "ID")]
    camera: Option<String>,
    /// How long a live camera is watched at most, in s.
    #[arg(long, value_name = "S", default_value_t = 120)]
    seconds: u64,
    /// From a live camera: at most one picture in so many ms is looked at.
    #[arg(long, value_name = "MS", default_value_t = 500)]
    every_ms: u64,
    /// Folder in which the pictures used of a live camera are kept, so that they can be shown later.
    #[arg(long, value_name = "FOLDER", default_value = "calibration-pictures")]
    keep: PathBuf,
}

/// What a source gives.
pub(super) enum Given {
    Picture(Picture),
    NoPicture { name: String, says: String },
}

/// What became of it.
pub(super) struct Looked {
    /// It is used; a live picture is kept.
    pub(super) used: bool,
    /// Enough.
    pub(super) done: bool,
}

/// Endings by which pictures are known.
const ENDINGS: [&str; 6] = ["png", "jpg", "jpeg", "bmp", "tif", "tiff"];

impl Source {
    /// True if the pictures come from a camera, one after the other for as long as it takes.
    pub(super) fn is_live(&self) -> bool {
        ending(&self.source) == "toml"
    }

    /// The serial number that the station's config tells of the camera.
    pub(super) fn serial(&self) -> Result<Option<String>, Stop> {
        if self.is_live() { Ok(self.live.section(&self.source)?.serial) } else { Ok(None) }
    }

    /// Hands over one picture after the other, until there is none or `look` has enough.
    pub(super) fn each(&self, look: impl FnMut(Given) -> Result<Looked, Stop>) -> Result<(), Stop> {
        if self.is_live() { self.live.watch(&self.source, look) } else { stored(&self.source, look) }
    }

    /// The size of most stored pictures; `None` for a live camera.
    pub(super) fn usual_size_px(&self) -> Result<Option<[u32; 2]>, Stop> {
        if self.is_live() {
            return Ok(None);
        }
        let mut counts = BTreeMap::<[u32; 2], usize>::new();
        for file in files(&self.source)?.0 {
            if let Ok((width, height)) = image::image_dimensions(&file) {
                *counts.entry([width, height]).or_default() += 1;
            }
        }
        let Some((&size_px, &most)) = counts.iter().max_by_key(|(_, count)| **count) else { return Ok(None) };
        let tied = counts.values().filter(|count| **count == most).count() > 1;
        if tied && most > 1 {
            let sizes: Vec<String> = counts.iter().map(|([w, h], n)| format!("{n} of {w}x{h} px")).collect();
            let says = format!(
                "the pictures have different sizes ({}); keep those of one camera setting",
                sizes.join(", ")
            );
            return Err(Stop(Exit::Finding, says));
        }
        Ok(Some(size_px))
    }
}

fn ending(file: &Path) -> String {
    file.extension().map(|end| end.to_string_lossy().to_lowercase()).unwrap_or_default()
}

/// The pictures of a folder in the order of their names, and what else is in it.
fn files(source: &Path) -> Result<(Vec<PathBuf>, Vec<String>), Stop> {
    let unreadable =
        |error: std::io::Error| Stop(Exit::Config, format!("{} cannot be read: {error}", source.display()));
    if !fs::metadata(source).map_err(unreadable)?.is_dir() {
        return Ok((vec![source.to_owned()], Vec::new()));
    }
    let entries: Vec<PathBuf> =
        fs::read_dir(source).map_err(unreadable)?.flatten().map(|entry| entry.path()).collect();
    let (mut pictures, others): (Vec<_>, Vec<_>) =
        entries.into_iter().partition(|file| ENDINGS.contains(&ending(file).as_str()));
    pictures.sort();
    let mut others: Vec<String> =
        others.iter().filter_map(|file| Some(file.file_name()?.to_string_lossy().into_owned())).collect();
    others.sort();
    if pictures.is_empty() {
        let says = format!("there is no picture in {}; it may hold {}", source.display(), ENDINGS.join(", "));
        return Err(Stop(Exit::Config, says));
    }
    Ok((pictures, others))
}

fn stored(source: &Path, mut look: impl FnMut(Given) -> Result<Looked, Stop>) -> Result<(), Stop> {
    let (pictures, others) = files(source)?;
    if !others.is_empty() {
        say(&format!("passed over, no pictures by their names: {}", others.join(", ")));
    }
    for file in pictures {
        let name = file.file_name().unwrap_or(file.as_os_str()).to_string_lossy().into_owned();
        let given = match Picture::read(&file) {
            Ok(picture) => Given::Picture(picture),
            Err(error) => Given::NoPicture { name, says: error.to_string() },
        };
        if look(given)?.done {
            break;
        }
    }
    Ok(())
}

/// What calibrating needs of a `[[camera]]`. The rest of the config may still be wrong: this comes first.
struct Section {
    id: CameraId,
    source: SourceConfig,
    serial: Option<String>,
}

impl Live {
    fn section(&self, station: &Path) -> Result<Section, Stop> {
        let wrong = |says: String| Stop(Exit::Config, format!("{}  {says}", station.display()));
        let text = fs::read_to_string(station).map_err(|error| wrong(format!("cannot be read: {error}")))?;
        let table: toml::Table = text.parse().map_err(|error: toml::de::Error| wrong(error.to_string()))?;
        let cameras = table.get("camera").and_then(toml::Value::as_array).map_or(&[][..], Vec::as_slice);
        let id_of = |camera: &toml::Value| Some(camera.get("id")?.as_str()?.to_owned());
        let ids: Vec<String> = cameras.iter().filter_map(id_of).collect();
        let wanted = match (&self.camera, &ids[..]) {
            (Some(wanted), _) => wanted.clone(),
            (None, [only]) => only.clone(),
            (None, []) => return Err(wrong("there is no [[camera]] with an id".to_owned())),
            (None, several) => {
                return Err(Stop::usage(format!("--camera says which: there are {}", several.join(", "))));
            }
        };
        let Some(camera) = cameras.iter().find(|camera| id_of(camera).as_ref() == Some(&wanted)) else {
            return Err(wrong(format!("there is no camera \"{wanted}\"; there are {}", ids.join(", "))));
        };
        let source = camera.get("source").cloned().unwrap_or(toml::Value::Boolean(false));
        let source = SourceConfig::deserialize(source)
            .map_err(|error| wrong(format!("camera \"{wanted}\", source: {}", error.message())))?;
        let by_source = match &source {
            SourceConfig::Gige(gige) => gige.camera.clone(),
            SourceConfig::Line(_) => {
                return Err(wrong(format!(
                    "camera \"{wanted}\" is the built-in line, which shows no target"
                )));
            }
            _ => None,
        };
        let serial = camera.get("serial").and_then(toml::Value::as_str).map(str::to_owned).or(by_source);
        let source = source.relative_to(station.parent().unwrap_or(Path::new("")));
        Ok(Section { id: CameraId::from(wanted.as_str()), source, serial })
    }

    fn watch(&self, station: &Path, mut look: impl FnMut(Given) -> Result<Looked, Stop>) -> Result<(), Stop> {
        let Section { id, source, .. } = self.section(station)?;
        // Stored pictures wait for us; a live camera's are old by the time we are ready, and dropped.
        let waits = matches!(source, SourceConfig::Files(_));
        // One picture waits while one is looked at.
        let (events, inbox) = bounded(1);
        let sink = move |event: CameraEvent| {
            let _ = if waits { events.send(event).ok() } else { events.try_send(event).ok() };
        };
        let watch = WatchConfig::default();
        let camera = Camera::start(id.clone(), source, watch, None, sink)
            .map_err(|error| Stop(Exit::Device, error.to_string()))?;
        let end = Instant::now() + Duration::from_secs(self.seconds);
        let every = if waits { Duration::ZERO } else { Duration::from_millis(self.every_ms) };
        let (mut next, mut seen, mut down) = (Instant::now(), 0_u64, None);
        loop {
            if camera.frames_on_trigger() && Instant::now() >= next {
                let _ = camera.trigger(); // a camera that is down says so by an event
            }
            let patience =
                end.saturating_duration_since(Instant::now()).min(every.max(Duration::from_millis(50)));
            let event = match inbox.recv_timeout(patience) {
                Ok(event) => event,
                Err(RecvTimeoutError::Timeout) if Instant::now() < end => continue,
                Err(_) => break,
            };
            match event {
                CameraEvent::Frame(frame) if Instant::now() >= next => {
                    next = Instant::now() + every;
                    seen += 1;
                    if self
                        .look_at(&format!("{id}-{:06}.png", frame.seq), &frame.image, &mut look)?
                        .is_break()
                    {
                        break;
                    }
                }
                CameraEvent::Down { says, .. } => {
                    if down.as_ref() != Some(&says) {
                        say(&format!("camera \"{id}\" is down: {says}"));
                    }
                    down = Some(says);
                }
                CameraEvent::Corrupt { says } => say(&format!("a picture arrived damaged: {says}")),
                CameraEvent::Ended => break,
                CameraEvent::Frame(_) | CameraEvent::FramesLost { .. } | CameraEvent::Up => {}
            }
            if Instant::now() >= end {
                break;
            }
        }
        // A sink that waits for room must find nobody waiting for it.
        drop(inbox);
        drop(camera);
        match (seen, down) {
            (0, Some(says)) => Err(Stop(Exit::Device, format!("camera \"{id}\" gave no picture: {says}"))),
            (0, None) => {
                Err(Stop(Exit::Device, format!("camera \"{id}\" gave no picture in {} s", self.seconds)))
            }
            _ => Ok(()),
        }
    }

    fn look_at(
        &self,
        name: &str,
        image: &plumb_inspection::Image,
        look: &mut impl FnMut(Given) -> Result<Looked, Stop>,
    ) -> Result<ControlFlow<()>, Stop> {
        // The picture's digest is that of the file which is kept.
        let png = Picture::of_frame(name, image).png()?;
        let picture = Picture::decode(name.to_owned(), &png).map_err(|says| Stop(Exit::Bug, says))?;
        let Looked { used, done } = look(Given::Picture(picture))?;
        if used {
            let file = self.keep.join(name);
            let write = fs::create_dir_all(&self.keep).and_then(|()| fs::write(&file, &png));
            write.map_err(|error| {
                Stop(Exit::Device, format!("{} cannot be written: {error}", file.display()))
            })?;
        }
        Ok(if done { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    }
}
