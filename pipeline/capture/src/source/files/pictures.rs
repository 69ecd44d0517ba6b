//! A folder of pictures, played one after the other on thread `stream-<camera>`.

use super::{
    decoder::{Decoder, PictureKind},
    pace::{Pace, Pacer},
};
use crate::{
    event::{DownCause, Failure},
    feed::Feed,
    source::Stream,
    stream_thread::{Stopped, StreamThread},
};
use plumb_inspection::{Image, Stamp};
use std::path::{Path, PathBuf};

/// Other files may lie beside the pictures: labels, read-mes.
const EXTENSIONS: [&str; 6] = ["jpg", "jpeg", "png", "bmp", "tif", "tiff"];

pub(super) struct Pictures {
    _thread: StreamThread,
}

impl Stream for Pictures {}

impl Pictures {
    pub(super) fn open(path: &Path, pace: Pace, repeat: bool, feed: Feed) -> Result<Self, Failure> {
        let mut playing = Folder { pictures: list(path)?, pacer: Pacer::new(pace), decoder: None };
        let thread = StreamThread::spawn(feed, move |feed, stopped| playing.play(repeat, feed, stopped))?;
        Ok(Self { _thread: thread })
    }
}

/// The pictures in `path`, or `path` itself, sorted by name.
fn list(path: &Path) -> Result<Vec<PathBuf>, Failure> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let unreadable =
        |error| Failure::new(DownCause::Refused, format!("{} cannot be read: {error}", path.display()));
    let entries =
        std::fs::read_dir(path).and_then(Iterator::collect::<Result<Vec<_>, _>>).map_err(unreadable)?;
    let mut pictures: Vec<PathBuf> =
        entries.into_iter().map(|entry| entry.path()).filter(|path| is_picture(path)).collect();
    if pictures.is_empty() {
        let says = format!("there is no picture in {}; wanted: {}", path.display(), EXTENSIONS.join(", "));
        return Err(Failure::new(DownCause::Unplugged, says));
    }
    pictures.sort_unstable();
    Ok(pictures)
}

pub(super) fn is_picture(path: &Path) -> bool {
    let extension = path.extension().and_then(|extension| extension.to_str()).map(str::to_ascii_lowercase);
    extension.is_some_and(|extension| EXTENSIONS.contains(&extension.as_str())) && path.is_file()
}

struct Folder {
    pictures: Vec<PathBuf>,
    pacer: Pacer,
    /// The last picture's, as the next is probably of its kind.
    decoder: Option<Decoder>,
}

impl Folder {
    fn play(&mut self, repeat: bool, feed: &Feed, stopped: &Stopped) {
        loop {
            let mut good = 0;
            for i in 0..self.pictures.len() {
                let picture = self.pictures[i].clone();
                match self.load(&picture) {
                    Ok(image) => {
                        if !self.pacer.wait(None, stopped) || !feed.frame(image, None, Stamp::now()) {
                            return;
                        }
                        good += 1;
                    }
                    Err(says) => feed.corrupt(None, format!("{} {says}", picture.display())),
                }
            }
            if !repeat {
                return feed.ended(false);
            }
            if good == 0 {
                return feed.failed(Failure::new(DownCause::Corrupt, "not one picture could be read"));
            }
        }
    }

    /// The error is a sentence without its subject.
    fn load(&mut self, path: &Path) -> Result<Image, String> {
        let bytes = std::fs::read(path).map_err(|error| format!("cannot be read: {error}"))?;
        if bytes.is_empty() {
            return Err("is empty".into());
        }
        let kind = PictureKind::of(&bytes).ok_or("is no JPEG, PNG, BMP or TIFF, whatever its name says")?;
        let mut decoder = match self.decoder.take().filter(|decoder| decoder.kind == kind) {
            Some(decoder) => decoder,
            None => Decoder::new(kind)?,
        };
        let image = decoder.decode(bytes)?; // a decoder that failed is not kept
        self.decoder = Some(decoder);
        Ok(image)
    }
}
