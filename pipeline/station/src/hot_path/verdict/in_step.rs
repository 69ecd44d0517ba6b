//! The stage's care for parts and pictures that belong together: who may be judged, and under which number.

use super::VerdictStage;
use crate::hot_path::View;
use plumb_inspection::{Cause, PartId, TriggerSource};
use plumb_verdict::{Closed, Event, Mismatch};
use std::time::Instant;

impl VerdictStage {
    /// One event of the table of open parts, with a beginning asked for leave first.
    pub(super) fn on(&mut self, event: Event<View>) {
        let now = Instant::now();
        let event = match event {
            Event::Began(began) => {
                let trigger = &began.trigger;
                let by_picture = trigger.source == TriggerSource::Frame;
                let may = self.sync.begin(now, trigger.part, trigger.encoder, by_picture);
                self.look_at_sync(now);
                if may { Event::Began(began) } else { Event::Refused(began, Cause::LostSync) }
            }
            event => event,
        };
        let closed = self.open.on(now, event);
        self.close(now, closed);
        self.tell_readiness(now);
    }

    /// Parts and pictures do not belong together any more: whatever is open is rejected.
    pub(super) fn out_of_step(&mut self, why: Mismatch) {
        self.sync.out_of_step(why);
        self.look_at_sync(Instant::now());
    }

    /// The belt is clear, `by` says.
    pub(super) fn rezero(&mut self, by: &str) {
        if let Some(until) = self.sync.rezero(Instant::now()) {
            tracing::warn!(by, "The count of parts begins anew as soon as nothing old can come any more.");
            self.wires.desk.settle(until);
        }
        self.trend.reset();
        self.stop.advise(None);
        self.tell_stop();
    }

    /// The PLC's photo-eye saw parts.
    pub(super) fn counted(&mut self, after: PartId, part: PartId, encoder: u32) {
        let now = Instant::now();
        self.sync.counted(now, after, part, encoder);
        self.look_at_sync(now);
        self.release(now);
    }

    /// Time has passed.
    pub(super) fn keep_step(&mut self, now: Instant) {
        self.sync.tick(now);
        self.look_at_sync(now);
        self.release(now);
    }

    /// Tells what changed, once, and rejects what is open when the count is lost.
    fn look_at_sync(&mut self, now: Instant) {
        let lost = self.sync.lost().cloned();
        let news = lost.is_some() != self.is_lost;
        self.is_lost = lost.is_some();
        match lost {
            Some(why) if news => {
                tracing::error!(
                    why = why.as_str(),
                    "Every part is rejected until the count begins anew: {why}."
                );
                self.wires.metrics.line.out_of_step(&why);
                let says = format!(
                    "parts and pictures are out of step: {why}; every part is rejected until the belt is clear and \
                     ClearErrors or /api/v1/rezero says so"
                );
                self.wires.health.in_step(Some(says));
                let closed = self.open.on(now, Event::CloseAll(Cause::LostSync));
                self.close(now, closed);
            }
            None if news => {
                tracing::info!("Parts and pictures are in step again.");
                self.wires.metrics.line.in_step.set(1);
                self.wires.health.in_step(None);
                self.wires.desk.rezero();
            }
            _ => {}
        }
    }

    /// Parts that leave the table are answered: at once, or where the PLC counts them once its number is known.
    pub(super) fn close(&mut self, now: Instant, closed: Vec<Closed<View>>) {
        if self.sync.pairs_up() {
            self.unpaired.extend(closed);
            self.release(now);
            return;
        }
        for closed in closed {
            let judged = self.judge(now, closed);
            self.answer(now, judged, true);
        }
    }

    /// Answers, in order, the parts whose number at the PLC is known, and those that will never have one. The PLC is not
    /// told of the latter: their numbers could be another part's there. It rejects what it hears nothing of.
    pub(super) fn release(&mut self, now: Instant) {
        while let Some(first) = self.unpaired.front() {
            let (part, missed, deadline) = (first.trigger.part, first.missed, first.deadline);
            let pair = self.sync.take_pair(part);
            let hopeless = match missed {
                _ if self.is_lost => Some(Cause::LostSync),
                None if deadline <= now => Some(Cause::Deadline),
                missed => missed,
            };
            if pair.is_none() && hopeless.is_none() {
                return;
            }
            let Some(mut closed) = self.unpaired.pop_front() else { return };
            closed.missed = hopeless;
            if let Some(pair) = pair {
                (closed.trigger.part, closed.trigger.encoder) = (pair.counted, pair.encoder);
            }
            let judged = self.judge(now, closed);
            self.answer(now, judged, pair.is_some());
        }
    }
}
