//! One challenge: the known parts in their order, what the machine said of each, and how it ended. Pure.

use crate::config::{Expected, KnownPart};
use jiff::Timestamp;
use plumb_console::Who;
use plumb_inspection::{Cause, PartId, RecipeName};
use plumb_verdict::{Decision, Verdict};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// One challenge, begun by somebody.
#[derive(Clone, Debug)]
pub struct Run {
    /// Who presents the parts.
    pub by: Who,
    /// What they are checked by.
    pub recipe: RecipeName,
    /// Digest of that.
    pub digest: String,
    /// When it was begun.
    pub begun_at: Timestamp,
    begun: Instant,
    tests: Vec<Test>,
}

/// One known part in it.
#[derive(Clone, Debug)]
pub struct Test {
    /// Which.
    pub known: KnownPart,
    /// Its number, once it came.
    pub part: Option<PartId>,
    /// What the machine said of it.
    pub seen: Option<SeenAs>,
}

/// What the machine said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeenAs {
    /// `pass`, `fail`, `missed` or `late`.
    pub word: &'static str,
    /// Its reasons; empty for a pass.
    pub says: String,
    /// Word and rule are as expected.
    pub is_right: bool,
    /// The gate's PLC has taken the answer; `None` while it is on its way.
    pub delivered: Option<bool>,
}

/// How a challenge ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// Every part was told right, and every answer was taken.
    Passed,
    /// In a sentence: which part, what was expected, what was seen.
    Failed(String),
}

impl Run {
    /// Nobody has come yet.
    pub fn new(by: Who, recipe: RecipeName, digest: String, known: &[KnownPart], now: Instant) -> Self {
        let test = |known: &KnownPart| Test { known: known.clone(), part: None, seen: None };
        let tests = known.iter().map(test).collect();
        Self { by, recipe, digest, begun_at: Timestamp::now(), begun: now, tests }
    }

    /// The known parts, in their order.
    pub fn tests(&self) -> &[Test] {
        &self.tests
    }

    /// The next part to come is the next known one, which this gives; `None` where all have come.
    pub fn present(&mut self, part: PartId) -> Option<&KnownPart> {
        let next = self.tests.iter_mut().find(|test| test.part.is_none())?;
        next.part = Some(part);
        Some(&next.known)
    }

    /// What the machine says of `part`, if it is a known one.
    pub fn judged(&mut self, part: PartId, verdict: &Verdict, late: bool) {
        let test = self.tests.iter_mut().find(|test| test.part == Some(part) && test.seen.is_none());
        let Some(test) = test else { return };
        let objects =
            |rule: &plumb_verdict::RuleName| verdict.reasons.iter().any(|reason| reason.rule == *rule);
        let (word, is_right) = match verdict.decision {
            _ if late => ("late", false),
            Decision::Pass => ("pass", test.known.expect == Expected::Pass),
            Decision::Fail => {
                let by_rule = test.known.rule.as_ref().is_none_or(objects);
                ("fail", test.known.expect == Expected::Fail && by_rule)
            }
            Decision::Missed(_) => ("missed", false),
        };
        let says: Vec<String> =
            verdict.reasons.iter().map(|reason| format!("{}: {}", reason.rule, reason.says)).collect();
        test.seen = Some(SeenAs { word, says: says.join("; "), is_right, delivered: None });
    }

    /// The gate's PLC has taken the answer of `part`, or never will.
    pub fn answered(&mut self, part: PartId, delivered: bool) {
        let seen =
            self.tests.iter_mut().find(|test| test.part == Some(part)).and_then(|test| test.seen.as_mut());
        if let Some(seen) = seen {
            seen.delivered = Some(delivered);
        }
    }

    /// How it ended; `None` while parts are still to come.
    pub fn end(&self, now: Instant, within: Duration) -> Option<End> {
        if let Some(says) = self.tests.iter().find_map(Test::wrong) {
            return Some(End::Failed(says));
        }
        let is_told = |test: &Test| test.seen.as_ref().is_some_and(|seen| seen.delivered.is_some());
        if self.tests.iter().all(is_told) {
            return Some(End::Passed);
        }
        let missing = self.tests.iter().find(|test| test.part.is_none()).or(self.tests.last())?;
        let late = now.saturating_duration_since(self.begun) >= within;
        late.then(|| {
            End::Failed(format!(
                "known part \"{}\" did not come within {} min",
                missing.known.name,
                within.as_secs() / 60
            ))
        })
    }

    /// As it stands in the audit log.
    pub fn told(&self) -> Value {
        let test = |test: &Test| {
            let seen = test.seen.as_ref();
            json!({
                "name": test.known.name,
                "expected": test.known.expect.as_str(),
                "rule": test.known.rule,
                "part": test.part,
                "seen": seen.map(|seen| seen.word),
                "says": seen.map(|seen| seen.says.as_str()),
                "delivered": seen.and_then(|seen| seen.delivered),
            })
        };
        let parts: Vec<Value> = self.tests.iter().map(test).collect();
        json!({ "recipe_digest": self.digest, "begun_at": self.begun_at, "parts": parts })
    }
}

impl Test {
    /// What is wrong with it, once something is.
    pub fn wrong(&self) -> Option<String> {
        let (seen, part, name) = (self.seen.as_ref()?, self.part?, &self.known.name);
        if seen.delivered == Some(false) {
            return Some(format!(
                "the PLC did not take the answer of known part \"{name}\" (part {part}); look at its link"
            ));
        }
        // It is told once its answer is out: whoever looks then finds its record.
        if seen.is_right || seen.delivered.is_none() {
            return None;
        }
        let by = self.known.rule.as_ref().map_or_else(String::new, |rule| format!(" by rule \"{rule}\""));
        let expected = match self.known.expect {
            Expected::Pass => "to pass".to_owned(),
            Expected::Fail => format!("to be rejected{by}"),
        };
        let because = if seen.says.is_empty() { String::new() } else { format!(" ({})", seen.says) };
        Some(format!(
            "known part \"{name}\" (part {part}) was {expected}, and the machine said {}{because}",
            seen.word
        ))
    }
}

/// What the PLC is answered for a known part, whatever the machine said of it: rejected, with the machine's reasons.
pub(super) fn withheld(known: &KnownPart, verdict: &Verdict, late: bool) -> Verdict {
    let word = match verdict.decision {
        _ if late => "late".to_owned(),
        Decision::Pass => "pass".to_owned(),
        Decision::Fail => "fail".to_owned(),
        Decision::Missed(cause) => format!("missed, {cause}"),
    };
    let says =
        format!("known part \"{}\" of a challenge, rejected as such; the machine said {word}", known.name);
    let mut withheld = Verdict::missed_because(Cause::NotReleased, says);
    withheld.reasons.extend(verdict.reasons.iter().cloned());
    withheld
}

#[cfg(test)]
mod tests {
    use super::*;
    use plumb_ledger::Role;
    use plumb_verdict::Reason;

    const WITHIN: Duration = Duration::from_secs(600);

    fn known(name: &str, expect: Expected, rule: Option<&str>) -> KnownPart {
        KnownPart { name: name.into(), expect, rule: rule.map(Into::into), note: String::new() }
    }

    fn run() -> Run {
        let by = Who { name: "otto".into(), role: Role::Operator, address: String::new() };
        let known = [known("golden", Expected::Pass, None), known("rabbit", Expected::Fail, Some("no-cap"))];
        Run::new(by, "bottle".into(), "d".into(), &known, Instant::now())
    }

    fn fail(rule: &str) -> Verdict {
        let reason = Reason { rule: rule.into(), region: "whole".into(), says: "no cap".into() };
        Verdict::from_objections(vec![reason])
    }

    fn part(n: u32) -> PartId {
        PartId::new(n).expect("not 0")
    }

    /// Presents parts 1, 2 … of which the machine says this, and gives the end.
    fn end(said: &[(Verdict, bool)]) -> Option<End> {
        let mut run = run();
        for (n, (verdict, late)) in said.iter().enumerate() {
            let part = part(n as u32 + 1);
            assert!(run.present(part).is_some());
            run.judged(part, verdict, *late);
            run.answered(part, true);
        }
        run.end(Instant::now(), WITHIN)
    }

    #[test]
    fn a_challenge_is_passed_when_each_part_is_told_right_by_the_right_rule_in_time() {
        let pass = || Verdict::from_objections(vec![]);
        let missed = || Verdict::missed(Cause::CameraDown);
        let is_failed = |end: Option<End>| matches!(end, Some(End::Failed(_)));
        assert_eq!(end(&[(pass(), false), (fail("no-cap"), false)]), Some(End::Passed));
        assert_eq!(end(&[(pass(), false)]), None, "the rabbit has not come");
        assert!(is_failed(end(&[(fail("no-cap"), false)])), "a golden part was rejected");
        assert!(is_failed(end(&[(pass(), false), (pass(), false)])), "a rabbit passed");
        assert!(is_failed(end(&[(pass(), false), (fail("dent"), false)])), "rejected for something else");
        assert!(is_failed(end(&[(pass(), true)])), "a pass that comes too late is none");
        assert!(is_failed(end(&[(pass(), false), (missed(), false)])), "what is not seen is not told right");
    }

    #[test]
    fn a_failed_challenge_says_which_part_what_was_expected_and_what_was_seen() {
        let Some(End::Failed(says)) = end(&[(fail("no-cap"), false)]) else { panic!("it fails") };
        assert_eq!(
            says,
            "known part \"golden\" (part 1) was to pass, and the machine said fail (no-cap: no cap)"
        );
    }

    #[test]
    fn an_answer_that_the_plc_did_not_take_proves_nothing() {
        let mut run = run();
        assert!(run.present(part(1)).is_some());
        run.judged(part(1), &Verdict::from_objections(vec![]), false);
        assert_eq!(run.end(Instant::now(), WITHIN), None);
        run.answered(part(1), false);
        assert!(matches!(run.end(Instant::now(), WITHIN), Some(End::Failed(says)) if says.contains("PLC")));
    }

    #[test]
    fn parts_that_do_not_come_end_it_and_no_more_parts_are_known_than_there_are() {
        let mut run = run();
        assert!([1, 2].into_iter().all(|n| run.present(part(n)).is_some()) && run.present(part(3)).is_none());
        let late = Instant::now() + WITHIN;
        assert!(matches!(run.end(late, WITHIN), Some(End::Failed(says)) if says.contains("within 10 min")));
    }

    #[test]
    fn a_known_part_is_rejected_whatever_the_machine_says_of_it() {
        let withheld =
            withheld(&known("golden", Expected::Pass, None), &Verdict::from_objections(vec![]), false);
        assert_eq!(withheld.decision, Decision::Missed(Cause::NotReleased));
    }
}
