//! The promises of the table of open parts, kept over 100 000 random histories each: triggers, views and losses in any
//! order, early, late, twice, never, for the wrong part or camera, with ids used again, and with a caller that sleeps.

use plumb_inspection::{CameraId, Cause, Edition, PartId, Stamp, Trigger, TriggerSource};
use plumb_verdict::{Began, Closed, Counts, EARLY_FOR, Event, OpenParts};
use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

const HISTORIES: u64 = 100_000;

#[test]
fn no_part_is_left_without_an_answer_and_none_gets_a_second() {
    let mut parts = 0;
    for history in histories() {
        let answered: Vec<usize> = history.answers().map(|(_, closed)| serial(closed)).collect();
        let mut once = answered.clone();
        once.sort_unstable();
        once.dedup();
        assert_eq!(once.len(), answered.len(), "seed {}: a second answer", history.seed);
        assert_eq!(answered.len(), history.parts.len(), "seed {}: a part without an answer", history.seed);
        assert_eq!((history.counts.begun, history.counts.closed), (once.len() as u64, once.len() as u64));
        assert!(
            history.calls.iter().all(|call| call.open <= 2 * history.limit),
            "seed {}: no limit",
            history.seed
        );
        parts += answered.len();
    }
    assert!(parts > 300_000, "only {parts} parts");
}

#[test]
fn answers_leave_in_the_order_of_their_triggers() {
    for history in histories() {
        let answered: Vec<usize> = history.answers().map(|(_, closed)| serial(closed)).collect();
        assert!(answered.is_sorted(), "seed {}: {answered:?}", history.seed);
    }
}

#[test]
fn no_answer_leaves_after_its_deadline_unless_it_is_missed_or_late() {
    let (mut judged, mut late, mut missed) = (0, 0, BTreeMap::new());
    for history in histories() {
        for (now, closed) in history.answers() {
            let in_time = now <= closed.deadline;
            assert!(in_time || closed.late || closed.missed.is_some(), "seed {}: {closed:?}", history.seed);
            assert!(
                !closed.late || (!in_time && closed.missed.is_none()),
                "seed {}: {closed:?}",
                history.seed
            );
            match closed.missed {
                None if closed.late => late += 1,
                None => judged += 1,
                Some(cause) => *missed.entry(cause).or_insert(0) += 1,
            }
        }
    }
    // Otherwise the promises are kept by a table that has seen nothing.
    println!("{judged} judged, {late} late, {missed:?}");
    assert!(judged > 50_000 && late > 500, "{judged} judged, {late} late");
    let all = [
        Cause::Deadline,
        Cause::FrameLost,
        Cause::CameraDown,
        Cause::Model,
        Cause::Recipe,
        Cause::Shutdown,
        Cause::TooManyParts,
        Cause::DuplicateId,
    ];
    for cause in all {
        assert!(missed.get(&cause).is_some_and(|&parts| parts > 500), "{cause:?}: {missed:?}");
    }
}

#[test]
fn a_caller_who_wakes_at_each_deadline_is_never_late_not_even_for_a_missed_part() {
    for history in histories().filter(|history| history.punctual) {
        for (now, closed) in history.answers() {
            let part = &history.parts[serial(closed)];
            assert!(!closed.late || part.began > part.deadline, "seed {}: {closed:?}", history.seed);
            assert!(now <= closed.deadline.max(part.began), "seed {}: {closed:?}", history.seed);
        }
    }
}

#[test]
fn no_part_in_the_table_is_due() {
    for history in histories() {
        for call in &history.calls {
            let due = call.next_deadline.is_some_and(|deadline| deadline <= call.now);
            assert!(!due, "seed {}: a part was due and stayed", history.seed);
        }
    }
}

#[test]
fn a_part_is_judged_by_all_its_own_views_and_no_others() {
    for history in histories() {
        for (_, closed) in history.answers() {
            let part = &history.parts[serial(closed)];
            let own = closed.views.iter().all(|(camera, view)| *view == (serial(closed), camera.clone()));
            assert!(own, "seed {}: another part's picture: {closed:?}", history.seed);
            let came: Vec<&CameraId> = closed.views.iter().map(|(camera, _)| camera).collect();
            let in_order: Vec<&CameraId> =
                part.cameras.iter().filter(|camera| came.contains(camera)).collect();
            assert_eq!(came, in_order, "seed {}", history.seed);
            if closed.missed.is_none() {
                assert_eq!(
                    came.len(),
                    part.cameras.len(),
                    "seed {}: a view is missing: {closed:?}",
                    history.seed
                );
            }
        }
    }
}

#[test]
fn a_part_whose_views_came_in_time_is_judged_and_no_other() {
    for history in histories().filter(|history| !history.ids_come_again) {
        for (_, closed) in history.answers() {
            let part = &history.parts[serial(closed)];
            let may_be_judged = part.complete && !part.doomed;
            assert_eq!(closed.missed.is_none(), may_be_judged, "seed {}: {closed:?} {part:?}", history.seed);
        }
    }
}

#[test]
fn every_view_is_in_an_answer_or_counted_as_dropped() {
    let mut strays = 0;
    for history in histories() {
        let in_answers: usize = history.answers().map(|(_, closed)| closed.views.len()).sum();
        let Counts { strays: stray, duplicates, .. } = history.counts;
        assert_eq!(history.views_sent, in_answers as u64 + stray + duplicates, "seed {}", history.seed);
        strays += stray;
    }
    assert!(strays > 10_000, "only {strays} strays");
}

/// Which trigger (counting from 0, as they began) and which camera: no two views are alike.
type View = (usize, CameraId);

fn serial(closed: &Closed<View>) -> usize {
    closed.trigger.encoder.expect("each trigger is numbered here") as usize
}

/// All that happened to one table, from the first trigger to the last answer.
struct History {
    seed: u64,
    limit: usize,
    punctual: bool,
    ids_come_again: bool,
    parts: Vec<Part>,
    calls: Vec<Call>,
    views_sent: u64,
    counts: Counts,
}

struct Call {
    now: Instant,
    closed: Vec<Closed<View>>,
    next_deadline: Option<Instant>,
    open: usize,
}

/// What the test knows of a part by watching from outside.
#[derive(Debug)]
struct Part {
    cameras: Vec<CameraId>,
    deadline: Instant,
    began: Instant,
    seen: Vec<CameraId>,
    has_begun: bool,
    answered: bool,
    complete: bool,
    /// Something happened after which it can only be missed.
    doomed: bool,
}

impl History {
    fn answers(&self) -> impl Iterator<Item = (Instant, &Closed<View>)> {
        self.calls.iter().flat_map(|call| call.closed.iter().map(|closed| (call.now, closed)))
    }
}

fn histories() -> impl Iterator<Item = History> {
    (0..HISTORIES).map(|seed| Director::new(seed).play())
}

/// Writes a random script and plays it to a table.
struct Director {
    random: SplitMix64,
    start: Instant,
    table: OpenParts<View>,
    history: History,
}

enum Act {
    Began(usize),
    Seen(usize, CameraId),
    Lost(usize, Option<CameraId>, Cause),
    /// A view of a part that never begins.
    Stray,
    CloseAll,
    Tick,
}

impl Director {
    fn new(seed: u64) -> Self {
        let mut random = SplitMix64(seed);
        let limit = if random.one_in(2) { 100 } else { random.below(5) as usize + 1 };
        let history = History {
            seed,
            limit,
            punctual: random.one_in(2),
            ids_come_again: random.one_in(4),
            parts: Vec::new(),
            calls: Vec::new(),
            views_sent: 0,
            counts: Counts::default(),
        };
        Self { random, start: Instant::now(), table: OpenParts::new(limit), history }
    }

    fn play(mut self) -> History {
        let ids: Vec<PartId> = (0..1 + self.random.below(8) as u32)
            .map(
                |serial| {
                    if self.history.ids_come_again { self.random.below(3) as u32 + 1 } else { serial + 1 }
                },
            )
            .map(|id| PartId::new(id).expect("not 0"))
            .collect();
        for (ms, act) in self.script(ids.len()) {
            let now = self.start + Duration::from_millis(ms);
            while self.history.punctual
                && let Some(deadline) = self.table.next_deadline().filter(|deadline| *deadline < now)
            {
                self.call(deadline, Act::Tick, &ids);
            }
            self.call(now, act, &ids);
        }
        // Everybody goes home: at the last deadline, or told to.
        let evening = self.start + Duration::from_secs(20);
        if self.random.one_in(2) {
            self.call(self.history.calls.last().map_or(evening, |call| call.now), Act::CloseAll, &ids);
        }
        while self.history.punctual
            && let Some(deadline) = self.table.next_deadline()
        {
            self.call(deadline, Act::Tick, &ids);
        }
        self.call(evening, Act::Tick, &ids);
        self.history.counts = self.table.counts();
        self.history
    }

    /// Milliseconds and what happens then, in order.
    fn script(&mut self, parts: usize) -> Vec<(u64, Act)> {
        let mut script = Vec::new();
        let budget = 5 + self.random.below(80);
        let mut at = 2_000;
        for serial in 0..parts {
            at += self.random.below(30);
            let began = at;
            // Mostly one recipe with one budget; a trigger may also reach the table only after its deadline.
            let budget = if self.random.one_in(4) { self.random.below(120) } else { budget };
            let delay = if self.random.one_in(30) { budget + 1 } else { 0 };
            let (deadline, began_at) = (self.instant(began + budget), self.instant(began + delay));
            let cameras: Vec<CameraId> = (0..self.random.below(4))
                .map(|camera| CameraId::from(["a", "b", "c"][camera as usize]))
                .collect();
            script.push((began + delay, Act::Began(serial)));
            at += delay;
            for camera in &cameras {
                let from = if self.history.ids_come_again { began + delay } else { began };
                self.fate(serial, camera, from, budget, &mut script);
            }
            if self.random.one_in(40) {
                let when = began + self.random.below(100);
                script.push((when, Act::Lost(serial, None, Cause::Model)));
            }
            if !self.history.ids_come_again && self.random.one_in(20) {
                script.push((
                    began + self.random.below(100),
                    Act::Seen(serial, CameraId::from("nobody asked")),
                ));
            }
            self.history.parts.push(Part {
                cameras,
                deadline,
                began: began_at,
                seen: Vec::new(),
                has_begun: false,
                answered: false,
                complete: false,
                doomed: false,
            });
        }
        for _ in 0..self.random.below(6) {
            script.push((2_000 + self.random.below(300), Act::Tick));
        }
        if self.random.one_in(20) {
            script.push((2_000 + self.random.below(200), Act::CloseAll));
        }
        if self.random.one_in(10) {
            script.push((2_000 + self.random.below(200), Act::Stray));
        }
        // What happens in the same millisecond happens in any order, but a part begins before the next.
        let mut script: Vec<(u64, u64, Act)> =
            script.into_iter().map(|(ms, act)| (ms, self.random.next(), act)).collect();
        script.sort_by_key(|(ms, tie, act)| {
            (*ms, if let Act::Began(serial) = act { *serial as u64 } else { *tie })
        });
        script.into_iter().map(|(ms, _, act)| (ms, act)).collect()
    }

    fn fate(
        &mut self,
        serial: usize,
        camera: &CameraId,
        began: u64,
        budget: u64,
        script: &mut Vec<(u64, Act)>,
    ) {
        // Where ids come again, a view carries nothing that says of which part it is; the table promises to keep them
        // apart if none comes twice or before its trigger.
        let (early, again) =
            if self.history.ids_come_again { (0, false) } else { (10, self.random.one_in(12)) };
        let in_time = budget.max(1);
        let when = began - self.random.below(early + 1)
            + if self.random.one_in(8) { self.random.below(300) } else { self.random.below(in_time) }
            + u64::from(self.history.ids_come_again);
        match self.random.below(24) {
            0 => {}
            1 => {
                let cause = if self.random.one_in(2) { Cause::FrameLost } else { Cause::CameraDown };
                script.push((when, Act::Lost(serial, Some(camera.clone()), cause)));
            }
            _ => {
                script.push((when, Act::Seen(serial, camera.clone())));
                if again {
                    script.push((when + self.random.below(50), Act::Seen(serial, camera.clone())));
                    script.push((
                        when + self.random.below(50),
                        Act::Lost(serial, Some(camera.clone()), Cause::Overrun),
                    ));
                }
            }
        }
    }

    fn instant(&self, ms: u64) -> Instant {
        self.start + Duration::from_millis(ms)
    }

    fn call(&mut self, now: Instant, act: Act, ids: &[PartId]) {
        self.watch_time(now);
        self.watch(&act, now);
        let event = self.event(act, ids);
        let closed = self.table.on(now, event);
        for closed in &closed {
            self.history.parts[serial(closed)].answered = true;
        }
        self.history.calls.push(Call {
            now,
            closed,
            next_deadline: self.table.next_deadline(),
            open: self.table.len(),
        });
    }

    fn event(&mut self, act: Act, ids: &[PartId]) -> Event<View> {
        let unknown = PartId::new(4_000_000_000).expect("not 0");
        match act {
            Act::Began(serial) => {
                let Part { cameras, deadline, .. } = &self.history.parts[serial];
                let trigger = Trigger {
                    part: ids[serial],
                    source: TriggerSource::Plc,
                    at: Stamp { mono: self.start, wall: std::time::UNIX_EPOCH },
                    encoder: Some(serial as u32),
                };
                let (cameras, deadline) = (cameras.clone(), *deadline);
                Event::Began(Began { trigger, edition: Edition(1), deadline, cameras })
            }
            Act::Seen(serial, camera) => {
                Event::Seen { part: ids[serial], camera: camera.clone(), view: (serial, camera) }
            }
            Act::Lost(serial, camera, cause) => Event::Lost { part: ids[serial], camera, cause },
            Act::Stray => Event::Seen { part: unknown, camera: "a".into(), view: (usize::MAX, "a".into()) },
            Act::CloseAll => Event::CloseAll(Cause::Shutdown),
            Act::Tick => Event::Tick,
        }
    }

    /// Whoever is due, or stands before one that is, without all views: too late.
    fn watch_time(&mut self, now: Instant) {
        let open = |part: &Part| part.has_begun && !part.answered;
        let due = self.history.parts.iter().rposition(|part| open(part) && part.deadline <= now);
        for part in self.history.parts.iter_mut().take(due.map_or(0, |due| due + 1)).filter(|part| open(part))
        {
            part.doomed |= !part.complete;
        }
    }

    fn watch(&mut self, act: &Act, now: Instant) {
        match act {
            Act::Began(serial) => {
                let (open, limit) = (self.table.len(), self.history.limit);
                if open >= 2 * limit {
                    let oldest = self.history.parts.iter_mut().find(|part| part.has_begun && !part.answered);
                    oldest.expect("some are open").doomed = true;
                }
                let part = &mut self.history.parts[*serial];
                part.has_begun = true;
                part.doomed |= open >= limit || part.cameras.is_empty();
                part.note();
                self.watch_time(now);
            }
            Act::Seen(serial, camera) => {
                self.history.views_sent += 1;
                let part = &mut self.history.parts[*serial];
                if part.cameras.contains(camera) {
                    part.seen.push(camera.clone());
                    part.note();
                }
            }
            Act::Lost(serial, camera, _) => {
                let part = &mut self.history.parts[*serial];
                part.doomed |= match camera {
                    Some(camera) => part.cameras.contains(camera) && !part.seen.contains(camera),
                    None => !part.answered,
                };
            }
            Act::CloseAll => {
                for part in self.history.parts.iter_mut().filter(|part| part.has_begun && !part.answered) {
                    part.doomed = true;
                }
            }
            Act::Stray => self.history.views_sent += 1,
            Act::Tick => {}
        }
    }
}

impl Part {
    fn note(&mut self) {
        self.complete |= self.has_begun
            && !self.answered
            && !self.cameras.is_empty()
            && self.cameras.iter().all(|camera| self.seen.contains(camera));
    }
}

/// Small, seeded, good enough to shuffle with (Steele, Lea and Flood 2014).
struct SplitMix64(u64);

impl SplitMix64 {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }
}

#[test]
fn a_view_waits_for_its_trigger_only_so_long() {
    let start = Instant::now();
    let part = PartId::FIRST;
    for (wait, judged) in [(EARLY_FOR - Duration::from_millis(1), true), (EARLY_FOR, false)] {
        let mut table = OpenParts::new(8);
        table.on(start, Event::Seen { part, camera: "a".into(), view: () });
        let trigger = Trigger {
            part,
            source: TriggerSource::Frame,
            at: Stamp { mono: start, wall: std::time::UNIX_EPOCH },
            encoder: None,
        };
        let deadline = start + wait + Duration::from_millis(10);
        let began = Began { trigger, edition: Edition(1), deadline, cameras: vec!["a".into()] };
        assert_eq!(table.on(start + wait, Event::Began(began)).len(), usize::from(judged));
        assert_eq!(table.counts().strays, u64::from(!judged));
    }
}
