//! The rules of the station's recipes, for the console: what known parts score under them, what their files say, and another
//! threshold or text that acts from the next part on.

use super::{choices, replayed};
use crate::{
    changeover::{Changeover, Stage},
    config::{Plan, Problem, RecipeError, RecipePlan, read_recipe, recipe_file, recipe_texts, try_recipe},
    evidence,
    hot_path::Desk,
    rejudge::views_of,
    retune,
};
use plumb_console::{
    ChartAsk, ChartData, Choices, Evidence, NewText, NewThreshold, Piece, Refused, RuleScore, RuleSeen,
    Rules, Set, Trouble, WrittenRecipe,
};
use plumb_inspection::{CameraId, Cause, RecipeName};
use plumb_ledger::{LedgerError, Query, Reader, Record, TruthBook};
use plumb_process::{Charted, Measured};
use plumb_quality::capability::Tolerance;
use plumb_verdict::{RuleConfig, RuleName};
use std::{
    collections::BTreeMap,
    fmt, fs,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::{Duration, Instant},
};

/// A recipe that was read this long ago is read again: a queue asks about hundreds of parts at once.
const FRESH: Duration = Duration::from_secs(3);
/// A recipe loads and warms within this, or the person is told that it is still at it.
const LOADING: Duration = Duration::from_secs(60);
/// So long its first part is waited for: on a line that stands there is none to name.
const FIRST_PART: Duration = Duration::from_secs(5);
/// How often either is looked at.
const LOOK: Duration = Duration::from_millis(10);

pub(crate) struct StationRules {
    plan: Arc<Plan>,
    desk: Arc<Desk>,
    changeover: Changeover,
    read: Mutex<BTreeMap<RecipeName, (Instant, Arc<OnDisk>)>>,
    /// One change at a time: of two approved at once the second finds another file than it was proposed for.
    changing: Mutex<()>,
    /// One replay at a time: each loads its models anew.
    replaying: Mutex<()>,
}

/// A recipe as its file says.
struct OnDisk {
    plan: RecipePlan,
    file: PathBuf,
    text: String,
    digest: String,
}

impl fmt::Debug for StationRules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StationRules").field("recipes", &self.plan.recipes_folder).finish_non_exhaustive()
    }
}

impl StationRules {
    pub(crate) fn new(plan: Arc<Plan>, desk: Arc<Desk>, changeover: Changeover) -> Self {
        Self {
            plan,
            desk,
            changeover,
            read: Mutex::default(),
            changing: Mutex::default(),
            replaying: Mutex::default(),
        }
    }

    /// As it is on disk now.
    fn read(&self, recipe: &RecipeName) -> Result<Arc<OnDisk>, Refused> {
        let folder = &self.plan.recipes_folder;
        let none = || {
            Refused(format!(
                "there is no recipe \"{recipe}\" in {}; /tune lists those there are",
                folder.display()
            ))
        };
        let file = recipe_file(folder, recipe.as_str()).ok_or_else(none)?;
        let text = fs::read_to_string(&file)
            .map_err(|error| Refused(format!("{} cannot be read: {error}", file.display())))?;
        let plan = read_recipe(folder, &self.plan.cameras, self.plan.gate, recipe.as_str())
            .map_err(|error| Refused(error.to_string()))?;
        let read = Arc::new(OnDisk { plan, file, digest: retune::digest(&text), text });
        let mut kept = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        kept.insert(recipe.clone(), (Instant::now(), read.clone()));
        Ok(read)
    }

    /// As it was on disk a moment ago.
    fn read_lately(&self, recipe: &RecipeName) -> Result<Arc<OnDisk>, Refused> {
        let kept = self.read.lock().unwrap_or_else(PoisonError::into_inner).get(recipe).cloned();
        match kept.filter(|(at, _)| at.elapsed() < FRESH) {
            Some((_, read)) => Ok(read),
            None => self.read(recipe),
        }
    }

    fn seen(&self, read: &OnDisk) -> Vec<RuleSeen> {
        let runs = self.desk.current().plan.name == read.plan.name;
        let seen = |rule: &plumb_verdict::RuleConfig| {
            Some(RuleSeen {
                recipe: read.plan.name.clone(),
                rule: rule.name().clone(),
                threshold: rule.threshold()?,
                file_digest: read.digest.clone(),
                runs,
            })
        };
        read.plan.judge.rules().filter_map(seen).collect()
    }

    /// Has the changed recipe loaded, and waits until parts are stamped with it; or, where another recipe runs, until it
    /// is ready for the next changeover.
    fn load(&self, plan: &RecipePlan) -> Result<bool, String> {
        let runs = self.desk.current().plan.name == plan.name;
        let asked = self.changeover.by_api(plan.name.as_str(), runs).map_err(|error| error.to_string())?;
        if asked.digest != plan.digest {
            return Err("the recipe's file was changed at the same moment by somebody else".to_owned());
        }
        let end = Instant::now() + LOADING;
        while Instant::now() < end {
            if self.desk.current().plan.digest == plan.digest {
                return Ok(true);
            }
            let (progress, waits) = self.changeover.progress();
            let ours = progress.filter(|progress| {
                waits.is_none() && progress.is_over() && progress.recipe == plan.name.as_str()
            });
            match ours.map(|progress| (progress.stage, progress.says)) {
                Some((Stage::Failed, says)) => return Err(says.unwrap_or_default()),
                Some((Stage::Ready | Stage::Superseded, _)) => return Ok(false),
                _ => thread::sleep(LOOK),
            }
        }
        Err(format!("it is not loaded after {} s", LOADING.as_secs()))
    }

    /// Puts `new` in the place of `old` in `file`, and has it judge from the next part on where its recipe runs. What cannot be
    /// loaded is taken back. `what` is put there, and `goes_on` says what does otherwise.
    fn put(
        &self,
        (file, old, new): (&Path, &str, &str),
        plan: &RecipePlan,
        (what, goes_on): (&str, &str),
    ) -> Result<Set, Refused> {
        retune::replace(file, new).map_err(Refused)?;
        let is_live = self.load(plan).map_err(|says| {
            let restored = retune::replace(file, old);
            let and = restored.err().map_or_else(String::new, |error| format!("; and {error}"));
            Refused(format!("{goes_on}{and}: {says}"))
        })?;
        let file_digest = retune::digest(new);
        if !is_live {
            let says = format!(
                "it is in {}, and acts from the next changeover to \"{}\" on",
                file.display(),
                plan.name
            );
            return Ok(Set { says, from_part: None, file_digest });
        }
        let (live, end) = (self.desk.current(), Instant::now() + FIRST_PART);
        while live.first_part().is_none() && Instant::now() < end {
            thread::sleep(LOOK);
        }
        let from_part = live.first_part().filter(|_| live.plan.digest == plan.digest);
        let says = match from_part {
            Some(part) => format!("{what} judges from part {part} on"),
            None => format!("{what} judges from the next part on"),
        };
        Ok(Set { says, from_part, file_digest })
    }
}

impl Rules for StationRules {
    fn all(&self) -> Result<Vec<RuleSeen>, Refused> {
        let mut seen = Vec::new();
        for recipe in self.plan.recipes.values() {
            seen.extend(self.seen(&*self.read(&recipe.name)?));
        }
        Ok(seen)
    }

    fn evidence(&self, recipe: &RecipeName, rule: &RuleName) -> Result<Evidence, Refused> {
        let read = self.read(recipe)?;
        let seen = self.seen(&read).into_iter().find(|seen| seen.rule == *rule).ok_or_else(|| {
            let names: Vec<String> = self.seen(&read).iter().map(|seen| format!("\"{}\"", seen.rule)).collect();
            let names = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
            Refused(format!(
                "recipe \"{recipe}\" has no rule \"{rule}\" with a threshold that could be tuned; it has {names}"
            ))
        })?;
        let witnessed = match TruthBook::new(&self.plan.station.data).witnessed(recipe) {
            // Nobody has said anything of any part.
            Err(LedgerError::Absent { .. }) => Vec::new(),
            other => other.map_err(|error| Refused(error.to_string()))?,
        };
        let evidence = evidence::Evidence::of(&witnessed, &read.plan, rule);
        let piece = |piece: evidence::Piece| {
            let evidence::Piece { score, truth, part_set, part, triggered_at } = piece;
            Piece { score, truth, part_set, part, triggered_at }
        };
        let left_out = evidence.left_out.into_iter().map(|left| (left.inspections, left.why)).collect();
        Ok(Evidence { seen, pieces: evidence.pieces.into_iter().map(piece).collect(), left_out })
    }

    fn scores(&self, record: &Record) -> Vec<RuleScore> {
        let Ok(read) = self.read_lately(&record.recipe) else { return Vec::new() };
        let Ok(views) = views_of(record, &read.plan) else { return Vec::new() };
        let seen: Vec<_> = views.iter().map(|(camera, findings)| (camera.clone(), findings)).collect();
        let score = |rule: &plumb_verdict::RuleConfig| {
            let threshold = rule.threshold()?;
            let score = read.plan.judge.score(rule.name(), &seen)?;
            Some(RuleScore { rule: rule.name().clone(), score, threshold })
        };
        read.plan.judge.rules().filter_map(score).collect()
    }

    fn charted(&self, ask: &ChartAsk) -> Result<ChartData, Refused> {
        let read = self.read(&ask.recipe)?;
        let recipe = &read.plan;
        let with_score = recipe.judge.rules().filter(|rule| rule.threshold().is_some());
        let rules: Vec<RuleName> = with_score.map(|rule| rule.name().clone()).collect();
        if let Some(rule) = ask.rule.as_ref().filter(|rule| !rules.contains(rule)) {
            return Err(Refused(format!(
                "recipe \"{}\" has no rule \"{rule}\" with a threshold",
                ask.recipe
            )));
        }
        let sizes: Vec<String> = recipe.measures.iter().map(|measure| measure.gauge.name.clone()).collect();
        if let Some(size) = ask.size.as_ref().filter(|size| !sizes.contains(size)) {
            return Err(Refused(format!("recipe \"{}\" measures no \"{size}\"", ask.recipe)));
        }
        let limits = ask.size.as_ref().and_then(|size| limits_of(recipe, size));
        let in_px = limits.as_ref().is_some_and(|(unit, _)| unit.starts_with("px"));
        let query = Query { from: Some(ask.from), ..Query::default() };
        let charted = Reader::new(&self.plan.station.data).scan(&query, |record| {
            let nobody_was_to_judge =
                |reason: &plumb_verdict::Reason| reason.rule.as_str() == Cause::NotReleased.as_str();
            if record.recipe != recipe.name || record.reasons.iter().any(nobody_was_to_judge) {
                return None;
            }
            let mut part = Charted::of(&record);
            if let Some(rule) = &ask.rule
                && let Ok(views) = views_of(&record, recipe)
            {
                let seen: Vec<(CameraId, _)> =
                    views.iter().map(|(camera, findings)| (camera.clone(), findings)).collect();
                part.score = recipe.judge.score(rule, &seen);
            }
            let size = ask.size.as_ref().and_then(|size| {
                let mut all = record.views.iter().flat_map(|view| &view.measurements);
                let found = all.find(|measured| measured.name == *size)?;
                let (value, unit) = match found.mm.filter(|_| !in_px) {
                    Some(mm) => (mm, found.of.unit_mm()),
                    None => (found.px?, found.of.unit_px()),
                };
                Some((Measured { part: record.part_id, value: value.value }, unit))
            });
            Some((part, size))
        });
        let charted = match charted {
            Err(LedgerError::Absent { .. }) => Vec::new(),
            other => other.map_err(|error| Refused(error.to_string()))?,
        };
        let (parts, found): (Vec<_>, Vec<_>) = charted.into_iter().flatten().unzip();
        // A camera that was calibrated meanwhile gives mm since: values in another unit are of another chart.
        let unit = found.iter().flatten().next_back().map(|(_, unit)| *unit).unwrap_or_default();
        let values = found.into_iter().flatten().filter(|(_, other)| *other == unit);
        let tolerance = limits.filter(|(stated, _)| *stated == unit).map(|(_, tolerance)| tolerance);
        Ok(ChartData {
            parts,
            values: values.map(|(value, _)| value).collect(),
            unit: unit.to_owned(),
            tolerance,
            rules,
            sizes,
        })
    }

    fn replay(&self, picture: &Path, recipe: &RecipeName) -> Result<Record, Refused> {
        let Ok(_alone) = self.replaying.try_lock() else {
            return Err(Refused("another picture is being replayed; wait until it is done".to_owned()));
        };
        replayed::replay(&self.plan.file, recipe, picture)
    }

    fn set(&self, wish: &NewThreshold) -> Result<Set, Refused> {
        let _alone = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let read = self.read(&wish.recipe)?;
        let file = read.file.display();
        if read.digest != wish.file_digest {
            return Err(Refused(format!(
                "{file} has changed since this was proposed, so nothing was written; propose it anew on the file as it is"
            )));
        }
        let threshold =
            self.seen(&read).into_iter().find(|seen| seen.rule == wish.rule).map(|seen| seen.threshold);
        let threshold = threshold
            .ok_or_else(|| Refused(format!("recipe \"{}\" has no rule \"{}\"", wish.recipe, wish.rule)))?;
        let text = retune::changed(&read.text, &wish.rule, threshold.key, wish.new).map_err(Refused)?;
        let as_written = (wish.recipe.as_str(), read.file.as_path(), text.as_str());
        let plan = try_recipe(&self.plan.recipes_folder, &self.plan.cameras, self.plan.gate, as_written)
            .map_err(|error| Refused(format!("nothing was written, as the recipe would not do: {error}")))?;
        let reads_back =
            plan.judge.rules().find(|rule| *rule.name() == wish.rule).and_then(|rule| rule.threshold());
        if reads_back.is_none_or(|back| back.value != wish.new) {
            return Err(Refused(format!(
                "nothing was written: {file} would not read back as {} = {}; change it by hand",
                threshold.key, wish.new
            )));
        }
        let goes_on = "the old threshold goes on, in the file too";
        let set = self.put(
            (&read.file, &read.text, &text),
            &plan,
            (&format!("{} = {}", threshold.key, wish.new), goes_on),
        )?;
        tracing::info!(recipe = %plan.name, rule = %wish.rule, old = wish.old, new = wish.new, "Threshold was changed: {}.", set.says);
        Ok(set)
    }

    fn written(&self) -> Result<Vec<WrittenRecipe>, Refused> {
        let folder = &self.plan.recipes_folder;
        fs::read_dir(folder).map_err(|error| {
            Refused(format!("the recipes in {} cannot be read: {error}", folder.display()))
        })?;
        let current = self.desk.current();
        let texts = recipe_texts(folder, &self.plan.cameras, self.plan.gate);
        let written = texts.into_iter().map(|read| {
            let runs = read.name.as_deref() == Some(current.plan.name.as_str());
            WrittenRecipe {
                file: read.file.file_name().unwrap_or_default().to_string_lossy().into_owned(),
                name: read.name.map(|name| RecipeName::from(&*name)),
                number: read.number,
                digest: retune::digest(&read.text),
                text: read.text,
                troubles: read.problems.iter().map(trouble).collect(),
                runs: runs.then(|| current.plan.text.to_string()),
            }
        });
        Ok(written.collect())
    }

    fn troubles(&self, recipe: &RecipeName, text: &str) -> Result<Vec<Trouble>, Refused> {
        let folder = &self.plan.recipes_folder;
        let file = recipe_file(folder, recipe.as_str())
            .ok_or_else(|| Refused(format!("there is no recipe \"{recipe}\" in {}", folder.display())))?;
        let as_written = (recipe.as_str(), file.as_path(), text);
        match try_recipe(folder, &self.plan.cameras, self.plan.gate, as_written) {
            Ok(_) => Ok(Vec::new()),
            Err(RecipeError::Problems(problems)) => Ok(problems.iter().map(trouble).collect()),
            Err(RecipeError::Unknown { .. }) => {
                let says = format!("the recipe is \"{recipe}\"; another name is another recipe");
                let route = ["recipe", "name"].map(str::to_owned).into();
                Ok(vec![Trouble { line: 0, column: 0, route, says, hint: String::new() }])
            }
        }
    }

    fn choices(&self) -> Choices {
        choices::of(&self.plan)
    }

    fn rewrite(&self, wish: &NewText) -> Result<Set, Refused> {
        let _alone = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let folder = &self.plan.recipes_folder;
        let none = || Refused(format!("there is no recipe \"{}\" in {}", wish.recipe, folder.display()));
        let file = recipe_file(folder, wish.recipe.as_str()).ok_or_else(none)?;
        let text = fs::read_to_string(&file)
            .map_err(|error| Refused(format!("{} cannot be read: {error}", file.display())))?;
        if retune::digest(&text) != wish.file_digest {
            return Err(Refused(format!(
                "{} has changed since this was proposed, so nothing was written; propose it anew on the file as it is",
                file.display()
            )));
        }
        let as_written = (wish.recipe.as_str(), file.as_path(), wish.text.as_str());
        let plan = try_recipe(folder, &self.plan.cameras, self.plan.gate, as_written)
            .map_err(|error| Refused(format!("nothing was written, as the recipe would not do: {error}")))?;
        let goes_on = "the old recipe goes on, in the file too";
        let what = format!("recipe \"{}\" as approved", plan.name);
        let set = self.put((&file, &text, &wish.text), &plan, (&what, goes_on))?;
        tracing::info!(recipe = %plan.name, digest = set.file_digest, "Recipe was changed: {}.", set.says);
        Ok(set)
    }
}

/// A problem of the config as the console shows it: the file is known there.
fn trouble(problem: &Problem) -> Trouble {
    Trouble {
        line: problem.line,
        column: problem.column,
        route: problem.route.clone(),
        says: problem.says.clone(),
        hint: problem.hint.clone().unwrap_or_default(),
    }
}

/// Unit and limits of the first rule on a measurement that has any.
fn limits_of(recipe: &RecipePlan, size: &str) -> Option<(&'static str, Tolerance)> {
    recipe.judge.rules().find_map(|rule| match rule {
        RuleConfig::Measurement(rule) if rule.measure == size => {
            let (unit, min, max) = rule.limits()?;
            Some((unit, Tolerance::new(min, max).ok()?))
        }
        _ => None,
    })
}
