//! The handshake between its two sides: the station's calls and a protocol's connection.
//!
//! The lock is held for a few assignments, never across an await. Whatever the handshake found out goes to the
//! station at once; what does not fit its channel waits in the handshake, which takes no trigger meanwhile.

use crate::{
    Answer, LinkFaultKind, PlcEvent,
    handshake::{Handshake, Timing},
    register_map::{FromPlc, ToPlc},
};
use std::{
    fmt,
    sync::{Mutex, MutexGuard, OnceLock, PoisonError},
    time::{Duration, Instant},
};
use tokio::sync::{Notify, mpsc};

/// Round trips that carried no answer are told this often at most.
const ROUND_TRIP_EVERY: Duration = Duration::from_millis(100);

/// Callers who are not let in are told of this often at most, however hard they knock.
const TURNED_AWAY_EVERY: Duration = Duration::from_secs(1);

/// How long the last answers may take when the station stops.
const FAREWELL: Duration = Duration::from_secs(1);

/// What a protocol is given to serve.
#[derive(Debug)]
pub(crate) struct Port {
    shake: Mutex<Handshake>,
    events: mpsc::Sender<PlcEvent>,
    changed: Notify,
    closing_since: OnceLock<Instant>,
    round_trip_told: Mutex<Option<Instant>>,
    turned_away_told: Mutex<Option<Instant>>,
}

impl Port {
    pub(crate) fn new(timing: Timing, events: mpsc::Sender<PlcEvent>) -> Self {
        Self {
            shake: Mutex::new(Handshake::new(Instant::now(), timing)),
            events,
            changed: Notify::new(),
            closing_since: OnceLock::new(),
            round_trip_told: Mutex::new(None),
            turned_away_told: Mutex::new(None),
        }
    }

    /// One step of the handshake, with what it found out handed on.
    pub(crate) fn step<T>(&self, step: impl FnOnce(&mut Handshake, Instant) -> T) -> T {
        let mut shake = self.lock();
        let out = step(&mut shake, Instant::now());
        while let Some(event) = shake.next_event() {
            if let Err(error) = self.events.try_send(event) {
                if let mpsc::error::TrySendError::Full(event) = error {
                    shake.return_event(event);
                }
                break;
            }
        }
        out
    }

    // A panic while the lock was held leaves the handshake between two assignments; it has no unsafe state to be
    // in, and an answer that can still be written is worth more than a second panic.
    fn lock(&self) -> MutexGuard<'_, Handshake> {
        self.shake.lock().unwrap_or_else(PoisonError::into_inner)
    }

    // ---- the station's side

    /// A step that changes what the PLC should see: the protocol is woken.
    pub(crate) fn tell(&self, step: impl FnOnce(&mut Handshake, Instant)) {
        self.step(step);
        self.changed.notify_one();
    }

    pub(crate) fn answer(&self, answer: Answer) {
        self.tell(|shake, now| shake.answer(now, answer));
    }

    pub(crate) fn close(&self) {
        self.closing_since.get_or_init(Instant::now);
        self.tell(|shake, _| shake.close());
    }

    // ---- a protocol's side

    /// The station wants the link to end: serve on until [`Port::may_end`], then return.
    pub(crate) fn closing(&self) -> bool {
        self.closing_since.get().is_some()
    }

    /// The link is to close, and all is delivered or has had its time.
    pub(crate) fn may_end(&self) -> bool {
        let Some(since) = self.closing_since.get() else { return false };
        let now = Instant::now();
        now.duration_since(*since) >= FAREWELL || self.lock().all_delivered(now)
    }

    /// Returns when the station has something new for the PLC.
    pub(crate) async fn changed(&self) {
        self.changed.notified().await;
    }

    /// The block for the PLC, to be written now.
    pub(crate) fn outgoing(&self) -> ToPlc {
        self.step(Handshake::outgoing)
    }

    /// The PLC has `block`.
    pub(crate) fn delivered(&self, block: &ToPlc) {
        self.step(|shake, now| shake.delivered(now, block));
    }

    /// The PLC said this when it was asked, at `asked_at`.
    pub(crate) fn answered(&self, said: &FromPlc, asked_at: Instant) {
        self.step(|shake, now| shake.answered(now, asked_at, said));
    }

    /// The PLC said this of its own accord.
    pub(crate) fn incoming(&self, said: &FromPlc) {
        self.step(|shake, now| shake.incoming(now, said));
    }

    pub(crate) fn connected(&self, peer: impl fmt::Display) {
        self.step(|shake, _| shake.connected(peer));
    }

    pub(crate) fn disconnected(&self, kind: LinkFaultKind, says: String) {
        self.step(|shake, now| shake.disconnected(now, kind, says));
    }

    /// One exchange took `time`. Never crowds out anything: a station that is behind is not told.
    pub(crate) fn round_trip(&self, time: Duration, carried_an_answer: bool) {
        let now = Instant::now();
        let mut told = self.round_trip_told.lock().unwrap_or_else(PoisonError::into_inner);
        let due = told.is_none_or(|told| now.duration_since(told) >= ROUND_TRIP_EVERY);
        if (due || carried_an_answer) && self.events.capacity() * 2 > self.events.max_capacity() {
            *told = Some(now);
            self.step(|shake, _| shake.note(PlcEvent::RoundTrip(time)));
        }
    }

    /// A caller was not let in.
    pub(crate) fn turned_away(&self, says: String) {
        let now = Instant::now();
        let mut told = self.turned_away_told.lock().unwrap_or_else(PoisonError::into_inner);
        let due = told.is_none_or(|told| now.duration_since(told) >= TURNED_AWAY_EVERY);
        if due && self.events.capacity() * 2 > self.events.max_capacity() {
            *told = Some(now);
            self.step(|shake, _| shake.note(PlcEvent::TurnedAway { says }));
        }
    }
}
