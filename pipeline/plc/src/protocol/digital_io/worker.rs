//! The thread that moves the lines: it waits for the next edge of the schedule or the next word of the link, whichever is
//! first, and rejects by itself when the link falls silent.

use super::{
    lines::Outputs,
    schedule::{Refused, Schedule},
};
use plumb_inspection::PartId;
use std::{
    sync::mpsc::{Receiver, RecvTimeoutError},
    time::{Duration, Instant},
};
use tokio::sync::oneshot;

/// The station is lost when its verdict path has not beaten for this long, as for a PLC.
pub(super) const LOST: Duration = Duration::from_millis(300);

/// What the link wants.
pub(super) enum Command {
    /// A part was triggered; it will be rejected.
    Born(Option<PartId>, Instant),
    /// A verdict. Answered when the lines have been set and read back.
    Decide { part: PartId, release: bool, done: oneshot::Sender<Result<(), Refused>> },
    /// One beat of the verdict path: the alive line turns over.
    Beat,
}

/// What the thread owns.
pub(super) struct Worker<O> {
    pub(super) outputs: O,
    pub(super) schedule: Schedule,
    pub(super) commands: Receiver<Command>,
}

impl<O: Outputs> Worker<O> {
    /// Works until the link lets go; every way out leaves the lines rejecting.
    ///
    /// # Errors
    /// A board that does not do what it is told: the words after its name.
    pub(super) fn run(mut self) -> Result<(), String> {
        let worked = self.work();
        let rejecting = self.schedule.rejecting();
        let left = self.outputs.set(rejecting, false).map(|_| ());
        worked.and(left)
    }

    fn work(&mut self) -> Result<(), String> {
        let mut alive = false;
        let mut beaten_at: Option<Instant> = None;
        loop {
            let now = Instant::now();
            let lives = beaten_at.is_some_and(|at| now < at + LOST);
            if !lives {
                self.schedule.reject_all();
            }
            let scheduled = self.schedule.active(now);
            let gate = if lives { scheduled } else { self.schedule.rejecting() };
            let wanted = (gate, alive && lives);
            let read = self.outputs.set(wanted.0, wanted.1)?;
            if read != wanted {
                return Err(format!(
                    "reads gate {} and alive {} where {} and {} were set; is a line short-circuited, or driven by \
                     somebody else?",
                    read.0, read.1, wanted.0, wanted.1
                ));
            }
            let dies = beaten_at.map(|at| at + LOST).filter(|&at| at > now);
            let next = self.schedule.next_change(now).into_iter().chain(dies).min();
            let wait =
                next.map_or(Duration::from_millis(50), |at| at.saturating_duration_since(Instant::now()));
            match self.commands.recv_timeout(wait) {
                Ok(Command::Born(part, at)) => {
                    self.schedule.born(part, at);
                }
                Ok(Command::Decide { part, release, done }) => {
                    let decided = self.schedule.decide(Instant::now(), part, release);
                    let _ = done.send(decided); // whoever asked may have given up
                }
                Ok(Command::Beat) => {
                    alive = !alive;
                    beaten_at = Some(Instant::now());
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Ok(()),
            }
        }
    }
}
