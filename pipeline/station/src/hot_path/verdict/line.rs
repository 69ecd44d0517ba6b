//! The stage's side towards the line: what its PLC says, what it and the mirrors are shown, and when it had better stop.

use super::VerdictStage;
use crate::{
    changeover::Granted,
    hot_path::{Answered, Judged, StopReason},
    mirrors::Shown,
    state::State,
};
use plumb_inspection::{Cause, RecipeNumber};
use plumb_plc::{GateStatus, PlcEvent, StationState, VerdictCode};
use plumb_verdict::Decision;
use std::time::Instant;

impl VerdictStage {
    /// What the gate's PLC tells.
    pub(super) fn hear(&mut self, event: PlcEvent) {
        match event {
            PlcEvent::TriggerRequested { part, encoder, since } => {
                let numbered_by_plc = part.is_some();
                let part = self.wires.desk.announced(part, encoder, since);
                if let Some(link) = &self.link {
                    if !numbered_by_plc {
                        link.begun(part);
                    }
                    link.exposing();
                }
                self.wires.mirrors.show(Shown::Begun(part));
                self.wires.mirrors.show(Shown::Exposing);
                tracing::debug!(%part, encoder, "The PLC triggered.");
            }
            PlcEvent::AnswerDelivered { part, code, took } => {
                let answered = self.awaiting.delivered(part, code == VerdictCode::Late, took);
                self.close_answer(answered);
            }
            PlcEvent::AnswerDropped { part, why } => {
                self.plc_error("answer_dropped");
                tracing::error!(%part, "Answer never reached the PLC: {why}.");
                let answered = self.awaiting.undelivered(part);
                self.close_answer(answered);
            }
            PlcEvent::AnswerOverrun { part } => {
                self.plc_error("answer_overrun");
                tracing::error!(%part, "The PLC does not take answers up; one was pushed out of the buffer.");
                let answered = self.awaiting.undelivered(part);
                self.close_answer(answered);
            }
            PlcEvent::RecipeWanted(number) => self.change_recipe(number),
            PlcEvent::MissedTrigger { part, encoder } => {
                self.plc_error("missed_trigger");
                let part = part.map(|part| part.get());
                tracing::warn!(
                    part,
                    encoder,
                    "The PLC triggered while the station was not ready; that part was not looked at."
                );
            }
            PlcEvent::RoundTrip(time) => self.wires.metrics.plc_roundtrip.observe(time.as_secs_f64()),
            PlcEvent::LinkUp { says } => {
                tracing::info!("{says}");
                self.plc_is(None);
            }
            PlcEvent::LinkDown { kind, says } => {
                self.plc_error(kind.as_str());
                tracing::warn!("{says}");
                self.plc_is(Some(says));
                self.stop.gate(GateStatus::default());
                self.tell_stop();
            }
            PlcEvent::TurnedAway { says } => {
                self.plc_error("turned_away");
                tracing::warn!("{says}.");
            }
            PlcEvent::PlcLost { says } => {
                self.plc_error("heartbeat_lost");
                tracing::warn!("{says}");
                self.plc_is(Some(says));
            }
            PlcEvent::PlcBack => self.plc_is(None),
            PlcEvent::WaitEnded { wait, part } => {
                self.plc_error("wait_ended");
                tracing::warn!(part = part.map(|part| part.get()), "{wait}.");
            }
            PlcEvent::ClearErrors => {
                tracing::info!("The PLC cleared the errors it was shown.");
                self.rezero("the PLC");
            }
            PlcEvent::PartSeen { after, part, encoder } => self.counted(after, part, encoder),
            PlcEvent::GateStatus(gate) => {
                self.stop.gate(gate);
                self.tell_stop();
            }
            PlcEvent::LineRunning(running) => tracing::info!(running, "The PLC says whether the line runs."),
        }
        self.tell_readiness(Instant::now());
    }

    fn close_answer(&mut self, answered: Option<Answered>) {
        if let Some(answered) = answered {
            self.keep(answered);
        }
    }

    pub(super) fn plc_error(&self, kind: &str) {
        self.wires.metrics.plc_error(&self.plc_name, kind);
    }

    pub(super) fn plc_is(&self, down: Option<String>) {
        self.wires.metrics.plc_up.with_label_values(&[&self.plc_name]).set(i64::from(down.is_none()));
        self.wires.health.plc(down);
    }

    /// A recipe that is loaded takes effect with the next part. For another the PLC sees RecipeChanging until it is
    /// loaded, or until the old one in word 18 says that it could not be.
    fn change_recipe(&mut self, number: RecipeNumber) {
        let granted = self.wires.changeover.by_plc(number);
        // Shown once at least, however soon it is over: the handshake waits for its end.
        self.tell_state(granted == Granted::Later);
    }

    /// Online, fault and recipe, as the PLC's block shows them.
    pub(super) fn tell_state(&mut self, recipe_changing: bool) {
        let condition = self.wires.health.condition();
        let state = StationState {
            // A PLC shows its parts to a station that is online; while known ones are presented, it is to.
            online: condition.state == State::Fault || self.wires.health.takes_parts(),
            fault: condition.state == State::Fault,
            recipe_changing,
            recipe: self.wires.desk.current().plan.number,
            line_stop_request: self.stop.station_asks(),
        };
        if let Some(link) = &self.link {
            link.set_state(state);
        }
        if self.shown.1.replace(state) != Some(state) {
            self.wires.mirrors.show(Shown::State(state));
        }
    }

    /// Rejecting on mends neither a broken process nor a broken light: the line is asked to stop.
    pub(super) fn watch_trend(&mut self, judged: &Judged) {
        // What nobody was to judge says nothing of process or light.
        if judged.verdict.decision == Decision::Missed(Cause::NotReleased) {
            return;
        }
        let advice = self.trend.note(judged.verdict.decision, judged.late);
        if self.stop.advise(advice) {
            self.tell_stop();
        }
    }

    /// Tells everybody why the line had better stop; what is new is logged and counted.
    pub(super) fn tell_stop(&mut self) {
        let reasons = self.stop.reasons();
        let now: Vec<StopReason> = reasons.iter().map(|(reason, _)| *reason).collect();
        for (reason, says) in reasons.iter().filter(|(reason, _)| !self.stops.contains(reason)) {
            tracing::error!(reason = reason.as_str(), "{says}.");
        }
        let new = now.iter().copied().filter(|reason| !self.stops.contains(reason));
        self.wires.metrics.line.stops(&now, new);
        self.wires.health.line_stop(reasons.into_iter().map(|(_, says)| says).collect());
        self.stops = now;
        self.tell_state(self.wires.changeover.plc_waits());
    }

    /// A camera gave the picture it was asked for: the part may move on, the next one may come.
    pub(super) fn exposed(&mut self) {
        if let Some(link) = &self.link {
            link.exposure_complete();
        }
        self.wires.mirrors.show(Shown::ExposureComplete);
        self.tell_readiness(Instant::now());
    }

    /// The PLC may trigger when the next part would be judged. While the count of parts is lost it may as well: its parts
    /// are rejected, and a gap between them shows when it can begin anew. While it settles it may not.
    pub(super) fn tell_readiness(&mut self, now: Instant) {
        let room = self.open.len() + self.unpaired.len() < self.wires.plan.station.open_parts_max;
        let ready = self.wires.health.takes_parts()
            && room
            && !self.sync.is_settling()
            && self.wires.desk.is_ready(now);
        if let Some(link) = &self.link {
            link.set_ready(ready);
        }
        if self.shown.0.replace(ready) != Some(ready) {
            self.wires.mirrors.show(Shown::Ready(ready));
        }
    }
}
