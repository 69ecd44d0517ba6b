//! Thread `console`: from glimpses and reports to what pages show.

use super::{
    health, shift,
    window::{Counts, Glimpse},
};
use crate::{
    clock::LastAnswer,
    config::Plan,
    hot_path::Desk,
    metrics::Metrics,
    priority,
    state::{Health, State},
    threads,
};
use crossbeam_channel::{Receiver, RecvTimeoutError};
use jiff::{Timestamp, tz::TimeZone};
use plumb_console::{
    Condition, HealthItem, Kind, Latency, LivePicture, PartSeen, RecipeSeen, ShiftCount, Snapshot,
    StationState,
};
use plumb_ledger::{Ledger, Query, RecordVerdict};
use std::{
    collections::{BTreeMap, VecDeque},
    io,
    sync::Arc,
    thread::JoinHandle,
    time::{Duration, Instant},
};
use tokio::sync::watch;

/// A snapshot goes out at least so often, and with a part no more often than that.
const BEAT: Duration = Duration::from_millis(500);
const PACE: Duration = Duration::from_millis(100);
/// A look at disk and queues, which cost more than a part does.
const LOOK: Duration = Duration::from_secs(1);
/// The clock is asked after so often.
const CLOCK: Duration = Duration::from_secs(300);
/// Parts in the strip, and parts whose time counts for p50 and p99.
const LAST: usize = 12;
const TIMED: usize = 1000;

/// What everything is gathered from.
pub(crate) struct Sources {
    pub(crate) plan: Arc<Plan>,
    pub(crate) desk: Arc<Desk>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) health: Arc<Health>,
    pub(crate) ledger: Arc<Ledger>,
    pub(crate) clock: LastAnswer,
}

/// What the thread owns.
pub(crate) struct Gathering {
    from: Sources,
    glimpses: Receiver<Glimpse>,
    counts: Arc<Counts>,
    snapshots: watch::Sender<Arc<Snapshot>>,
    pictures: watch::Sender<Option<Arc<LivePicture>>>,
    last: VecDeque<PartSeen>,
    totals_us: VecDeque<u64>,
    uncalibrated: Vec<String>,
    /// Counts that were there when the shift began, to be taken off; and those of the shift from before the start.
    shift: ShiftCount,
    before: [u64; 4],
    health: Vec<HealthItem>,
}

impl Gathering {
    /// The first snapshot is there when this returns.
    pub(crate) fn new(
        from: Sources,
        (glimpses, counts): (Receiver<Glimpse>, Arc<Counts>),
        pictures: watch::Sender<Option<Arc<LivePicture>>>,
    ) -> (Self, watch::Receiver<Arc<Snapshot>>) {
        from.clock.ask_again();
        let since = shift::begin(&from.plan.console.shifts, Timestamp::now(), &TimeZone::system());
        let shift = of_ledger(&from, since);
        let first = snapshot(&from, &VecDeque::new(), &VecDeque::new(), shift, Vec::new());
        let (snapshots, seen) = watch::channel(Arc::new(first));
        let mut gathering = Self {
            from,
            glimpses,
            counts,
            snapshots,
            pictures,
            last: VecDeque::new(),
            totals_us: VecDeque::new(),
            uncalibrated: Vec::new(),
            shift,
            before: [0; 4],
            health: Vec::new(),
        };
        gathering.look_round();
        gathering.publish();
        (gathering, seen)
    }

    /// Runs until the hot path has ended.
    ///
    /// # Errors
    /// When the system has no thread left.
    pub(crate) fn start(self) -> io::Result<JoinHandle<()>> {
        threads::spawn("console".to_owned(), move || self.run())
    }

    fn run(mut self) {
        priority::stand_back();
        let (mut published, mut looked, mut clock) = (Instant::now(), Instant::now(), Instant::now());
        loop {
            let mut picture = None;
            match self.glimpses.recv_timeout(BEAT.saturating_sub(published.elapsed())) {
                Ok(glimpse) => {
                    // Of several that wait, the newest picture is the one to show.
                    for glimpse in [glimpse].into_iter().chain(self.glimpses.try_iter().collect::<Vec<_>>()) {
                        if let Some(shown) = self.note(glimpse) {
                            picture = Some(shown);
                        }
                    }
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            if let Some((seen, frame, findings)) = picture {
                let side_px = self.from.plan.console.live_side_px;
                match LivePicture::encode(&frame, (seen.part, seen.verdict), &findings, side_px) {
                    Ok(picture) => drop(self.pictures.send_replace(Some(Arc::new(picture)))),
                    Err(error) => {
                        tracing::warn!(%error, part = %seen.part, "A live picture could not be encoded.")
                    }
                }
            }
            if looked.elapsed() >= LOOK {
                looked = Instant::now();
                self.look_round();
            }
            if clock.elapsed() >= CLOCK {
                clock = Instant::now();
                self.from.clock.ask_again();
            }
            if published.elapsed() >= PACE {
                published = Instant::now();
                self.publish();
            }
        }
    }

    /// Takes a glimpse in; gives its picture, if it has one.
    fn note(
        &mut self,
        glimpse: Glimpse,
    ) -> Option<(PartSeen, plumb_inspection::Frame, Vec<plumb_inspection::Finding>)> {
        let Glimpse { seen, total_us, uncalibrated, picture } = glimpse;
        if let Some(us) = total_us {
            self.totals_us.push_back(us);
            self.totals_us.drain(..self.totals_us.len().saturating_sub(TIMED));
        }
        self.uncalibrated = uncalibrated;
        self.last.push_front(seen.clone());
        self.last.truncate(LAST);
        picture.map(|(frame, findings)| (seen, frame, findings))
    }

    /// How everything is; a thing that is as it was keeps its age.
    fn look_round(&mut self) {
        let now = Timestamp::now();
        let before: BTreeMap<(Kind, &str), (Condition, Timestamp)> = self
            .health
            .iter()
            .map(|item| ((item.kind, item.name.as_str()), (item.condition, item.since)))
            .collect();
        let aged = |(kind, name, condition, says): health::Item| {
            let was = before.get(&(kind, name.as_str())).filter(|(was, _)| *was == condition);
            let since = was.map_or(now, |(_, since)| *since);
            HealthItem { kind, name, condition, says, since }
        };
        let items = health::items(&self.from, &self.uncalibrated).into_iter().map(aged).collect();
        self.health = items;
        let begin = shift::begin(&self.from.plan.console.shifts, now, &TimeZone::system());
        // A clock that was set back begins no old shift anew.
        if begin > self.shift.since {
            self.shift = ShiftCount { since: begin, ..ShiftCount::default() };
            self.before = RecordVerdict::ALL.map(|verdict| self.counts.get(verdict));
        }
    }

    fn publish(&self) {
        let since_start = |n: usize| self.counts.get(RecordVerdict::ALL[n]).saturating_sub(self.before[n]);
        let shift = ShiftCount {
            since: self.shift.since,
            pass: self.shift.pass + since_start(0),
            fail: self.shift.fail + since_start(1),
            missed: self.shift.missed + since_start(2),
            late: self.shift.late + since_start(3),
        };
        let now = snapshot(&self.from, &self.last, &self.totals_us, shift, self.health.clone());
        self.snapshots.send_replace(Arc::new(now));
    }
}

/// What the ledger knows of the shift from before the station started.
fn of_ledger(from: &Sources, since: Timestamp) -> ShiftCount {
    let mut shift = ShiftCount { since, ..ShiftCount::default() };
    let reader = from.ledger.reader();
    for verdict in RecordVerdict::ALL {
        let query = Query { verdict: Some(verdict), from: Some(since), ..Query::default() };
        let count = reader.count(&query).unwrap_or_else(|error| {
            tracing::warn!(%error, "Parts of this shift from before the start are not counted.");
            0
        });
        match verdict {
            RecordVerdict::Pass => shift.pass = count,
            RecordVerdict::Fail => shift.fail = count,
            RecordVerdict::Missed => shift.missed = count,
            RecordVerdict::Late => shift.late = count,
        }
    }
    shift
}

fn snapshot(
    from: &Sources,
    last: &VecDeque<PartSeen>,
    totals_us: &VecDeque<u64>,
    shift: ShiftCount,
    health: Vec<HealthItem>,
) -> Snapshot {
    let condition = from.health.condition();
    let current = from.desk.current();
    let plan = &current.plan;
    Snapshot {
        at: Timestamp::now(),
        station: from.plan.station.name.clone(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        state: match condition.state {
            State::NotReleased => StationState::NotReleased,
            State::Running => StationState::Running,
            State::Degraded => StationState::Degraded,
            State::Stopped => StationState::Stopped,
            State::Fault => StationState::Fault,
        },
        reasons: condition.reasons,
        recipe: RecipeSeen {
            name: plan.name.clone(),
            number: plan.number.0,
            digest: plan.digest.clone(),
            edition: u64::from(current.edition.0),
            deadline_ms: plan.deadline.as_millis() as u64,
        },
        recipes: from.plan.recipes.values().map(|recipe| recipe.name.clone()).collect(),
        last: last.iter().cloned().collect(),
        shift,
        latency: latency(totals_us),
        health,
        challenge: from.desk.challenge().seen(),
    }
}

fn latency(totals_us: &VecDeque<u64>) -> Option<Latency> {
    let mut sorted: Vec<u64> = totals_us.iter().copied().collect();
    sorted.sort_unstable();
    let at = |share: f64| {
        let place = (sorted.len() as f64 * share).ceil() as usize;
        sorted.get(place.saturating_sub(1)).map(|us| *us as f64 / 1e3)
    };
    Some(Latency { p50_ms: at(0.5)?, p99_ms: at(0.99)?, parts: sorted.len() as u64 })
}
