//! Worked numbers through the whole of a study: planned, measured in random order, broken off, gone on with, analysed.

#![allow(clippy::unwrap_used)] // a test's helpers are part of the test

use plumb_quality::{Confidence, Share, gauge::Type1Settings};
use plumb_study::{Design, Finding, Source, Step, Study, StudyError, Value, Word, report};
use std::{collections::BTreeMap, path::Path};

/// AIAG, Measurement Systems Analysis, 4th edition: ten parts, appraisers A, B and C, three trials.
const AIAG: [[[f64; 10]; 3]; 3] = [
    [
        [0.29, -0.56, 1.34, 0.47, -0.80, 0.02, 0.59, -0.31, 2.26, -1.36],
        [0.41, -0.68, 1.17, 0.50, -0.92, -0.11, 0.75, -0.20, 1.99, -1.25],
        [0.64, -0.58, 1.27, 0.64, -0.84, -0.21, 0.66, -0.17, 2.01, -1.31],
    ],
    [
        [0.08, -0.47, 1.19, 0.01, -0.56, -0.20, 0.47, -0.63, 1.80, -1.68],
        [0.25, -1.22, 0.94, 1.03, -1.20, 0.22, 0.55, 0.08, 2.12, -1.62],
        [0.07, -0.68, 1.34, 0.20, -1.28, 0.06, 0.83, -0.34, 2.19, -1.50],
    ],
    [
        [0.04, -1.38, 0.88, 0.14, -1.46, -0.29, 0.02, -0.46, 1.77, -1.49],
        [-0.11, -1.13, 1.09, 0.20, -1.07, -0.67, 0.01, -0.56, 1.45, -1.77],
        [-0.15, -0.96, 0.67, 0.11, -1.45, -0.49, 0.21, -0.49, 1.87, -2.16],
    ],
];

fn names(prefix: &str, n: usize) -> Vec<String> {
    (0..n).map(|i| format!("{prefix}{i}")).collect()
}

fn grr() -> Design {
    let (appraisers, parts) = (names("appraiser ", 3), names("part ", 10));
    Design::Grr { appraisers, parts, trials: 3, tolerance: None, unit: "mm".into() }
}

/// Measures what is still to be measured, at most `most` of it. The file is read and written anew for each: a study is a
/// file, not a process.
fn measure(file: &Path, most: usize, of: impl Fn(&Step) -> Value) {
    for _ in 0..most {
        let mut study = Study::read(file).unwrap();
        let Some((at, step)) = study.next() else { return };
        study.enter(at, of(&step), Source::Typed).unwrap();
        study.write(file).unwrap();
    }
}

fn digit(name: &str) -> usize {
    name.chars().last().unwrap().to_digit(10).unwrap() as usize
}

fn close(got: f64, wanted: f64, digits: i32) {
    assert!((got - wanted).abs() < 0.51 * 10f64.powi(-digits), "{got} for {wanted}");
}

#[test]
fn the_aiag_example_comes_out_as_published_though_it_was_broken_off_and_corrected() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("study.json");
    Study::plan("AIAG", grr(), 11).unwrap().create(&file).unwrap();
    let value = |step: &Step| {
        let appraiser = digit(step.appraiser.as_ref().unwrap());
        Value::Number(AIAG[appraiser][step.trial - 1][digit(&step.part)])
    };
    measure(&file, 40, value);
    let early = Study::read(&file).unwrap();
    assert_eq!(early.progress(), (40, 90));
    let says = early.analyse(Confidence::NINETY_FIVE).unwrap_err().to_string();
    assert!(says.contains("50 of 90 measurements are missing, the next is part"), "{says}");
    // A slip of the tongue, found out later.
    let mut slip = Study::read(&file).unwrap();
    let right = slip.values()[3].unwrap();
    slip.enter(3, Value::Number(99.0), Source::Typed).unwrap();
    slip.enter(3, right, Source::Typed).unwrap();
    slip.write(&file).unwrap();
    measure(&file, 90, value);
    let study = Study::read(&file).unwrap();
    assert_eq!((study.next(), study.corrections()), (None, 2));
    let finding = study.analyse(Confidence::NINETY_FIVE).unwrap();
    let Finding::Grr { anova, ranges } = &finding else { panic!("a study of its kind") };
    close(anova.repeatability.deviation, 0.199_933, 6);
    close(anova.reproducibility.deviation, 0.226_838, 6);
    close(anova.gauge.deviation, 0.302_372, 5);
    close(anova.parts.deviation, 1.042_327, 6);
    close(anova.gauge.percent_study, 27.86, 2);
    close(anova.gauge.percent_contribution, 7.76, 2);
    assert_eq!(anova.distinct_categories, Some(4));
    let table = anova.anova.unwrap();
    close(table.interaction_f, 0.433_72, 5);
    close(table.interaction_p, 0.974_1, 4);
    assert!(table.is_pooled);
    let ranges = ranges.as_ref().unwrap();
    close(ranges.repeatability.deviation, 0.201_857, 5);
    close(ranges.gauge.percent_study, 26.68, 2);
    assert_eq!(ranges.distinct_categories, Some(5));

    let html = report::page(&study, &finding, Confidence::NINETY_FIVE).html();
    if let Some(out) = std::env::var_os("PLUMB_WRITE_REPORT") {
        std::fs::write(out, &html).unwrap(); // to look at it
    }
    for words in [
        "Gage R&amp;R, crossed: AIAG",
        "27.86 %",
        "between 10 and 30 %",
        "4 categories of parts apart; 5 are wanted",
        "90, 2 corrected",
        &study.digest(),
        "Approved: name, signature, date",
        "<svg",
    ] {
        assert!(html.contains(words), "{words}");
    }
}

#[test]
fn cg_and_cgk_come_out_as_worked() {
    // T = 0.1, s = 0.0012, bias 0.001: Cg 2.7778, Cgk 2.5000; with four deviations 4.1667 and 3.7500.
    let swing = 0.0012 * (49.0_f64 / 50.0).sqrt();
    for (deviations, cg, cgk) in [(6.0, 2.777_8, 2.5), (4.0, 4.166_7, 3.75)] {
        let settings = Type1Settings { tolerance_share: 0.2, deviations };
        let (reference, unit) = (10.0, "mm".to_owned());
        let design = Design::Type1 { reference, tolerance: 0.1, repetitions: 50, settings, unit };
        let mut study = Study::plan("block 10", design, 1).unwrap();
        while let Some((at, _)) = study.next() {
            let value = 10.001 + if at % 2 == 0 { swing } else { -swing };
            study.enter(at, Value::Number(value), Source::Part(at as u32 + 1)).unwrap();
        }
        let finding = study.analyse(Confidence::NINETY_FIVE).unwrap();
        let Finding::Type1(found) = &finding else { panic!("a study of its kind") };
        close(found.cg, cg, 4);
        close(found.cgk, cgk, 4);
        let html = report::page(&study, &finding, Confidence::NINETY_FIVE).html();
        assert!(html.contains("fit to begin a study with"), "{html}");
    }
}

#[test]
fn the_station_is_an_appraiser_like_any_other() {
    let parts = names("part ", 10);
    let kind = |part: &String| if digit(part) < 4 { Word::Bad } else { Word::Good };
    let reference: BTreeMap<String, Word> = parts.iter().map(|part| (part.clone(), kind(part))).collect();
    let appraisers = vec!["ann".to_owned(), "station".to_owned()];
    let design = Design::Agreement { appraisers, parts, trials: 2, reference };
    let mut study = Study::plan("scratches", design, 5).unwrap();
    while let Some((at, step)) = study.next() {
        let bad = match (step.appraiser.as_deref(), digit(&step.part), step.trial) {
            (Some("ann"), 3, 2) => false,    // she misses part 3 once
            (Some("station"), 9, _) => true, // the station rejects part 9 always
            _ => kind(&step.part) == Word::Bad,
        };
        let word = if bad { Word::Bad } else { Word::Good };
        study.enter(at, Value::Word(word), Source::Typed).unwrap();
    }
    let finding = study.analyse(Confidence::NINETY_FIVE).unwrap();
    let Finding::Agreement(found) = &finding else { panic!("a study of its kind") };
    let (ann, station) = (&found.appraisers[0], &found.appraisers[1]);
    assert_eq!(ann.with_himself, Some(Share::new(9, 10).unwrap()));
    assert_eq!(station.with_himself, Some(Share::new(10, 10).unwrap()));
    assert_eq!(ann.with_reference.unwrap().miss, Share::new(1, 8).unwrap());
    assert_eq!(station.with_reference.unwrap().false_alarm, Share::new(2, 12).unwrap());
    // Right: 19 and 18 of 20; by chance 0.35·0.4 + 0.65·0.6 and 0.5·0.4 + 0.5·0.6.
    close(ann.with_reference.unwrap().kappa.value, (0.95 - 0.53) / 0.47, 4);
    close(station.with_reference.unwrap().kappa.value, (0.9 - 0.5) / 0.5, 4);
    assert_eq!(found.all_agree, Share::new(8, 10).unwrap());
    let pair = &found.pairs[0];
    assert_eq!((pair.table.both_bad, pair.table.first_bad, pair.table.second_bad), (7, 0, 3));
    let html = report::page(&study, &finding, Confidence::NINETY_FIVE).html();
    assert!(
        html.contains("station: unacceptable against the reference.") && html.contains("bad called good")
    );
}

#[test]
fn a_line_of_biases_is_found() {
    let parts: Vec<(String, f64)> = (0..5).map(|i| (format!("block {i}"), 2.0 * f64::from(i + 1))).collect();
    let design = Design::Linearity { parts: parts.clone(), trials: 10, unit: "mm".into() };
    let mut study = Study::plan("range", design, 2).unwrap();
    while let Some((at, step)) = study.next() {
        let reference = parts.iter().find(|(name, _)| *name == step.part).unwrap().1;
        let noise = if step.trial.is_multiple_of(2) { 0.01 } else { -0.01 };
        let value = reference + 0.5 - 0.1 * reference + noise;
        study.enter(at, Value::Number(value), Source::Imported).unwrap();
    }
    let finding = study.analyse(Confidence::NINETY_FIVE).unwrap();
    let Finding::Linearity(found) = &finding else { panic!("a study of its kind") };
    close(found.slope.value, -0.1, 6);
    close(found.intercept.value, 0.5, 6);
    let html = report::page(&study, &finding, Confidence::NINETY_FIVE).html();
    assert!(html.contains("the gauge is not linear"), "{html}");
}

#[test]
fn what_cannot_be_entered_read_or_overwritten_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("study.json");
    let mut study = Study::plan("x", grr(), 1).unwrap();
    study.create(&file).unwrap();
    assert!(matches!(study.create(&file), Err(StudyError::Exists { .. })));
    assert!(matches!(study.enter(90, Value::Number(1.0), Source::Typed), Err(StudyError::NoStep { .. })));
    for value in [Value::Word(Word::Good), Value::Number(f64::NAN)] {
        let says = study.enter(0, value, Source::Typed).unwrap_err().to_string();
        assert!(says.contains("a finite number"), "{says}");
    }
    for text in ["", "{}", "{\"schema\": \"plumb.study/2\"}"] {
        std::fs::write(&file, text).unwrap();
        assert!(matches!(Study::read(&file), Err(StudyError::Format { .. })), "{text}");
    }
    // All values the same: a result that claims nothing.
    let mut flat = Study::plan("x", grr(), 1).unwrap();
    while let Some((at, _)) = flat.next() {
        flat.enter(at, Value::Number(1.0), Source::Typed).unwrap();
    }
    let finding = flat.analyse(Confidence::NINETY_FIVE).unwrap();
    let Finding::Grr { anova, .. } = &finding else { panic!("a study of its kind") };
    assert_eq!(anova.distinct_categories, None);
    assert!(!report::page(&flat, &finding, Confidence::NINETY_FIVE).html().contains("NaN"));
}
