//! Answers on their way into words 12–19: one shown, a few waiting, each with exactly one end.

use crate::{Answer, DropCause, PlcEvent, VerdictCode, Wait};
use plumb_inspection::PartId;
use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

/// Answers that may wait behind the one shown. A ninth pushes out the oldest, which has the least time left.
pub(super) const WAITING_MAX: usize = 8;

/// A PLC that does not acknowledge reads once a scan: the station's last answer stands for several of those.
const LAST_STANDS: Duration = Duration::from_millis(100);

#[derive(Debug)]
struct Waiting {
    answer: Answer,
    since: Instant,
}

#[derive(Debug)]
pub(super) struct Shown {
    pub(super) answer: Answer,
    /// What word 14 says: fixed once the PLC has it.
    pub(super) code: VerdictCode,
    /// When the station handed it over.
    since: Instant,
    /// When it was put into the block.
    shown_at: Instant,
    /// When the PLC had it for certain.
    delivered_at: Option<Instant>,
    /// ResultsAck has been seen low since: a stuck one acknowledges nothing.
    ack_was_low: bool,
}

#[derive(Debug)]
enum Phase {
    /// Nothing is shown, the next answer may be.
    Free,
    /// ResultsValid is 1.
    Shown(Box<Shown>),
    /// ResultsValid is 0 until the PLC has seen that and dropped ResultsAck.
    Gap { since: Instant, seen: bool, ack: bool },
}

/// The result half of the handshake.
#[derive(Debug)]
pub(super) struct Results {
    waiting: VecDeque<Waiting>,
    phase: Phase,
    buffered: bool,
    ack: bool,
    /// InspectionToggle.
    pub(super) toggle: bool,
    /// BufferOverrun.
    pub(super) overrun: bool,
}

impl Results {
    pub(super) fn new() -> Self {
        Self {
            waiting: VecDeque::with_capacity(WAITING_MAX + 1),
            phase: Phase::Free,
            buffered: false,
            ack: false,
            toggle: false,
            overrun: false,
        }
    }

    /// Takes an answer; a full queue gives up its oldest.
    pub(super) fn push(&mut self, now: Instant, answer: Answer, events: &mut VecDeque<PlcEvent>) {
        self.waiting.push_back(Waiting { answer, since: now });
        if self.waiting.len() > WAITING_MAX
            && let Some(oldest) = self.waiting.pop_front()
        {
            self.overrun = true;
            events.push_back(PlcEvent::AnswerOverrun { part: oldest.answer.part });
        }
    }

    /// What the PLC must be shown now, if anything: brings the next answer forward, turns a late one into `Late`.
    pub(super) fn show(&mut self, now: Instant) -> Option<&Shown> {
        let replaceable = match &self.phase {
            Phase::Free => true,
            // Unbuffered: the newest overwrites, but each has one write of its own.
            Phase::Shown(shown) => !self.buffered && shown.delivered_at.is_some(),
            Phase::Gap { .. } => false,
        };
        if replaceable && let Some(Waiting { answer, since }) = self.waiting.pop_front() {
            self.toggle = !self.toggle;
            let code = answer.code;
            let shown =
                Shown { answer, code, since, shown_at: now, delivered_at: None, ack_was_low: !self.ack };
            self.phase = Phase::Shown(Box::new(shown));
        }
        match &mut self.phase {
            Phase::Shown(shown) => {
                if shown.delivered_at.is_none() && now > shown.answer.deadline {
                    shown.code = VerdictCode::Late;
                }
                Some(shown)
            }
            Phase::Free | Phase::Gap { .. } => None,
        }
    }

    /// The PLC has the block last shown: with `part`'s answer in it, or with ResultsValid 0.
    pub(super) fn delivered(&mut self, now: Instant, part: Option<PartId>, events: &mut VecDeque<PlcEvent>) {
        match &mut self.phase {
            Phase::Shown(shown) if part == Some(shown.answer.part) && shown.delivered_at.is_none() => {
                shown.delivered_at = Some(now);
                events.push_back(PlcEvent::AnswerDelivered {
                    part: shown.answer.part,
                    code: shown.code,
                    took: now.saturating_duration_since(shown.since),
                });
            }
            Phase::Gap { seen, .. } if part.is_none() => {
                *seen = true;
                self.leave_gap();
            }
            Phase::Free | Phase::Shown(_) | Phase::Gap { .. } => {}
        }
    }

    /// BufferResults and ResultsAck as just read.
    pub(super) fn read(&mut self, now: Instant, buffered: bool, ack: bool) {
        self.buffered = buffered;
        self.ack = ack;
        match &mut self.phase {
            Phase::Shown(shown) if buffered => {
                if ack && shown.ack_was_low && shown.delivered_at.is_some() {
                    self.withdraw(now);
                } else if !ack {
                    shown.ack_was_low = true;
                }
            }
            Phase::Gap { ack: awaited, .. } => {
                *awaited &= ack;
                self.leave_gap();
            }
            Phase::Shown(_) | Phase::Free => {}
        }
    }

    /// ResultsValid goes to 0 before anything else is shown.
    fn withdraw(&mut self, now: Instant) {
        self.phase = Phase::Gap { since: now, seen: false, ack: self.ack && self.buffered };
    }

    fn leave_gap(&mut self) {
        if matches!(self.phase, Phase::Gap { seen: true, ack: false, .. }) {
            self.phase = Phase::Free;
        }
    }

    /// Ends every wait that has lasted `limit`. No answer stands in the block for longer, so that a part number
    /// used again never meets an old pass.
    pub(super) fn tick(&mut self, now: Instant, limit: Duration, events: &mut VecDeque<PlcEvent>) {
        let over = |since: Instant| now.saturating_duration_since(since) >= limit;
        match &self.phase {
            Phase::Shown(shown) => {
                let part = shown.answer.part;
                match shown.delivered_at {
                    Some(at) if over(at) => {
                        if self.buffered {
                            let wait = Wait::ResultsAck;
                            events.push_back(PlcEvent::WaitEnded { wait, part: Some(part) });
                        }
                        self.withdraw(now);
                    }
                    None if over(shown.shown_at) => {
                        events.push_back(PlcEvent::AnswerDropped { part, why: DropCause::NotRead });
                        self.withdraw(now);
                    }
                    Some(_) | None => {}
                }
            }
            Phase::Gap { since, ack, .. } if over(*since) => {
                if *ack {
                    events.push_back(PlcEvent::WaitEnded { wait: Wait::ResultsAckDrop, part: None });
                }
                self.phase = Phase::Free;
            }
            Phase::Gap { .. } | Phase::Free => {}
        }
    }

    /// The connection broke: what the PLC may not have goes back to the front of the queue, the rest is history.
    pub(super) fn disconnected(&mut self, events: &mut VecDeque<PlcEvent>) {
        if let Phase::Shown(shown) = std::mem::replace(&mut self.phase, Phase::Free) {
            match shown.delivered_at {
                Some(_) if self.buffered => events
                    .push_back(PlcEvent::WaitEnded { wait: Wait::ResultsAck, part: Some(shown.answer.part) }),
                Some(_) => {}
                None => {
                    self.waiting.push_front(Waiting { answer: shown.answer, since: shown.since });
                    if self.waiting.len() > WAITING_MAX
                        && let Some(oldest) = self.waiting.pop_front()
                    {
                        self.overrun = true;
                        events.push_back(PlcEvent::AnswerOverrun { part: oldest.answer.part });
                    }
                }
            }
        }
        self.ack = false;
    }

    /// Without a link an answer past its deadline will never be of use.
    pub(super) fn drop_expired(&mut self, now: Instant, events: &mut VecDeque<PlcEvent>) {
        self.drop_where(|answer| now > answer.deadline, DropCause::Expired, events);
    }

    /// `part` is the number of another part from now on.
    pub(super) fn forget(&mut self, now: Instant, part: PartId, events: &mut VecDeque<PlcEvent>) {
        self.drop_where(|answer| answer.part == part, DropCause::NumberReused, events);
        if let Phase::Shown(shown) = &self.phase
            && shown.answer.part == part
        {
            if shown.delivered_at.is_none() {
                events.push_back(PlcEvent::AnswerDropped { part, why: DropCause::NumberReused });
            }
            self.withdraw(now);
        }
    }

    /// The answer of `part`, if it is shown and not delivered, ends here.
    pub(super) fn drop_shown(
        &mut self,
        now: Instant,
        part: PartId,
        why: DropCause,
        events: &mut VecDeque<PlcEvent>,
    ) {
        if matches!(&self.phase, Phase::Shown(shown) if shown.answer.part == part && shown.delivered_at.is_none())
        {
            events.push_back(PlcEvent::AnswerDropped { part, why });
            self.withdraw(now);
        }
    }

    /// Nothing will be written any more.
    pub(super) fn abandon(&mut self, events: &mut VecDeque<PlcEvent>) {
        self.drop_where(|_| true, DropCause::Stopped, events);
        if let Phase::Shown(shown) = std::mem::replace(&mut self.phase, Phase::Free)
            && shown.delivered_at.is_none()
        {
            events.push_back(PlcEvent::AnswerDropped { part: shown.answer.part, why: DropCause::Stopped });
        }
    }

    fn drop_where(
        &mut self,
        unwanted: impl Fn(&Answer) -> bool,
        why: DropCause,
        events: &mut VecDeque<PlcEvent>,
    ) {
        self.waiting.retain(|waiting| {
            let keep = !unwanted(&waiting.answer);
            if !keep {
                events.push_back(PlcEvent::AnswerDropped { part: waiting.answer.part, why });
            }
            keep
        });
    }

    /// Every answer has reached the PLC, and been taken where it buffers.
    pub(super) fn all_delivered(&self, now: Instant) -> bool {
        let stood = |at: Instant| now.saturating_duration_since(at) >= LAST_STANDS;
        self.waiting.is_empty()
            && match &self.phase {
                Phase::Shown(shown) => shown.delivered_at.is_some_and(stood) && !self.buffered,
                Phase::Free | Phase::Gap { .. } => true,
            }
    }
}
