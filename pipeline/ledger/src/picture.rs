//! The thread `pictures`: encodes what is to be kept, writes it to disk, and tells the ledger.

use crate::{
    Full, PictureConfig,
    encode::encode,
    gate::Gate,
    record::whole_us,
    stats::{Counters, count},
};
use crossbeam_channel::{Receiver, Sender, select};
use jiff::Timestamp;
use plumb_inspection::{CameraId, Image, PartId, Trigger};
use sha2::{Digest, Sha256};
use std::{
    convert::Infallible,
    fs, io,
    io::Write as _,
    path::{Path, PathBuf},
    sync::{Arc, atomic::Ordering::Relaxed},
    thread,
    time::Duration,
};

/// Pictures that may wait; one more is being encoded. Each is a whole frame in memory.
pub(crate) const QUEUE: usize = 4;

/// Pictures done whose entry may wait for a failing disk.
pub(crate) const ROWS_QUEUE: usize = 1024;

/// Attempts at one picture, and the wait between them. The queue stands still meanwhile, so no more than that.
const ATTEMPTS: (u32, Duration) = (3, Duration::from_millis(100));

/// Files on their way; what a killed process left there is of no use.
const UNFINISHED: &str = ".unfinished";

/// One picture to keep.
///
/// It holds the camera's own buffer until it is encoded. Up to 5 do at once: count them into the buffer pool, or
/// send [`Image::to_owned_pixels`].
#[derive(Clone, Debug)]
pub struct PictureJob {
    /// Whose picture.
    pub part: PartId,
    /// As in the part's record, in whole µs: together with `part` it is what joins the two.
    pub triggered_at: Timestamp,
    /// Who took it.
    pub camera: CameraId,
    /// What it shows: `frame` for what the camera saw. Part of the file's name.
    pub kind: String,
    /// The picture.
    pub image: Image,
}

impl PictureJob {
    /// The frame that `camera` took of the part that `trigger` began.
    pub fn frame(trigger: &Trigger, camera: CameraId, image: Image) -> Self {
        let triggered_at = whole_us(trigger.at.wall);
        Self { part: trigger.part, triggered_at, camera, kind: "frame".to_owned(), image }
    }
}

/// Puts pictures into the queue. Clones share it.
#[derive(Clone)]
pub struct PictureSender {
    pub(crate) queue: Sender<PictureJob>,
    pub(crate) rows: Sender<PictureRow>,
    pub(crate) gate: Arc<Gate>,
    pub(crate) counters: Arc<Counters>,
}

impl PictureSender {
    /// Never waits, and copies no pixels.
    ///
    /// # Errors
    /// The job, when 4 are waiting or the ledger is closed. It is counted, and the part's record will say that the
    /// picture is missing.
    #[allow(clippy::result_large_err)] // the caller gets his job back, as from any queue
    pub fn try_send(&self, job: PictureJob) -> Result<(), Full<PictureJob>> {
        let sent = match self.gate.enter() {
            Some(_inside) => self.queue.try_send(job).map_err(|refused| refused.into_inner()),
            None => Err(job),
        };
        sent.map_err(|job| {
            count(&self.counters.pictures_dropped);
            // A failing disk may have filled this queue as well; the counter has it all the same.
            let _ = self.rows.try_send(PictureRow::missing(&job, "too many pictures at once".to_owned()));
            Full(job)
        })
    }
}

/// An entry of table `pictures`: a file, or why there is none.
#[derive(Debug)]
pub(crate) struct PictureRow {
    /// Given by the writer.
    pub(crate) id: i64,
    pub(crate) part: PartId,
    pub(crate) triggered_at: Timestamp,
    pub(crate) camera: CameraId,
    pub(crate) kind: String,
    pub(crate) file: Option<StoredFile>,
    pub(crate) missing: Option<String>,
}

impl PictureRow {
    fn stored(job: &PictureJob, file: StoredFile) -> Self {
        Self { file: Some(file), missing: None, ..Self::missing(job, String::new()) }
    }

    fn missing(job: &PictureJob, why: String) -> Self {
        Self {
            id: 0,
            part: job.part,
            triggered_at: job.triggered_at,
            camera: job.camera.clone(),
            kind: job.kind.clone(),
            file: None,
            missing: Some(why),
        }
    }
}

/// Where a picture lies, below the ledger's folder, its digest in hex, and its size.
#[derive(Debug)]
pub(crate) struct StoredFile {
    pub(crate) path: String,
    pub(crate) sha256: String,
    pub(crate) bytes: i64,
}

/// What the thread owns.
pub(crate) struct PictureWriter {
    pub(crate) folder: PathBuf,
    pub(crate) config: PictureConfig,
    pub(crate) durable: bool,
    pub(crate) jobs: Receiver<PictureJob>,
    pub(crate) rows: Sender<PictureRow>,
    /// Disconnected once the ledger closes; by then the gate is shut.
    pub(crate) stop: Receiver<Infallible>,
    pub(crate) gate: Arc<Gate>,
    pub(crate) counters: Arc<Counters>,
}

impl PictureWriter {
    /// Until the ledger closes and the queue is empty.
    pub(crate) fn run(self) {
        let unfinished = self.folder.join("pictures").join(UNFINISHED);
        let _ = fs::remove_dir_all(unfinished); // mostly there is none; if it cannot go, it does no harm
        loop {
            select! {
                recv(self.jobs) -> job => job.into_iter().for_each(|job| self.keep(&job)),
                recv(self.stop) -> _ => break,
            }
        }
        while !(self.gate.is_empty() && self.jobs.is_empty()) {
            self.jobs.try_iter().for_each(|job| self.keep(&job));
        }
    }

    fn keep(&self, job: &PictureJob) {
        let row = match self.store_with_patience(job) {
            Ok(file) => {
                count(&self.counters.pictures_written);
                PictureRow::stored(job, file)
            }
            Err(error) => {
                count(&self.counters.pictures_failed);
                tracing::error!(part = %job.part, camera = %job.camera, %error, "A picture could not be kept.");
                PictureRow::missing(job, error.to_string())
            }
        };
        if let Err(refused) = self.rows.try_send(row) {
            let file = refused.into_inner().file.map_or_else(String::new, |file| file.path);
            tracing::error!(part = %job.part, file, "A picture's entry is lost: the ledger cannot be written.");
        }
    }

    fn store_with_patience(&self, job: &PictureJob) -> Result<StoredFile, PictureError> {
        let bytes = encode(&job.image, &self.config)
            .map_err(|source| PictureError::Encode { picture: format!("{:?}", job.image), source })?;
        let (mut left, wait) = ATTEMPTS;
        loop {
            if self.counters.on_reserve.load(Relaxed) {
                return Err(PictureError::Full); // the room that is left is for records
            }
            left -= 1;
            match self.store(job, &bytes) {
                Err(_) if left > 0 => thread::sleep(wait),
                done => return done,
            }
        }
    }

    /// Written under another name first: whoever finds a picture under its own name finds all of it.
    fn store(&self, job: &PictureJob, bytes: &[u8]) -> Result<StoredFile, PictureError> {
        let day = format!("pictures/{}", job.triggered_at.strftime("%Y-%m-%d"));
        let unfinished = self.folder.join("pictures").join(UNFINISHED);
        let write = |path: &Path| -> io::Result<String> {
            fs::create_dir_all(&unfinished)?;
            fs::create_dir_all(self.folder.join(&day))?;
            let mut file = fs::File::create(path)?;
            file.write_all(bytes)?;
            if self.durable {
                file.sync_all()?;
            }
            let name = self.free_name(&day, job);
            fs::rename(path, self.folder.join(&name))?;
            Ok(name)
        };
        let temporary = unfinished.join(file_name(job, 1, self.config.format.extension()));
        let path = write(&temporary).map_err(|source| {
            let _ = fs::remove_file(&temporary); // a full disk wants its room back
            PictureError::Write { path: self.folder.join(&day), source }
        })?;
        let sha256 = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(StoredFile { path, sha256, bytes: i64::try_from(bytes.len()).unwrap_or(i64::MAX) })
    }

    /// A PLC may give one part id twice a day; the second picture is `…-2.jpg`. Only this thread makes names, so one
    /// that is free stays free.
    fn free_name(&self, day: &str, job: &PictureJob) -> String {
        let extension = self.config.format.extension();
        (1..)
            .map(|n| format!("{day}/{}", file_name(job, n, extension)))
            .find(|name| !self.folder.join(name).exists())
            .expect("numbers do not run out")
    }
}

/// `<part>-<camera>-<kind>.jpg`; the `n`th of that name, from 2 on, says so.
fn file_name(job: &PictureJob, n: u32, extension: &str) -> String {
    // A camera may be called `cam/top` or `../x`; a file may not.
    let safe = |name: &str| -> String {
        name.chars().map(|c| if c.is_alphanumeric() || c == '_' { c } else { '_' }).take(60).collect()
    };
    let again = if n > 1 { format!("-{n}") } else { String::new() };
    format!("{}-{}-{}{again}.{extension}", job.part, safe(job.camera.as_str()), safe(&job.kind))
}

/// Why a picture was not kept.
#[derive(Debug, thiserror::Error)]
enum PictureError {
    #[error("{picture} could not be encoded: {source}")]
    Encode { picture: String, source: image::ImageError },
    #[error("no picture could be written to {}: {source}", path.display())]
    Write { path: PathBuf, source: io::Error },
    #[error("the disk is full, and what room is left is kept for records")]
    Full,
}

#[cfg(test)]
mod tests {
    use super::*;
    use plumb_inspection::PixelFormat;

    #[test]
    fn a_camera_name_cannot_lead_out_of_the_folder() {
        let job = PictureJob {
            part: PartId::FIRST,
            triggered_at: Timestamp::UNIX_EPOCH,
            camera: "../../etc/top".into(),
            kind: "frame".into(),
            image: Image::packed(1, 1, PixelFormat::Gray8, vec![0]).expect("packed"),
        };
        assert_eq!(file_name(&job, 1, "jpg"), "1-______etc_top-frame.jpg");
        assert_eq!(file_name(&job, 2, "png"), "1-______etc_top-frame-2.png");
    }
}
