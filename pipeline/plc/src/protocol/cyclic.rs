//! A client's life: write the station's ten words, read the PLC's ten, again and again. What changes goes at once.
//!
//! A protocol that can exchange ten words for ten is a [`Wire`]; [`Cyclic`] makes it a [`Protocol`].

use super::{Broken, Ended, Look, Protocol, Session};
use crate::{
    LinkFaultKind, Timing,
    port::Port,
    register_map::{BLOCK_WORDS, FromPlc, ToPlc, Words},
};
use std::{
    future::Future,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::time::timeout;

/// What went wrong, and what reads after the PLC's name: `refused the connection`.
pub(crate) type Fault = (LinkFaultKind, String);

/// A way to exchange ten words for ten with one PLC. Neither method need limit its own time.
pub(crate) trait Wire: Send {
    /// Connects anew; what was connected before is given up.
    fn connect(&mut self) -> impl Future<Output = Result<(), Fault>> + Send;

    /// Writes words 10–19 in one write and then reads words 0–9. `Ok` says that the PLC has what was written.
    fn exchange(&mut self, station: &Words) -> impl Future<Output = Result<Words, Fault>> + Send;

    /// What to look at where a PLC lets nobody in and does not say why; reads after "did not take the connection".
    fn when_silent(&self) -> Option<&'static str> {
        None
    }

    /// How long a connection may take, where that is not the time of one exchange.
    fn patience(&self, exchange: Duration) -> Duration {
        exchange
    }

    /// Reads all twenty words and writes none, where the protocol can.
    fn look(&mut self) -> impl Future<Output = Result<[u16; BLOCK_WORDS], Fault>> + Send {
        std::future::ready(Err(cannot_look()))
    }
}

/// Of a protocol whose words pass only while the station writes its own, or in which the PLC comes to the station.
pub(crate) fn cannot_look() -> Fault {
    let what =
        "cannot be watched by this protocol without taking the station's part; leave --watch out".to_owned();
    (LinkFaultKind::Exception, what)
}

/// How fast, how patient, how persistent a client is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pace {
    /// How often the block is exchanged when nothing changes.
    pub(crate) cycle: Duration,
    /// For a connection, and for each exchange.
    pub(crate) timeout: Duration,
    /// Shortest and longest wait between two attempts.
    pub(crate) backoff: (Duration, Duration),
    /// The waits of the handshake.
    pub(crate) handshake: Timing,
}

impl Pace {
    /// Every problem of these values, as sentences; none if they can be served.
    pub(crate) fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        for (name, value) in
            [("cycle_ms", self.cycle), ("timeout_ms", self.timeout), ("backoff_min_ms", self.backoff.0)]
        {
            let value = value.as_millis();
            if !(1..=60_000).contains(&value) {
                problems.push(format!("plc {name} is {value}, expected 1 to 60000"));
            }
        }
        let (result, timeout) = (self.handshake.result_ms, self.timeout.as_millis());
        if u128::from(result) <= timeout {
            problems.push(format!(
                "plc handshake.result_ms is {result}; it must be longer than timeout_ms ({timeout}), or an answer \
                 is given up while it is being written"
            ));
        }
        problems
    }
}

/// Makes the struct of a client's `[plc]` table: the protocol's own keys, then those every client has.
macro_rules! client_table {
    ($(#[$doc:meta])* pub struct $name:ident { $($(#[$key_doc:meta])* pub $key:ident: $kind:ty),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
        #[serde(deny_unknown_fields)]
        pub struct $name {
            $($(#[$key_doc])* pub $key: $kind,)*
            /// How often the block is exchanged when nothing changes. What changes goes out at once.
            #[serde(default = "crate::protocol::cyclic::defaults::cycle_ms")]
            pub cycle_ms: u64,
            /// For the connection, and for each exchange.
            #[serde(default = "crate::protocol::cyclic::defaults::timeout_ms")]
            pub timeout_ms: u64,
            /// Wait after the first failed attempt; doubles with each.
            #[serde(default = "crate::protocol::cyclic::defaults::backoff_min_ms")]
            pub backoff_min_ms: u64,
            /// Longest wait between two attempts.
            #[serde(default = "crate::protocol::cyclic::defaults::backoff_max_ms")]
            pub backoff_max_ms: u64,
            /// How long each wait of the handshake may last.
            #[serde(default)]
            pub handshake: crate::Timing,
        }

        impl $name {
            pub(crate) fn pace(&self) -> crate::protocol::cyclic::Pace {
                use std::time::Duration;
                crate::protocol::cyclic::Pace {
                    cycle: Duration::from_millis(self.cycle_ms),
                    timeout: Duration::from_millis(self.timeout_ms),
                    backoff: (
                        Duration::from_millis(self.backoff_min_ms),
                        Duration::from_millis(self.backoff_max_ms),
                    ),
                    handshake: self.handshake,
                }
            }
        }
    };
}
pub(crate) use client_table;

/// What a key that is not written is.
pub(crate) mod defaults {
    pub(crate) fn cycle_ms() -> u64 {
        5
    }
    pub(crate) fn timeout_ms() -> u64 {
        500
    }
    pub(crate) fn backoff_min_ms() -> u64 {
        250
    }
    pub(crate) fn backoff_max_ms() -> u64 {
        5_000
    }
}

/// A [`Wire`] kept going.
pub(crate) struct Cyclic<W> {
    wire: W,
    pace: Pace,
    peer: String,
    /// [`Protocol::look`] has connected.
    looking: bool,
}

impl<W: Wire> Cyclic<W> {
    /// `peer` is the PLC as the log names it.
    pub(crate) fn new(wire: W, pace: Pace, peer: impl Into<String>) -> Self {
        Self { wire, pace, peer: peer.into(), looking: false }
    }

    async fn exchange_until_closed(&mut self, port: &Port, was_up: &mut bool) -> Result<(), Fault> {
        let patience = self.wire.patience(self.pace.timeout);
        match expiring(port, timeout(patience, self.wire.connect())).await {
            Ok(connected) => connected?,
            Err(_) => {
                let (kind, what) = no_answer("did not take the connection", patience);
                let advice = self.wire.when_silent().map(|advice| format!("; {advice}"));
                return Err((kind, what + &advice.unwrap_or_default()));
            }
        }
        port.connected(&self.peer);
        loop {
            let block = port.outgoing();
            let asked_at = Instant::now();
            self.exchange(port, &block, asked_at).await?;
            *was_up = true;
            if port.may_end() {
                // The PLC should find nothing in the block that could be taken for an answer.
                port.step(|shake, _| shake.abandon());
                return self.exchange(port, &port.outgoing(), Instant::now()).await;
            }
            // What the PLC just said may want an answer in the block (TriggerAck, ResultsValid): that goes at once.
            let next = port.outgoing();
            if (ToPlc { heartbeat: block.heartbeat, ..next }) == block {
                let rest = self.pace.cycle.saturating_sub(asked_at.elapsed());
                // Either the station has something new or the cycle is over: both mean "write".
                let _ = timeout(rest, port.changed()).await;
            }
        }
    }

    /// One exchange: the PLC has `block` when this returns `Ok`, and what it said has been heard. A connection
    /// that misses its time is given up: its answer might still come, and be taken for the next one's.
    async fn exchange(&mut self, port: &Port, block: &ToPlc, asked_at: Instant) -> Result<(), Fault> {
        let words = block.encode();
        let said = match timeout(self.pace.timeout, self.wire.exchange(&words)).await {
            Ok(said) => said?,
            Err(_) => return Err(no_answer("did not answer", self.pace.timeout)),
        };
        port.round_trip(asked_at.elapsed(), block.status.results_valid);
        port.delivered(block);
        port.answered(&FromPlc::decode(&said), asked_at);
        Ok(())
    }

    async fn look_once(&mut self) -> Result<[u16; BLOCK_WORDS], Fault> {
        if !std::mem::replace(&mut self.looking, true) {
            let patience = self.wire.patience(self.pace.timeout);
            match timeout(patience, self.wire.connect()).await {
                Ok(connected) => connected?,
                Err(_) => return Err(no_answer("did not take the connection", patience)),
            }
        }
        timeout(self.pace.timeout, self.wire.look())
            .await
            .unwrap_or_else(|_| Err(no_answer("did not answer", self.pace.timeout)))
    }
}

/// Waits for `connected`, while answers go on expiring.
async fn expiring<T>(port: &Port, connected: impl Future<Output = T>) -> T {
    const LOOK_EVERY: Duration = Duration::from_millis(20);
    let mut connected = std::pin::pin!(connected);
    loop {
        match timeout(LOOK_EVERY, &mut connected).await {
            Ok(connected) => return connected,
            Err(_) => port.step(|shake, now| shake.tick(now)),
        }
    }
}

fn no_answer(did_not: &str, within: Duration) -> Fault {
    (LinkFaultKind::Timeout, format!("{did_not} within {} ms", within.as_millis()))
}

impl<W: Wire> Protocol for Cyclic<W> {
    fn serve<'a>(&'a mut self, port: &'a Arc<Port>) -> Session<'a> {
        Box::pin(async move {
            let mut was_up = false;
            match self.exchange_until_closed(port, &mut was_up).await {
                Ok(()) => Ended::Closed,
                Err((kind, what)) => Ended::Broken(Broken { kind, what, was_up }),
            }
        })
    }

    fn look(&mut self) -> Look<'_> {
        Box::pin(async {
            let looked = self.look_once().await;
            self.looking = looked.is_ok();
            looked
        })
    }

    fn timing(&self) -> Timing {
        self.pace.handshake
    }

    fn backoff(&self) -> (Duration, Duration) {
        self.pace.backoff
    }

    fn peer(&self) -> String {
        self.peer.clone()
    }
}
