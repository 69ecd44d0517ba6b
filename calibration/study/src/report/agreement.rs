//! Attribute agreement: each appraiser against the reference, himself and the others. Kappa never stands without its table.

use crate::{AgreementFinding, AppraiserFinding};
use plumb_quality::{Confidence, gauge::Grade};
use plumb_report::{Block, Page, Table, Tone};

pub(super) fn add(page: Page, found: &AgreementFinding, confidence: Confidence) -> Page {
    let mut result: Vec<Block> = found.appraisers.iter().filter_map(note).collect();
    result.push(Block::Text(format!(
        "Parts on which everybody always agreed: {}.{}",
        found.all_agree.says(confidence),
        found.fleiss.map_or(String::new(), |kappa| format!(" Fleiss' kappa of all appraisers: {kappa:.3}."))
    )));
    let with_reference: Vec<&AppraiserFinding> =
        found.appraisers.iter().filter(|one| one.with_reference.is_some()).collect();
    if !with_reference.is_empty() {
        result.push(Block::Table(against_reference(&with_reference, confidence)));
        result.push(Block::Text(
            "AIAG's limits: acceptable from 90 % effectiveness, at most 2 % misses and 5 % false alarms; marginal from \
             80 %, at most 5 % and 10 %. Kappa is good from 0.75 and poor below 0.40."
                .to_owned(),
        ));
    }
    let mut page = page.section("Result", result);
    if found.appraisers.iter().any(|one| one.with_himself.is_some()) {
        let rows = found.appraisers.iter().map(|one| {
            [one.name.clone(), one.with_himself.map_or("–".to_owned(), |share| share.says(confidence))]
        });
        let table = Table::new(["appraiser", "parts always called the same"]).rows(rows);
        page = page.section("Each with himself", vec![Block::Table(table)]);
    }
    if !found.pairs.is_empty() {
        let rows = found.pairs.iter().map(|pair| {
            let kappa = pair.kappa.map_or("one word only".to_owned(), |kappa| {
                format!("{:.3} ({:.3} to {:.3})", kappa.value, kappa.interval.lower, kappa.interval.upper)
            });
            let t = &pair.table;
            [
                format!("{} and {}", pair.first, pair.second),
                kappa,
                t.both_bad.to_string(),
                t.first_bad.to_string(),
                t.second_bad.to_string(),
                t.both_good.to_string(),
            ]
        });
        let head = ["pair", "kappa", "both bad", "first alone bad", "second alone bad", "both good"];
        page = page.section("Each with each other", vec![Block::Table(Table::new(head).rows(rows))]);
    }
    page
}

fn note(one: &AppraiserFinding) -> Option<Block> {
    let agreement = one.with_reference?;
    let (tone, word) = match agreement.grade {
        Grade::Acceptable => (Tone::Good, "acceptable"),
        Grade::Marginal => (Tone::Careful, "marginal"),
        Grade::Unacceptable => (Tone::Bad, "unacceptable"),
    };
    Some(Block::Note(tone, format!("{}: {word} against the reference.", one.name)))
}

fn against_reference(appraisers: &[&AppraiserFinding], confidence: Confidence) -> Table {
    let head = [
        "appraiser",
        "kappa",
        "right",
        "misses",
        "false alarms",
        "bad called bad",
        "bad called good",
        "good called bad",
        "good called good",
    ];
    let rows = appraisers.iter().filter_map(|one| {
        let (a, t) = (one.with_reference?, one.table?);
        Some([
            one.name.clone(),
            format!("{:.3} ({:.3} to {:.3})", a.kappa.value, a.kappa.interval.lower, a.kappa.interval.upper),
            a.effectiveness.says(confidence),
            a.miss.says(confidence),
            a.false_alarm.says(confidence),
            t.both_bad.to_string(),
            t.second_bad.to_string(),
            t.first_bad.to_string(),
            t.both_good.to_string(),
        ])
    });
    Table::new(head).rows(rows)
}
