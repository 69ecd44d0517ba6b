//! Every thread of the station, by name. One owner per thing that changes; the others get messages.
//!
//! | name | owns | ends when |
//! |---|---|---|
//! | `camera-<id>` | one camera's link: opens, watches, reconnects (made by `capture`) | its camera is dropped |
//! | GStreamer's own | one camera's frames, up to `Desk` | its camera is dropped |
//! | `trigger` | firing cameras that expose on our word | the desk closes |
//! | `preprocess-<id>` | one camera's maps and buffers | the desk closes |
//! | `infer-<device>` | every model session on that device | the last `preprocess` ends |
//! | `hot` | open parts, rules, PLC link (current-thread runtime) | the last `infer` ends and every answer is out |
//! | `background` | HTTP | told to, last |
//! | `ledger`, `pictures` | the data folder (made by `ledger`) | told to, after `hot` |

use std::{io, thread};

/// Starts a named thread.
///
/// # Errors
/// When the system has no thread left; the station then does not start.
pub fn spawn<T: Send + 'static>(
    name: String,
    work: impl FnOnce() -> T + Send + 'static,
) -> io::Result<thread::JoinHandle<T>> {
    thread::Builder::new().name(name).spawn(work)
}
