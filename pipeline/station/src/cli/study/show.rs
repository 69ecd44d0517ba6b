//! `plumb study show`: how far a study is, and what it says once it is complete.

use super::{exit_of, open};
use crate::cli::{Exit, fail, print};
use plumb_quality::{Confidence, gauge::Repeatability};
use plumb_study::{Finding, StudyError};
use serde_json::json;
use std::{fmt::Write as _, path::PathBuf};

/// Arguments of `plumb study show`.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Show {
    /// The study's file.
    file: PathBuf,
    /// One JSON document on stdout, schema plumb.study_result/1.
    #[arg(long)]
    json: bool,
}

impl Show {
    pub(super) fn run(self) -> Exit {
        let study = match open(&self.file) {
            Ok(study) => study,
            Err(exit) => return exit,
        };
        let (taken, steps) = study.progress();
        let finding = study.analyse(Confidence::NINETY_FIVE);
        if self.json {
            let document = json!({
                "schema": "plumb.study_result/1",
                "name": study.name,
                "kind": study.design.kind(),
                "digest": study.digest(),
                "taken": taken,
                "of": steps,
                "result": finding.as_ref().ok(),
                "no_result": finding.as_ref().err().map(ToString::to_string),
            });
            return print(format!("{document:#}\n").as_bytes());
        }
        let mut out = format!("{} ({}): {taken} of {steps} measurements\n", study.name, study.design.kind());
        match finding {
            Ok(finding) => out += &words(&finding),
            Err(error @ StudyError::Missing { .. }) => {
                let _ = writeln!(out, "  {error}"); // writing to a string does not fail
            }
            Err(error) => {
                print(out.as_bytes());
                return fail(exit_of(&error), error);
            }
        }
        print(out.as_bytes())
    }
}

fn words(finding: &Finding) -> String {
    match finding {
        Finding::Type1(found) => format!(
            "  Cg {:.3}, Cgk {:.3} (at least 1.33 is usual); mean {:.6}, s {:.6}, bias {:.6}\n",
            found.cg, found.cgk, found.mean, found.deviation, found.bias
        ),
        Finding::Grr { anova, ranges } => {
            let line = |name: &str, found: &Repeatability| {
                let tolerance = found
                    .gauge
                    .percent_tolerance
                    .map_or(String::new(), |p| format!(", {p:.2} % of the tolerance"));
                let categories = found.distinct_categories.map_or("–".to_owned(), |n| n.to_string());
                format!(
                    "  {name:<9} GRR {:.2} % of the study{tolerance} (10 and 30 % are AIAG's limits), {categories} categories (5 are wanted)\n",
                    found.gauge.percent_study
                )
            };
            line("ANOVA", anova) + &ranges.as_ref().map_or(String::new(), |ranges| line("ranges", ranges))
        }
        Finding::Agreement(found) => {
            let mut out = String::new();
            for one in &found.appraisers {
                if let Some(agreement) = &one.with_reference {
                    let _ = writeln!(
                        out,
                        "  {}: kappa {:.3}, right {}, misses {}, false alarms {}",
                        one.name,
                        agreement.kappa.value,
                        agreement.effectiveness.says(Confidence::NINETY_FIVE),
                        agreement.miss.says(Confidence::NINETY_FIVE),
                        agreement.false_alarm.says(Confidence::NINETY_FIVE)
                    );
                }
            }
            for pair in &found.pairs {
                let kappa = pair
                    .kappa
                    .map_or("one word only".to_owned(), |kappa| format!("kappa {:.3}", kappa.value));
                let _ = writeln!(out, "  {} and {}: {kappa}", pair.first, pair.second);
            }
            out + &format!("  all agree on {}\n", found.all_agree.says(Confidence::NINETY_FIVE))
        }
        Finding::Linearity(found) => format!(
            "  slope {:.6} (p {:.4}), intercept {:.6} (p {:.4})\n",
            found.slope.value, found.slope.p, found.intercept.value, found.intercept.p
        ),
    }
}
