//! Digital lines: the station moves the gate itself, by a board's outputs. For gates too near for a PLC's network.
//!
//! A part is born as REJECT when it is triggered, and its window at the gate opens `delay_ms` later. Only a PASS before
//! that lets it through. An answer counts as delivered when its window is set and the lines read back as they should be.

mod lines;
mod schedule;
mod worker;

use super::{Broken, Ended, Place, Protocol, Session};
use crate::{
    DropCause, LinkFaultKind, PlcError, Timing, VerdictCode,
    port::Port,
    register_map::{Control, FromPlc},
};
use lines::{Chip, ChipInputs, Inputs, Outputs, Rise};
use plumb_inspection::PartId;
pub use schedule::GateOn;
use schedule::{Refused, Schedule};
use serde::{Deserialize, Serialize};
use std::{
    collections::VecDeque,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::{SyncSender, TrySendError, sync_channel},
    },
    time::{Duration, Instant},
};
use tokio::{
    sync::{mpsc, oneshot},
    time::timeout,
};
use worker::{Command, Worker};

/// A line by its number on the chip, or by its name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Line {
    /// Its number.
    Offset(u32),
    /// Its name, as `gpioinfo` shows it.
    Name(String),
}

/// The line to the gate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GateConfig {
    /// Which.
    pub line: Line,
    /// What it does when it is active.
    pub on: GateOn,
    /// From the trigger until the part is at the gate.
    pub delay_ms: u64,
    /// How long it is there.
    pub width_ms: u64,
    /// Active is low on the wire.
    #[serde(default)]
    pub active_low: bool,
}

/// The line that turns over with each beat of the verdict path: five pulses a second while the station lives.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AliveConfig {
    /// Which.
    pub line: Line,
    /// Active is low on the wire.
    #[serde(default)]
    pub active_low: bool,
}

/// An input; its rise counts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InputConfig {
    /// Which.
    pub line: Line,
    /// Shorter pulses are bounce.
    #[serde(default = "debounce_us")]
    pub debounce_us: u64,
    /// Active is low on the wire.
    #[serde(default)]
    pub active_low: bool,
}

fn debounce_us() -> u64 {
    500
}

/// The `[plc]` table with `kind = "digital_io"`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DigitalIoConfig {
    /// The board's device, as /dev/gpiochip0.
    pub chip: String,
    /// The output to the gate.
    pub gate: GateConfig,
    /// An output for a watchdog relay in series with the gate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alive: Option<AliveConfig>,
    /// A photo-eye that triggers. Without it something else begins the parts, and the gate's delay counts from there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trigger: Option<InputConfig>,
    /// A button that clears errors.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reset: Option<InputConfig>,
    /// How long each wait of the handshake may last.
    #[serde(default)]
    pub handshake: Timing,
}

impl DigitalIoConfig {
    /// Every problem of these values, as sentences; none if they can be served.
    pub fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        for (key, value) in [("delay_ms", self.gate.delay_ms), ("width_ms", self.gate.width_ms)] {
            if !(1..=60_000).contains(&value) {
                problems.push(format!("plc gate.{key} is {value}, expected 1 to 60000"));
            }
        }
        if !self.chip.starts_with("/dev/") {
            problems.push(format!("plc chip \"{}\" should be a device, as /dev/gpiochip0", self.chip));
        }
        let inputs = [&self.trigger, &self.reset].into_iter().flatten().map(|input| &input.line);
        let mut lines: Vec<&Line> = std::iter::once(&self.gate.line)
            .chain(self.alive.iter().map(|alive| &alive.line))
            .chain(inputs)
            .collect();
        while let Some(line) = lines.pop() {
            if lines.contains(&line) {
                problems.push(format!("plc line {line:?} is named twice; each use needs a line of its own"));
            }
        }
        problems
    }

    /// A board's lines are taken one by one; two links that want the same one are refused by the kernel.
    pub(super) fn place(&self) -> Place {
        Place::whole(format!("line {:?} of {}", self.gate.line, self.chip))
    }

    pub(super) fn open(&self) -> Result<Box<dyn Protocol>, PlcError> {
        let problems = self.problems();
        if !problems.is_empty() {
            return Err(PlcError::Config { problems });
        }
        Ok(Box::new(DigitalIo { config: self.clone(), board: Box::new(Gpio), next_part: PartId::FIRST }))
    }
}

/// Where lines come from.
trait Board: Send {
    fn take(&mut self, config: &DigitalIoConfig, rejecting: bool) -> Result<Taken, String>;
}

type Taken = (Box<dyn Outputs>, Option<Box<dyn Inputs>>);

/// The kernel's.
struct Gpio;

impl Board for Gpio {
    fn take(&mut self, config: &DigitalIoConfig, rejecting: bool) -> Result<Taken, String> {
        let outputs = Box::new(Chip::take(config, rejecting)?);
        let inputs = ChipInputs::take(config)?.map(|inputs| Box::new(inputs) as Box<dyn Inputs>);
        Ok((outputs, inputs))
    }
}

impl Outputs for Box<dyn Outputs> {
    fn set(&mut self, gate: bool, alive: bool) -> Result<(bool, bool), String> {
        (**self).set(gate, alive)
    }
}

/// The lines as a PLC: this side of them numbers the parts that its photo-eye sees.
struct DigitalIo {
    config: DigitalIoConfig,
    board: Box<dyn Board>,
    next_part: PartId,
}

/// Tells the thread that reads the inputs to end.
struct EndInputs(Arc<AtomicBool>);

impl Drop for EndInputs {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl DigitalIo {
    async fn serve(&mut self, port: &Port) -> Result<(), String> {
        let GateConfig { on, delay_ms, width_ms, .. } = self.config.gate;
        let schedule = Schedule::new(on, Duration::from_millis(delay_ms), Duration::from_millis(width_ms));
        let (outputs, inputs) = self.board.take(&self.config, schedule.rejecting())?;
        // A part, its verdict and a beat each: more are waiting only where the thread hangs, and then all is rejected.
        let (commands, inbox) = sync_channel(64);
        let (ended, mut end) = oneshot::channel();
        let worker = Worker { outputs, schedule, commands: inbox };
        let no_thread = |error: std::io::Error| format!("has no thread to move its lines ({error})");
        std::thread::Builder::new()
            .name("plc-digital-io".into())
            .spawn(move || drop(ended.send(worker.run())))
            .map_err(no_thread)?;
        // The photo-eye: 64 rises that nobody has taken up are parts that pass as rejects anyway.
        let (rises, mut risen) = mpsc::channel(64);
        let stop = EndInputs(Arc::default());
        if let Some(inputs) = inputs {
            let stop = Arc::clone(&stop.0);
            std::thread::Builder::new()
                .name("plc-digital-in".into())
                .spawn(move || listen(inputs, &rises, &stop))
                .map_err(no_thread)?;
        }
        port.connected(&self.config.chip);
        let mut link = Link { commands, seen: VecDeque::new(), told: None, beat: None, words: waiting() };
        let mut pulse = tokio::time::interval(Duration::from_millis(5));
        loop {
            tokio::select! {
                ended = &mut end => {
                    return match ended {
                        Ok(Err(what)) => Err(what),
                        Ok(Ok(())) | Err(_) => Err("has lost the thread that moves its lines".to_owned()),
                    };
                }
                Some((rise, at)) = risen.recv() => match rise {
                    Ok(Rise::Trigger) => {
                        let part = self.next_part;
                        self.next_part = part.next();
                        if let Err(what) = link.trigger(port, part, at) {
                            return Err(last_word(end, what).await);
                        }
                    }
                    Ok(Rise::Reset) => link.reset(port),
                    Err(what) => return Err(what),
                },
                () = port.changed() => {}
                _ = pulse.tick() => link.words.heartbeat = link.words.heartbeat.wrapping_add(1),
            }
            if let Err(what) = link.exchange(port, self.config.trigger.is_none()).await {
                return Err(last_word(end, what).await);
            }
            if port.may_end() {
                return Ok(());
            }
        }
    }
}

/// What the thread that moves the lines says at its end, if it has ended; it lets go of its inbox a moment before.
async fn last_word(end: oneshot::Receiver<Result<(), String>>, otherwise: String) -> String {
    match timeout(Duration::from_millis(100), end).await {
        Ok(Ok(Err(what))) => what,
        _ => otherwise,
    }
}

/// What a PLC that waits for parts says.
fn waiting() -> FromPlc {
    let control = Control { trigger_enable: true, line_running: true, ..Control::default() };
    FromPlc { control, ..FromPlc::default() }
}

/// One connection's memory.
struct Link {
    commands: SyncSender<Command>,
    /// Parts that the schedule has been told of.
    seen: VecDeque<PartId>,
    /// The answer last handled, with its InspectionToggle.
    told: Option<(PartId, bool)>,
    beat: Option<u16>,
    words: FromPlc,
}

impl Link {
    fn command(&self, command: Command) -> Result<(), String> {
        self.commands.try_send(command).map_err(|error| match error {
            TrySendError::Full(_) => "keeps the thread that moves its lines waiting".to_owned(),
            TrySendError::Disconnected(_) => "has lost the thread that moves its lines".to_owned(),
        })
    }

    /// The photo-eye saw a part: a slot first, then the question whether the station takes it.
    fn trigger(&mut self, port: &Port, part: PartId, at: Instant) -> Result<(), String> {
        port.incoming(&self.words);
        let asks = FromPlc {
            control: Control { trigger: true, ..self.words.control },
            part: Some(part),
            ..self.words
        };
        port.incoming(&asks);
        let taken = port.outgoing().status.trigger_ack;
        port.incoming(&self.words);
        self.remember(part);
        self.command(Command::Born(taken.then_some(part), at))
    }

    fn reset(&self, port: &Port) {
        port.incoming(&FromPlc {
            control: Control { clear_errors: true, ..self.words.control },
            ..self.words
        });
    }

    fn remember(&mut self, part: PartId) {
        self.seen.push_back(part);
        if self.seen.len() > 1_024 {
            self.seen.pop_front();
        }
    }

    /// The station's half taken, ours given.
    async fn exchange(&mut self, port: &Port, begun_elsewhere: bool) -> Result<(), String> {
        if begun_elsewhere {
            for (part, since) in port.step(|shake, _| shake.open_parts()) {
                if !self.seen.contains(&part) {
                    self.remember(part);
                    self.command(Command::Born(Some(part), since))?;
                }
            }
        }
        let block = port.outgoing();
        if self.beat.replace(block.heartbeat) != Some(block.heartbeat) && block.status.online {
            self.command(Command::Beat)?;
        }
        let answer = block.part.filter(|_| block.status.results_valid);
        let told = answer.map(|part| (part, block.status.inspection_toggle));
        if let Some(part) = answer
            && self.told != told
        {
            self.told = told;
            self.seen.retain(|seen| *seen != part);
            let (done, decided) = oneshot::channel();
            self.command(Command::Decide { part, release: block.code == VerdictCode::Pass, done })?;
            match timeout(Duration::from_millis(100), decided).await {
                Ok(Ok(Ok(()))) => port.delivered(&block),
                Ok(Ok(Err(Refused::TooLate | Refused::Unknown))) => {
                    port.step(|shake, now| shake.drop_shown(now, part, DropCause::PastTheGate));
                }
                Ok(Err(_)) | Err(_) => return Err("keeps the thread that moves its lines waiting".to_owned()),
            }
        } else if answer.is_none() {
            port.delivered(&block);
        }
        port.incoming(&self.words);
        Ok(())
    }
}

fn listen(
    mut inputs: Box<dyn Inputs>,
    rises: &mpsc::Sender<(Result<Rise, String>, Instant)>,
    stop: &AtomicBool,
) {
    while !stop.load(Ordering::Relaxed) {
        let rise = match inputs.wait(Duration::from_millis(100)) {
            Ok(None) => continue,
            Ok(Some(rise)) => Ok(rise),
            Err(what) => Err(what),
        };
        let failed = rise.is_err();
        // A full channel loses a part's trigger: the line stays rejecting for it.
        let _ = rises.try_send((rise, Instant::now()));
        if failed {
            return;
        }
    }
}

impl Protocol for DigitalIo {
    fn serve<'a>(&'a mut self, port: &'a Arc<Port>) -> Session<'a> {
        Box::pin(async move {
            match Self::serve(self, port).await {
                Ok(()) => Ended::Closed,
                Err(what) => {
                    let was_up = port.step(|shake, _| shake.is_up());
                    Ended::Broken(Broken { kind: LinkFaultKind::WrongAnswer, what, was_up })
                }
            }
        })
    }

    fn timing(&self) -> Timing {
        self.config.handshake
    }

    fn backoff(&self) -> (Duration, Duration) {
        (Duration::from_millis(250), Duration::from_secs(5))
    }

    fn peer(&self) -> String {
        self.config.chip.clone()
    }
}

#[cfg(test)]
mod tests;
