//! How the process gives memory back: a station runs for months, and its frames are megabytes.
#![allow(unsafe_code)] // one call into the C library, below

/// Tells glibc to hand each block of a frame's size back to the system when it is freed, and to keep two arenas instead
/// of eight a core. To be called before the first thread starts.
///
/// Left alone, glibc raises its threshold to the first frame that is freed; from then on frames, tensors and pictures
/// stay in the arena of whichever thread asked, at its high-water mark. Measured over ten minutes of 720p pictures:
/// see `benches/README.md`.
pub fn give_frames_back() {
    #[cfg(target_env = "gnu")]
    {
        const KEPT_BELOW: libc::c_int = 256 * 1024;
        let options = [
            (libc::M_MMAP_THRESHOLD, KEPT_BELOW),
            (libc::M_TRIM_THRESHOLD, KEPT_BELOW / 2),
            (libc::M_ARENA_MAX, 2),
        ];
        for (option, value) in options {
            // SAFETY: `mallopt` reads two integers and takes its own lock; it has no other precondition.
            let taken = unsafe { libc::mallopt(option, value) };
            debug_assert_eq!(taken, 1, "glibc knows each of these since 2.15");
        }
    }
}
