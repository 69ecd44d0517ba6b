//! The verdict stage: one task on runtime `hot` that owns the open parts, asks the rules, answers the PLC and hears it.
//!
//! The station's heartbeat is made here, by the path that a verdict takes: it stops when this task hangs or a stage
//! before it no longer shows life, and the PLC then rejects.

use super::{Answered, AwaitingWire, Desk, Examined, Pulse, Told, View};
use crate::{
    changeover::{Changeover, Granted},
    config::Plan,
    edition::{Editions, LoadedRecipe},
    metrics::Metrics,
    shadow::ShadowDoor,
    state::{Health, State},
};
use plumb_inspection::{CameraId, Cause, Lap, Laps, RecipeNumber, Trigger, TriggerSource, Trip};
use plumb_plc::{Answer, PlcEvent, PlcLink, StationState, VerdictCode};
use plumb_verdict::{Closed, Decision, Event, OpenParts, Trend, Verdict, measure};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{sync::mpsc, time};

/// The word on a part, with all it rests on.
pub struct Judged {
    /// What began it.
    pub trigger: Trigger,
    /// By which edition of which recipe.
    pub recipe: Arc<LoadedRecipe>,
    /// When the answer had to be out.
    pub deadline: Instant,
    /// Pass, fail or missed, with every reason.
    pub verdict: Verdict,
    /// Word 15 of the register block.
    pub reason_code: u16,
    /// All views were there, but too late: the PLC reads LATE.
    pub late: bool,
    /// What was seen; not all views where it was missed.
    pub views: Vec<(CameraId, View)>,
    /// The slowest view's time in each stage.
    pub laps: Laps,
    /// When the word fell.
    pub decided_at: Instant,
}

/// Takes answered parts off the hot path. Never waits.
pub trait Keeper: Send {
    /// Writes the part's record, and its pictures where they are kept.
    fn keep(&mut self, answered: Answered);
    /// True if the ledger still shows life.
    fn is_alive(&self) -> bool;
}

/// How often the station looks after itself between events; the heartbeat's 100 ms is a multiple of it.
const TICK: Duration = Duration::from_millis(20);
const BEAT_EVERY: u32 = 5;
/// An answer that the link has neither delivered nor given up for so long after its deadline is written off.
const PATIENCE: Duration = Duration::from_secs(2);

/// Open parts, rules, PLC link.
pub struct VerdictStage {
    wires: VerdictWires,
    open: OpenParts<View>,
    link: Option<PlcLink>,
    plc_name: String,
    awaiting: AwaitingWire,
    trend: Trend,
    ticks: u32,
}

/// What the stage is wired to.
pub struct VerdictWires {
    /// What the station was started from.
    pub plan: Arc<Plan>,
    /// Begins the parts that the PLC asks for.
    pub desk: Arc<Desk>,
    /// By what each part is judged.
    pub editions: Arc<Editions>,
    /// Hears which recipe the PLC wants.
    pub changeover: Changeover,
    /// Takes answered parts off the hot path.
    pub keeper: Box<dyn Keeper>,
    /// Shows parts to models that look on.
    pub shadow: ShadowDoor,
    /// Counts.
    pub metrics: Arc<Metrics>,
    /// Says how the station is.
    pub health: Arc<Health>,
    /// Says whether the models' threads live.
    pub pulse: Arc<Pulse>,
}

impl VerdictStage {
    /// A stage with no open parts.
    pub fn new(wires: VerdictWires, link: Option<PlcLink>, plc_name: String) -> Self {
        let open = OpenParts::new(wires.plan.station.open_parts_max);
        let (awaiting, trend) = (AwaitingWire::default(), Trend::new(wires.plan.trend));
        Self { wires, open, link, plc_name, awaiting, trend, ticks: 0 }
    }

    /// Runs until both inboxes are closed, every part is answered and every answer confirmed or given up.
    pub async fn run(
        mut self,
        mut begun: mpsc::Receiver<Told>,
        mut examined: mpsc::Receiver<Trip<Examined>>,
        mut plc: mpsc::Receiver<PlcEvent>,
    ) {
        let mut tick = time::interval(TICK);
        tick.set_missed_tick_behavior(time::MissedTickBehavior::Delay);
        let (mut beginning, mut seeing, mut hearing) = (true, true, true);
        while beginning || seeing {
            let deadline = self.open.next_deadline();
            let until_deadline = async {
                match deadline {
                    Some(deadline) => time::sleep_until(deadline.into()).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased; // a part's beginning before its view, whatever order they arrived in
                event = begun.recv(), if beginning => match event {
                    Some(Told::Part(event)) => self.on(event),
                    Some(Told::Exposed) => self.exposed(),
                    None => beginning = false,
                },
                trip = examined.recv(), if seeing => match trip {
                    Some(trip) => self.seen(trip),
                    None => seeing = false,
                },
                event = plc.recv(), if hearing => match event {
                    Some(event) => self.hear(event),
                    None => hearing = false,
                },
                () = until_deadline => self.on(Event::Tick),
                _ = tick.tick() => self.look_after_itself(),
            }
        }
        self.on(Event::CloseAll(Cause::Shutdown));
        let _ = time::timeout(Duration::from_millis(500), async {
            while !self.awaiting.is_empty() {
                match plc.recv().await {
                    Some(event) => self.hear(event),
                    None => break,
                }
            }
        })
        .await;
        for answered in self.awaiting.close() {
            self.keep(answered);
        }
        if let Some(link) = self.link.take() {
            link.stop().await;
        }
    }

    /// A camera gave the picture it was asked for: the part may move on, the next one may come.
    fn exposed(&mut self) {
        if let Some(link) = &self.link {
            link.exposure_complete();
        }
        self.tell_readiness(Instant::now());
    }

    fn seen(&mut self, trip: Trip<Examined>) {
        let (seen, trip) = trip.unload();
        self.on(Event::Seen { part: trip.part, camera: trip.camera, view: View { seen, laps: trip.laps } });
    }

    fn on(&mut self, event: Event<View>) {
        let now = Instant::now();
        for closed in self.open.on(now, event) {
            let judged = self.judge(now, closed);
            self.answer(now, judged);
        }
        self.tell_readiness(now);
    }

    fn judge(&self, now: Instant, closed: Closed<View>) -> Judged {
        let Closed { trigger, edition, deadline, mut views, missed, late } = closed;
        let recipe =
            self.wires.editions.get(edition).expect("an edition with an open part stays in the book");
        recipe.judged();
        let judge = &recipe.plan.judge;
        let (verdict, reason_code) = match missed {
            Some(cause) => (Verdict::missed(cause), cause.code()),
            None => {
                for (camera, view) in &mut views {
                    let scale = self
                        .wires
                        .plan
                        .cameras
                        .iter()
                        .find(|plan| plan.id == *camera)
                        .and_then(|plan| plan.mm_per_px);
                    measure(&mut view.seen.findings, scale);
                }
                let looked_at: Vec<_> =
                    views.iter().map(|(camera, view)| (camera.clone(), &view.seen.findings)).collect();
                let verdict = judge.judge(&looked_at);
                let code = verdict.reasons.first().map_or(0, |reason| judge.reason_code(reason));
                (verdict, code)
            }
        };
        let mut laps = views.iter().fold(Laps::default(), |laps, (_, view)| laps.slower(&view.laps));
        let before: Duration = Lap::ALL.iter().filter_map(|lap| laps.get(*lap)).sum();
        let total = now.saturating_duration_since(trigger.at.mono);
        laps.add(Lap::Verdict, total.saturating_sub(before));
        Judged { trigger, recipe, deadline, verdict, reason_code, late, views, laps, decided_at: now }
    }

    fn answer(&mut self, now: Instant, judged: Judged) {
        self.watch_trend(&judged);
        let edition = judged.recipe.clone();
        let recipe = edition.plan.name.as_str();
        let decision = now.saturating_duration_since(judged.trigger.at.mono);
        self.wires.metrics.decision_latency.with_label_values(&[recipe]).observe(decision.as_secs_f64());
        for lap in Lap::ALL {
            if let Some(time) = judged.laps.get(lap) {
                self.wires.metrics.stage(lap, time);
            }
        }
        match judged.verdict.decision {
            Decision::Missed(cause) => {
                self.wires.metrics.missed(cause);
                if cause == Cause::Deadline {
                    self.wires.metrics.deadline_missed();
                }
                tracing::warn!(part = %judged.trigger.part, cause = cause.as_str(), "Part could not be judged; it is rejected.");
            }
            Decision::Fail => {
                let rule = judged.verdict.reasons.first().map_or("other", |reason| reason.rule.as_str());
                self.wires.metrics.rejected(recipe, rule);
            }
            Decision::Pass => {}
        }
        if judged.late {
            self.wires.metrics.deadline_missed();
        }
        self.wires.metrics.answered(recipe, metric_word(judged.verdict.decision, judged.late));
        for (_, view) in &judged.views {
            for (model, _, score) in &view.seen.findings.scores {
                self.wires.metrics.scored(recipe, model.as_str(), score.get());
            }
        }
        let answer = Answer {
            part: judged.trigger.part,
            code: VerdictCode::of(&judged.verdict, judged.late),
            reason: judged.reason_code,
            decision,
            recipe: edition.plan.number,
            deadline: judged.deadline,
        };
        let sent = self.link.as_ref().map(|link| link.answer(answer));
        self.wires.shadow.pass(&judged);
        match sent {
            Some(Ok(())) => {
                if let Some(written_off) = self.awaiting.sent(now, judged) {
                    self.keep(written_off);
                }
            }
            Some(Err(error)) => {
                tracing::error!(part = %judged.trigger.part, %error, "Answer could not be handed to the PLC link.");
                self.keep(Answered { late: judged.late, judged, delivered: false });
            }
            None => self.keep(Answered { late: judged.late, judged, delivered: false }),
        }
    }

    /// Rejecting on mends neither a broken process nor a broken light: the people at the line are told.
    fn watch_trend(&mut self, judged: &Judged) {
        let before = self.trend.advice().is_some();
        let advice = self.trend.note(judged.verdict.decision, judged.late);
        if let (Some(advice), false) = (&advice, before) {
            tracing::error!(part = %judged.trigger.part, "The line had better stop: {advice}.");
        }
        self.wires.health.trend(advice.map(|advice| format!("the line had better stop: {advice}")));
    }

    fn keep(&mut self, answered: Answered) {
        if let Some(time) = answered.judged.laps.get(Lap::Plc) {
            self.wires.metrics.stage(Lap::Plc, time);
        }
        self.wires.metrics.records.inc();
        self.wires.keeper.keep(answered);
    }

    fn hear(&mut self, event: PlcEvent) {
        match event {
            PlcEvent::TriggerRequested { part, encoder } => {
                let numbered_by_plc = part.is_some();
                let part = self.wires.desk.ask(TriggerSource::Plc, part, Some(encoder));
                if let Some(link) = &self.link {
                    if !numbered_by_plc {
                        link.begun(part);
                    }
                    link.exposing();
                }
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
            PlcEvent::ClearErrors => tracing::info!("The PLC cleared the errors it was shown."),
            PlcEvent::LineRunning(running) => tracing::info!(running, "The PLC says whether the line runs."),
        }
        self.tell_readiness(Instant::now());
    }

    fn close_answer(&mut self, answered: Option<Answered>) {
        if let Some(answered) = answered {
            self.keep(answered);
        }
    }

    fn plc_error(&self, kind: &str) {
        self.wires.metrics.plc_error(&self.plc_name, kind);
    }

    fn plc_is(&self, down: Option<String>) {
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
    fn tell_state(&self, recipe_changing: bool) {
        if let Some(link) = &self.link {
            let condition = self.wires.health.condition();
            link.set_state(StationState {
                online: !matches!(condition.state, State::Stopped | State::NotReleased),
                fault: condition.state == State::Fault,
                recipe_changing,
                recipe: self.wires.desk.current().plan.number,
            });
        }
    }

    fn look_after_itself(&mut self) {
        let now = Instant::now();
        self.ticks = self.ticks.wrapping_add(1);
        for answered in self.awaiting.overdue(now, PATIENCE) {
            self.plc_error("answer_dropped");
            self.keep(answered);
        }
        if self.ticks.is_multiple_of(BEAT_EVERY) {
            let infer = self.wires.pulse.is_alive();
            let ledger = self.wires.keeper.is_alive();
            for (heart, alive) in
                [("infer", infer), ("ledger", ledger), ("verdict", true), ("plc", self.link.is_some())]
            {
                if alive {
                    self.wires.metrics.beat(heart);
                }
            }
            let condition = self.wires.health.condition();
            self.wires.metrics.set_state(condition.state);
            self.tell_state(self.wires.changeover.plc_waits());
            if let Some(link) = &self.link
                && infer
                && ledger
            {
                link.beat();
            }
        }
        self.tell_readiness(now);
    }

    /// The PLC may trigger when the next part would be judged.
    fn tell_readiness(&self, now: Instant) {
        if let Some(link) = &self.link {
            let released = !matches!(
                self.wires.health.condition().state,
                State::Fault | State::Stopped | State::NotReleased
            );
            let room = self.open.len() < self.wires.plan.station.open_parts_max;
            link.set_ready(released && room && self.wires.desk.is_ready(now));
        }
    }
}

/// Parts that could not be judged in time are errors, whatever their verdict says.
fn metric_word(decision: Decision, late: bool) -> &'static str {
    match decision {
        Decision::Pass if !late => "pass",
        Decision::Fail if !late => "reject",
        Decision::Pass | Decision::Fail | Decision::Missed(_) => "error",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_late_pass_is_never_counted_as_a_pass() {
        assert_eq!(metric_word(Decision::Pass, false), "pass");
        assert_eq!(metric_word(Decision::Pass, true), "error");
        assert_eq!(metric_word(Decision::Missed(Cause::Model), false), "error");
    }
}
