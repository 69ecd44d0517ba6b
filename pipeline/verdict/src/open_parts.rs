//! The only table of parts awaiting their answer: a pure state machine over (now, event).
//!
//! A trigger opens a part; its last view, a loss or its deadline closes it, and the answers leave in trigger order.
//! A stage that hangs, panics or drops a trip is therefore answered too, and nothing is ever answered twice.

use plumb_inspection::{CameraId, Cause, Edition, PartId, Trigger};
use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

/// Views and losses that may wait for their part to begin: they race with the trigger on another channel. One more,
/// and the one that waited longest is dropped.
pub const EARLY_MAX: usize = 64;

/// How long a view waits for its part to begin; then it is a stray.
pub const EARLY_FOR: Duration = Duration::from_secs(1);

/// How long the ids of answered parts are remembered, and how many: a view that comes so late must not be taken for
/// one of a new part with the same id.
pub const REMEMBERED_FOR: Duration = Duration::from_secs(10);
const REMEMBERED_MAX: usize = 256;

/// The parts that are owed an answer. `V` is what one view brings: findings, laps.
///
/// A part's effective deadline is the earliest of its own and those of all parts after it, so a slow part never makes
/// a later one late: after [`on`](Self::on) returns, no part in the table is due.
///
/// **The same id twice.** The PLC compares ids, so a pass for one of two parts called 7 would release both; and a view
/// of part 7 does not say which. So if 7 begins while 7 is open, both are answered `Missed(DuplicateId)`. If it begins
/// within [`REMEMBERED_FOR`] of a 7 that was answered with views still on their way, the new one is. Once all its views
/// have come, an id may be used again at once.
#[derive(Debug)]
pub struct OpenParts<V> {
    limit: usize,
    /// In trigger order. At most `2 * limit`.
    queue: VecDeque<Open<V>>,
    /// What came before its trigger, oldest first. At most `EARLY_MAX`.
    early: VecDeque<Early<V>>,
    /// Parts that were answered, oldest first. At most `REMEMBERED_MAX`.
    gone: VecDeque<Gone>,
    counts: Counts,
}

/// A trigger, with what its part is owed.
#[derive(Clone, Debug)]
pub struct Began {
    /// What began the part.
    pub trigger: Trigger,
    /// The edition of the recipe it is judged by.
    pub edition: Edition,
    /// The last moment at which the answer must leave. It must hold whatever comes after the table: judging and
    /// the write to the PLC.
    pub deadline: Instant,
    /// The views to wait for. A part that nobody looks at is `Missed(Recipe)`.
    pub cameras: Vec<CameraId>,
}

/// What happens to the table.
#[derive(Clone, Debug)]
pub enum Event<V> {
    /// A part has begun.
    Began(Began),
    /// A part has begun that must not be judged, whatever its views show.
    Refused(Began, Cause),
    /// A view has been examined.
    Seen {
        /// Whose view.
        part: PartId,
        /// Which view.
        camera: CameraId,
        /// What was seen.
        view: V,
    },
    /// A view will never come.
    Lost {
        /// Whose view.
        part: PartId,
        /// Which view; `None` is the whole part, which is then missed even if all its views are here. A loss of a view
        /// that is already here, or that the part does not wait for, changes nothing.
        camera: Option<CameraId>,
        /// Why.
        cause: Cause,
    },
    /// Every part is missed, now. Parts that begin later are opened as before.
    CloseAll(Cause),
    /// Only time has passed; due at [`OpenParts::next_deadline`].
    Tick,
}

/// A part that leaves the table, to be answered now.
#[derive(Clone, Debug)]
pub struct Closed<V> {
    /// What began it.
    pub trigger: Trigger,
    /// The edition of the recipe it is judged by.
    pub edition: Edition,
    /// When the answer must have left.
    pub deadline: Instant,
    /// The views that came, in the order of [`Began::cameras`].
    pub views: Vec<(CameraId, V)>,
    /// `None`: all views are here, judge it. Otherwise why it cannot be judged.
    pub missed: Option<Cause>,
    /// All views came in time, but the table was asked only after the deadline: answered LATE, whatever the verdict.
    pub late: bool,
}

/// What the table has seen since it was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Parts begun. `begun - closed` are open.
    pub begun: u64,
    /// Parts handed out to be answered.
    pub closed: u64,
    /// Views dropped because their part is unknown, closed, or does not wait for that camera.
    pub strays: u64,
    /// Views dropped because the same camera had already given one of that part.
    pub duplicates: u64,
}

impl<V> OpenParts<V> {
    /// A table of at most `limit` (at least 1) parts. A part beyond it is `Missed(TooManyParts)`, answered in its turn;
    /// at twice the limit the oldest part is missed for the same cause, so that the queue moves.
    pub fn new(limit: usize) -> Self {
        Self {
            limit: limit.max(1),
            queue: VecDeque::new(),
            early: VecDeque::new(),
            gone: VecDeque::new(),
            counts: Counts::default(),
        }
    }

    /// Takes one event and hands out the parts that are to be answered now, in trigger order.
    ///
    /// `now` comes first: a view that comes at or after its part's deadline is too late. Calls with a `now` that runs
    /// backwards are harmless, but may answer a part later than they should.
    pub fn on(&mut self, now: Instant, event: Event<V>) -> Vec<Closed<V>> {
        self.forget(now);
        self.expire(now);
        match event {
            Event::Began(began) => {
                self.begin(began, None);
                self.expire(now);
            }
            Event::Refused(began, cause) => {
                self.begin(began, Some(cause));
                self.expire(now);
            }
            Event::Seen { part, camera, view } => self.see(now, part, camera, view),
            Event::Lost { part, camera, cause } => self.lose(now, part, camera, cause),
            Event::CloseAll(cause) => self.queue.iter_mut().for_each(|open| open.miss(cause)),
            Event::Tick => {}
        }
        self.leave(now)
    }

    /// When to call next with [`Event::Tick`], if nothing else happens before.
    pub fn next_deadline(&self) -> Option<Instant> {
        self.queue.iter().map(|open| open.began.deadline).min()
    }

    /// Parts awaiting their answer.
    pub fn len(&self) -> usize {
        self.queue.len()
    }

    /// True if every part has been handed out.
    pub fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// What happened so far.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    fn begin(&mut self, began: Began, refused: Option<Cause>) {
        self.counts.begun += 1;
        let part = began.trigger.part;
        let mut open = Open::new(began);

        let mut twice = self.gone.iter().any(|gone| gone.part == part && gone.views_on_their_way);
        for twin in self.queue.iter_mut().filter(|twin| twin.began.trigger.part == part) {
            twin.miss(Cause::DuplicateId);
            twice = true;
        }
        if twice {
            open.miss(Cause::DuplicateId);
        } else if let Some(cause) = refused {
            open.miss(cause);
        } else if self.queue.len() >= self.limit {
            open.miss(Cause::TooManyParts);
        } else if open.slots.is_empty() {
            open.miss(Cause::Recipe);
        }
        if !twice {
            self.gone.retain(|gone| gone.part != part);
        }
        if self.queue.len() >= 2 * self.limit
            && let Some(oldest) = self.queue.front_mut()
        {
            oldest.miss(Cause::TooManyParts);
        }

        // In the order they came: the first loss names the cause.
        let mut others = VecDeque::with_capacity(self.early.len());
        for early in self.early.drain(..) {
            if early.part != part {
                others.push_back(early);
                continue;
            }
            match early.news {
                News::Seen(camera, view) => open.see(&camera, view, &mut self.counts),
                News::Lost(camera, cause) => open.lose(camera.as_ref(), cause),
            }
        }
        self.early = others;
        self.queue.push_back(open);
    }

    fn see(&mut self, now: Instant, part: PartId, camera: CameraId, view: V) {
        // The newest of that id: with two, both are missed and it does not matter.
        if let Some(open) = self.queue.iter_mut().rfind(|open| open.began.trigger.part == part) {
            open.see(&camera, view, &mut self.counts);
        } else if self.gone.iter().any(|gone| gone.part == part) {
            self.counts.strays += 1;
        } else {
            self.keep(Early { part, came: now, news: News::Seen(camera, view) });
        }
    }

    fn lose(&mut self, now: Instant, part: PartId, camera: Option<CameraId>, cause: Cause) {
        if let Some(open) = self.queue.iter_mut().rfind(|open| open.began.trigger.part == part) {
            open.lose(camera.as_ref(), cause);
        } else if !self.gone.iter().any(|gone| gone.part == part) {
            self.keep(Early { part, came: now, news: News::Lost(camera, cause) });
        }
    }

    fn keep(&mut self, early: Early<V>) {
        if self.early.len() == EARLY_MAX {
            self.drop_oldest_early();
        }
        self.early.push_back(early);
    }

    fn drop_oldest_early(&mut self) {
        if let Some(Early { news: News::Seen(..), .. }) = self.early.pop_front() {
            self.counts.strays += 1;
        }
    }

    fn forget(&mut self, now: Instant) {
        while self.early.front().is_some_and(|early| early.came + EARLY_FOR <= now) {
            self.drop_oldest_early();
        }
        while self.gone.front().is_some_and(|gone| gone.left + REMEMBERED_FOR <= now) {
            self.gone.pop_front();
        }
    }

    /// Everything up to the last part that is due must leave now: what is incomplete is missed.
    fn expire(&mut self, now: Instant) {
        if let Some(last_due) = self.queue.iter().rposition(|open| open.began.deadline <= now) {
            self.queue.iter_mut().take(last_due + 1).filter(|open| !open.is_complete()).for_each(|open| {
                open.miss(Cause::Deadline);
            });
        }
    }

    fn leave(&mut self, now: Instant) -> Vec<Closed<V>> {
        let ready = self.queue.iter().take_while(|open| open.missed.is_some() || open.is_complete()).count();
        let mut closed = Vec::with_capacity(ready);
        for open in self.queue.drain(..ready) {
            if self.gone.len() == REMEMBERED_MAX {
                self.gone.pop_front();
            }
            self.gone.push_back(Gone {
                part: open.began.trigger.part,
                left: now,
                views_on_their_way: open.has_views_on_their_way(),
            });
            self.counts.closed += 1;
            closed.push(open.close(now));
        }
        closed
    }
}

/// A part in the table.
#[derive(Debug)]
struct Open<V> {
    began: Began,
    /// One for each camera.
    slots: Vec<Slot<V>>,
    /// Set once.
    missed: Option<Cause>,
}

#[derive(Debug)]
enum Slot<V> {
    Awaited,
    Seen(V),
    Lost,
}

impl<V> Open<V> {
    fn new(mut began: Began) -> Self {
        let mut cameras: Vec<CameraId> = Vec::with_capacity(began.cameras.len());
        for camera in began.cameras.drain(..) {
            if !cameras.contains(&camera) {
                cameras.push(camera);
            }
        }
        let slots = cameras.iter().map(|_| Slot::Awaited).collect();
        Self { began: Began { cameras, ..began }, slots, missed: None }
    }

    fn slot(&mut self, camera: &CameraId) -> Option<&mut Slot<V>> {
        let at = self.began.cameras.iter().position(|awaited| awaited == camera)?;
        self.slots.get_mut(at)
    }

    fn see(&mut self, camera: &CameraId, view: V, counts: &mut Counts) {
        // A view for a part that is missed already does not count as having come: with ids used twice it may be of
        // another part, and what is on its way must then still be waited out.
        let missed = self.missed.is_some();
        match self.slot(camera) {
            Some(slot @ Slot::Awaited) if !missed => *slot = Slot::Seen(view),
            Some(Slot::Seen(_)) => counts.duplicates += 1,
            _ => counts.strays += 1,
        }
    }

    fn lose(&mut self, camera: Option<&CameraId>, cause: Cause) {
        match camera {
            None => self.miss(cause),
            Some(camera) => {
                if let Some(slot @ Slot::Awaited) = self.slot(camera) {
                    *slot = Slot::Lost;
                    self.miss(cause);
                }
            }
        }
    }

    /// The first cause is the one that is told.
    fn miss(&mut self, cause: Cause) {
        self.missed.get_or_insert(cause);
    }

    fn is_complete(&self) -> bool {
        self.slots.iter().all(|slot| matches!(slot, Slot::Seen(_)))
    }

    fn has_views_on_their_way(&self) -> bool {
        self.slots.iter().any(|slot| matches!(slot, Slot::Awaited))
    }

    fn close(self, now: Instant) -> Closed<V> {
        let Self { began: Began { trigger, edition, deadline, cameras }, slots, missed } = self;
        let views = cameras.into_iter().zip(slots).filter_map(|(camera, slot)| match slot {
            Slot::Seen(view) => Some((camera, view)),
            Slot::Awaited | Slot::Lost => None,
        });
        Closed {
            trigger,
            edition,
            deadline,
            views: views.collect(),
            missed,
            late: missed.is_none() && now > deadline,
        }
    }
}

/// News of a part that has not begun, as far as the table knows.
#[derive(Debug)]
struct Early<V> {
    part: PartId,
    came: Instant,
    news: News<V>,
}

#[derive(Debug)]
enum News<V> {
    Seen(CameraId, V),
    Lost(Option<CameraId>, Cause),
}

/// A part that was answered.
#[derive(Debug)]
struct Gone {
    part: PartId,
    left: Instant,
    /// Neither seen nor lost when it was answered: it may come yet.
    views_on_their_way: bool,
}

#[cfg(test)]
mod tests {
    use super::*;
    use plumb_inspection::{Stamp, TriggerSource};

    /// A table and a clock that starts at 0 ms.
    struct Bench {
        start: Instant,
        table: OpenParts<&'static str>,
    }

    impl Bench {
        fn new(limit: usize) -> Self {
            Self { start: Instant::now(), table: OpenParts::new(limit) }
        }

        fn on(&mut self, ms: u64, event: Event<&'static str>) -> Vec<(u32, Option<Cause>)> {
            let closed = self.table.on(self.start + Duration::from_millis(ms), event);
            closed.iter().map(|closed| (closed.trigger.part.get(), closed.missed)).collect()
        }

        fn begin(
            &mut self,
            ms: u64,
            part: u32,
            deadline: u64,
            cameras: &[&str],
        ) -> Vec<(u32, Option<Cause>)> {
            let at = Stamp { mono: self.start, wall: std::time::UNIX_EPOCH };
            let trigger = Trigger { part: id(part), source: TriggerSource::Plc, at, encoder: None };
            let deadline = self.start + Duration::from_millis(deadline);
            let cameras = cameras.iter().map(|camera| CameraId::from(*camera)).collect();
            self.on(ms, Event::Began(Began { trigger, edition: Edition(1), deadline, cameras }))
        }
    }

    fn id(part: u32) -> PartId {
        PartId::new(part).unwrap()
    }

    fn seen(part: u32, camera: &str) -> Event<&'static str> {
        Event::Seen { part: id(part), camera: camera.into(), view: "findings" }
    }

    fn lost(part: u32, camera: Option<&str>, cause: Cause) -> Event<&'static str> {
        Event::Lost { part: id(part), camera: camera.map(CameraId::from), cause }
    }

    #[test]
    fn the_last_view_closes_a_part_and_a_complete_part_waits_for_its_turn() {
        let mut bench = Bench::new(8);
        bench.begin(0, 1, 100, &["a", "b"]);
        bench.begin(5, 2, 105, &["a"]);
        assert_eq!(bench.on(10, seen(2, "a")), []);
        assert_eq!(bench.on(11, seen(1, "b")), []);
        assert_eq!(bench.on(12, seen(1, "a")), [(1, None), (2, None)]);
        assert_eq!(bench.table.next_deadline(), None);
    }

    #[test]
    fn a_part_is_missed_at_its_deadline_and_not_before() {
        let mut bench = Bench::new(8);
        bench.begin(0, 1, 100, &["a"]);
        assert_eq!(bench.table.next_deadline(), Some(bench.start + Duration::from_millis(100)));
        assert_eq!(bench.on(99, Event::Tick), []);
        assert_eq!(
            bench.on(100, seen(1, "a")),
            [(1, Some(Cause::Deadline))],
            "the deadline comes before the view"
        );
        assert_eq!(bench.table.counts().strays, 1);
    }

    #[test]
    fn an_earlier_part_is_given_up_rather_than_make_a_later_one_late() {
        let mut bench = Bench::new(8);
        bench.begin(0, 1, 500, &["a"]);
        bench.begin(1, 2, 100, &["a"]);
        bench.on(2, seen(2, "a"));
        assert_eq!(bench.on(100, Event::Tick), [(1, Some(Cause::Deadline)), (2, None)]);
    }

    #[test]
    fn a_caller_who_overslept_gives_late_answers() {
        let mut bench = Bench::new(8);
        bench.begin(0, 1, 100, &["a"]);
        bench.begin(1, 2, 100, &["a"]);
        bench.begin(1, 3, 101, &["a"]);
        bench.on(2, seen(2, "a"));
        bench.on(2, seen(3, "a"));
        let closed = bench.table.on(bench.start + Duration::from_millis(101), Event::Tick);
        let late: Vec<_> = closed.iter().map(|closed| (closed.missed, closed.late)).collect();
        assert_eq!(late, [(Some(Cause::Deadline), false), (None, true), (None, false)]);
    }

    #[test]
    fn a_lost_view_misses_the_part_at_once_with_the_first_cause() {
        let mut bench = Bench::new(8);
        bench.begin(0, 1, 100, &["a", "b"]);
        bench.begin(0, 2, 100, &["a", "b"]);
        bench.on(1, seen(2, "b"));
        assert_eq!(bench.on(1, lost(2, Some("b"), Cause::Model)), [], "that view is here");
        assert_eq!(bench.on(1, lost(2, Some("c"), Cause::Model)), [], "nobody waits for that view");
        assert_eq!(bench.on(2, lost(2, Some("a"), Cause::CameraDown)), []);
        assert_eq!(bench.on(3, lost(2, None, Cause::Model)), []);
        assert_eq!(
            bench.on(4, lost(1, None, Cause::Overrun)),
            [(1, Some(Cause::Overrun)), (2, Some(Cause::CameraDown))]
        );
    }

    #[test]
    fn the_record_of_a_missed_part_keeps_the_views_that_came() {
        let mut bench = Bench::new(8);
        bench.begin(0, 1, 100, &["a", "b", "c"]);
        bench.on(1, seen(1, "c"));
        bench.on(1, seen(1, "a"));
        let closed = bench.table.on(bench.start + Duration::from_millis(100), Event::Tick);
        assert_eq!(closed[0].views, [("a".into(), "findings"), ("c".into(), "findings")]);
    }

    #[test]
    fn views_and_losses_may_come_before_their_trigger() {
        let mut bench = Bench::new(8);
        bench.on(0, seen(1, "a"));
        bench.on(0, seen(1, "a"));
        bench.on(0, seen(1, "not asked"));
        bench.on(0, lost(2, Some("a"), Cause::FrameLost));
        assert_eq!(bench.begin(1, 1, 100, &["a"]), [(1, None)]);
        assert_eq!(bench.begin(1, 2, 100, &["a"]), [(2, Some(Cause::FrameLost))]);
        let Counts { strays, duplicates, .. } = bench.table.counts();
        assert_eq!((strays, duplicates), (1, 1));
    }

    #[test]
    fn views_without_a_trigger_do_not_pile_up() {
        let mut bench = Bench::new(8);
        for part in 1..=100 {
            bench.on(0, seen(part, "a"));
        }
        assert_eq!(bench.table.counts().strays, 100 - EARLY_MAX as u64);
        assert_eq!(bench.begin(1, 100, 100, &["a"]), [(100, None)], "the newest were kept");
        assert_eq!(bench.begin(1, 1, 100, &["a"]), []);
    }

    #[test]
    fn parts_beyond_the_limit_are_missed_in_their_turn() {
        let mut bench = Bench::new(2);
        bench.begin(0, 1, 100, &["a"]);
        bench.begin(0, 2, 100, &["a"]);
        assert_eq!(bench.begin(0, 3, 100, &["a"]), []);
        assert_eq!(bench.begin(0, 4, 100, &["a"]), []);
        bench.on(1, seen(2, "a"));
        let too_many = Some(Cause::TooManyParts);
        // At twice the limit the oldest goes, and all that only waited for it.
        assert_eq!(
            bench.begin(2, 5, 100, &["a"]),
            [(1, too_many), (2, None), (3, too_many), (4, too_many), (5, too_many)]
        );
        assert_eq!(bench.begin(3, 6, 100, &["a"]), []);
        assert_eq!(bench.on(4, seen(6, "a")), [(6, None)]);
    }

    #[test]
    fn two_open_parts_of_one_id_are_both_missed() {
        let mut bench = Bench::new(8);
        bench.begin(0, 7, 100, &["a"]);
        let twice = Some(Cause::DuplicateId);
        assert_eq!(bench.begin(1, 7, 101, &["a"]), [(7, twice), (7, twice)]);
        bench.on(2, seen(7, "a"));
        bench.on(3, seen(7, "a"));
        assert_eq!(bench.table.counts().strays, 2);
    }

    #[test]
    fn an_id_comes_again_only_when_no_view_of_its_last_part_can() {
        let mut bench = Bench::new(8);
        bench.begin(0, 7, 100, &["a"]);
        assert_eq!(bench.on(1, seen(7, "a")), [(7, None)]);
        bench.begin(2, 7, 100, &["a"]);
        assert_eq!(bench.on(100, Event::Tick), [(7, Some(Cause::Deadline))], "all views had come: it may");
        assert_eq!(bench.begin(200, 7, 300, &["a"]), [(7, Some(Cause::DuplicateId))], "one may still come");
        let waited = 200 + REMEMBERED_FOR.as_millis() as u64;
        bench.begin(waited, 7, waited + 100, &["a"]);
        assert_eq!(bench.on(waited + 1, seen(7, "a")), [(7, None)]);
    }

    #[test]
    fn a_part_nobody_looks_at_is_missed() {
        assert_eq!(Bench::new(8).begin(0, 1, 100, &[]), [(1, Some(Cause::Recipe))]);
    }

    #[test]
    fn a_stopping_station_answers_every_part_and_opens_new_ones_as_before() {
        let mut bench = Bench::new(8);
        bench.begin(0, 1, 100, &["a"]);
        bench.begin(0, 2, 100, &["a"]);
        bench.on(1, seen(2, "a"));
        let stopping = Some(Cause::Shutdown);
        assert_eq!(bench.on(2, Event::CloseAll(Cause::Shutdown)), [(1, stopping), (2, stopping)]);
        assert!(bench.table.is_empty());
        bench.begin(3, 3, 100, &["a"]);
        assert_eq!(bench.on(4, seen(3, "a")), [(3, None)]);
    }
}
