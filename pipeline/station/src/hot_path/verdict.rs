//! The verdict stage: one task on runtime `hot` that owns the open parts, asks the rules, answers the PLC and hears it.
//!
//! The station's heartbeat is made here, by the path that a verdict takes: it stops when this task hangs or a stage
//! before it no longer shows life, and the PLC then rejects.

mod in_step;
mod line;

use super::{Answered, AwaitingWire, Desk, Examined, LineStop, Pulse, StopReason, Told, View};
use crate::{
    budget::Stopwatch,
    changeover::Changeover,
    config::{LedgerFull, Plan},
    ear::Ear,
    edition::{Editions, LoadedRecipe},
    metrics::Metrics,
    mirrors::{MirrorDoor, Shown},
    shadow::ShadowDoor,
    state::Health,
};
use plumb_inspection::{CameraId, Cause, Lap, Laps, Trigger, Trip};
use plumb_plc::{Answer, PlcEvent, PlcLink, StationState, VerdictCode};
use plumb_verdict::{Closed, Decision, Event, Gap, OpenParts, PartSync, SyncConfig, Trend, Verdict, measure};
use std::{
    collections::VecDeque,
    panic::{AssertUnwindSafe, catch_unwind},
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
    /// True if the ledger still shows life. `without_records`: also while it merely cannot keep them.
    fn is_alive(&self, without_records: bool) -> bool;
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
    stop: LineStop,
    stops: Vec<StopReason>,
    sync: PartSync,
    /// What was last told of `sync`.
    is_lost: bool,
    /// Parts that left the table and wait for the PLC's number, in order. As many as may be open, and no longer than
    /// their deadline.
    unpaired: VecDeque<Closed<View>>,
    /// What the mirrors were last shown.
    shown: (Option<bool>, Option<StationState>),
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
    /// Shows to other links what the gate's is shown.
    pub mirrors: MirrorDoor,
    /// Remembers how long parts took.
    pub stopwatch: Arc<Stopwatch>,
    /// Counts.
    pub metrics: Arc<Metrics>,
    /// Says how the station is.
    pub health: Arc<Health>,
    /// Says whether the models' threads live.
    pub pulse: Arc<Pulse>,
    /// Hears a part be judged, and its answer handed over.
    pub ear: Ear,
}

impl VerdictStage {
    /// A stage with no open parts.
    pub fn new(wires: VerdictWires, link: Option<PlcLink>, plc_name: String) -> Self {
        let open = OpenParts::new(wires.plan.station.open_parts_max);
        let (awaiting, trend) = (AwaitingWire::default(), Trend::new(wires.plan.trend));
        let sync = PartSync::new(sync_config(&wires.plan));
        Self {
            wires,
            open,
            link,
            plc_name,
            awaiting,
            trend,
            stop: LineStop::default(),
            stops: Vec::new(),
            sync,
            is_lost: false,
            unpaired: VecDeque::new(),
            shown: (None, None),
            ticks: 0,
        }
    }

    /// Runs until both inboxes are closed, every part is answered and every answer confirmed or given up.
    pub async fn run(
        mut self,
        mut begun: mpsc::Receiver<Told>,
        mut examined: mpsc::Receiver<Trip<Examined>>,
        mut plc: mpsc::Receiver<PlcEvent>,
    ) {
        let heart = self.wires.pulse.listen("verdict");
        let mut tick = time::interval(TICK);
        tick.set_missed_tick_behavior(time::MissedTickBehavior::Delay);
        let (mut beginning, mut seeing, mut hearing) = (true, true, true);
        while beginning || seeing {
            let unpaired = self.unpaired.front().map(|closed| closed.deadline);
            let deadline = self.open.next_deadline().into_iter().chain(unpaired).min();
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
                    Some(Told::OutOfStep(why)) => self.out_of_step(why),
                    Some(Told::Rezero) => self.rezero("somebody at the API"),
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
                () = until_deadline => {
                    self.on(Event::Tick);
                    self.keep_step(Instant::now());
                }
                _ = tick.tick() => {
                    heart.beat();
                    self.look_after_itself();
                }
            }
        }
        heart.leave();
        self.on(Event::CloseAll(Cause::Shutdown));
        for closed in &mut self.unpaired {
            closed.missed.get_or_insert(Cause::Shutdown);
        }
        self.release(Instant::now());
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

    fn seen(&mut self, trip: Trip<Examined>) {
        let (seen, trip) = trip.unload();
        self.on(Event::Seen { part: trip.part, camera: trip.camera, view: View { seen, laps: trip.laps } });
    }

    fn judge(&self, now: Instant, closed: Closed<View>) -> Judged {
        let Closed { trigger, edition, deadline, mut views, missed, late } = closed;
        let recipe =
            self.wires.editions.get(edition).expect("an edition with an open part stays in the book");
        recipe.judged();
        let missed_for = |cause: Cause| (Verdict::missed(cause), cause.code());
        let weighed = || {
            self.wires.ear.hears("verdict");
            missed.map_or_else(|| self.weigh(&recipe, &mut views), missed_for)
        };
        // A rule that panics costs the part its verdict, not the line its station.
        let weighed = catch_unwind(AssertUnwindSafe(weighed));
        let (mut verdict, mut reason_code) = weighed.unwrap_or_else(|_| missed_for(Cause::Verdict));
        if let Some(withheld) = self.wires.desk.challenge().judged(trigger.part, &verdict, late) {
            (verdict, reason_code) = (withheld, Cause::NotReleased.code());
        }
        let mut laps = views.iter().fold(Laps::default(), |laps, (_, view)| laps.slower(&view.laps));
        let before: Duration = Lap::ALL.iter().filter_map(|lap| laps.get(*lap)).sum();
        let total = now.saturating_duration_since(trigger.at.mono);
        laps.add(Lap::Verdict, total.saturating_sub(before));
        Judged { trigger, recipe, deadline, verdict, reason_code, late, views, laps, decided_at: now }
    }

    /// What the rules say, and word 15 of the register block.
    fn weigh(&self, recipe: &LoadedRecipe, views: &mut [(CameraId, View)]) -> (Verdict, u16) {
        for (camera, view) in &mut *views {
            let plan = self.wires.plan.cameras.iter().find(|plan| plan.id == *camera);
            measure(&mut view.seen.findings, plan.and_then(|plan| plan.mm_per_px));
        }
        let looked_at: Vec<_> =
            views.iter().map(|(camera, view)| (camera.clone(), &view.seen.findings)).collect();
        let judge = &recipe.plan.judge;
        let verdict = judge.judge(&looked_at);
        let code = verdict.reasons.first().map_or(0, |reason| judge.reason_code(reason));
        (verdict, code)
    }

    /// Answers a part; the PLC is left out where it could take the answer for another part's.
    fn answer(&mut self, now: Instant, judged: Judged, tell_plc: bool) {
        self.watch_trend(&judged);
        let edition = judged.recipe.clone();
        let recipe = edition.plan.name.as_str();
        let decision = now.saturating_duration_since(judged.trigger.at.mono);
        self.wires.metrics.decision_latency.observe(recipe, decision);
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
        let word = metric_word(judged.verdict.decision, judged.late);
        let is_known = self.wires.desk.challenge().knows(judged.trigger.part);
        self.wires.metrics.answered(recipe, if is_known { "challenge" } else { "production" }, word);
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
        self.wires.ear.hears("plc");
        let sent = self.link.as_ref().filter(|_| tell_plc).map(|link| link.answer(answer.clone()));
        // After the gate's: whatever the mirrors cost, the gate has its answer.
        if tell_plc {
            self.wires.mirrors.show(Shown::Answer(answer));
        }
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

    fn keep(&mut self, answered: Answered) {
        if let Some(time) = answered.judged.laps.get(Lap::Plc) {
            self.wires.metrics.stage(Lap::Plc, time);
        }
        self.wires.stopwatch.note(answered.judged.recipe.edition, &answered.judged.laps);
        self.wires.metrics.records.inc();
        let (part, delivered) = (answered.judged.trigger.part, answered.delivered);
        self.wires.keeper.keep(answered);
        self.wires.desk.challenge().answered(part, delivered);
    }

    fn look_after_itself(&mut self) {
        let now = Instant::now();
        self.ticks = self.ticks.wrapping_add(1);
        for answered in self.awaiting.overdue(now, PATIENCE) {
            self.plc_error("answer_dropped");
            self.keep(answered);
        }
        if self.ticks.is_multiple_of(BEAT_EVERY) {
            let [preprocess, infer] = ["preprocess", "infer"].map(|stage| self.wires.pulse.is_alive(stage));
            let without_records = self.wires.desk.current().plan.ledger_full == LedgerFull::GoOn;
            let ledger = self.wires.keeper.is_alive(without_records);
            let link = self.link.as_ref().is_some_and(|link| !link.has_ended());
            let alive = [("preprocess", preprocess), ("infer", infer), ("ledger", ledger)];
            for (heart, alive) in alive.into_iter().chain([("verdict", true), ("plc", link)]) {
                if alive {
                    self.wires.metrics.beat(heart);
                }
            }
            if self.link.as_ref().is_some_and(PlcLink::has_ended) {
                let says = "the PLC link has ended by a panic; restart the station";
                self.wires.health.fault(says);
                self.plc_is(Some(says.to_owned()));
            }
            let condition = self.wires.health.condition();
            self.wires.metrics.set_state(condition.state);
            self.tell_state(self.wires.changeover.plc_waits());
            if preprocess && infer && ledger {
                self.wires.pulse.station_beats();
                self.link.iter().for_each(PlcLink::beat);
                self.wires.mirrors.show(Shown::Beat);
            }
        }
        self.keep_step(now);
        self.tell_readiness(now);
    }
}

/// What the config says of the belt, as the count of parts needs it.
fn sync_config(plan: &Plan) -> SyncConfig {
    let settle = plan.cameras.iter().map(|camera| camera.frame_wait).max().unwrap_or_default();
    let gap = plan.gate.and_then(|gate| {
        let counts = gate.pitch_mm.zip(gate.mm_per_count).map(|(pitch, mm)| (1.5 * pitch / mm) as u32);
        Some(Gap { counts, time: gate.time_between_parts()?.mul_f64(1.5) })
    });
    SyncConfig { settle, gap, pair_within: plan.pair_within }
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
