//! Whether parts, pictures and the PLC's counts still belong together: a pure state machine over (now, event).
//!
//! Once they do not, nobody can say whose picture is whose: every part is rejected until the count begins anew, by a
//! person, by the PLC, or at a gap in the belt that no part can have crossed.

use plumb_inspection::{CameraId, PartId};
use std::{
    collections::VecDeque,
    fmt,
    time::{Duration, Instant},
};

/// What keeps the count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SyncConfig {
    /// A picture comes at most so long after it was asked for: how long a re-zero waits for what is still on its way.
    pub settle: Duration,
    /// Two parts further apart than this have a gap between them.
    pub gap: Option<Gap>,
    /// For a camera that the photo-eye triggers by wire while the PLC counts: how far count and picture may be apart
    /// in time. Shorter than the time between two parts, or a picture could be taken for its neighbour's.
    pub pair_within: Option<Duration>,
}

/// A gap in the belt: 1.5 pitches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gap {
    /// In encoder counts, where they are known.
    pub counts: Option<u32>,
    /// In time, at the belt's stated speed; needed as well as the counts, because what is on its way takes time.
    pub time: Duration,
}

/// What was out of step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mismatch {
    /// A camera that exposes on our word gave a picture that nobody had asked for.
    FrameUnasked {
        /// Which.
        camera: CameraId,
    },
    /// A camera is a picture behind what it was asked for.
    FrameOwed {
        /// Which.
        camera: CameraId,
    },
    /// The PLC counted a part of which no picture came.
    PartUnseen {
        /// The PLC's number.
        part: PartId,
    },
    /// A picture came of a part that the PLC did not count.
    PartUncounted {
        /// The station's number.
        part: PartId,
    },
}

impl Mismatch {
    /// Every spelling, for metrics.
    pub const NAMES: [&str; 4] = ["frame_unasked", "frame_owed", "part_unseen", "part_uncounted"];

    /// The spelling used in metrics.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::FrameUnasked { .. } => Self::NAMES[0],
            Self::FrameOwed { .. } => Self::NAMES[1],
            Self::PartUnseen { .. } => Self::NAMES[2],
            Self::PartUncounted { .. } => Self::NAMES[3],
        }
    }
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::FrameUnasked { camera } => {
                write!(f, "camera {camera} gave a picture that nobody had asked for")
            }
            Self::FrameOwed { camera } => {
                write!(f, "camera {camera} is a picture behind: what it gives may be another part's")
            }
            Self::PartUnseen { part } => write!(f, "the PLC counted part {part}, of which no picture came"),
            Self::PartUncounted { part } => {
                write!(f, "a picture came (part {part} here) of which the PLC counted no part")
            }
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum State {
    InStep,
    Lost(Mismatch),
    /// A re-zero was asked for: until then nothing new is looked at, and what comes is old.
    Settling(Mismatch, Instant),
}

/// A part that the PLC counted at its photo-eye.
#[derive(Clone, Copy, Debug)]
struct Edge {
    came: Instant,
    part: PartId,
    /// Not known for parts that came between two readings.
    encoder: Option<u32>,
}

/// A part begun by a picture, with what the PLC knows it by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pair {
    /// The station's number.
    pub part: PartId,
    /// The PLC's.
    pub counted: PartId,
    /// Encoder count at the photo-eye.
    pub encoder: Option<u32>,
}

/// Counts that may wait for their pictures, and pairs that are remembered.
const WAITING_MAX: usize = 64;
const PAIRS_MAX: usize = 256;

/// The count. See the module's words.
#[derive(Debug)]
pub struct PartSync {
    config: SyncConfig,
    state: State,
    last: Option<(Instant, Option<u32>)>,
    edges: VecDeque<Edge>,
    frames: VecDeque<(Instant, PartId)>,
    pairs: VecDeque<Pair>,
}

impl PartSync {
    /// In step: nothing is on the belt.
    pub fn new(config: SyncConfig) -> Self {
        let (edges, frames, pairs) = (VecDeque::new(), VecDeque::new(), VecDeque::new());
        Self { config, state: State::InStep, last: None, edges, frames, pairs }
    }

    /// A part begins. True if it may be judged; false: it is rejected, whatever its picture shows.
    ///
    /// `by_picture` says that its picture began it: it is then paired with a count of the PLC's.
    pub fn begin(&mut self, now: Instant, part: PartId, encoder: Option<u32>, by_picture: bool) -> bool {
        self.tick(now);
        let gap = self.is_gap(now, encoder);
        self.last = Some((now, encoder));
        if gap && matches!(self.state, State::Lost(_)) {
            self.start_anew(now);
        }
        if by_picture && self.pairs_up() && self.state == State::InStep {
            self.frames.push_back((now, part));
            self.pair();
        }
        self.state == State::InStep
    }

    /// The PLC's part number moved from `after` to `part`: each number in between is a part too.
    pub fn counted(&mut self, now: Instant, after: PartId, part: PartId, encoder: u32) {
        if !self.pairs_up() {
            return;
        }
        self.tick(now);
        let mut number = after;
        // A number that jumps further was set anew; so many parts without a picture are out of step by themselves.
        for _ in 0..WAITING_MAX {
            number = number.next();
            let encoder = (number == part).then_some(encoder);
            self.edges.push_back(Edge { came: now, part: number, encoder });
            if number == part {
                break;
            }
        }
        let too_many = self.edges.len().saturating_sub(WAITING_MAX);
        self.edges.drain(..too_many);
        self.pair();
    }

    /// Parts and pictures do not belong together any more. What is open must be rejected. True if that is news.
    pub fn out_of_step(&mut self, why: Mismatch) -> bool {
        match &self.state {
            State::InStep => {
                self.lose(why);
                true
            }
            // What comes late while it settles is what the settling is for.
            State::Lost(_) | State::Settling(..) => false,
        }
    }

    /// Somebody says that the belt is clear. In step again once nothing old can come any more; gives when, if the
    /// count was lost at all.
    pub fn rezero(&mut self, now: Instant) -> Option<Instant> {
        self.tick(now);
        let why = match std::mem::replace(&mut self.state, State::InStep) {
            State::InStep => return None,
            State::Lost(why) | State::Settling(why, _) => why,
        };
        let until = now + self.config.settle;
        self.state = State::Settling(why, until);
        Some(until)
    }

    /// Time has passed: a count without a picture, or a picture without a count, has waited too long; settling ends.
    pub fn tick(&mut self, now: Instant) {
        if let State::Settling(_, until) = self.state
            && now >= until
        {
            self.start_anew(now);
        }
        let Some(patience) = self.config.pair_within else { return };
        let over = |came: Instant| now.saturating_duration_since(came) > patience;
        if self.state != State::InStep {
            self.edges.retain(|edge| !over(edge.came));
            return;
        }
        let late = match (self.edges.front(), self.frames.front()) {
            (Some(edge), _) if over(edge.came) => Some(Mismatch::PartUnseen { part: edge.part }),
            (_, Some(&(came, part))) if over(came) => Some(Mismatch::PartUncounted { part }),
            _ => None,
        };
        if let Some(why) = late {
            self.lose(why);
        }
    }

    /// Why every part is rejected; `None` while all is in step.
    pub fn lost(&self) -> Option<&Mismatch> {
        match &self.state {
            State::InStep => None,
            State::Lost(why) | State::Settling(why, _) => Some(why),
        }
    }

    /// True while a re-zero waits for what is still on its way.
    pub fn is_settling(&self) -> bool {
        matches!(self.state, State::Settling(..))
    }

    /// Whether pictures are paired with the PLC's counts at all.
    pub fn pairs_up(&self) -> bool {
        self.config.pair_within.is_some()
    }

    /// What the PLC knows `part` by; taken out.
    pub fn take_pair(&mut self, part: PartId) -> Option<Pair> {
        let at = self.pairs.iter().position(|pair| pair.part == part)?;
        self.pairs.remove(at)
    }

    fn pair(&mut self) {
        while self.state == State::InStep
            && let (Some(edge), Some(&(_, part))) = (self.edges.front().copied(), self.frames.front())
        {
            self.edges.pop_front();
            self.frames.pop_front();
            if self.pairs.len() == PAIRS_MAX {
                self.pairs.pop_front();
            }
            self.pairs.push_back(Pair { part, counted: edge.part, encoder: edge.encoder });
        }
    }

    /// No part and no picture can have been on its way across so long a gap.
    fn is_gap(&self, now: Instant, encoder: Option<u32>) -> bool {
        let (Some(gap), Some((at, from))) = (self.config.gap, self.last) else { return false };
        let rested = now.saturating_duration_since(at) > gap.time.max(self.config.settle);
        let travelled = match (gap.counts, encoder, from) {
            (Some(counts), Some(encoder), Some(from)) => encoder.wrapping_sub(from) > counts,
            _ => true,
        };
        rested && travelled
    }

    fn lose(&mut self, why: Mismatch) {
        self.state = State::Lost(why);
        self.frames.clear();
        self.pairs.clear();
    }

    /// Counts that came just now are of the part that is about to begin.
    fn start_anew(&mut self, now: Instant) {
        self.state = State::InStep;
        self.frames.clear();
        self.pairs.clear();
        let young = self.config.pair_within.unwrap_or_default();
        self.edges.retain(|edge| now.saturating_duration_since(edge.came) <= young);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SETTLE: u64 = 200;
    const PATIENCE: u64 = 30;

    fn part(id: u32) -> PartId {
        PartId::new(id).unwrap()
    }

    fn config() -> SyncConfig {
        let gap = Gap { counts: Some(150), time: Duration::from_millis(75) };
        SyncConfig { settle: Duration::from_millis(SETTLE), gap: Some(gap), pair_within: None }
    }

    fn unasked() -> Mismatch {
        Mismatch::FrameUnasked { camera: "top".into() }
    }

    #[test]
    fn out_of_step_every_part_is_rejected_until_a_rezero_has_settled() {
        let (start, mut sync) = (Instant::now(), PartSync::new(config()));
        let at = |ms| start + Duration::from_millis(ms);
        assert!(sync.begin(at(0), part(1), Some(0), false));
        assert!(sync.out_of_step(unasked()) && !sync.out_of_step(unasked()), "told once");
        assert!(!sync.begin(at(50), part(2), Some(100), false));
        assert_eq!(sync.rezero(at(60)), Some(at(60 + SETTLE)));
        assert!(!sync.begin(at(100), part(3), Some(200), false), "its picture might be an old one");
        assert!(sync.is_settling() && sync.lost() == Some(&unasked()));
        assert!(sync.begin(at(260), part(4), Some(520), false));
        assert_eq!(sync.lost(), None);
        assert_eq!(sync.rezero(at(261)), None, "there is nothing to mend");
    }

    #[test]
    fn a_gap_in_the_belt_rezeroes_by_itself_and_a_belt_that_stood_still_does_not() {
        let (start, mut sync) = (Instant::now(), PartSync::new(config()));
        let at = |ms| start + Duration::from_millis(ms);
        sync.begin(at(0), part(1), Some(0), false);
        sync.out_of_step(unasked());
        assert!(!sync.begin(at(SETTLE), part(2), Some(151), false), "what is on its way needs its time");
        assert!(!sync.begin(at(600), part(3), Some(251), false), "the belt stood: a pitch is no gap");
        assert!(sync.begin(at(900), part(4), Some(402), false));
    }

    #[test]
    fn pictures_and_counts_pair_up_in_order_whichever_comes_first() {
        let (start, config) = (Instant::now(), config());
        let patience = Duration::from_millis(PATIENCE);
        let mut sync = PartSync::new(SyncConfig { pair_within: Some(patience), ..config });
        let at = |ms| start + Duration::from_millis(ms);
        assert!(sync.begin(at(0), part(1), None, true));
        assert_eq!(sync.take_pair(part(1)), None);
        sync.counted(at(10), part(70), part(71), 500);
        assert_eq!(
            sync.take_pair(part(1)),
            Some(Pair { part: part(1), counted: part(71), encoder: Some(500) })
        );
        sync.counted(at(50), part(71), part(73), 700);
        assert!(sync.begin(at(55), part(2), None, true) && sync.begin(at(56), part(3), None, true));
        assert_eq!(
            sync.take_pair(part(2)).unwrap(),
            Pair { part: part(2), counted: part(72), encoder: None }
        );
        assert_eq!(sync.take_pair(part(3)).unwrap().encoder, Some(700));
        sync.tick(at(1_000));
        assert_eq!(sync.lost(), None, "all are paired");
    }

    #[test]
    fn a_count_without_a_picture_and_a_picture_without_a_count_are_out_of_step() {
        let start = Instant::now();
        let patience = Duration::from_millis(PATIENCE);
        let at = |ms| start + Duration::from_millis(ms);
        let paired = SyncConfig { pair_within: Some(patience), ..config() };
        let mut sync = PartSync::new(paired);
        sync.counted(at(0), part(6), part(7), 0);
        sync.tick(at(PATIENCE));
        assert_eq!(sync.lost(), None);
        assert!(
            !sync.begin(at(PATIENCE + 1), part(1), None, true),
            "before the neighbour's picture is taken for it"
        );
        assert_eq!(sync.lost(), Some(&Mismatch::PartUnseen { part: part(7) }));
        let mut sync = PartSync::new(paired);
        sync.begin(at(0), part(1), None, true);
        sync.tick(at(PATIENCE + 1));
        assert_eq!(sync.lost(), Some(&Mismatch::PartUncounted { part: part(1) }));
    }

    proptest! {
        /// A belt with a wired camera: part `n` is counted and photographed in its own time slot, each a little late,
        /// and now and then one of the two is lost. Whatever the order, no picture is paired with another part's count.
        #[test]
        fn no_picture_is_paired_with_another_parts_count(
            slots in prop::collection::vec((0..8u8, 0..PATIENCE / 2, 0..PATIENCE / 2, 0..12u8), 1..120),
        ) {
            let (start, pitch) = (Instant::now(), 50);
            let patience = Duration::from_millis(PATIENCE);
            let mut sync = PartSync::new(SyncConfig { pair_within: Some(patience), gap: None, ..config() });
            let mut happens = Vec::new();
            for (n, (lost, count_late, picture_late, rezero)) in slots.into_iter().enumerate() {
                let (n, at) = (n as u32 + 1, n as u64 * pitch);
                if lost != 0 {
                    happens.push((at + count_late, 0, n));
                }
                if lost != 1 {
                    happens.push((at + picture_late, 1, n));
                }
                if rezero == 0 {
                    happens.push((at, 2, n));
                }
            }
            happens.sort_unstable();
            for (at, what, n) in happens {
                let now = start + Duration::from_millis(at);
                match what {
                    // A count that is lost is one that the PLC never made; its next number is as if it had.
                    0 => {
                        sync.counted(now, part(1_000 + n - 1), part(1_000 + n), n);
                    }
                    1 => drop(sync.begin(now, part(n), None, true)),
                    _ => drop(sync.rezero(now)),
                }
                if let Some(pair) = sync.take_pair(part(n)) {
                    prop_assert_eq!((pair.counted, pair.encoder), (part(1_000 + n), Some(n)));
                }
            }
        }

        /// After a mismatch no part is let through until a re-zero has settled, or the belt had a gap.
        #[test]
        fn after_a_mismatch_only_a_settled_rezero_or_a_gap_lets_a_part_through(
            steps in prop::collection::vec((0..6u8, 1..400u64), 1..200),
        ) {
            let (start, mut sync, mut ms) = (Instant::now(), PartSync::new(config()), 0);
            let (mut lost_at, mut rezeroed_at, mut last) = (None::<u64>, None::<u64>, None::<u64>);
            for (n, (what, wait)) in steps.into_iter().enumerate() {
                ms += wait;
                let now = start + Duration::from_millis(ms);
                let settled = |rezeroed_at: Option<u64>| rezeroed_at.is_some_and(|at| ms >= at + SETTLE);
                if settled(rezeroed_at) {
                    (lost_at, rezeroed_at) = (None, None);
                }
                match what {
                    0 => {
                        sync.tick(now);
                        sync.out_of_step(unasked());
                        lost_at = lost_at.or(Some(ms));
                    }
                    1 => {
                        sync.rezero(now);
                        rezeroed_at = lost_at.map(|_| ms);
                    }
                    _ => {
                        let gap = last.is_some_and(|last| ms - last > SETTLE);
                        last = Some(ms);
                        if gap && rezeroed_at.is_none() {
                            lost_at = None;
                        }
                        // Two counts a millisecond: 1.5 pitches are 75 ms.
                        let let_through = sync.begin(now, part(n as u32 + 1), Some((2 * ms) as u32), false);
                        prop_assert_eq!(let_through, lost_at.is_none());
                    }
                }
            }
        }
    }
}
