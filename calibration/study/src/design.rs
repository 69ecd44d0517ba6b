//! What is measured, by whom and how often, and in which order.

use crate::{StudyError, Value};
use plumb_quality::gauge::Type1Settings;
use rand::SeedableRng as _;
use rand::seq::SliceRandom as _;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What an appraiser, or the reference, calls a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Word {
    /// It should pass.
    Good,
    /// It should be rejected.
    Bad,
}

impl Word {
    /// The spelling used everywhere.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Bad => "bad",
        }
    }
}

/// The plan of a study.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Design {
    /// One known part again and again: is the gauge fit to begin with?
    Type1 {
        /// The part's certified value.
        reference: f64,
        /// Width of the tolerance.
        tolerance: f64,
        /// How often; 50 is usual.
        repetitions: usize,
        /// What Cg and Cgk are reckoned with.
        #[serde(default)]
        settings: Type1Settings,
        /// Of the values, as `mm`.
        unit: String,
    },
    /// Gage R&R, crossed: everybody measures every part equally often.
    Grr {
        /// Who measures, at least two.
        appraisers: Vec<String>,
        /// What is measured, at least two.
        parts: Vec<String>,
        /// How often each, at least two.
        trials: usize,
        /// Width of the tolerance, where there is one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        tolerance: Option<f64>,
        /// Of the values.
        unit: String,
    },
    /// Attribute agreement: everybody calls every part good or bad.
    Agreement {
        /// Who judges; the station may be one of them.
        appraisers: Vec<String>,
        /// What is judged.
        parts: Vec<String>,
        /// How often each.
        trials: usize,
        /// What the parts really are, where that is known of all of them.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        reference: BTreeMap<String, Word>,
    },
    /// Linearity and bias over the range: parts whose value is known.
    Linearity {
        /// Each part with its certified value, at least two different ones.
        parts: Vec<(String, f64)>,
        /// How often each; 10 is usual.
        trials: usize,
        /// Of the values.
        unit: String,
    },
}

/// One measurement to be taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Step {
    /// Who; `None` where the kind of study does not tell people apart.
    pub appraiser: Option<String>,
    /// Of what.
    pub part: String,
    /// For the how manyth time, from 1.
    pub trial: usize,
}

impl Design {
    /// As the command line and the file spell it.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Type1 { .. } => "type1",
            Self::Grr { .. } => "grr",
            Self::Agreement { .. } => "agreement",
            Self::Linearity { .. } => "linearity",
        }
    }

    /// The unit of its values; `None` where they are words.
    pub fn unit(&self) -> Option<&str> {
        match self {
            Self::Type1 { unit, .. } | Self::Grr { unit, .. } | Self::Linearity { unit, .. } => Some(unit),
            Self::Agreement { .. } => None,
        }
    }

    /// # Errors
    /// Every reason why such a study could tell nothing.
    pub fn check(&self) -> Result<(), StudyError> {
        let mut problems = Vec::new();
        let mut wants = |holds: bool, says: String| {
            if !holds {
                problems.push(says);
            }
        };
        match self {
            Self::Type1 { reference, tolerance, repetitions, settings, .. } => {
                wants(
                    *repetitions >= 10,
                    format!("{repetitions} repetitions are too few; take at least 10, better 50"),
                );
                wants(reference.is_finite(), "the reference is no number".to_owned());
                let positive = [*tolerance, settings.tolerance_share, settings.deviations];
                let all = positive.iter().all(|value| value.is_finite() && *value > 0.0);
                wants(all, "tolerance, tolerance share and deviations must be more than 0".to_owned());
            }
            Self::Grr { appraisers, parts, trials, tolerance, .. } => {
                wants(appraisers.len() >= 2, one_appraiser(appraisers));
                wants(
                    parts.len() >= 2,
                    format!("{} parts are too few; take at least 2, better 10", parts.len()),
                );
                wants(*trials >= 2, format!("{trials} trials are too few; take at least 2, better 3"));
                wants(
                    tolerance.is_none_or(|width| width.is_finite() && width > 0.0),
                    "a tolerance must be more than 0 wide".to_owned(),
                );
                problems.extend(twice("appraiser", appraisers).into_iter().chain(twice("part", parts)));
            }
            Self::Agreement { appraisers, parts, trials, reference } => {
                wants(
                    appraisers.len() >= 2 || (appraisers.len() == 1 && !reference.is_empty()),
                    one_appraiser(appraisers),
                );
                wants(!parts.is_empty(), "there is no part to judge".to_owned());
                wants(*trials >= 1, "each part must be judged at least once".to_owned());
                if !reference.is_empty() {
                    let lacking: Vec<&str> = parts
                        .iter()
                        .filter(|part| !reference.contains_key(*part))
                        .map(String::as_str)
                        .collect();
                    wants(
                        lacking.is_empty(),
                        format!("the reference says nothing of {}", lacking.join(", ")),
                    );
                    let unknown: Vec<&str> =
                        reference.keys().filter(|part| !parts.contains(part)).map(String::as_str).collect();
                    wants(
                        unknown.is_empty(),
                        format!(
                            "the reference speaks of parts that are not in the study: {}",
                            unknown.join(", ")
                        ),
                    );
                }
                problems.extend(twice("appraiser", appraisers).into_iter().chain(twice("part", parts)));
            }
            Self::Linearity { parts, trials, .. } => {
                let mut references: Vec<f64> = parts.iter().map(|(_, reference)| *reference).collect();
                wants(references.iter().all(|r| r.is_finite()), "a reference is no number".to_owned());
                references.sort_by(f64::total_cmp);
                references.dedup();
                let different = references.len();
                wants(
                    different >= 2,
                    format!("{different} different references make no range; take at least 2, better 5"),
                );
                wants(*trials >= 2, format!("{trials} trials are too few; take at least 2, better 10"));
                let names: Vec<String> = parts.iter().map(|(name, _)| name.clone()).collect();
                problems.extend(twice("part", &names));
            }
        }
        if problems.is_empty() { Ok(()) } else { Err(StudyError::Design { problems }) }
    }

    /// Every measurement, in the order in which it is to be taken: one round of all parts after the other, an appraiser at
    /// a time, the parts in an order of their own each time. Same seed, same order.
    pub fn steps(&self, seed: u64) -> Vec<Step> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let names = |parts: &[(String, f64)]| parts.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
        let (appraisers, mut parts, trials) = match self {
            Self::Type1 { repetitions, .. } => (vec![None], vec!["reference".to_owned()], *repetitions),
            Self::Grr { appraisers, parts, trials, .. }
            | Self::Agreement { appraisers, parts, trials, .. } => {
                (appraisers.iter().cloned().map(Some).collect(), parts.clone(), *trials)
            }
            Self::Linearity { parts, trials, .. } => (vec![None], names(parts), *trials),
        };
        let mut steps = Vec::with_capacity(appraisers.len() * parts.len() * trials);
        for trial in 1..=trials {
            for appraiser in &appraisers {
                parts.shuffle(&mut rng);
                for part in &parts {
                    steps.push(Step { appraiser: appraiser.clone(), part: part.clone(), trial });
                }
            }
        }
        steps
    }

    /// True if such a value can be entered.
    pub(crate) fn takes(&self, value: &Value) -> bool {
        match (self, value) {
            (Self::Agreement { .. }, Value::Word(_)) => true,
            (Self::Agreement { .. }, Value::Number(_)) | (_, Value::Word(_)) => false,
            (_, Value::Number(number)) => number.is_finite(),
        }
    }
}

fn one_appraiser(appraisers: &[String]) -> String {
    match appraisers {
        [] => "nobody measures; name at least two appraisers, better three".to_owned(),
        [one, ..] => {
            format!("{one} alone has nobody to agree with; name at least two appraisers, better three")
        }
    }
}

fn twice(what: &str, names: &[String]) -> Option<String> {
    let again = names.iter().enumerate().find(|(at, name)| names[..*at].contains(name));
    again.map(|(_, name)| format!("{what} \"{name}\" is named twice"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(prefix: &str, n: usize) -> Vec<String> {
        (1..=n).map(|i| format!("{prefix}{i}")).collect()
    }

    fn grr(appraisers: usize, parts: usize, trials: usize) -> Design {
        let (appraisers, parts) = (named("A", appraisers), named("P", parts));
        Design::Grr { appraisers, parts, trials, tolerance: None, unit: "mm".into() }
    }

    #[test]
    fn everybody_measures_every_part_equally_often_in_an_order_that_cannot_be_learned() {
        let design = grr(3, 10, 3);
        let steps = design.steps(7);
        assert_eq!(steps.len(), 90);
        for appraiser in named("A", 3) {
            for part in named("P", 10) {
                let of = |step: &&Step| step.appraiser.as_ref() == Some(&appraiser) && step.part == part;
                let mut trials: Vec<usize> = steps.iter().filter(of).map(|step| step.trial).collect();
                trials.sort_unstable();
                assert_eq!(trials, [1, 2, 3]);
            }
        }
        let round =
            |nth: usize| steps[nth * 10..(nth + 1) * 10].iter().map(|s| s.part.clone()).collect::<Vec<_>>();
        assert!(round(0) != round(1) && round(1) != round(2), "each round has an order of its own");
        assert_eq!(steps, design.steps(7));
        assert_ne!(steps, design.steps(8));
    }

    #[test]
    fn a_study_that_could_tell_nothing_is_refused_with_every_reason() {
        let says = |design: &Design| design.check().expect_err("refused").to_string();
        let wrong = says(&grr(1, 1, 1));
        for words in ["A1 alone", "1 parts are too few", "1 trials are too few"] {
            assert!(wrong.contains(words), "{words} in {wrong}");
        }
        let twice = Design::Grr {
            appraisers: vec!["ann".into(), "ann".into()],
            parts: named("P", 2),
            trials: 2,
            tolerance: Some(0.0),
            unit: "mm".into(),
        };
        assert!(says(&twice).contains("\"ann\" is named twice") && says(&twice).contains("tolerance"));
        let lacking = Design::Agreement {
            appraisers: named("A", 2),
            parts: named("P", 2),
            trials: 1,
            reference: [("P1".to_owned(), Word::Bad), ("X".to_owned(), Word::Good)].into(),
        };
        assert!(says(&lacking).contains("nothing of P2") && says(&lacking).contains("not in the study: X"));
        let flat = Design::Linearity {
            parts: vec![("a".into(), 1.0), ("b".into(), 1.0)],
            trials: 10,
            unit: "mm".into(),
        };
        assert!(says(&flat).contains("1 different references"));
    }
}
