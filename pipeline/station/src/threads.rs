//! Every thread of the station, by name. One owner per thing that changes; the others get messages.
//!
//! | name | owns | ends when |
//! |---|---|---|
//! | `camera-<id>` | one camera's link: opens, watches, reconnects (made by `capture`) | its camera is dropped |
//! | GStreamer's own | one camera's frames, up to `Desk` | its camera is dropped |
//! | `trigger` | firing cameras that expose on our word | the desk closes |
//! | `preprocess-<id>` | one camera's maps and buffers | the desk closes |
//! | `infer-<device>` | every model session on that device; the processor may have several, each with its own | the last `preprocess` ends and `changeover` has let go |
//! | `hot` | open parts, rules, PLC link (current-thread runtime) | the last `infer` ends and every answer is out |
//! | `mirrors` | the links beside the gate's (current-thread runtime); stands back | `hot` ends and they have taken leave |
//! | `changeover` | which editions there are: loads, hands on, lets go | told to, first |
//! | `loader` | one recipe while it is loaded beside a running one | it is loaded |
//! | `mender` | models whose device failed, and those that are done with | every device thread has ended |
//! | `shadow` | the sessions of models that look on | `hot` ends |
//! | `console` | what the console shows: last parts, counts, health, live pictures; stands back | `hot` ends |
//! | `background` | HTTP, the console's pages (files and passwords on threads that stand back) | told to, last |
//! | `opc-ua` | the OPC UA server's sessions (a runtime with one worker; hashing and files on up to four more) | told to, with `background` |
//! | `ledger`, `pictures` | the data folder (made by `ledger`) | told to, after `hot` |
//! | `caretaker` | what the rules of keeping delete, and the forecast of the disk (made by `ledger`) | told to, with them |

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
