//! How a thread stands against the others of this machine.
#![allow(unsafe_code)] // one system call, below

/// How long the answering thread may hold a core once it has it: the shortest that Linux grants.
#[cfg(target_os = "linux")]
const SLICE_NS: u64 = 100_000;

/// Makes way for every other thread of this machine, for good: what this one does can wait. Threads that it starts do
/// so too.
pub fn stand_back() {
    if let Err(error) = rustix::process::setpriority_process(None, 10) {
        tracing::warn!(%error, "A thread in the background runs at full priority.");
    }
}

/// Asks for short turns, and so for the next one: a thread that wakes with a shorter slice than the one that runs takes
/// its core at once, instead of when its slice of about 3 ms is over. Its share of the core stays what it was, and no
/// right is needed. Linux knows it since 6.12 (EEVDF, `sched_attr::sched_runtime` of `SCHED_OTHER`); an older one takes no
/// notice.
pub fn come_soon() {
    #[cfg(target_os = "linux")]
    {
        // SAFETY: a `sched_attr` is integers throughout, for which 0 is a value.
        let mut attributes: libc::sched_attr = unsafe { std::mem::zeroed() };
        let size = std::mem::size_of::<libc::sched_attr>() as u32;
        // SAFETY: both calls are on the calling thread (0); the kernel reads and writes `size` bytes of a struct that has
        // as many and outlives them.
        let taken = unsafe {
            libc::syscall(libc::SYS_sched_getattr, 0, &raw mut attributes, size, 0) == 0 && {
                attributes.sched_flags = 0;
                attributes.sched_runtime = SLICE_NS;
                libc::syscall(libc::SYS_sched_setattr, 0, &raw const attributes, 0) == 0
            }
        };
        if !taken {
            let error = std::io::Error::last_os_error();
            tracing::debug!(%error, "The thread that answers has turns of the usual length.");
        }
    }
}
