//! Room on the disk that is set aside for records: a file of nothing, given up when the disk is full.
//!
//! Others fill a disk too. Then the writer gives this file up and writes records into its room, while pictures wait for
//! better days; when somebody has made room, the file is made again.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

/// Of what is free when it is made, the reserve takes at most one part in so many.
const SHARE: u64 = 10;

/// Made again once so many times what was given up are free: not while the disk is still nearly full.
const ROOM_AGAIN: u64 = 2;

/// With less than this free, in bytes, not even the write-ahead log's index can grow.
const NO_ROOM: u64 = 64 << 10;

/// The file, and whether it is given up.
#[derive(Debug)]
pub(crate) struct Reserve {
    path: PathBuf,
    wanted: u64,
    /// Bytes set aside now.
    held: u64,
    /// Bytes that were given up last.
    gave: u64,
    /// Shared with those who must not use its room.
    given_up: Arc<AtomicBool>,
}

impl Reserve {
    /// Sets `mb` aside in `folder`, less where the disk has little left. None is no reason not to start.
    pub(crate) fn new(folder: &Path, mb: u64, given_up: Arc<AtomicBool>) -> Self {
        let path = folder.join("reserve");
        let mut reserve = Self { path, wanted: mb << 20, held: 0, gave: 0, given_up };
        if let Err(error) = reserve.make() {
            tracing::warn!(%error, path = %reserve.path.display(), "No room could be set aside for records; on a full disk they wait in memory alone.");
        }
        reserve
    }

    /// A write failed for want of room: true if it is worth trying again at once.
    pub(crate) fn give_up(&mut self) -> bool {
        if self.held == 0 {
            return false;
        }
        if let Err(error) = fs::remove_file(&self.path) {
            tracing::error!(%error, "The disk is full, and the room set aside for records cannot be used.");
            return false;
        }
        tracing::error!(
            bytes = self.held,
            "The disk is full. Records go on into the room that was set aside for them, pictures are not kept; make room."
        );
        self.gave = std::mem::take(&mut self.held);
        self.given_up.store(true, Relaxed);
        true
    }

    /// A full disk has many ways to say so: a log that cannot grow, a file that cannot be made.
    pub(crate) fn sees_no_room(&self) -> bool {
        self.free().is_ok_and(|free| free < NO_ROOM)
    }

    /// Sets the room aside again once there is plenty. Call it now and then while it is given up.
    pub(crate) fn look(&mut self) {
        if !self.given_up.load(Relaxed) {
            return;
        }
        let is_roomy = self.free().is_ok_and(|free| free > ROOM_AGAIN * self.gave);
        if is_roomy && self.make().is_ok() && self.held > 0 {
            self.given_up.store(false, Relaxed);
            tracing::info!(
                bytes = self.held,
                "There is room on the disk again; pictures are kept as before."
            );
        }
    }

    fn make(&mut self) -> io::Result<()> {
        // A file left by a station that was killed counts as free; made anew it has the size that is wanted today.
        match fs::remove_file(&self.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let bytes = self.wanted.min(self.free()? / SHARE);
        if bytes == 0 {
            return Ok(());
        }
        let file = File::create(&self.path)?;
        let flags = rustix::fs::FallocateFlags::empty();
        if let Err(error) = rustix::fs::fallocate(&file, flags, 0, bytes) {
            drop(file);
            let _ = fs::remove_file(&self.path);
            return Err(error.into());
        }
        self.held = bytes;
        Ok(())
    }

    fn free(&self) -> io::Result<u64> {
        let folder = self.path.parent().unwrap_or(Path::new("."));
        let volume = rustix::fs::statvfs(folder)?;
        Ok(volume.f_bavail * volume.f_frsize)
    }
}

impl Drop for Reserve {
    fn drop(&mut self) {
        if self.held > 0 {
            let _ = fs::remove_file(&self.path); // a folder that is laid aside or copied carries no ballast
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_room_is_held_given_up_once_and_held_again() {
        let folder = tempfile::tempdir().expect("temp folder");
        let given_up = Arc::new(AtomicBool::new(false));
        let mut reserve = Reserve::new(folder.path(), 1, given_up.clone());
        let size = || fs::metadata(folder.path().join("reserve")).map(|file| file.len()).ok();
        assert_eq!(size(), Some(1 << 20));
        assert!(reserve.give_up() && given_up.load(Relaxed) && size().is_none());
        assert!(!reserve.give_up(), "there is none left");
        reserve.look();
        assert!(!given_up.load(Relaxed) && size() == Some(1 << 20), "this disk is not full");
        drop(reserve);
        assert_eq!(size(), None);
        let none = Reserve::new(folder.path(), 0, given_up.clone());
        assert_eq!((size(), none.held), (None, 0));
    }
}
