//! A study on paper: what was asked, what came out beside AIAG's limits, and the plots.

mod agreement;
mod grr;
mod linearity;
mod type1;

use crate::{Design, Finding, Study};
use plumb_quality::Confidence;
use plumb_report::Page;

/// The report of a complete study.
pub fn page(study: &Study, finding: &Finding, confidence: Confidence) -> Page {
    let (_, steps) = study.progress();
    let entries = study.entries();
    let until = entries.iter().map(|entry| entry.at).max().unwrap_or(study.begun);
    let title = match study.design {
        Design::Type1 { .. } => "Type 1 gauge study",
        Design::Grr { .. } => "Gage R&R, crossed",
        Design::Agreement { .. } => "Attribute agreement",
        Design::Linearity { .. } => "Linearity and bias",
    };
    let page = Page::new(format!("{title}: {}", study.name))
        .fact("Planned", format!("{:.0}", study.begun))
        .fact("Last entry", format!("{until:.0}"))
        .fact("Measurements", format!("{steps}, {} corrected", study.corrections()))
        .fact("Order", format!("random, seed {}", study.seed))
        .fact("Intervals", format!("{} % confidence", confidence.get() * 100.0))
        .fact("SHA-256 of the study", study.digest());
    let page = match finding {
        Finding::Type1(found) => type1::add(page, study, found),
        Finding::Grr { anova, ranges } => grr::add(page, study, anova, ranges.as_deref()),
        Finding::Agreement(found) => agreement::add(page, found, confidence),
        Finding::Linearity(found) => linearity::add(page, study, found),
    };
    page.to_sign(["Measured", "Reviewed", "Approved"])
}
