//! The streaming thread of a source that brings none of its own.

use crate::{
    event::{DownCause, Failure},
    feed::Feed,
};
use crossbeam_channel::{Receiver, Sender, bounded};
use std::{
    convert::Infallible,
    panic::{AssertUnwindSafe, catch_unwind},
    thread,
};

/// Closes when the stream is to stop; nothing is ever sent.
pub(crate) type Stopped = Receiver<Infallible>;

/// Thread `stream-<camera>`; dropping it stops and joins it.
pub(crate) struct StreamThread {
    stop: Option<Sender<Infallible>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl StreamThread {
    /// Runs `body` until it returns, which it must soon after its `Stopped` closes.
    pub(crate) fn spawn(
        feed: Feed,
        body: impl FnOnce(&Feed, &Stopped) + Send + 'static,
    ) -> Result<Self, Failure> {
        let (stop, stopped) = bounded(0);
        let thread = thread::Builder::new()
            .name(format!("stream-{}", feed.camera()))
            .spawn(move || {
                // The panic itself was reported by the hook; the camera must not look alive without its thread.
                if catch_unwind(AssertUnwindSafe(|| body(&feed, &stopped))).is_err() {
                    feed.failed(Failure::new(DownCause::Failed, "its streaming thread panicked"));
                }
            })
            .map_err(|error| Failure::new(DownCause::Failed, format!("no thread to stream on: {error}")))?;
        Ok(Self { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for StreamThread {
    fn drop(&mut self) {
        self.stop = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
