//! What another threshold, rule, recipe or model would have said of parts that went through the line: who would change,
//! and what it would do to escapes and false rejects, as far as anybody knows what the parts really were.

use plumb_inspection::PartId;
use plumb_ledger::{RecordVerdict, Truth};
use plumb_quality::{Confidence, Share, mcnemar_exact};
use serde::Serialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// One part, then and now.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Pair {
    /// Which part.
    pub part_id: PartId,
    /// What the PLC was told.
    pub before: RecordVerdict,
    /// What would be said now.
    pub after: RecordVerdict,
    /// What the part really was, where somebody said so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub truth: Option<Truth>,
    /// The first reason of the verdict that rejects, before or after.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// Where its kept picture lies, below the ledger's folder.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub picture: Option<String>,
}

impl Pair {
    /// True if a part that passed would be rejected, or the other way round.
    pub fn flips(&self) -> bool {
        (self.before == RecordVerdict::Pass) != (self.after == RecordVerdict::Pass)
    }
}

/// All parts, counted.
#[derive(Clone, Debug, PartialEq)]
pub struct Comparison {
    /// Parts that were compared.
    pub parts: usize,
    /// Passed before, would be rejected now.
    pub newly_rejected: usize,
    /// Rejected before, would pass now.
    pub newly_passed: usize,
    /// Defective parts that passed, of those known to be defective: before and after.
    pub escapes: Option<[Share; 2]>,
    /// Good parts that were rejected, of those known to be good: before and after.
    pub false_rejects: Option<[Share; 2]>,
    /// Known parts that were judged wrongly before and rightly now, and the other way round.
    pub discordant: [u64; 2],
    /// Exact McNemar: how likely such a difference is by chance; `None` where no part is discordant.
    pub p: Option<f64>,
    /// Parts that change, oldest first.
    pub flips: Vec<Pair>,
    /// Parts that could not be compared, by reason.
    pub left_out: BTreeMap<String, u64>,
    /// What must be known to read the figures rightly, each a sentence.
    pub notes: Vec<String>,
}

impl Comparison {
    /// Counts `pairs`, in the order of the parts.
    pub fn of(pairs: Vec<Pair>, left_out: BTreeMap<String, u64>) -> Self {
        let passes = |verdict: RecordVerdict| verdict == RecordVerdict::Pass;
        let share = |truth: Truth, wrong: &dyn Fn(RecordVerdict) -> bool| {
            let known = || pairs.iter().filter(|pair| pair.truth == Some(truth));
            let before = Share::of(known(), |pair| wrong(pair.before)).ok()?;
            Some([before, Share::of(known(), |pair| wrong(pair.after)).ok()?])
        };
        let (mut better, mut worse) = (0, 0);
        for pair in &pairs {
            let Some(truth) = pair.truth else { continue };
            let right = |verdict| passes(verdict) == (truth == Truth::Good);
            match (right(pair.before), right(pair.after)) {
                (false, true) => better += 1,
                (true, false) => worse += 1,
                _ => {}
            }
        }
        Self {
            parts: pairs.len(),
            newly_rejected: pairs.iter().filter(|pair| pair.flips() && passes(pair.before)).count(),
            newly_passed: pairs.iter().filter(|pair| pair.flips() && passes(pair.after)).count(),
            escapes: share(Truth::Defective, &passes),
            false_rejects: share(Truth::Good, &|verdict| !passes(verdict)),
            discordant: [better, worse],
            p: (better + worse > 0).then(|| mcnemar_exact(better, worse)),
            flips: pairs.into_iter().filter(Pair::flips).collect(),
            left_out,
            notes: Vec::new(),
        }
    }

    /// One JSON document, schema `plumb.replay/1`.
    pub fn document(&self, confidence: Confidence) -> Value {
        let share = |share: Share| {
            let interval = share.interval(confidence);
            json!({
                "events": share.events(), "of": share.trials(), "at_most": share.at_most(confidence),
                "lower": interval.lower, "upper": interval.upper,
            })
        };
        let both = |shares: Option<[Share; 2]>| {
            shares.map(|[before, after]| json!({ "before": share(before), "after": share(after) }))
        };
        json!({
            "schema": "plumb.replay/1",
            "parts": self.parts,
            "newly_rejected": self.newly_rejected,
            "newly_passed": self.newly_passed,
            "confidence": confidence,
            "escapes": both(self.escapes),
            "false_rejects": both(self.false_rejects),
            "mcnemar": { "better": self.discordant[0], "worse": self.discordant[1], "p": self.p },
            "flips": self.flips,
            "left_out": self.left_out,
            "notes": self.notes,
        })
    }

    /// The same for people.
    pub fn words(&self, confidence: Confidence) -> String {
        let mut out = format!(
            "{} parts compared: {} that passed would be rejected, {} that were rejected would pass\n",
            self.parts, self.newly_rejected, self.newly_passed
        );
        let mut line = |name: &str, shares: Option<[Share; 2]>| {
            out += &match shares {
                Some([before, after]) => {
                    format!(
                        "  {name:<14} before {}   after {}\n",
                        before.says(confidence),
                        after.says(confidence)
                    )
                }
                None => format!("  {name:<14} nobody said of any such part what it was\n"),
            };
        };
        line("escapes", self.escapes);
        line("false rejects", self.false_rejects);
        if let Some(p) = self.p {
            let [better, worse] = self.discordant;
            out += &format!(
                "  of known parts {better} become right and {worse} wrong: p = {p:.4} by chance (McNemar, exact)\n"
            );
        }
        for (why, parts) in &self.left_out {
            out += &format!("  left out       {parts}: {why}\n");
        }
        for note in &self.notes {
            out += &format!("  note           {note}\n");
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(id: u32, before: RecordVerdict, after: RecordVerdict, truth: Option<Truth>) -> Pair {
        let part_id = PartId::new(id).expect("not 0");
        Pair { part_id, before, after, truth, why: None, picture: None }
    }

    #[test]
    fn only_known_parts_say_what_is_better() {
        use RecordVerdict::{Fail, Missed, Pass};
        let pairs = vec![
            pair(1, Pass, Fail, Some(Truth::Defective)), // an escape less
            pair(2, Fail, Pass, Some(Truth::Good)),      // a false reject less
            pair(3, Fail, Pass, Some(Truth::Defective)), // an escape more
            pair(4, Pass, Fail, None),                   // nobody knows
            pair(5, Pass, Pass, Some(Truth::Good)),
            pair(6, Fail, Missed, None), // rejected both times
        ];
        let told = Comparison::of(pairs, BTreeMap::new());
        assert_eq!((told.parts, told.newly_rejected, told.newly_passed), (6, 2, 2));
        let share = |events, of| Share::new(events, of).expect("a share");
        assert_eq!(told.escapes, Some([share(1, 2), share(1, 2)]));
        assert_eq!(told.false_rejects, Some([share(1, 2), share(0, 2)]));
        assert_eq!(told.discordant, [2, 1]);
        assert!(told.p.is_some_and(|p| (p - 1.0).abs() < 1e-9), "{:?}", told.p);
        assert_eq!(told.flips.iter().map(|flip| flip.part_id.get()).collect::<Vec<_>>(), [1, 2, 3, 4]);
        let words = told.words(Confidence::NINETY_FIVE);
        assert!(words.contains("after 0 of 2 (at most 77.64 %)"), "{words}");
    }

    #[test]
    fn nothing_known_is_said_to_be_nothing() {
        let pairs = vec![pair(1, RecordVerdict::Pass, RecordVerdict::Pass, None)];
        let told = Comparison::of(pairs, BTreeMap::new());
        assert_eq!((told.p, told.escapes), (None, None));
        assert!(told.words(Confidence::NINETY_FIVE).contains("nobody said"));
    }
}
