//! The live view: the newest picture as JPEG, who looks, and the one WebSocket that carries it.
//!
//! Nothing here can hold the hot path up: the station encodes a picture in the background, and only while
//! [`Watchers::any`] says that somebody looks; each client gets the newest one when it has taken the one before.

mod picture;
mod socket;
mod watchers;

pub use picture::{BoxSeen, LivePicture};
pub(crate) use socket::{Told, serve};
pub use watchers::{Look, Watchers};
