//! A library that blocks, on a thread of its own: one command at a time, each with the instant after which nobody
//! wants it any more. The runtime that makes the verdicts never waits for it.

use super::cyclic::{Fault, Wire, cannot_look};
use crate::{
    LinkFaultKind,
    register_map::{BLOCK_WORDS, Words},
};
use std::{
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel},
    time::{Duration, Instant},
};
use tokio::sync::oneshot;

/// A client whose calls block. Its own socket timeouts must end each call within [`blocking_ms`]: until then the thread
/// hears nothing else.
pub(crate) trait Blocking: Send + 'static {
    /// Connects anew; what was connected before is given up.
    fn connect(&mut self) -> Result<(), Fault>;

    /// Writes words 10–19 in one write and then reads words 0–9.
    fn exchange(&mut self, station: &Words) -> Result<Words, Fault>;

    /// Reads all twenty words and writes none, where the protocol can.
    fn look(&mut self) -> Result<[u16; BLOCK_WORDS], Fault> {
        Err(cannot_look())
    }
}

/// How long a call may block: a little less than the link waits, so that the library's own word on what is wrong is heard.
pub(crate) fn blocking_ms(timeout_ms: u64) -> u64 {
    (timeout_ms * 9 / 10).max(1)
}

enum Wanted {
    Connect(oneshot::Sender<Result<(), Fault>>),
    Exchange(Words, oneshot::Sender<Result<Words, Fault>>),
    Look(oneshot::Sender<Result<[u16; BLOCK_WORDS], Fault>>),
}

struct Command {
    wanted: Wanted,
    /// Past this it is not begun: whoever asked has given up, and the words are old.
    not_after: Instant,
}

/// A [`Blocking`] client as a [`Wire`]. Dropping it ends the thread after the call it is in.
#[derive(Debug)]
pub(crate) struct OwnThread {
    commands: SyncSender<Command>,
    timeout: Duration,
}

impl OwnThread {
    /// Starts the thread `name`.
    ///
    /// # Errors
    /// The system has no thread left.
    pub(crate) fn start(client: impl Blocking, name: &str, timeout: Duration) -> io::Result<Self> {
        // One in work, one waiting: the link asks for nothing before the last is answered or given up.
        let (commands, inbox) = sync_channel(1);
        std::thread::Builder::new().name(name.into()).spawn(move || work(client, &inbox))?;
        Ok(Self { commands, timeout })
    }

    async fn ask<T>(&self, wanted: Wanted, answer: oneshot::Receiver<Result<T, Fault>>) -> Result<T, Fault> {
        let not_after = Instant::now() + self.timeout;
        match self.commands.try_send(Command { wanted, not_after }) {
            Ok(()) => answer.await.unwrap_or_else(|_| Err(given_up())),
            Err(TrySendError::Full(_)) => Err(given_up()),
            Err(TrySendError::Disconnected(_)) => {
                Err((LinkFaultKind::Closed, "has lost its thread; restart the station".to_owned()))
            }
        }
    }
}

fn given_up() -> Fault {
    (LinkFaultKind::Timeout, "still keeps the last request waiting".to_owned())
}

impl Wire for OwnThread {
    async fn connect(&mut self) -> Result<(), Fault> {
        let (reply, answer) = oneshot::channel();
        self.ask(Wanted::Connect(reply), answer).await
    }

    async fn exchange(&mut self, station: &Words) -> Result<Words, Fault> {
        let (reply, answer) = oneshot::channel();
        self.ask(Wanted::Exchange(*station, reply), answer).await
    }

    async fn look(&mut self) -> Result<[u16; BLOCK_WORDS], Fault> {
        let (reply, answer) = oneshot::channel();
        self.ask(Wanted::Look(reply), answer).await
    }
}

fn work(mut client: impl Blocking, inbox: &Receiver<Command>) {
    while let Ok(Command { wanted, not_after }) = inbox.recv() {
        if Instant::now() > not_after {
            continue; // its answer's sender is dropped: the asker, if still there, hears that it was given up
        }
        // Whether the answer is still wanted is the asker's business.
        match wanted {
            Wanted::Connect(reply) => drop(reply.send(shielded(|| client.connect()))),
            Wanted::Look(reply) => drop(reply.send(shielded(|| client.look()))),
            Wanted::Exchange(words, reply) => drop(reply.send(shielded(|| client.exchange(&words)))),
        }
    }
}

/// A library that panics at what a PLC sent has broken the connection, not the station. Whatever state it is left in
/// goes with the connection: [`Blocking::connect`] begins anew.
fn shielded<T>(call: impl FnOnce() -> Result<T, Fault>) -> Result<T, Fault> {
    catch_unwind(AssertUnwindSafe(call)).unwrap_or_else(|_| {
        Err((LinkFaultKind::WrongAnswer, "sent what the protocol's library cannot read".to_owned()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Connects the second time, panics at 13, hangs at 7 until it may go on, else gives each word + 1.
    struct Moody {
        connects: u32,
        go_on: Receiver<()>,
    }

    impl Blocking for Moody {
        fn connect(&mut self) -> Result<(), Fault> {
            self.connects += 1;
            if self.connects == 1 { Err((LinkFaultKind::Refused, "refused".into())) } else { Ok(()) }
        }

        fn exchange(&mut self, station: &Words) -> Result<Words, Fault> {
            assert_ne!(station[0], 13);
            if station[0] == 7 {
                let _ = self.go_on.recv();
            }
            Ok(station.map(|word| word + 1))
        }
    }

    #[tokio::test]
    async fn a_client_that_fails_panics_or_hangs_costs_its_own_exchange_and_nothing_else() {
        let (release, go_on) = sync_channel(1);
        let patience = Duration::from_millis(50);
        let mut wire = OwnThread::start(Moody { connects: 0, go_on }, "moody", patience).unwrap();
        assert_eq!(wire.connect().await.unwrap_err().0, LinkFaultKind::Refused);
        wire.connect().await.unwrap();
        assert_eq!(wire.exchange(&[1; 10]).await, Ok([2; 10]));
        assert_eq!(wire.exchange(&[13; 10]).await.unwrap_err().0, LinkFaultKind::WrongAnswer);
        wire.connect().await.unwrap();
        // It hangs: the link gives up, and so does whatever waits behind it.
        assert!(tokio::time::timeout(patience, wire.exchange(&[7; 10])).await.is_err());
        assert!(tokio::time::timeout(patience * 2, wire.exchange(&[1; 10])).await.is_err());
        assert_eq!(
            wire.exchange(&[1; 10]).await.unwrap_err().0,
            LinkFaultKind::Timeout,
            "the queue is bounded"
        );
        release.send(()).unwrap();
        // What waited is old by now and is not begun; the next one is.
        while wire.connect().await.is_err() {}
        assert_eq!(wire.exchange(&[4; 10]).await, Ok([5; 10]));
    }
}
