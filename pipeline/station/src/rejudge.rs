//! A stored part judged again by its findings: without its pictures, so as fast as records are read.
//!
//! A record keeps what the models found before any threshold, so another threshold or rule needs no picture. Another
//! model does.

use crate::config::RecipePlan;
use plumb_inspection::{CameraId, Findings, ModelName, RegionName};
use plumb_ledger::{Record, RecordVerdict};
use std::collections::BTreeSet;

/// A part's views as the judge takes them.
pub type Views = Vec<(CameraId, Findings)>;

/// Why a stored part cannot be judged again from its record.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, thiserror::Error)]
pub enum CannotRejudge {
    /// The machine did not judge it either.
    #[error("the part was missed or late, so its record holds no full judgement")]
    Missed,
    /// It was judged under another recipe.
    #[error("the part was checked by recipe \"{0}\"")]
    OtherRecipe(String),
    /// Scores of another model are another scale.
    #[error("the part was judged by another version of a model ({0})")]
    OtherModel(String),
    /// The record does not say which model found what, and a rule asks.
    #[error(
        "several models look at region \"{0}\" and a rule believes only one; records do not say who found what"
    )]
    Ambiguous(RegionName),
    /// The recipe has been cut otherwise since.
    #[error("the record speaks of {0}, which the recipe no longer looks at")]
    OtherRegions(String),
}

/// What the models found of a stored part, as `recipe`'s judge takes it.
///
/// # Errors
/// When the record is of another recipe, of other models, or not of a judged part.
pub fn views_of(record: &Record, recipe: &RecipePlan) -> Result<Views, CannotRejudge> {
    if record.recipe != recipe.name {
        return Err(CannotRejudge::OtherRecipe(record.recipe.to_string()));
    }
    if matches!(record.verdict, RecordVerdict::Missed | RecordVerdict::Late) {
        return Err(CannotRejudge::Missed);
    }
    for (_, model) in recipe.models.iter().enumerate().filter(|(at, _)| recipe.rests_on(*at)) {
        let (name, digest) = (&model.card.name, model.digest());
        let judged = record.models.iter().find(|judged| judged.name == *name);
        if judged.is_none_or(|judged| judged.digest != digest) {
            let digest = judged.map_or("none", |judged| judged.digest.as_str());
            let short = digest.get(..12).unwrap_or(digest);
            return Err(CannotRejudge::OtherModel(format!("\"{name}\" {short}")));
        }
    }
    record
        .views
        .iter()
        .map(|view| {
            let looks = Looks::of(recipe, &view.camera);
            let (alignment, measurements) = (view.alignment, view.measurements.clone());
            let mut findings = Findings { alignment, measurements, ..Findings::default() };
            for (key, score) in &view.scores {
                let (model, region) = looks.by_key(key)?;
                findings.scores.push((model, region, *score));
            }
            for finding in &view.findings {
                let mut finding = finding.clone();
                finding.model = looks.finder(&finding.region)?;
                findings.list.push(finding);
            }
            Ok((view.camera.clone(), findings))
        })
        .collect()
}

/// Which model looks at which region of one camera, as the recipe says. Records know models by their cards' names.
struct Looks<'r> {
    recipe: &'r RecipePlan,
    pairs: Vec<(&'r ModelName, &'r RegionName)>,
}

impl<'r> Looks<'r> {
    fn of(recipe: &'r RecipePlan, camera: &'r CameraId) -> Self {
        let pair =
            |region: &'r crate::config::RegionPlan| (&recipe.models[region.model].card.name, &region.name);
        Self { recipe, pairs: recipe.regions_of(camera).map(pair).collect() }
    }

    /// The look a score is of: the key is the model's name, or `model/region` where it looks at several.
    fn by_key(&self, key: &str) -> Result<(ModelName, RegionName), CannotRejudge> {
        let mut by_name = self.pairs.iter().filter(|(model, _)| model.as_str() == key);
        let found = match (by_name.next(), by_name.next()) {
            (Some(only), None) => Some(only),
            _ => self.pairs.iter().find(|(model, region)| format!("{model}/{region}") == key),
        };
        let (model, region) =
            *found.ok_or_else(|| CannotRejudge::OtherRegions(format!("score \"{key}\"")))?;
        Ok((model.clone(), region.clone()))
    }

    /// Who found what is in `region`.
    fn finder(&self, region: &RegionName) -> Result<ModelName, CannotRejudge> {
        let models: BTreeSet<&ModelName> =
            self.pairs.iter().filter(|(_, at)| *at == region).map(|(model, _)| *model).collect();
        let mut models = models.into_iter();
        match (models.next(), models.next()) {
            (None, _) => Err(CannotRejudge::OtherRegions(format!("region \"{region}\""))),
            (Some(only), None) => Ok(only.clone()),
            // Whoever it was: no rule asks.
            (Some(one), Some(_)) if !self.recipe.judge.asks_who() => Ok(one.clone()),
            (Some(_), Some(_)) => Err(CannotRejudge::Ambiguous(region.clone())),
        }
    }
}
