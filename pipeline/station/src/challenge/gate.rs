//! Who may be judged: asked for each part as it begins, on the hot path. While a challenge is due no part is judged; while
//! one is under way the next parts are its known ones, are looked at, and are rejected.

use super::run::{End, Run, withheld};
use crate::{
    config::{ChallengePlan, Due, KnownPart, RecipePlan},
    state::Health,
};
use jiff::Timestamp;
use plumb_console::{ChallengeEnd, ChallengeSeen, ChallengeStand, KnownPartSeen, Who};
use plumb_inspection::{PartId, RecipeName};
use plumb_verdict::Verdict;
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};
use tokio::sync::Notify;

/// The challenge of one station. Without a plan it lets everything through.
#[derive(Debug)]
pub struct Challenge {
    plan: Option<ChallengePlan>,
    has_plc: bool,
    health: Arc<Health>,
    /// Something has ended, and is to be entered.
    pub(crate) ended: Notify,
    inside: Mutex<Inside>,
}

#[derive(Debug)]
struct Inside {
    /// What parts are stamped with, and its digest.
    current: (RecipeName, String),
    /// Recipes whose known parts were told right, and when; emptied when a challenge is due again.
    passed: BTreeMap<RecipeName, Timestamp>,
    /// Why it is due.
    why: String,
    /// Since when.
    since: Timestamp,
    run: Option<Run>,
    /// Known parts on their way. They are never judged as parts of the line, whatever becomes of their run.
    presented: BTreeMap<PartId, KnownPart>,
    /// How the run ended; it is over once that is in the audit log.
    end: Option<End>,
    /// The one before.
    last: Option<(Run, ChallengeEnd)>,
}

impl Challenge {
    /// Due for every recipe that is not among `passed`. `current` is what the first part will be stamped with.
    pub fn new(
        plan: Option<ChallengePlan>,
        has_plc: bool,
        current: &RecipePlan,
        passed: BTreeMap<RecipeName, Timestamp>,
        health: Arc<Health>,
    ) -> Self {
        let inside = Inside {
            current: (current.name.clone(), current.digest.clone()),
            passed,
            why: "the station has started".to_owned(),
            since: Timestamp::now(),
            run: None,
            presented: BTreeMap::new(),
            end: None,
            last: None,
        };
        let challenge = Self { plan, has_plc, health, ended: Notify::new(), inside: Mutex::new(inside) };
        challenge.tell_health(&challenge.inside());
        challenge
    }

    /// What there is to do, where anything is.
    pub fn plan(&self) -> Option<&ChallengePlan> {
        self.plan.as_ref()
    }

    fn known(&self, recipe: &RecipeName) -> &[KnownPart] {
        self.plan.as_ref().and_then(|plan| plan.parts.get(recipe)).map_or(&[], Vec::as_slice)
    }

    /// A part begins. True: it is looked at, as a part of the line or as a known one; false: it is not.
    pub(crate) fn admits(&self, part: PartId, recipe: &RecipeName) -> bool {
        if self.known(recipe).is_empty() {
            return true;
        }
        let mut inside = self.inside();
        if inside.passed.contains_key(recipe) {
            return true;
        }
        let running = inside.end.is_none();
        let run = inside.run.as_mut().filter(|run| running && run.recipe == *recipe);
        match run.and_then(|run| run.present(part).cloned()) {
            Some(known) => {
                inside.presented.insert(part, known);
                true
            }
            None => false,
        }
    }

    /// The machine has come to a verdict. Gives what the PLC is answered instead, where the part is a known one.
    pub(crate) fn judged(&self, part: PartId, verdict: &Verdict, late: bool) -> Option<Verdict> {
        self.plan.as_ref()?;
        let mut inside = self.inside();
        if let Some(run) = inside.run.as_mut() {
            run.judged(part, verdict, late);
        }
        inside.presented.get(&part).map(|known| withheld(known, verdict, late))
    }

    /// True if the part is one that is presented now.
    pub(crate) fn knows(&self, part: PartId) -> bool {
        self.plan.is_some() && self.inside().presented.contains_key(&part)
    }

    /// The part's answer was taken by the PLC, or never will be.
    pub(crate) fn answered(&self, part: PartId, delivered: bool) {
        if self.plan.is_none() {
            return;
        }
        let mut inside = self.inside();
        if inside.presented.remove(&part).is_some()
            && let Some(run) = inside.run.as_mut()
        {
            run.answered(part, delivered || !self.has_plc);
            self.look(&mut inside);
        }
    }

    /// Parts are stamped with `recipe` from now on.
    pub(crate) fn changed_to(&self, recipe: &RecipePlan) {
        let Some(plan) = &self.plan else { return };
        let mut inside = self.inside();
        let next = (recipe.name.clone(), recipe.digest.clone());
        if inside.current == next {
            return;
        }
        let why = if inside.current.0 == next.0 {
            format!("recipe \"{}\" has changed", next.0)
        } else {
            format!("the line changed to recipe \"{}\"", next.0)
        };
        inside.current = next;
        if plan.due.contains(&Due::Changeover) {
            self.due(&mut inside, why);
        } else {
            self.tell_health(&inside);
        }
    }

    /// A shift begins.
    pub(crate) fn shift_begins(&self) {
        if self.plan.as_ref().is_some_and(|plan| plan.due.contains(&Due::Shift)) {
            self.due(&mut self.inside(), "a shift has begun".to_owned());
        }
    }

    fn due(&self, inside: &mut Inside, why: String) {
        inside.passed.clear();
        (inside.since, inside.why) = (Timestamp::now(), why);
        // What is under way is of the shift or the recipe before.
        if inside.run.is_some() && inside.end.is_none() {
            inside.end = Some(End::Failed(inside.why.clone()));
            self.ended.notify_one();
        }
        self.tell_health(inside);
    }

    /// Somebody begins to present the known parts. A station that may judge may so no longer.
    ///
    /// # Errors
    /// When there are none, or they are being presented already.
    pub(crate) fn begin(&self, by: Who) -> Result<String, String> {
        let mut inside = self.inside();
        let (recipe, digest) = inside.current.clone();
        let known = self.known(&recipe);
        let Some(first) = known.first() else {
            return Err(format!(
                "recipe \"{recipe}\" has no known parts; name some as [[challenge.part]] in station.toml"
            ));
        };
        if let Some(run) = &inside.run {
            return Err(format!("{} is presenting the known parts already", run.by.name));
        }
        if inside.passed.remove(&recipe).is_some() {
            (inside.since, inside.why) = (Timestamp::now(), format!("{} asked for it", by.name));
        }
        inside.run = Some(Run::new(by, recipe, digest, known, Instant::now()));
        self.tell_health(&inside);
        Ok(format!("present \"{}\" first; the next {} parts are the known ones", first.name, known.len()))
    }

    /// Somebody gives up.
    ///
    /// # Errors
    /// When nothing is under way.
    pub(crate) fn break_off(&self, by: &Who) -> Result<String, String> {
        let mut inside = self.inside();
        if inside.run.is_none() || inside.end.is_some() {
            return Err("no challenge is under way".to_owned());
        }
        inside.end = Some(End::Failed(format!("{} broke it off", by.name)));
        self.ended.notify_one();
        self.tell_health(&inside);
        Ok("the challenge is broken off; it is still due".to_owned())
    }

    /// Whether time has run out for what is under way.
    pub(crate) fn look_round(&self) {
        self.look(&mut self.inside());
    }

    fn look(&self, inside: &mut Inside) {
        let (Some(plan), None) = (&self.plan, &inside.end) else { return };
        inside.end = inside.run.as_ref().and_then(|run| run.end(Instant::now(), plan.within));
        if inside.end.is_some() {
            self.ended.notify_one();
            self.tell_health(inside);
        }
    }

    /// What has ended and is not in the audit log yet.
    pub(crate) fn to_enter(&self) -> Option<(Run, End)> {
        let inside = self.inside();
        inside.run.clone().zip(inside.end.clone())
    }

    /// It could not be entered: nothing is released.
    pub(crate) fn not_entered(&self, why: &str) {
        let says = format!("a challenge ended, and could not be entered in the audit log: {why}");
        self.health.challenge(Some((says, false)));
    }

    /// What has ended is in the audit log: from here on it counts.
    pub(crate) fn entered(&self) {
        let mut inside = self.inside();
        let (Some(run), Some(end)) = (inside.run.take(), inside.end.take()) else { return };
        let at = Timestamp::now();
        let is_passed = end == End::Passed;
        // One that ended as another recipe took over is of no use to that one.
        if is_passed && inside.current == (run.recipe.clone(), run.digest.clone()) {
            inside.passed.insert(run.recipe.clone(), at);
        }
        let says = match end {
            End::Passed => String::new(),
            End::Failed(says) => says,
        };
        inside.last = Some((run.clone(), ChallengeEnd { at, by: run.by.name.clone(), is_passed, says }));
        self.tell_health(&inside);
    }

    fn tell_health(&self, inside: &Inside) {
        let recipe = &inside.current.0;
        let known = self.known(recipe);
        if known.is_empty() || inside.passed.contains_key(recipe) {
            return self.health.challenge(None);
        }
        let says = match (&inside.run, &inside.end, &inside.last) {
            (Some(_), Some(_), _) => ("a challenge has ended and is being entered".to_owned(), false),
            (Some(run), None, _) => {
                (format!("{} is presenting known parts; every part is rejected", run.by.name), true)
            }
            (None, _, Some((run, end))) if !end.is_passed && run.recipe == *recipe => {
                let says = &end.says;
                (
                    format!(
                        "the challenge failed: {says}; every part is rejected until one is passed, at /challenge"
                    ),
                    false,
                )
            }
            (None, ..) => {
                let why = &inside.why;
                (
                    format!(
                        "a challenge is due, as {why}; every part is rejected until it is passed, at /challenge"
                    ),
                    false,
                )
            }
        };
        self.health.challenge(Some(says));
    }

    /// For people. `None` where the station has no known parts at all.
    pub(crate) fn seen(&self) -> Option<ChallengeSeen> {
        self.plan.as_ref()?;
        let inside = self.inside();
        let (recipe, _) = &inside.current;
        let known = self.known(recipe);
        let (stand, since) = match (&inside.run, inside.passed.get(recipe)) {
            _ if known.is_empty() => (ChallengeStand::NotNeeded, inside.since),
            (_, Some(at)) => (ChallengeStand::Passed, *at),
            (Some(run), None) => (ChallengeStand::UnderWay, run.begun_at),
            (None, None) => (ChallengeStand::Due, inside.since),
        };
        let last = inside.last.as_ref().filter(|(run, _)| run.recipe == *recipe);
        let shown = inside.run.as_ref().or(last.map(|(run, _)| run));
        let tests = shown.map_or(&[][..], |run| run.tests());
        let parts = known.iter().enumerate().map(|(at, known)| {
            let test = tests.get(at);
            let seen = test.and_then(|test| test.seen.as_ref());
            let next = tests.iter().position(|test| test.part.is_none());
            KnownPartSeen {
                name: known.name.clone(),
                note: known.note.clone(),
                expected: known.expect.as_str(),
                rule: known.rule.clone(),
                part: test.and_then(|test| test.part),
                seen: seen.map(|seen| seen.word),
                says: seen.map(|seen| seen.says.clone()).unwrap_or_default(),
                is_right: test
                    .filter(|_| seen.is_some_and(|seen| seen.delivered.is_some()))
                    .map(|test| test.wrong().is_none()),
                is_next: stand == ChallengeStand::UnderWay && inside.end.is_none() && next == Some(at),
            }
        });
        Some(ChallengeSeen {
            recipe: recipe.clone(),
            stand,
            since,
            why: inside.why.clone(),
            by: inside.run.as_ref().map(|run| run.by.name.clone()),
            parts: parts.collect(),
            last: last.map(|(_, end)| end.clone()),
        })
    }

    fn inside(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
