//! What the console must have asked of whoever has the recipes and their judge: it has neither itself.

use crate::{Choices, NewText, Refused, Trouble, WrittenRecipe};
use jiff::Timestamp;
use plumb_inspection::{PartId, RecipeName};
use plumb_ledger::{PartSet, Record, Truth};
use plumb_process::{Charted, Measured};
use plumb_quality::capability::Tolerance;
use plumb_verdict::{RuleName, Threshold};
use std::{fmt, path::Path};

/// The rules of the station's recipes. Every question may wait for the disk; none is asked on a thread that serves others.
pub trait Rules: fmt::Debug + Send + Sync {
    /// Every rule that has one threshold, of every recipe, as the recipes are on disk. Recipes in order, and their rules.
    fn all(&self) -> Result<Vec<RuleSeen>, Refused>;

    /// What is known of parts, as ground for the threshold of one rule.
    ///
    /// # Errors
    /// When there is no such rule, or the ledger cannot be read.
    fn evidence(&self, recipe: &RecipeName, rule: &RuleName) -> Result<Evidence, Refused>;

    /// How far a part was from each threshold of the recipe it was checked by, as that recipe is on disk. Empty where the
    /// record cannot be judged again.
    fn scores(&self, record: &Record) -> Vec<RuleScore>;

    /// Parts that a recipe judged, as its charts want them. Those that nobody was to judge are not among them.
    ///
    /// # Errors
    /// When there is no such recipe, rule or measurement, or the ledger cannot be read.
    fn charted(&self, ask: &ChartAsk) -> Result<ChartData, Refused>;

    /// Looks at a stored picture once, by `recipe` as it is on disk: the station's own way of looking, beside it, with a
    /// ledger that is thrown away. Takes seconds; one at a time.
    ///
    /// # Errors
    /// When there is no such recipe, it needs more than one picture, or the picture cannot be judged.
    fn replay(&self, picture: &Path, recipe: &RecipeName) -> Result<Record, Refused>;

    /// Puts another threshold into the recipe's file, checks the whole recipe as at the start of the station, and has it
    /// judge from the next part on. Nothing is written where the file is not the one that was proposed for.
    ///
    /// # Errors
    /// When the file has changed, the recipe would not do, or it could not be loaded: the old one then goes on, in the
    /// file too.
    fn set(&self, wish: &NewThreshold) -> Result<Set, Refused>;

    /// Every recipe's file as it is now, in the order of their names; those that cannot be loaded too.
    ///
    /// # Errors
    /// When the folder cannot be read.
    fn written(&self) -> Result<Vec<WrittenRecipe>, Refused>;

    /// Everything that would be wrong if `text` were in the file of `recipe`. Nothing is written.
    ///
    /// # Errors
    /// When there is no such recipe.
    fn troubles(&self, recipe: &RecipeName, text: &str) -> Result<Vec<Trouble>, Refused>;

    /// What a recipe can name.
    fn choices(&self) -> Choices;

    /// As [`Rules::set`], with the recipe's whole text.
    ///
    /// # Errors
    /// As there.
    fn rewrite(&self, wish: &NewText) -> Result<Set, Refused>;
}

/// A rule with its threshold.
#[derive(Clone, Debug, PartialEq)]
pub struct RuleSeen {
    /// Its recipe.
    pub recipe: RecipeName,
    /// Its name.
    pub rule: RuleName,
    /// As the recipe's file has it.
    pub threshold: Threshold,
    /// SHA-256 of the recipe's file, in hex.
    pub file_digest: String,
    /// Parts are being judged by it.
    pub runs: bool,
}

/// Everything there is to choose and to prove a threshold by.
#[derive(Clone, Debug, PartialEq)]
pub struct Evidence {
    /// The rule.
    pub seen: RuleSeen,
    /// One entry a piece, ascending by score.
    pub pieces: Vec<Piece>,
    /// Inspections that do not count: how many and why. Scores of another version of a model are among them.
    pub left_out: Vec<(u64, String)>,
}

/// One physical thing of which is known what it was.
#[derive(Clone, Debug, PartialEq)]
pub struct Piece {
    /// What its threshold is compared with; beyond any number where other rules reject it whatever this one says.
    pub score: f64,
    /// What it was.
    pub truth: Truth,
    /// What it may be used for.
    pub part_set: PartSet,
    /// The inspection that counts.
    pub part: PartId,
    /// When that was.
    pub triggered_at: Timestamp,
}

/// What is to be charted.
#[derive(Clone, Debug, PartialEq)]
pub struct ChartAsk {
    /// Parts of this recipe.
    pub recipe: RecipeName,
    /// With this rule's score.
    pub rule: Option<RuleName>,
    /// With the values of this measurement.
    pub size: Option<String>,
    /// Triggered then or later.
    pub from: Timestamp,
}

/// What there is to chart.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ChartData {
    /// Oldest first.
    pub parts: Vec<Charted>,
    /// Values of the measurement that was asked for, oldest first.
    pub values: Vec<Measured>,
    /// Their unit.
    pub unit: String,
    /// Limits of the recipe's rule on it.
    pub tolerance: Option<Tolerance>,
    /// Rules whose score may be asked for.
    pub rules: Vec<RuleName>,
    /// Measurements that may be asked for.
    pub sizes: Vec<String>,
}

/// How far a part was from one threshold.
#[derive(Clone, Debug, PartialEq)]
pub struct RuleScore {
    /// The rule.
    pub rule: RuleName,
    /// What its threshold is compared with, the higher the worse.
    pub score: f64,
    /// The threshold.
    pub threshold: Threshold,
}

impl RuleScore {
    /// Within a tenth of the threshold, on either side: a small change of it, or of the light, would flip the part.
    pub fn is_near(&self) -> bool {
        let threshold = f64::from(self.threshold.value);
        (self.score - threshold).abs() <= 0.1 * threshold.abs()
    }
}

/// Another threshold, approved.
#[derive(Clone, Debug, PartialEq)]
pub struct NewThreshold {
    /// The recipe.
    pub recipe: RecipeName,
    /// The rule.
    pub rule: RuleName,
    /// Its value as it was when this was proposed.
    pub old: f32,
    /// Its value to be.
    pub new: f32,
    /// Of the recipe's file when this was proposed.
    pub file_digest: String,
}

/// It is in the recipe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Set {
    /// What was done, in a sentence.
    pub says: String,
    /// The first part that is judged by it, where one has come.
    pub from_part: Option<PartId>,
    /// SHA-256 of the recipe's file as it is now, in hex.
    pub file_digest: String,
}

#[cfg(test)]
mod tests {
    use super::*;
    use plumb_verdict::Rejects;

    #[test]
    fn near_is_within_a_tenth_of_the_threshold_on_either_side() {
        let threshold = Threshold { key: "max", value: 0.5, rejects: Rejects::Above };
        let is_near = |score| RuleScore { rule: "r".into(), score, threshold }.is_near();
        assert!(
            is_near(0.46) && is_near(0.54) && !is_near(0.44) && !is_near(0.56) && !is_near(f64::INFINITY)
        );
    }
}
