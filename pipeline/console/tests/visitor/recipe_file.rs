//! One recipe file with rules and nothing else, judged by the real judge: what a console needs of a station, for tests and
//! for the example without one.

#![allow(dead_code)] // each user has its part

use plumb_console::{
    CardChoice, ChartAsk, ChartData, Choices, Evidence, NewText, NewThreshold, Piece, Refused, RuleScore,
    RuleSeen, Rules, Set, Trouble, WrittenRecipe,
};
use plumb_inspection::{CameraId, Findings, PartId, RecipeName, RegionName};
use plumb_ledger::{Query, Reader, Record, RecordVerdict, Truth, TruthBook};
use plumb_process::{Charted, Measured};
use plumb_quality::capability::Tolerance;
use plumb_verdict::{Judge, RuleConfig, RuleName, Verdict};
use serde::Deserialize;
use sha2::{Digest, Sha256};
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::{Condvar, Mutex, MutexGuard},
    time::Duration,
};

/// What is written where there is no file yet.
const WASHER: &str = r#"# Washers, as the line makes them.
[recipe]
name = "washer"
number = 1
deadline_ms = 60

[[model]]
name = "surface"
card = "../models/surface.toml"

# The washer lies in the middle.
[[region]]
name = "part"
rect_px = [70, 40, 180, 180]
model = "surface"

[[rule]]
name = "surface"
kind = "score"
max = 0.6 # seen on the first thousand

[[rule]]
name = "burr"
kind = "absence"
class = "burr"
score_min = 0.5
"#;

#[derive(Debug)]
pub(crate) struct RecipeFile {
    file: PathBuf,
    ledger: PathBuf,
    patience: Duration,
    now: Mutex<Now>,
    judged: Condvar,
}

#[derive(Debug)]
struct Now {
    judge: Judge,
    digest: String,
    text: String,
    /// The first part that this judge judged.
    first: Option<PartId>,
}

#[derive(Deserialize)]
struct Written {
    rule: Vec<RuleConfig>,
}

impl RecipeFile {
    /// In `folder`, which holds the ledger too. `patience`: how long a change waits for its first part.
    pub(crate) fn new(folder: &Path, patience: Duration) -> Self {
        let file = folder.join("washer.toml");
        if !file.exists() {
            fs::write(&file, WASHER).expect("a writable folder");
        }
        let text = fs::read_to_string(&file).expect("readable");
        let (judge, digest) = read(&text).expect("it was checked");
        let now = Mutex::new(Now { judge, digest, text, first: None });
        Self { file, ledger: folder.to_owned(), patience, now, judged: Condvar::new() }
    }

    /// Judges a part by the file as it was read last.
    pub(crate) fn judge(&self, part: PartId, views: &[(CameraId, &Findings)]) -> (Verdict, String) {
        let mut now = self.now();
        now.first.get_or_insert(part);
        self.judged.notify_all();
        (now.judge.judge(views), now.digest.clone())
    }

    fn now(&self) -> MutexGuard<'_, Now> {
        self.now.lock().expect("nobody panicked")
    }

    fn score(&self, record: &Record, rule: &RuleName) -> Result<f64, &'static str> {
        if !matches!(record.verdict, RecordVerdict::Pass | RecordVerdict::Fail) {
            return Err("the part was missed or late, so its record holds no full judgement");
        }
        let views = views_of(record);
        let seen: Vec<_> = views.iter().map(|(camera, findings)| (camera.clone(), findings)).collect();
        let now = self.now();
        if now.judge.judge(&seen).reasons.iter().any(|reason| reason.rule != *rule) {
            return Ok(1e300);
        }
        now.judge.score(rule, &seen).ok_or("nobody looked")
    }
}

fn read(text: &str) -> Result<(Judge, String), String> {
    let written: Written = toml::from_str(text).map_err(|error| error.to_string())?;
    let judge = Judge::new(written.rule).map_err(|errors| format!("{errors:?}"))?;
    Ok((judge, digest_of(text)))
}

fn views_of(record: &Record) -> Vec<(CameraId, Findings)> {
    let view = |view: &plumb_ledger::ViewRecord| {
        let region = RegionName::from("part");
        let scores = view.scores.iter().map(|(model, score)| (model.as_str().into(), region.clone(), *score));
        let findings =
            Findings { list: view.findings.clone(), scores: scores.collect(), ..Findings::default() };
        (view.camera.clone(), findings)
    };
    record.views.iter().map(view).collect()
}

impl Rules for RecipeFile {
    fn all(&self) -> Result<Vec<RuleSeen>, Refused> {
        let now = self.now();
        let seen = |rule: &RuleConfig| {
            Some(RuleSeen {
                recipe: "washer".into(),
                rule: rule.name().clone(),
                threshold: rule.threshold()?,
                file_digest: now.digest.clone(),
                runs: true,
            })
        };
        Ok(now.judge.rules().filter_map(seen).collect())
    }

    fn evidence(&self, recipe: &RecipeName, rule: &RuleName) -> Result<Evidence, Refused> {
        let seen = self.all()?.into_iter().find(|seen| seen.recipe == *recipe && seen.rule == *rule);
        let seen = seen.ok_or_else(|| {
            Refused(format!("there is no rule \"{rule}\" with a threshold in recipe \"{recipe}\""))
        })?;
        let witnessed = match TruthBook::new(&self.ledger).witnessed(recipe) {
            Err(plumb_ledger::LedgerError::Absent { .. }) => Vec::new(),
            other => other.map_err(|error| Refused(error.to_string()))?,
        };
        let (mut pieces, mut left_out) = (BTreeMap::<String, Piece>::new(), BTreeMap::<&str, u64>::new());
        for found in witnessed {
            let score = match self.score(&found.record, rule) {
                Ok(score) => score,
                Err(why) => {
                    *left_out.entry(why).or_default() += 1;
                    continue;
                }
            };
            let (part, triggered_at) = (found.record.part_id, found.record.triggered_at);
            let new = Piece { score, truth: found.truth, part_set: found.part_set, part, triggered_at };
            let is_worse = |old: &Piece| match found.truth {
                Truth::Good => score > old.score,
                Truth::Defective => score < old.score,
            };
            if pieces.get(&found.piece).is_none_or(is_worse) {
                pieces.insert(found.piece, new);
            }
        }
        let mut pieces: Vec<Piece> = pieces.into_values().collect();
        pieces.sort_by(|a, b| a.score.total_cmp(&b.score));
        let left_out = left_out.into_iter().map(|(why, n)| (n, why.to_owned())).collect();
        Ok(Evidence { seen, pieces, left_out })
    }

    fn scores(&self, record: &Record) -> Vec<RuleScore> {
        let views = views_of(record);
        let seen: Vec<_> = views.iter().map(|(camera, findings)| (camera.clone(), findings)).collect();
        let now = self.now();
        let score = |rule: &RuleConfig| {
            let threshold = rule.threshold()?;
            Some(RuleScore {
                rule: rule.name().clone(),
                score: now.judge.score(rule.name(), &seen)?,
                threshold,
            })
        };
        now.judge.rules().filter_map(score).collect()
    }

    fn charted(&self, ask: &ChartAsk) -> Result<ChartData, Refused> {
        if ask.recipe.as_str() != "washer" {
            return Err(Refused(format!("there is no recipe \"{}\"", ask.recipe)));
        }
        let rules: Vec<RuleName> = self.all()?.into_iter().map(|seen| seen.rule).collect();
        let query = Query { from: Some(ask.from), ..Query::default() };
        let found = Reader::new(&self.ledger).scan(&query, |record| {
            let mut part = Charted::of(&record);
            let score = ask.rule.as_ref().and_then(|rule| self.score(&record, rule).ok());
            part.score = score.filter(|score| *score < 1e300);
            // A bore that grows with the surface's score, as a worn tool would have it.
            let bore = record.views.iter().flat_map(|view| &view.scores).next();
            let value = bore.map(|(_, score)| 8.0 + 0.02 * f64::from(score.get() - 0.4));
            (part, value)
        });
        let found = match found {
            Err(plumb_ledger::LedgerError::Absent { .. }) => Vec::new(),
            other => other.map_err(|error| Refused(error.to_string()))?,
        };
        let sizes = vec!["bore".to_owned()];
        let asked = ask.size.as_ref().filter(|size| sizes.contains(size));
        let measured = found.iter().filter(|_| asked.is_some());
        let values = measured
            .filter_map(|(part, value)| Some(Measured { part: part.part, value: (*value)? }))
            .collect();
        let tolerance = Tolerance::new(Some(7.98), Some(8.02)).ok().filter(|_| asked.is_some());
        let parts = found.into_iter().map(|(part, _)| part).collect();
        Ok(ChartData { parts, values, unit: "mm".to_owned(), tolerance, rules, sizes })
    }

    fn replay(&self, picture: &Path, recipe: &RecipeName) -> Result<Record, Refused> {
        if recipe.as_str() != "washer" {
            return Err(Refused(format!("there is no recipe \"{recipe}\"")));
        }
        // Nobody has a model here: the record is found by its picture, and judged by the rules as they are now.
        let name = picture.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let records = Reader::new(&self.ledger).find(&Query { limit: Some(10_000), ..Query::default() });
        let records = records.map_err(|error| Refused(error.to_string()))?;
        let mut records = records.into_iter();
        let mut record = records
            .find(|record| record.pictures.iter().any(|picture| picture.path.ends_with(name)))
            .ok_or_else(|| Refused(format!("{} is of no part", picture.display())))?;
        let views = views_of(&record);
        let seen: Vec<_> = views.iter().map(|(camera, findings)| (camera.clone(), findings)).collect();
        let verdict = self.now().judge.judge(&seen);
        (record.verdict, record.reasons) = (verdict.decision.into(), verdict.reasons);
        Ok(record)
    }

    fn set(&self, wish: &NewThreshold) -> Result<Set, Refused> {
        let refused = |says: String| Refused(says);
        let text = fs::read_to_string(&self.file).map_err(|error| refused(error.to_string()))?;
        let (_, digest) = read(&text).map_err(refused)?;
        if digest != wish.file_digest {
            return Err(Refused(
                "the recipe's file has changed since this was proposed; nothing was written".into(),
            ));
        }
        let key = self.all()?.iter().find(|seen| seen.rule == wish.rule).map(|seen| seen.threshold.key);
        let key = key.ok_or_else(|| Refused(format!("there is no rule \"{}\"", wish.rule)))?;
        let mut document: toml_edit::DocumentMut =
            text.parse().map_err(|error| Refused(format!("{error}")))?;
        let rules = document["rule"].as_array_of_tables_mut().expect("it was read before");
        let rule = rules
            .iter_mut()
            .find(|rule| rule.get("name").and_then(|name| name.as_str()) == Some(wish.rule.as_str()))
            .expect("the judge has it");
        let decor = rule.get(key).and_then(|item| item.as_value()).map(|value| value.decor().clone());
        let mut value = toml_edit::Value::from(wish.new.to_string().parse::<f64>().expect("a number"));
        if let Some(decor) = decor {
            *value.decor_mut() = decor;
        }
        rule[key] = toml_edit::Item::Value(value);
        self.put(document.to_string())
    }

    fn written(&self) -> Result<Vec<WrittenRecipe>, Refused> {
        let text = fs::read_to_string(&self.file).map_err(|error| Refused(error.to_string()))?;
        let name = text.parse::<toml::Table>().ok();
        let name = name.and_then(|table| Some(table.get("recipe")?.get("name")?.as_str()?.into()));
        Ok(vec![WrittenRecipe {
            file: "washer.toml".to_owned(),
            name,
            number: Some("1".to_owned()),
            digest: digest_of(&text),
            troubles: troubles_of(&text),
            runs: Some(self.now().text.clone()),
            text,
        }])
    }

    fn troubles(&self, _: &RecipeName, text: &str) -> Result<Vec<Trouble>, Refused> {
        Ok(troubles_of(text))
    }

    fn choices(&self) -> Choices {
        let labels = ["scratch", "dent", "burr"].map(str::to_owned).into();
        let card = |path: &str, name: &str, family: &str, labels| CardChoice {
            path: path.to_owned(),
            name: name.to_owned(),
            family: family.to_owned(),
            labels,
        };
        Choices {
            cameras: vec!["top".to_owned()],
            cards: vec![
                card("../models/surface.toml", "surface", "detector", labels),
                card("../models/odd-one.toml", "odd-one", "anomaly", vec![]),
            ],
        }
    }

    fn rewrite(&self, wish: &NewText) -> Result<Set, Refused> {
        let text = fs::read_to_string(&self.file).map_err(|error| Refused(error.to_string()))?;
        if digest_of(&text) != wish.file_digest {
            return Err(Refused(
                "the recipe's file has changed since this was proposed; nothing was written".into(),
            ));
        }
        self.put(wish.text.clone())
    }
}

impl RecipeFile {
    /// Writes the file and judges by it, and waits for the first part.
    fn put(&self, text: String) -> Result<Set, Refused> {
        let (judge, digest) = read(&text).map_err(Refused)?;
        fs::write(&self.file, &text).map_err(|error| Refused(error.to_string()))?;
        let mut now = self.now();
        *now = Now { judge, digest: digest.clone(), text, first: None };
        let (now, _) = self
            .judged
            .wait_timeout_while(now, self.patience, |now| now.first.is_none())
            .expect("nobody panicked");
        let says = match now.first {
            Some(part) => format!("live from part {part} on"),
            None => "live from the next part on".to_owned(),
        };
        Ok(Set { says, from_part: now.first, file_digest: digest })
    }
}

fn digest_of(text: &str) -> String {
    Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// As far as rules go; the place of the first rule that does not read.
fn troubles_of(text: &str) -> Vec<Trouble> {
    let trouble = |route: &[&str], says: String| {
        let route = route.iter().map(|&step| step.to_owned()).collect();
        vec![Trouble { line: 1, column: 1, route, says, hint: String::new() }]
    };
    let document: toml::Table = match text.parse() {
        Ok(document) => document,
        Err(error) => return trouble(&[], format!("{error}")),
    };
    let rules = document.get("rule").and_then(toml::Value::as_array).cloned().unwrap_or_default();
    for (at, rule) in rules.into_iter().enumerate() {
        if let Err(error) = rule.try_into::<RuleConfig>() {
            return trouble(&["rule", &at.to_string()], error.message().to_owned());
        }
    }
    read(text).err().map_or_else(Vec::new, |says| trouble(&[], says))
}
