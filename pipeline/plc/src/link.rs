//! The handle the station holds: answers in, events out, the connection kept alive in between.

use crate::{
    Answer, PlcConfig, PlcEvent, StationState,
    backoff::Backoff,
    handshake::{Seen, Timing},
    port::Port,
    protocol::{Broken, Ended, Protocol},
};
use plumb_inspection::PartId;
use std::{fmt, net::SocketAddr, sync::Arc, time::Duration};
use tokio::{sync::mpsc, task::JoinHandle, time::timeout};

/// How long [`PlcLink::stop`] waits at most.
const STOP: Duration = Duration::from_secs(2);

/// A link to a PLC, served by one task on the runtime it was started on. All methods return at once.
#[derive(Debug)]
pub struct PlcLink {
    port: Arc<Port>,
    /// `None` where there is no PLC.
    task: Option<JoinHandle<()>>,
    local_addr: Option<SocketAddr>,
}

impl PlcLink {
    /// Starts the link; the PLC need not be there yet. To be called on a tokio runtime with time and I/O.
    ///
    /// `events` is bounded by its maker. When it is full, events wait in the link, up to 1 024 and in order; while
    /// one waits no trigger is taken (TriggerReady is 0, a Trigger is a missed one), because nobody would hear of
    /// it. Past 1 024 the oldest is lost and counted in [`PlcLink::events_lost`].
    ///
    /// # Errors
    /// Values that cannot be served, no runtime, or an address that cannot be listened on.
    pub fn start(config: PlcConfig, events: mpsc::Sender<PlcEvent>) -> Result<Self, PlcError> {
        let Some(protocol) = config.open()? else {
            let port = Arc::new(Port::new(Timing::default(), events));
            return Ok(Self { port, task: None, local_addr: None });
        };
        let runtime = tokio::runtime::Handle::try_current().map_err(|_| PlcError::NoRuntime)?;
        let local_addr = protocol.local_addr();
        let port = Arc::new(Port::new(protocol.timing(), events));
        let task = runtime.spawn(keep_up(protocol, Arc::clone(&port)));
        Ok(Self { port, task: Some(task), local_addr })
    }

    /// Hands over a part's answer; it goes out at once. It ends in exactly one of
    /// [`PlcEvent::AnswerDelivered`], [`PlcEvent::AnswerOverrun`] and [`PlcEvent::AnswerDropped`].
    ///
    /// Without a PLC it counts as delivered.
    ///
    /// # Errors
    /// The link's task has ended; no event follows.
    pub fn answer(&self, answer: Answer) -> Result<(), AnswerError> {
        match &self.task {
            None => {
                let Answer { part, code, .. } = answer;
                let delivered = PlcEvent::AnswerDelivered { part, code, took: Duration::ZERO };
                self.port.step(|shake, _| shake.note(delivered));
                Ok(())
            }
            Some(task) if task.is_finished() => Err(AnswerError { part: answer.part }),
            Some(_) => {
                self.port.answer(answer);
                Ok(())
            }
        }
    }

    /// One step of the station's heartbeat. To be called by the loop that makes the verdicts, every 100 ms, and by
    /// nothing else: the PLC rejects everything when it stands still for 300 ms, and so it should.
    pub fn beat(&self) {
        self.port.step(|shake, _| shake.beat());
    }

    /// Whether a part could be begun now (TriggerReady).
    pub fn set_ready(&self, ready: bool) {
        self.port.tell(|shake, _| shake.set_ready(ready));
    }

    /// Online, Fault, RecipeChanging, active recipe.
    pub fn set_state(&self, state: StationState) {
        self.port.tell(|shake, _| shake.set_state(state));
    }

    /// A part was begun that the PLC did not number: Busy until its answer.
    pub fn begun(&self, part: PartId) {
        self.port.tell(|shake, now| shake.begun(now, part));
    }

    /// The shutter opened: the part must not move.
    pub fn exposing(&self) {
        self.port.tell(|shake, now| shake.exposing(now));
    }

    /// The shutter closed: the part may move.
    pub fn exposure_complete(&self) {
        self.port.tell(|shake, _| shake.exposure_complete());
    }

    /// The PLC answers and its heartbeat moves. True where there is no PLC.
    pub fn is_up(&self) -> bool {
        match &self.task {
            None => true,
            Some(task) => !task.is_finished() && self.port.step(|shake, _| shake.is_up()),
        }
    }

    /// Its task has ended by itself, which only a panic brings about: no answer is delivered any more.
    pub fn has_ended(&self) -> bool {
        self.task.as_ref().is_some_and(JoinHandle::is_finished)
    }

    /// The block as it last crossed the wire, for whoever looks on.
    pub fn seen(&self) -> Seen {
        self.port.step(|shake, _| shake.seen())
    }

    /// Events lost because the station did not take them; more than 0 is a bug of the station.
    pub fn events_lost(&self) -> u64 {
        self.port.step(|shake, _| shake.events_lost())
    }

    /// Where the station listens, in the server role.
    pub fn local_addr(&self) -> Option<SocketAddr> {
        self.local_addr
    }

    /// Takes no trigger any more, delivers the last answers, shows the empty block (Online 0) and ends: within 2 s.
    /// What could not be delivered is told as [`PlcEvent::AnswerDropped`].
    pub async fn stop(mut self) {
        self.port.close();
        if let Some(task) = &mut self.task
            && timeout(STOP, &mut *task).await.is_err()
        {
            task.abort();
        }
        self.port.step(|shake, _| shake.abandon());
    }
}

impl Drop for PlcLink {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

/// Serves the PLC until the station closes the link, again and again.
async fn keep_up(mut protocol: Box<dyn Protocol>, port: Arc<Port>) {
    let (min, max) = protocol.backoff();
    let mut backoff = Backoff::new(min, max);
    loop {
        let broken = match protocol.serve(&port).await {
            Ended::Closed => return,
            Ended::Broken(broken) => broken,
        };
        if broken.was_up {
            backoff.reset();
        }
        let (attempt, wait) = backoff.failed();
        port.disconnected(broken.kind, sentence(&protocol.peer(), &broken, attempt, wait));
        if sit_out(wait, &port).await.is_break() {
            return;
        }
    }
}

/// Waits, while answers go on expiring; breaks off when the link is to close.
async fn sit_out(wait: Duration, port: &Port) -> std::ops::ControlFlow<()> {
    const LOOK_EVERY: Duration = Duration::from_millis(20);
    let until = tokio::time::Instant::now() + wait;
    loop {
        if port.closing() {
            return std::ops::ControlFlow::Break(());
        }
        port.step(|shake, now| shake.tick(now));
        let rest = until.saturating_duration_since(tokio::time::Instant::now());
        if rest.is_zero() {
            return std::ops::ControlFlow::Continue(());
        }
        tokio::time::sleep(rest.min(LOOK_EVERY)).await;
    }
}

fn sentence(peer: &str, broken: &Broken, attempt: u32, wait: Duration) -> String {
    let (what, next) = (&broken.what, Seconds(wait));
    format!(
        "PLC {peer} {what} (attempt {attempt}, next in {next}); parts are answered as Missed until it is back"
    )
}

struct Seconds(Duration);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_millis() {
            ms if ms % 1_000 == 0 => write!(f, "{} s", ms / 1_000),
            ms => write!(f, "{ms} ms"),
        }
    }
}

/// A link that cannot be started.
#[derive(Debug, thiserror::Error)]
pub enum PlcError {
    /// The `[plc]` table has values that cannot be served.
    #[error("{}", problems.join("; "))]
    Config {
        /// Each a sentence.
        problems: Vec<String>,
    },
    /// Server role: the address is taken, or not this machine's.
    #[error(
        "cannot listen for the PLC on {address} ({source}); is another station running, or is plc.address wrong?"
    )]
    Listen {
        /// As configured.
        address: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// Called outside a tokio runtime: a bug of the caller.
    #[error("the PLC link was started outside a tokio runtime; start it on the runtime `hot`")]
    NoRuntime,
}

/// An answer nobody will deliver.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the answer of part {part} cannot be delivered: the PLC link has ended; restart the station")]
pub struct AnswerError {
    /// Whose answer.
    pub part: PartId,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{LinkFaultKind, protocol::Session};

    /// A protocol with a bug.
    struct Panics;

    impl Protocol for Panics {
        fn serve<'a>(&'a mut self, _port: &'a Arc<Port>) -> Session<'a> {
            Box::pin(async { panic!("a test of what happens when a protocol panics") })
        }

        fn timing(&self) -> Timing {
            Timing::default()
        }

        fn backoff(&self) -> (Duration, Duration) {
            (STOP, STOP)
        }

        fn peer(&self) -> String {
            "nobody".to_owned()
        }
    }

    #[tokio::test]
    async fn a_link_that_panics_says_that_it_has_ended_and_takes_no_answer() {
        let (events, _heard) = mpsc::channel(8);
        let port = Arc::new(Port::new(Timing::default(), events));
        let task = tokio::spawn(keep_up(Box::new(Panics), Arc::clone(&port)));
        let link = PlcLink { port, task: Some(task), local_addr: None };
        while !link.has_ended() {
            tokio::task::yield_now().await;
        }
        let answer = Answer {
            part: PartId::FIRST,
            code: crate::VerdictCode::Pass,
            reason: 0,
            decision: Duration::ZERO,
            recipe: plumb_inspection::RecipeNumber(1),
            deadline: std::time::Instant::now() + STOP,
        };
        assert_eq!(link.answer(answer), Err(AnswerError { part: PartId::FIRST }));
        assert!(!link.is_up());
    }

    #[test]
    fn a_refused_connection_reads_as_the_shift_leader_wants_it() {
        let kind = LinkFaultKind::Refused;
        let broken = Broken { kind, what: "refused the connection".into(), was_up: false };
        assert_eq!(
            sentence("10.0.4.7:502", &broken, 4, Duration::from_secs(2)),
            "PLC 10.0.4.7:502 refused the connection (attempt 4, next in 2 s); \
             parts are answered as Missed until it is back"
        );
        assert_eq!(Seconds(Duration::from_millis(250)).to_string(), "250 ms");
    }

    #[tokio::test]
    async fn a_server_whose_address_is_taken_is_refused_with_the_address() {
        let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = taken.local_addr().unwrap().to_string();
        let config = crate::ModbusTcpConfig::new(crate::Role::Server, address.clone());
        let (events, _heard) = mpsc::channel(8);
        let error = PlcLink::start(PlcConfig::ModbusTcp(config), events).unwrap_err();
        assert!(error.to_string().contains(&address), "{error}");
    }

    #[test]
    fn a_link_without_a_runtime_is_an_error_not_a_panic() {
        let config = crate::ModbusTcpConfig::new(crate::Role::Client, "127.0.0.1:502");
        let (events, _heard) = mpsc::channel(8);
        let error = PlcLink::start(PlcConfig::ModbusTcp(config), events).unwrap_err();
        assert!(matches!(error, PlcError::NoRuntime));
    }
}
