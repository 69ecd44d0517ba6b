//! Whose turn it is at one camera: which part its next picture is of. No I/O, no clock of its own.
//!
//! A camera that exposes on our word owes a picture for each word, in order. One that it gave without a word means that
//! nobody knows any more whose picture is whose. One that is late while no picture's number is known, or a word of which
//! nobody knows whether the camera has it, means the same until the camera has been left alone for a second.

use plumb_inspection::{Edition, PartId};
use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

/// A part that waits for this camera's picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Waiting {
    pub(super) part: PartId,
    pub(super) edition: Edition,
    pub(super) since: Instant,
    /// It may have been where its picture is taken since then; no later than `since`.
    pub(super) earliest: Instant,
    pub(super) deadline: Instant,
}

/// Whose a picture is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Whose {
    /// This part's.
    Part(Waiting),
    /// A part's that is no longer waiting for it.
    Stale,
    /// Nobody's: between two parts of a free-running camera.
    Nobodys,
    /// Nobody's, of a camera that exposes on our word: it was not asked for.
    Unasked,
    /// Stale, as all before it: the camera has skipped a word, and is a picture behind.
    Skipped,
}

/// A camera that is a picture behind its words gives each part its neighbour's; so many in a row, all refused, and it
/// is not late but has skipped a word. More than can be on their way at once.
const STALE_MAX: u32 = 32;

/// A camera that has been silent for so long, and for five times its patience, gives no old picture any more.
const SILENT_FOR: Duration = Duration::from_secs(1);

/// The parts that wait for one camera. Words are counted from 1.
#[derive(Debug)]
pub(super) struct Turns {
    /// How long a picture that was asked for may take.
    frame_wait: Duration,
    /// Each with its word; 0 for a camera that needs none.
    waiting: VecDeque<(u64, Waiting)>,
    /// Words for a camera that exposes on them, and when the last was said.
    asked: u64,
    asked_at: Option<Instant>,
    /// Of those: passed on to the camera. The others are on their way to it, in order.
    fired: u64,
    /// Of those on their way: not to be passed on any more up to this one, because the count has begun anew.
    void: u64,
    /// The last word that was followed by a picture, or by news that it was lost; it owes one for each after that.
    done: u64,
    /// The last picture's own number, and the word it was for: the next has the next of both.
    last: Option<(u64, u64)>,
    /// Pictures in a row that came too late for their parts.
    stale: u32,
    /// Until then nothing is asked for, and what comes is old.
    settling: Option<Instant>,
    /// When the camera was opened: a word given just before may have its picture just after.
    opened: Option<Instant>,
}

impl Turns {
    pub(super) fn new(frame_wait: Duration) -> Self {
        Self {
            frame_wait,
            waiting: VecDeque::new(),
            asked: 0,
            asked_at: None,
            fired: 0,
            void: 0,
            done: 0,
            last: None,
            stale: 0,
            settling: None,
            opened: None,
        }
    }

    /// The part waits for the next picture, for which the camera is now given the word if it `exposes` on it.
    pub(super) fn wait(&mut self, waiting: Waiting, exposes: bool) {
        if !exposes {
            self.waiting.push_back((0, waiting));
            return;
        }
        let now = waiting.since;
        let silent_since = |at| now.saturating_duration_since(at) > self.silence();
        if self.done < self.asked && self.asked_at.is_some_and(silent_since) {
            (self.done, self.last) = (self.asked, None);
        }
        self.asked += 1;
        self.asked_at = Some(now);
        self.waiting.push_back((self.asked, waiting));
    }

    /// The word for the last part that waits could not be given.
    pub(super) fn unasked(&mut self) {
        self.waiting.pop_back();
        self.asked = self.asked.saturating_sub(1);
        self.done = self.done.min(self.asked);
    }

    /// True if the next word on its way is still to be passed on to the camera.
    pub(super) fn is_to_fire(&self) -> bool {
        self.fired >= self.void
    }

    /// The next word has been passed on to the camera.
    pub(super) fn fired(&mut self) {
        self.fired = (self.fired + 1).min(self.asked);
    }

    /// The next word may have been passed on, or not: whose picture comes next, nobody knows. The count begins anew when
    /// the camera has been left alone for long enough. Who waited.
    pub(super) fn fired_perhaps(&mut self, now: Instant) -> Vec<PartId> {
        self.fired();
        self.settle(now + self.silence())
    }

    /// The next word was not passed on, or the camera refused it: it gives no picture for it, and numbers none. Who waited
    /// for it.
    pub(super) fn refused(&mut self) -> Option<PartId> {
        let word = self.fired + 1;
        if word > self.asked {
            return None;
        }
        let part = self.waiting.iter().position(|(waits_for, _)| *waits_for == word);
        let part = part.and_then(|at| self.waiting.remove(at)).map(|(_, waiting)| waiting.part);
        for (later, _) in self.waiting.iter_mut().filter(|(later, _)| *later > word) {
            *later -= 1;
        }
        let last = self.last.as_mut().map(|(_, word)| word);
        for counted in [Some(&mut self.done), Some(&mut self.void), last].into_iter().flatten() {
            *counted -= u64::from(*counted >= word);
        }
        self.asked -= 1;
        part
    }

    fn silence(&self) -> Duration {
        SILENT_FOR.max(5 * self.frame_wait)
    }

    /// A picture came, taken at `at`; `number` is the camera's own.
    pub(super) fn frame(&mut self, number: Option<u64>, at: Instant, exposes: bool) -> Whose {
        if !exposes {
            let next = self.waiting.pop_front_if(|(_, waiting)| at >= waiting.since);
            return next.map_or(Whose::Nobodys, |(_, waiting)| Whose::Part(waiting));
        }
        if self.is_settling(at) {
            return Whose::Stale;
        }
        let word = match (number, self.last) {
            (Some(number), Some((last, _))) if number <= last => {
                // It counts anew, so this one cannot be told from another.
                (self.last, self.done) = (None, (self.done + 1).min(self.asked));
                return self.stale();
            }
            (Some(number), Some((last, word))) => word.saturating_add(number - last),
            (_, _) => self.done + 1,
        };
        if word > self.asked {
            self.last = number.map(|number| (number, self.asked));
            self.done = self.asked;
            if self.opened.is_some_and(|opened| at < opened + self.frame_wait) {
                return Whose::Stale;
            }
            return Whose::Unasked;
        }
        self.last = number.map(|number| (number, word));
        self.done = word;
        match self.waiting.iter().position(|(waits_for, _)| *waits_for == word) {
            Some(at) => {
                self.stale = 0;
                self.waiting.remove(at).map_or(Whose::Stale, |(_, waiting)| Whose::Part(waiting))
            }
            None => self.stale(),
        }
    }

    fn stale(&mut self) -> Whose {
        self.stale += 1;
        match self.stale >= STALE_MAX {
            true => {
                self.stale = 0;
                Whose::Skipped
            }
            false => Whose::Stale,
        }
    }

    /// `count` pictures were lost on their way: as many parts, if the camera exposes on our word.
    pub(super) fn lost(&mut self, count: u64, exposes: bool) -> Vec<PartId> {
        if !exposes {
            return Vec::new();
        }
        self.done = self.done.saturating_add(count).min(self.asked);
        let first =
            self.last.map_or_else(|| self.waiting.front().map_or(0, |(word, _)| *word), |(_, word)| word + 1);
        let end = first.saturating_add(count);
        let lost = self.waiting.iter().take_while(|(word, _)| *word < end).count();
        self.waiting.drain(..lost).map(|(_, waiting)| waiting.part).collect()
    }

    /// Takes out the parts whose picture would come too late by `now`: it would show what is under the camera by then.
    /// Where such a picture could be taken for the next part's, because no number is known to tell them apart, nobody's
    /// come until the camera has been left alone for long enough.
    pub(super) fn overdue(&mut self, now: Instant, exposes: bool) -> Vec<PartId> {
        let is_late = |waiting: &Waiting| now > waiting.earliest + self.frame_wait;
        let late = self.waiting.iter().filter(|(_, waiting)| is_late(waiting));
        let mut parts: Vec<_> = late.map(|(_, waiting)| waiting.part).collect();
        self.waiting.retain(|(_, waiting)| !is_late(waiting));
        if exposes && self.last.is_none() && !parts.is_empty() {
            parts.extend(self.settle(now + self.silence()));
        }
        parts
    }

    /// Nobody waits any more; who did.
    pub(super) fn clear(&mut self) -> Vec<PartId> {
        self.waiting.drain(..).map(|(_, waiting)| waiting.part).collect()
    }

    /// The camera was opened anew: it owes nothing, and numbers its pictures anew.
    pub(super) fn opened(&mut self, now: Instant) {
        (self.done, self.last, self.opened) = (self.asked, None, Some(now));
        self.void = self.asked;
    }

    /// The count begins anew, at once: the camera owes what is waited for and no more.
    pub(super) fn rezero(&mut self) {
        let owed = self.waiting.iter().filter(|(word, _)| *word > 0).count() as u64;
        self.done = self.asked.saturating_sub(owed);
        (self.settling, self.last, self.stale) = (None, None, 0);
    }

    /// The count begins anew after `until`; who waited does so no longer.
    pub(super) fn settle(&mut self, until: Instant) -> Vec<PartId> {
        self.settling = Some(until);
        (self.done, self.last, self.stale) = (self.asked, None, 0);
        self.void = self.asked;
        self.clear()
    }

    /// True while what comes is old. Ends by itself.
    pub(super) fn is_settling(&self, now: Instant) -> bool {
        self.settling.is_some_and(|until| now < until)
    }

    /// Pictures that are waited for.
    pub(super) fn is_awaited(&self) -> bool {
        !self.waiting.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const WAIT: Duration = Duration::from_millis(100);

    fn waiting(part: u32, since: Instant) -> Waiting {
        let part = PartId::new(part).unwrap();
        Waiting { part, edition: Edition(1), since, earliest: since, deadline: since + WAIT }
    }

    fn whose(turns: &mut Turns, number: Option<u64>, at: Instant) -> Result<u32, Whose> {
        match turns.frame(number, at, true) {
            Whose::Part(waiting) => Ok(waiting.part.get()),
            other => Err(other),
        }
    }

    #[test]
    fn a_picture_that_comes_after_its_part_was_given_up_is_never_the_next_parts() {
        let (now, mut turns) = (Instant::now(), Turns::new(WAIT));
        turns.wait(waiting(1, now), true);
        assert_eq!(whose(&mut turns, Some(40), now), Ok(1));
        turns.wait(waiting(2, now), true);
        let later = now + WAIT + Duration::from_millis(1);
        assert_eq!(turns.overdue(later, true), [PartId::new(2).unwrap()]);
        turns.wait(waiting(3, later), true);
        assert_eq!(whose(&mut turns, Some(41), later), Err(Whose::Stale));
        assert_eq!(whose(&mut turns, Some(42), later), Ok(3));
    }

    #[test]
    fn a_part_that_was_announced_late_has_less_time_for_its_picture() {
        let (now, mut turns) = (Instant::now(), Turns::new(WAIT));
        turns.wait(waiting(1, now), true);
        assert_eq!(whose(&mut turns, Some(1), now), Ok(1));
        let half = WAIT / 2;
        turns.wait(Waiting { earliest: now, ..waiting(2, now + half) }, true);
        assert_eq!(turns.overdue(now + WAIT, true), []);
        assert_eq!(turns.overdue(now + WAIT + Duration::from_millis(1), true), [PartId::new(2).unwrap()]);
        assert_eq!(whose(&mut turns, Some(2), now + WAIT + half), Err(Whose::Stale));
    }

    #[test]
    fn a_picture_nobody_asked_for_is_told_as_such() {
        let (now, mut turns) = (Instant::now(), Turns::new(WAIT));
        turns.wait(waiting(1, now), true);
        assert_eq!(whose(&mut turns, Some(1), now), Ok(1));
        assert_eq!(whose(&mut turns, Some(2), now), Err(Whose::Unasked));
        assert_eq!(turns.frame(Some(3), now, false), Whose::Nobodys, "a free-running camera gives many");
    }

    #[test]
    fn a_word_that_is_refused_costs_its_own_part_and_no_other() {
        let (now, mut turns) = (Instant::now(), Turns::new(WAIT));
        for part in 1..=4 {
            turns.wait(waiting(part, now), true);
        }
        turns.fired();
        assert_eq!(whose(&mut turns, Some(7), now), Ok(1));
        assert_eq!(turns.refused().map(PartId::get), Some(2));
        turns.fired();
        turns.fired();
        assert_eq!(whose(&mut turns, Some(8), now), Ok(3));
        assert_eq!(whose(&mut turns, Some(9), now), Ok(4));
        assert_eq!(turns.refused(), None, "there is no other word on its way");
        assert_eq!(whose(&mut turns, Some(10), now), Err(Whose::Unasked));
    }

    #[test]
    fn after_a_word_that_may_have_been_passed_on_what_comes_is_nobodys_until_all_is_quiet() {
        let (now, mut turns) = (Instant::now(), Turns::new(WAIT));
        turns.wait(waiting(1, now), true);
        turns.wait(waiting(2, now), true);
        assert_eq!(turns.fired_perhaps(now).len(), 2);
        assert!(!turns.is_to_fire());
        assert_eq!(turns.refused(), None, "nobody waits for the second word any more");
        let late = now + Duration::from_millis(999);
        assert_eq!(whose(&mut turns, Some(7), late), Err(Whose::Stale));
        let quiet = now + SILENT_FOR;
        turns.wait(waiting(3, quiet), true);
        turns.fired();
        assert_eq!(whose(&mut turns, Some(8), quiet), Ok(3));
    }

    #[test]
    fn without_numbers_after_a_picture_was_given_up_none_is_anybodys_until_all_is_quiet() {
        let (now, mut turns) = (Instant::now(), Turns::new(WAIT));
        turns.wait(waiting(1, now), true);
        let late = now + 2 * WAIT;
        assert_eq!(turns.overdue(late, true).len(), 1);
        assert_eq!(whose(&mut turns, None, late), Err(Whose::Stale));
        let quiet = late + SILENT_FOR;
        turns.wait(waiting(2, quiet), true);
        assert_eq!(whose(&mut turns, None, quiet), Ok(2));
    }

    #[test]
    fn a_camera_that_skipped_a_word_gives_nobody_anothers_picture_and_is_told_in_the_end() {
        let (start, mut turns) = (Instant::now(), Turns::new(WAIT));
        turns.wait(waiting(1, start), true);
        assert_eq!(whose(&mut turns, Some(1), start), Ok(1));
        turns.wait(waiting(2, start), true); // skipped: no exposure, no number
        let mut last = None;
        for n in 0..STALE_MAX {
            let now = start + (WAIT + Duration::from_millis(1)) * (n + 1);
            turns.overdue(now, true);
            turns.wait(waiting(3 + n, now), true);
            last = Some(whose(&mut turns, Some(u64::from(2 + n)), now).unwrap_err());
        }
        assert_eq!(last, Some(Whose::Skipped));
        let now = start + WAIT * 100;
        turns.settle(now);
        turns.wait(waiting(99, now), true);
        assert_eq!(whose(&mut turns, Some(40), now), Ok(99));
    }

    #[test]
    fn lost_pictures_cost_the_parts_that_waited_longest() {
        let (now, mut turns) = (Instant::now(), Turns::new(WAIT));
        for part in 1..=3 {
            turns.wait(waiting(part, now), true);
        }
        assert_eq!(turns.lost(2, true), [1, 2].map(|part| PartId::new(part).unwrap()));
        assert_eq!(whose(&mut turns, Some(9), now), Ok(3));
    }

    #[test]
    fn what_was_on_its_way_at_a_rezero_is_old() {
        let (now, mut turns) = (Instant::now(), Turns::new(WAIT));
        turns.wait(waiting(1, now), true);
        assert_eq!(turns.settle(now + WAIT).len(), 1);
        assert_eq!(whose(&mut turns, Some(1), now), Err(Whose::Stale));
        assert!(turns.is_settling(now) && !turns.is_settling(now + WAIT));
        turns.wait(waiting(2, now + WAIT), true);
        assert_eq!(whose(&mut turns, Some(2), now + WAIT), Ok(2));
    }

    proptest! {
        /// A numbered camera that exposes when it is told to, refuses now and then, and exposes now and then by itself;
        /// pictures are late, or lost and told as lost when the next comes. Once a picture nobody asked for has been seen, and until the count has begun
        /// anew and settled, no part would be judged; and as long as none has been given, no part has another's picture.
        #[test]
        fn no_part_has_anothers_picture_unless_it_is_rejected_for_it(
            steps in prop::collection::vec((0..12u8, 1..60u64), 1..150),
        ) {
            let start = Instant::now();
            let (mut turns, mut ms, mut number) = (Turns::new(WAIT), 0u64, 0u64);
            // What the camera exposed and has not given yet: its number, and the part it shows.
            let mut on_its_way: VecDeque<(u64, Option<u32>)> = VecDeque::new();
            // Words on their way to the camera, each with its part.
            let mut words: VecDeque<u32> = VecDeque::new();
            let (mut next, mut spurious, mut out_of_step, mut lost) = (1u32, false, false, 0u64);
            for (what, wait) in steps {
                ms += wait;
                let now = start + Duration::from_millis(ms);
                let settling = turns.is_settling(now);
                turns.overdue(now, true);
                match what {
                    0 => {
                        number += 1;
                        on_its_way.push_back((number, None));
                        spurious = true;
                    }
                    1 if on_its_way.len() > 1 => {
                        on_its_way.pop_front();
                        lost += 1;
                    }
                    2 if out_of_step => {
                        // A picture comes at most `WAIT` after its word: those on their way come while it settles.
                        turns.settle(now + WAIT);
                        for (number, _) in on_its_way.drain(..) {
                            prop_assert!(whose(&mut turns, Some(number), now).is_err());
                        }
                        (out_of_step, spurious, lost) = (false, false, 0);
                    }
                    3..=5 if !settling => {
                        turns.wait(waiting(next, now), true);
                        words.push_back(next);
                        next += 1;
                    }
                    6 if !words.is_empty() => {
                        let refused = words.pop_front();
                        let told = turns.refused().map(PartId::get);
                        prop_assert!(told.is_none() || told == refused, "{told:?} instead of {refused:?}");
                    }
                    7..=9 if !words.is_empty() => {
                        let shows = words.pop_front();
                        if !turns.is_to_fire() {
                            prop_assert_eq!(turns.refused(), None, "who waited has been told");
                            continue;
                        }
                        number += 1;
                        turns.fired();
                        on_its_way.push_back((number, shows));
                    }
                    _ => {
                        let Some((number, shows)) = on_its_way.pop_front() else { continue };
                        if lost > 0 {
                            turns.lost(std::mem::take(&mut lost), true);
                        }
                        match whose(&mut turns, Some(number), now) {
                            Ok(part) => prop_assert!(
                                Some(part) == shows || spurious || out_of_step,
                                "part {part} has the picture of {shows:?}"
                            ),
                            Err(Whose::Unasked | Whose::Skipped) => out_of_step = true,
                            Err(_) => {}
                        }
                    }
                }
            }
        }
    }
}
