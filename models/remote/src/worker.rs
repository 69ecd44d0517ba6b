//! The one thread on which everything to do with the network happens, and how a caller waits for it: never too long.

use std::{
    io,
    sync::mpsc::{RecvTimeoutError, sync_channel},
    thread,
    time::Instant,
};
use tokio::{runtime::Handle, sync::oneshot};

/// A thread with a tokio runtime of its own. Dropping it cancels all that runs there and waits for the thread.
#[derive(Debug)]
pub(crate) struct Worker {
    handle: Handle,
    /// Both `None` only while being dropped.
    stop: Option<oneshot::Sender<()>>,
    thread: Option<thread::JoinHandle<()>>,
}

/// Why work gave nothing.
pub(crate) enum Undone {
    /// Its time was over; it has been cancelled.
    Late,
    /// It died.
    Ended,
}

impl Worker {
    pub(crate) fn start(name: String) -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let (stop, stopped) = oneshot::channel();
        let thread = thread::Builder::new().name(name).spawn(move || {
            let _ = runtime.block_on(stopped);
            // Not waiting for a name that is being looked up, which may take the system half a minute.
            runtime.shutdown_background();
        })?;
        Ok(Self { handle, stop: Some(stop), thread: Some(thread) })
    }

    /// Starts work that goes on until the worker is dropped.
    pub(crate) fn keep(&self, work: impl Future<Output = ()> + Send + 'static) {
        drop(self.handle.spawn(work));
    }

    /// Waits for work, and no longer than until `by`: the clock is the caller's own, so that not even a busy worker
    /// can make it late.
    pub(crate) fn wait<T: Send + 'static>(
        &self,
        by: Instant,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Result<T, Undone> {
        let (done, result) = sync_channel(1);
        let task = self.handle.spawn(async move {
            let _ = done.send(work.await); // nobody waits any more
        });
        result.recv_timeout(by.saturating_duration_since(Instant::now())).map_err(|error| {
            task.abort();
            match error {
                RecvTimeoutError::Timeout => Undone::Late,
                RecvTimeoutError::Disconnected => Undone::Ended,
            }
        })
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join(); // it cannot panic: tokio keeps panics inside tasks
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_caller_is_on_time_even_if_the_worker_hangs() {
        let worker = Worker::start("hung".to_owned()).unwrap();
        let (release, held) = std::sync::mpsc::channel::<()>();
        worker.keep(async move { assert!(held.recv().is_err()) }); // blocks the whole thread
        let answer = worker.wait(Instant::now() + Duration::from_millis(20), async { 1 });
        assert!(matches!(answer, Err(Undone::Late)));
        drop(release);
    }

    #[test]
    fn work_that_panics_is_told_at_once() {
        let worker = Worker::start("panics".to_owned()).unwrap();
        let by = Instant::now() + Duration::from_secs(60);
        let answer = worker.wait(by, async { panic!("on purpose, in a test") });
        assert!(matches!(answer, Err::<(), _>(Undone::Ended)));
        assert!(matches!(worker.wait(by, async { 7 }), Ok(7)), "and harms nothing else");
    }

    #[test]
    fn what_runs_ends_with_the_worker() {
        let worker = Worker::start("ends".to_owned()).unwrap();
        let (held, gone) = std::sync::mpsc::channel::<()>();
        worker.keep(async move {
            std::future::pending::<()>().await;
            drop(held);
        });
        drop(worker);
        assert!(gone.recv().is_err(), "the task and what it held are gone");
    }
}
