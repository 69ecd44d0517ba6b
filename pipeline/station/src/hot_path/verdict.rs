//! The verdict stage: one task on runtime `hot` that owns the open parts, asks the rules, answers the PLC and hears it.
//!
//! The station's heartbeat is made here, by the path that a verdict takes: it stops when this task hangs or a stage
//! before it no longer shows life, and the PLC then rejects.

use super::{Answered, AwaitingWire, Desk, Examined, Told, View};
use crate::{
    config::Plan,
    metrics::Metrics,
    state::{Health, State},
};
use plumb_inspection::{CameraId, Cause, Lap, Laps, RecipeNumber, Trigger, TriggerSource, Trip};
use plumb_plc::{Answer, PlcEvent, PlcLink, StationState, VerdictCode};
use plumb_verdict::{Closed, Decision, Event, OpenParts, Trend, Verdict, measure};
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::{sync::mpsc, time};

/// The word on a part, with all it rests on.
pub struct Judged {
    /// What began it.
    pub trigger: Trigger,
    /// By which recipe.
    pub recipe: RecipeNumber,
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

/// Life signs of the threads before this stage: each ticks even when no part comes.
#[derive(Debug)]
pub struct Pulse {
    started: Instant,
    infer_ms: AtomicU64,
}

/// A heart that has just beaten.
impl Default for Pulse {
    fn default() -> Self {
        Self { started: Instant::now(), infer_ms: AtomicU64::new(0) }
    }
}

impl Pulse {
    /// `infer` is alive.
    pub fn infer(&self) {
        self.infer_ms.store(self.started.elapsed().as_millis() as u64, Ordering::Relaxed);
    }

    fn infer_is_alive(&self) -> bool {
        let silent =
            (self.started.elapsed().as_millis() as u64).saturating_sub(self.infer_ms.load(Ordering::Relaxed));
        silent < 1000
    }
}

/// How often the station looks after itself between events; the heartbeat's 100 ms is a multiple of it.
const TICK: Duration = Duration::from_millis(20);
const BEAT_EVERY: u32 = 5;
/// An answer that the link has neither delivered nor given up for so long after its deadline is written off.
const PATIENCE: Duration = Duration::from_secs(2);

/// Open parts, rules, PLC link.
pub struct VerdictStage {
    plan: Arc<Plan>,
    desk: Arc<Desk>,
    open: OpenParts<View>,
    link: Option<PlcLink>,
    plc_name: String,
    awaiting: AwaitingWire,
    trend: Trend,
    keeper: Box<dyn Keeper>,
    metrics: Arc<Metrics>,
    health: Arc<Health>,
    pulse: Arc<Pulse>,
    ticks: u32,
}

impl VerdictStage {
    /// A stage with no open parts.
    #[expect(
        clippy::too_many_arguments,
        reason = "each is one wire of the diagram in HOUSE and has one caller"
    )]
    pub fn new(
        plan: Arc<Plan>,
        desk: Arc<Desk>,
        link: Option<PlcLink>,
        plc_name: String,
        keeper: Box<dyn Keeper>,
        metrics: Arc<Metrics>,
        health: Arc<Health>,
        pulse: Arc<Pulse>,
    ) -> Self {
        let open = OpenParts::new(plan.station.open_parts_max);
        let awaiting = AwaitingWire::default();
        let trend = Trend::new(plan.trend);
        Self { plan, desk, open, link, plc_name, awaiting, trend, keeper, metrics, health, pulse, ticks: 0 }
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
        let Closed { trigger, recipe, deadline, mut views, missed, late } = closed;
        let plan = &self.plan.recipes[&recipe];
        let (verdict, reason_code) = match missed {
            Some(cause) => (Verdict::missed(cause), cause.code()),
            None => {
                for (camera, view) in &mut views {
                    let scale = self
                        .plan
                        .cameras
                        .iter()
                        .find(|plan| plan.id == *camera)
                        .and_then(|plan| plan.mm_per_px);
                    measure(&mut view.seen.findings, scale);
                }
                let looked_at: Vec<_> =
                    views.iter().map(|(camera, view)| (camera.clone(), &view.seen.findings)).collect();
                let verdict = plan.judge.judge(&looked_at);
                let code = verdict.reasons.first().map_or(0, |reason| plan.judge.reason_code(reason));
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
        let recipe = self.plan.recipes[&judged.recipe].name.as_str();
        let decision = now.saturating_duration_since(judged.trigger.at.mono);
        self.metrics.decision_latency.with_label_values(&[recipe]).observe(decision.as_secs_f64());
        for lap in Lap::ALL {
            if let Some(time) = judged.laps.get(lap) {
                self.metrics.stage(lap, time);
            }
        }
        match judged.verdict.decision {
            Decision::Missed(cause) => {
                self.metrics.missed(cause);
                if cause == Cause::Deadline {
                    self.metrics.deadline_missed();
                }
                tracing::warn!(part = %judged.trigger.part, cause = cause.as_str(), "Part could not be judged; it is rejected.");
            }
            Decision::Fail => {
                let rule = judged.verdict.reasons.first().map_or("other", |reason| reason.rule.as_str());
                self.metrics.rejected(recipe, rule);
            }
            Decision::Pass => {}
        }
        if judged.late {
            self.metrics.deadline_missed();
        }
        self.metrics.answered(recipe, metric_word(&judged));
        for (_, view) in &judged.views {
            for (model, _, score) in &view.seen.findings.scores {
                self.metrics.scored(recipe, model.as_str(), score.get());
            }
        }
        let answer = Answer {
            part: judged.trigger.part,
            code: VerdictCode::of(&judged.verdict, judged.late),
            reason: judged.reason_code,
            decision,
            recipe: judged.recipe,
            deadline: judged.deadline,
        };
        let sent = self.link.as_ref().map(|link| link.answer(answer));
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
        self.health.trend(advice.map(|advice| format!("the line had better stop: {advice}")));
    }

    fn keep(&mut self, answered: Answered) {
        if let Some(time) = answered.judged.laps.get(Lap::Plc) {
            self.metrics.stage(Lap::Plc, time);
        }
        self.metrics.records.inc();
        self.keeper.keep(answered);
    }

    fn hear(&mut self, event: PlcEvent) {
        match event {
            PlcEvent::TriggerRequested { part, encoder } => {
                let numbered_by_plc = part.is_some();
                let part = self.desk.ask(TriggerSource::Plc, part, Some(encoder));
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
            PlcEvent::RoundTrip(time) => self.metrics.plc_roundtrip.observe(time.as_secs_f64()),
            PlcEvent::LinkUp { says } => {
                tracing::info!("{says}");
                self.plc_is(None);
            }
            PlcEvent::LinkDown { kind, says } => {
                self.plc_error(kind.as_str());
                tracing::warn!("{says}");
                self.plc_is(Some(says));
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
        self.metrics.plc_error(&self.plc_name, kind);
    }

    fn plc_is(&self, down: Option<String>) {
        self.metrics.plc_up.with_label_values(&[&self.plc_name]).set(i64::from(down.is_none()));
        self.health.plc(down);
    }

    /// All recipes are loaded and warm from the start, so a changeover takes effect with the next part.
    fn change_recipe(&mut self, number: RecipeNumber) {
        if self.desk.change_recipe(number) {
            let recipe = &self.plan.recipes[&number];
            self.metrics.deadline.set(recipe.deadline.as_secs_f64());
            tracing::info!(recipe = %recipe.name, number = number.0, "Changed recipe.");
        } else {
            tracing::error!(
                number = number.0,
                "The PLC asks for a recipe that is not loaded; the old one stays."
            );
        }
        self.tell_state();
    }

    /// Online, fault and recipe, as the PLC's block shows them.
    fn tell_state(&self) {
        if let Some(link) = &self.link {
            let condition = self.health.condition();
            link.set_state(StationState {
                online: !matches!(condition.state, State::Stopped | State::NotReleased),
                fault: condition.state == State::Fault,
                recipe_changing: false,
                recipe: self.desk.recipe(),
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
            let infer = self.pulse.infer_is_alive();
            let ledger = self.keeper.is_alive();
            for (heart, alive) in
                [("infer", infer), ("ledger", ledger), ("verdict", true), ("plc", self.link.is_some())]
            {
                if alive {
                    self.metrics.beat(heart);
                }
            }
            let condition = self.health.condition();
            self.metrics.set_state(condition.state);
            self.tell_state();
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
            let released =
                !matches!(self.health.condition().state, State::Fault | State::Stopped | State::NotReleased);
            let room = self.open.len() < self.plan.station.open_parts_max;
            link.set_ready(released && room && self.desk.is_ready(now));
        }
    }
}

/// Parts that could not be judged in time are errors, whatever their verdict says.
fn metric_word(judged: &Judged) -> &'static str {
    match judged.verdict.decision {
        Decision::Pass if !judged.late => "pass",
        Decision::Fail if !judged.late => "reject",
        Decision::Pass | Decision::Fail | Decision::Missed(_) => "error",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use plumb_inspection::{PartId, Stamp};

    fn judged(decision: Decision, late: bool) -> Judged {
        let verdict = match decision {
            Decision::Missed(cause) => Verdict::missed(cause),
            Decision::Pass | Decision::Fail => Verdict { decision, reasons: vec![] },
        };
        let at = Stamp::now();
        let trigger = Trigger { part: PartId::FIRST, source: TriggerSource::Api, at, encoder: None };
        Judged {
            trigger,
            recipe: RecipeNumber(1),
            deadline: at.mono,
            verdict,
            reason_code: 0,
            late,
            views: vec![],
            laps: Laps::default(),
            decided_at: at.mono,
        }
    }

    #[test]
    fn a_late_pass_is_never_counted_as_a_pass() {
        assert_eq!(metric_word(&judged(Decision::Pass, false)), "pass");
        assert_eq!(metric_word(&judged(Decision::Pass, true)), "error");
        assert_eq!(metric_word(&judged(Decision::Missed(Cause::Model), false)), "error");
    }
}
