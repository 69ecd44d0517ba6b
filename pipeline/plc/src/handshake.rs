//! The station's side of the handshake: a pure state machine over (now, what the PLC said, what the station did).
//!
//! It does no I/O and has no clock. A protocol asks [`Handshake::outgoing`] for the block just before it goes out,
//! calls [`Handshake::delivered`] when the PLC has it, and [`Handshake::incoming`] with what the PLC said. Every
//! wait ends by itself (see [`Timing`]); what was found out stands in [`Handshake::next_event`].
//!
//! What a PLC does wrong has its answer too (`handshake/wrong_moves.rs` goes through them row by row):
//!
//! | wrong move of the PLC | what the station does |
//! |---|---|
//! | Trigger while TriggerReady or TriggerEnable is 0 | MissedTrigger 1, no TriggerAck, no picture; cleared by the next good Trigger, by TriggerEnable falling, by ClearErrors |
//! | Trigger found at 1 after a (re)connect | the same: the part may be long gone |
//! | Trigger held after TriggerAck | it is one part; after `trigger_drop_ms` TriggerAck falls by itself; the next part needs a rise |
//! | another part id under a Trigger still held | MissedTrigger for that part; the first is answered |
//! | Trigger dropped before TriggerAck was seen | the part has begun and is answered; TriggerAck falls with Trigger |
//! | TriggerEnable dropped under TriggerAck | TriggerAck falls; the part has begun and is answered |
//! | part id 0 | the station numbers the part |
//! | a part id used again while the first is open | the first one's answer reaches nobody (`NumberReused`), and is withdrawn if it is shown |
//! | ResultsAck never set | after `result_ms` the result is withdrawn and the next one shown |
//! | ResultsAck never dropped | it acknowledges nothing more; after `result_ms` the next result is shown all the same |
//! | ResultsAck without BufferResults | ignored |
//! | results not taken, more than eight waiting | BufferOverrun 1, the oldest is dropped (`AnswerOverrun`) |
//! | heartbeat frozen | after `plc_heartbeat_ms`: TriggerReady 0, a Trigger is missed; answers are still shown; all is well at the next beat |
//! | RecipeChange to a recipe that there is not | RecipeChanging 1 until the station has found out, then 0 with the old number in word 18; the old recipe judges on |
//! | RecipeChange held, or to the active recipe | heard once; the active one is granted already |
//! | reserved bits and words | ignored |

mod pulse;
mod recipe_change;
mod results;
mod trigger;

use crate::{Answer, DropCause, LinkFaultKind, PlcEvent, Wait, register_map::*};
use plumb_inspection::{PartId, RecipeNumber};
use pulse::Pulse;
use recipe_change::RecipeChange;
use results::Results;
use serde::{Deserialize, Serialize};
use std::{
    collections::VecDeque,
    fmt,
    time::{Duration, Instant},
};
use trigger::{Edge, Trigger};

/// How long each wait of the handshake may last, in ms. What happens then stands beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Timing {
    /// For the PLC to drop Trigger after TriggerAck. Then TriggerAck is dropped.
    pub trigger_drop_ms: u64,
    /// How long an answer stands in the block. Then it is withdrawn (ResultsValid 0), acknowledged or not.
    pub result_ms: u64,
    /// For an exposure to end. Then Exposing is dropped.
    pub exposure_ms: u64,
    /// For a part's verdict. Then the part no longer makes the station Busy.
    pub busy_ms: u64,
    /// For a change of recipe. Then RecipeChanging is dropped.
    pub recipe_change_ms: u64,
    /// For the PLC's heartbeat to move. Then its program is taken for stopped, and no trigger is taken.
    pub plc_heartbeat_ms: u64,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            trigger_drop_ms: 1_000,
            result_ms: 1_000,
            exposure_ms: 2_000,
            busy_ms: 10_000,
            recipe_change_ms: 30_000,
            plc_heartbeat_ms: 500,
        }
    }
}

/// What the station says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StationState {
    /// It judges.
    pub online: bool,
    /// It cannot judge.
    pub fault: bool,
    /// Another recipe is being loaded.
    pub recipe_changing: bool,
    /// The recipe that judges now.
    pub recipe: RecipeNumber,
    /// The line had better stop.
    pub line_stop_request: bool,
}

impl Default for StationState {
    fn default() -> Self {
        Self {
            online: false,
            fault: false,
            recipe_changing: false,
            recipe: RecipeNumber(0),
            line_stop_request: false,
        }
    }
}

/// Events that may wait for the station. Past that the oldest is lost, and counted.
const EVENTS_MAX: usize = 1_024;

/// Parts that may be open at once as far as Busy and reused numbers go; the oldest is forgotten past that.
const OPEN_MAX: usize = 256;

#[derive(Clone, Debug, PartialEq, Eq)]
enum Link {
    Down,
    /// Connected; the PLC must first see a block without an answer, Online 0.
    Hello {
        peer: String,
    },
    Up,
}

/// A part that was begun and awaits its verdict.
#[derive(Debug)]
struct Open {
    part: PartId,
    since: Instant,
    /// The PLC has used the number again since: the verdict of this one must reach nobody.
    superseded: bool,
}

/// Both halves of the block as they last crossed the wire.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// What the PLC said last; `None` before its first word.
    pub from_plc: Option<FromPlc>,
    /// When it said that.
    pub heard_at: Option<Instant>,
    /// What it is shown.
    pub to_plc: ToPlc,
}

/// The whole handshake. See the module's words.
#[derive(Debug)]
pub struct Handshake {
    timing: Timing,
    link: Link,
    closing: bool,
    ready: bool,
    state: StationState,
    heartbeat: u16,
    trigger: Trigger,
    results: Results,
    pulse: Pulse,
    recipe_change: RecipeChange,
    clear_errors: bool,
    line_running: Option<bool>,
    gate: GateStatus,
    /// The PLC's part number as last read.
    part_seen: Option<PartId>,
    exposing_since: Option<Instant>,
    exposure_complete: bool,
    open: VecDeque<Open>,
    events: VecDeque<PlcEvent>,
    events_lost: u64,
    /// When the PLC was last asked, or last heard where it speaks of its own accord.
    asked_at: Option<Instant>,
    seen: Seen,
}

impl Handshake {
    /// Not connected, not ready, not online.
    pub fn new(now: Instant, timing: Timing) -> Self {
        Self {
            timing,
            link: Link::Down,
            closing: false,
            ready: false,
            state: StationState::default(),
            heartbeat: 0,
            trigger: Trigger::new(),
            results: Results::new(),
            pulse: Pulse::new(now),
            recipe_change: RecipeChange::default(),
            clear_errors: false,
            line_running: None,
            gate: GateStatus::default(),
            part_seen: None,
            exposing_since: None,
            exposure_complete: false,
            open: VecDeque::new(),
            events: VecDeque::new(),
            events_lost: 0,
            asked_at: None,
            seen: Seen::default(),
        }
    }

    // ---- the wire's side

    /// The block as the PLC must be shown it now.
    pub fn outgoing(&mut self, now: Instant) -> ToPlc {
        let block = self.block(now);
        self.seen.to_plc = block;
        block
    }

    fn block(&mut self, now: Instant) -> ToPlc {
        let heard = self.events.is_empty();
        self.tick(now);
        if self.link != Link::Up {
            return ToPlc { heartbeat: self.heartbeat, ..ToPlc::default() };
        }
        let ready = heard && self.can_take_a_trigger() && self.trigger.armed();
        let mut block = ToPlc {
            status: Status {
                online: self.state.online && !self.closing,
                trigger_ready: ready,
                trigger_ack: self.trigger.acked(),
                exposing: self.exposing_since.is_some(),
                exposure_complete: self.exposure_complete,
                busy: !self.open.is_empty(),
                missed_trigger: self.trigger.missed,
                recipe_changing: self.recipe_changing(),
                fault: self.state.fault,
                line_stop_request: self.state.line_stop_request,
                ..Status::default()
            },
            heartbeat: self.heartbeat,
            recipe: self.state.recipe,
            ..ToPlc::default()
        };
        if let Some(shown) = self.results.show(now) {
            block.status.results_valid = true;
            block.part = Some(shown.answer.part);
            block.code = shown.code;
            block.reason = shown.answer.reason;
            block.decision_us = u32::try_from(shown.answer.decision.as_micros()).unwrap_or(u32::MAX);
        }
        block.status.inspection_toggle = self.results.toggle;
        block.status.buffer_overrun = self.results.overrun;
        block
    }

    /// The PLC has `block`, the last that [`Handshake::outgoing`] gave: it acknowledged the write, or read it.
    pub fn delivered(&mut self, now: Instant, block: &ToPlc) {
        match &self.link {
            Link::Up => {
                let part = block.part.filter(|_| block.status.results_valid);
                self.results.delivered(now, part, &mut self.events);
            }
            Link::Hello { peer } => {
                let says = format!("PLC {peer} is connected");
                self.events.push_back(PlcEvent::LinkUp { says });
                self.link = Link::Up;
                self.pulse = Pulse::new(now);
            }
            Link::Down => {}
        }
        self.limit_events();
    }

    /// What the PLC said, of its own accord.
    pub fn incoming(&mut self, now: Instant, said: &FromPlc) {
        self.answered(now, now, said);
    }

    /// What the PLC said when it was asked, at the earliest at `asked_at`.
    pub fn answered(&mut self, now: Instant, asked_at: Instant, said: &FromPlc) {
        let before_this = self.asked_at.replace(asked_at).unwrap_or(asked_at);
        (self.seen.from_plc, self.seen.heard_at) = (Some(*said), Some(now));
        let heard = self.events.is_empty();
        self.tick(now);
        if self.link != Link::Up {
            return;
        }
        if self.pulse.read(now, said.heartbeat) {
            self.events.push_back(PlcEvent::PlcBack);
        }
        let control = said.control;
        if self.line_running.replace(control.line_running) != Some(control.line_running) {
            self.events.push_back(PlcEvent::LineRunning(control.line_running));
        }
        if std::mem::replace(&mut self.gate, said.gate) != said.gate {
            self.events.push_back(PlcEvent::GateStatus(said.gate));
        }
        if control.clear_errors && !self.clear_errors {
            self.trigger.missed = false;
            self.results.overrun = false;
            self.events.push_back(PlcEvent::ClearErrors);
        }
        self.clear_errors = control.clear_errors;
        if let Some(wanted) = self.recipe_change.read(now, said, self.state.recipe) {
            self.events.push_back(PlcEvent::RecipeWanted(wanted));
        }
        self.results.read(now, control.buffer_results, control.results_ack);
        let can_take = heard && self.can_take_a_trigger();
        let before = std::mem::replace(&mut self.part_seen, said.part);
        if let Some(edge) = self.trigger.read(now, said, can_take) {
            self.part_announced(now, edge, said, before_this);
        } else if let (Some(after), Some(part)) = (before, said.part)
            && after != part
            && !control.trigger
        {
            self.events.push_back(PlcEvent::PartSeen { after, part, encoder: said.encoder });
        }
        self.limit_events();
    }

    /// A connection stands; `peer` names it in the log. The next block is the empty one.
    pub fn connected(&mut self, peer: impl fmt::Display) {
        self.asked_at = None;
        if self.link == Link::Down {
            self.link = Link::Hello { peer: peer.to_string() };
        }
    }

    /// The connection broke, or could not be made.
    pub fn disconnected(&mut self, now: Instant, kind: LinkFaultKind, says: String) {
        self.link = Link::Down;
        self.trigger.disconnected();
        self.results.disconnected(&mut self.events);
        self.recipe_change.disconnected();
        self.clear_errors = false;
        self.line_running = None;
        self.gate = GateStatus::default();
        self.part_seen = None;
        self.events.push_back(PlcEvent::LinkDown { kind, says });
        self.tick(now);
    }

    /// Ends what has lasted too long. Called by every other step as well; by itself it is needed only where
    /// nothing else happens, a few times each [`Timing::plc_heartbeat_ms`].
    pub fn tick(&mut self, now: Instant) {
        let ms = Duration::from_millis;
        if self.link == Link::Up {
            self.results.tick(now, ms(self.timing.result_ms), &mut self.events);
            if self.pulse.tick(now, ms(self.timing.plc_heartbeat_ms)) {
                let says = format!(
                    "the PLC answers, but its heartbeat (word 1) has stood still for {} ms: its program has stopped",
                    self.timing.plc_heartbeat_ms
                );
                self.events.push_back(PlcEvent::PlcLost { says });
            }
        } else {
            self.results.drop_expired(now, &mut self.events);
        }
        if let Some(part) = self.trigger.tick(now, ms(self.timing.trigger_drop_ms)) {
            self.events.push_back(PlcEvent::WaitEnded { wait: Wait::TriggerDrop, part });
        }
        let over = |since: Instant, limit| now.saturating_duration_since(since) >= ms(limit);
        if self.exposing_since.is_some_and(|since| over(since, self.timing.exposure_ms)) {
            self.exposing_since = None;
            self.events.push_back(PlcEvent::WaitEnded { wait: Wait::Exposure, part: None });
        }
        if self.recipe_change.tick(now, ms(self.timing.recipe_change_ms)) {
            self.events.push_back(PlcEvent::WaitEnded { wait: Wait::RecipeChange, part: None });
        }
        while self.open.front().is_some_and(|open| over(open.since, self.timing.busy_ms)) {
            self.open.pop_front();
        }
        self.limit_events();
    }

    // ---- the station's side

    /// Hands over a part's answer. Never blocks: past eight waiting ones the oldest is dropped and said so.
    pub fn answer(&mut self, now: Instant, answer: Answer) {
        let part = answer.part;
        let place = self.open.iter().position(|open| open.part == part);
        if place.and_then(|at| self.open.remove(at)).is_some_and(|open| open.superseded) {
            self.events.push_back(PlcEvent::AnswerDropped { part, why: DropCause::NumberReused });
        } else {
            self.results.push(now, answer, &mut self.events);
        }
        self.tick(now);
    }

    /// One step of the station's heartbeat, from the loop that makes the verdicts, every 100 ms.
    pub fn beat(&mut self) {
        self.heartbeat = self.heartbeat.wrapping_add(1);
    }

    /// Whether a part could be begun now.
    pub fn set_ready(&mut self, ready: bool) {
        self.ready = ready;
    }

    /// Online, Fault, RecipeChanging and word 18.
    pub fn set_state(&mut self, state: StationState) {
        if state.recipe != self.state.recipe || (self.state.recipe_changing && !state.recipe_changing) {
            self.recipe_change.done();
        }
        self.state = state;
    }

    /// A part was begun: Busy until its answer. Parts the PLC numbered are noted already.
    pub fn begun(&mut self, now: Instant, part: PartId) {
        if !self.open.iter().any(|open| open.part == part && !open.superseded) {
            self.note_open(now, part);
        }
    }

    /// The shutter opened.
    pub fn exposing(&mut self, now: Instant) {
        self.exposing_since = Some(now);
        self.exposure_complete = false;
    }

    /// The shutter closed: the part may move.
    pub fn exposure_complete(&mut self) {
        self.exposing_since = None;
        self.exposure_complete = true;
    }

    /// The station stops: no trigger is taken any more, Online is 0, answers are still delivered.
    pub fn close(&mut self) {
        self.closing = true;
    }

    /// Nothing is left to deliver, and the PLC has had time to see the last answer.
    pub fn all_delivered(&self, now: Instant) -> bool {
        self.results.all_delivered(now)
    }

    /// Nothing will be written any more: says so of every answer left, and shows the empty block.
    pub fn abandon(&mut self) {
        self.results.abandon(&mut self.events);
        self.link = Link::Down;
        self.limit_events();
    }

    /// The parts that await their verdict and when they began, oldest first.
    pub(crate) fn open_parts(&self) -> Vec<(PartId, Instant)> {
        self.open.iter().filter(|open| !open.superseded).map(|open| (open.part, open.since)).collect()
    }

    /// The answer shown for `part` can no longer move anything: it is withdrawn.
    pub(crate) fn drop_shown(&mut self, now: Instant, part: PartId, why: DropCause) {
        self.results.drop_shown(now, part, why, &mut self.events);
        self.limit_events();
    }

    /// The block as it last crossed the wire.
    pub fn seen(&self) -> Seen {
        self.seen
    }

    /// The link stands and the PLC's program runs.
    pub fn is_up(&self) -> bool {
        self.link == Link::Up && !self.pulse.lost()
    }

    /// The oldest event not yet taken. While one waits the station is taken for busy and no trigger is accepted.
    pub fn next_event(&mut self) -> Option<PlcEvent> {
        self.events.pop_front()
    }

    /// Gives back an event that could not be handed on.
    pub(crate) fn return_event(&mut self, event: PlcEvent) {
        self.events.push_front(event);
    }

    /// Notes an event that did not come from the handshake.
    pub(crate) fn note(&mut self, event: PlcEvent) {
        self.events.push_back(event);
        self.limit_events();
    }

    /// Events lost because the station did not take them.
    pub fn events_lost(&self) -> u64 {
        self.events_lost
    }

    // ---- small ones

    fn part_announced(&mut self, now: Instant, edge: Edge, said: &FromPlc, since: Instant) {
        let (part, encoder) = (said.part, said.encoder);
        if let Some(part) = part {
            // Whatever is still on its way for this number belongs to an earlier part.
            self.results.forget(now, part, &mut self.events);
            self.open.iter_mut().filter(|open| open.part == part).for_each(|open| open.superseded = true);
        }
        if edge == Edge::Taken {
            self.exposure_complete = false;
            part.into_iter().for_each(|part| self.note_open(now, part));
        }
        self.events.push_back(match edge {
            Edge::Taken => PlcEvent::TriggerRequested { part, encoder, since },
            Edge::Missed => PlcEvent::MissedTrigger { part, encoder },
        });
    }

    fn note_open(&mut self, now: Instant, part: PartId) {
        self.open.push_back(Open { part, since: now, superseded: false });
        if self.open.len() > OPEN_MAX {
            self.open.pop_front();
        }
    }

    fn can_take_a_trigger(&self) -> bool {
        self.link == Link::Up
            && self.ready
            && self.state.online
            && !self.state.fault
            && !self.recipe_changing()
            && !self.closing
            && !self.pulse.lost()
    }

    fn recipe_changing(&self) -> bool {
        self.state.recipe_changing || self.recipe_change.pending()
    }

    fn limit_events(&mut self) {
        while self.events.len() > EVENTS_MAX {
            self.events.pop_front();
            self.events_lost += 1;
        }
    }
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod wrong_moves;
