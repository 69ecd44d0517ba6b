//! Thread `mender`: opens models again whose device failed, with back-off, and drops those that are done with. Both may
//! take seconds, and no part waits for them.

use super::{Opening, thread::Order};
use crate::{edition::ModelId, state::Health, threads};
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, unbounded};
use plumb_inference::Model;
use std::{
    io,
    sync::Arc,
    thread::JoinHandle,
    time::{Duration, Instant},
};

/// The first attempt comes after so long; each further one after twice as long, up to [`LAST_WAIT`].
const FIRST_WAIT: Duration = Duration::from_millis(250);
const LAST_WAIT: Duration = Duration::from_secs(30);

/// The way to the thread.
#[derive(Clone)]
pub struct Mender(Sender<Errand>);

/// What the thread is asked for.
enum Errand {
    Reopen(Broken),
    Drop(Box<Model>),
}

/// A model's seat on one thread, vacant since its device failed.
pub(super) struct Broken {
    pub(super) id: ModelId,
    /// Which of the device's threads, for the station's health.
    pub(super) thread: usize,
    pub(super) opening: Arc<Opening>,
    /// Where it is to go.
    pub(super) seat: Sender<Order>,
    /// What is left of it.
    pub(super) model: Box<Model>,
    /// What happened.
    pub(super) says: String,
}

/// A broken model between two attempts.
struct Waiting {
    id: ModelId,
    thread: usize,
    opening: Arc<Opening>,
    seat: Sender<Order>,
    attempt: u32,
    next: Instant,
}

impl Mender {
    /// Starts the thread. It ends when the last clone of its [`Mender`] is gone.
    ///
    /// # Errors
    /// When there is no thread to be had.
    pub fn start(health: Arc<Health>) -> io::Result<(Self, JoinHandle<()>)> {
        // Holds at most one entry for each seat of each device.
        let (errands_in, errands) = unbounded();
        let thread = threads::spawn("mender".to_owned(), move || work(&errands, &health))?;
        Ok((Self(errands_in), thread))
    }

    pub(super) fn reopen(&self, broken: Broken) {
        let _ = self.0.send(Errand::Reopen(broken)); // the thread outlives every sender
    }

    /// Drops a model where nobody waits.
    pub fn drop_model(&self, model: Box<Model>) {
        let _ = self.0.send(Errand::Drop(model));
    }
}

fn work(errands: &Receiver<Errand>, health: &Health) {
    let mut waiting: Vec<Waiting> = Vec::new();
    loop {
        let next = waiting.iter().map(|waiting| waiting.next).min();
        let errand = match next {
            None => errands.recv().map_err(|_| RecvTimeoutError::Disconnected),
            Some(next) => errands.recv_deadline(next),
        };
        match errand {
            Ok(Errand::Drop(model)) => drop(model),
            Ok(Errand::Reopen(broken)) => {
                let Broken { id, thread, opening, seat, model, says } = broken;
                drop(model); // its memory is what the next attempt needs
                health.model((id, thread), Some(says));
                waiting.push(Waiting {
                    id,
                    thread,
                    opening,
                    seat,
                    attempt: 0,
                    next: Instant::now() + FIRST_WAIT,
                });
            }
            Err(RecvTimeoutError::Timeout) => {
                waiting.retain_mut(|waiting| !waiting.is_due() || waiting.attempt(health))
            }
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}

impl Waiting {
    fn is_due(&self) -> bool {
        Instant::now() >= self.next
    }

    /// One attempt; false when there is nothing left to do.
    fn attempt(&mut self, health: &Health) -> bool {
        if !self.opening.is_wanted() {
            return false;
        }
        self.attempt += 1;
        match self.opening.again() {
            Ok(model) => {
                tracing::info!(attempt = self.attempt, model = %model.info().name, "Model was opened again.");
                // The device's thread says when it has it. One that has ended needs it no more; one that hangs does
                // not beat, and the station's heartbeat has stopped.
                let _ =
                    self.seat.send_timeout(Order::Reseat { id: self.id, model: Box::new(model) }, LAST_WAIT);
                false
            }
            Err(error) => {
                let wait = (FIRST_WAIT * 2_u32.saturating_pow(self.attempt.min(16))).min(LAST_WAIT);
                let says = format!("{error}; attempt {}, next in {:.1} s", self.attempt, wait.as_secs_f64());
                tracing::error!("A model cannot be opened again: {says}.");
                health.model((self.id, self.thread), Some(says));
                self.next = Instant::now() + wait;
                true
            }
        }
    }
}
