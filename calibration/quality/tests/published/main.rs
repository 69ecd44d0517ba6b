//! Our numbers beside those of published packages (SciPy, statsmodels, scikit-learn, process-improve, river), on data drawn
//! at random.

#![allow(clippy::unwrap_used, clippy::print_stdout)] // a test's helpers are part of the test, and a skipped one says so

use plumb_quality::{
    Confidence, Roc, Scores, Share,
    capability::{Tolerance, capability},
    chart::{Cusum, Ewma},
    drift::{Adwin, kolmogorov_smirnov, mmd},
    fisher_exact,
    gauge::{GaugeStudy, Table, Type1Settings, cohen, fleiss, linearity, type1},
    mcnemar_exact,
};
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    io::Write as _,
    path::PathBuf,
    process::{Command, Stdio},
};

const CONFIDENCE: Confidence = Confidence::NINETY_FIVE;

/// What theirs say of `given`; `None` where they are not installed.
fn theirs(given: &Value) -> Option<BTreeMap<String, f64>> {
    let ours = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../.plumb/venv/bin/python");
    let python = std::env::var_os("PLUMB_TEST_PYTHON").map_or(ours, PathBuf::from);
    let there = Command::new(&python)
        .args(["-c", "import river, sklearn, statsmodels, process_improve"])
        .stderr(Stdio::null())
        .status();
    if !there.is_ok_and(|status| status.success()) {
        println!(
            "skipped: no Python with statsmodels and its like at {}; run `deploy/setup.sh --test`",
            python.display()
        );
        return None;
    }
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/published/theirs.py");
    let mut child =
        Command::new(python).arg(script).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(given.to_string().as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "the packages say why above");
    Some(serde_json::from_slice(&output.stdout).unwrap())
}

/// About normal: the sum of twelve.
fn normal(rng: &mut ChaCha8Rng) -> f64 {
    (0..12).map(|_| rng.random::<f64>()).sum::<f64>() - 6.0
}

fn check(seed: u64) {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut ours: BTreeMap<String, f64> = BTreeMap::new();
    let mut say = |name: String, value: f64| assert!(ours.insert(name, value).is_none());

    let shares: Vec<(u64, u64)> = (0..20)
        .map(|_| {
            let trials = rng.random_range(1..3_000);
            (rng.random_range(0..=trials), trials)
        })
        .chain([(0, 59), (59, 59)])
        .collect::<std::collections::BTreeSet<_>>()
        .into_iter()
        .collect();
    for (events, trials) in &shares {
        let interval = Share::new(*events, *trials).unwrap().interval(CONFIDENCE);
        say(format!("share {events}/{trials} lower"), interval.lower);
        say(format!("share {events}/{trials} upper"), interval.upper);
    }
    let discordant = [(3, 12), (40, 71), (0, 5), (rng.random_range(1..50), rng.random_range(51..90))];
    for (b, c) in discordant {
        say(format!("mcnemar {b} {c}"), mcnemar_exact(b, c));
    }
    let fisher =
        [(3, 120, 11, 130), (0, 40, 5, 40), (rng.random_range(0..30), 31, rng.random_range(0..50), 51)];
    for (a, n, b, m) in fisher {
        say(format!("fisher {a} {n} {b} {m}"), fisher_exact((a, n), (b, m)));
    }

    let first: Vec<f64> = (0..60).map(|_| 10.0 + normal(&mut rng)).collect();
    let second: Vec<f64> = (0..45).map(|_| 10.8 + 1.3 * normal(&mut rng)).collect();
    let (width, reference, sigma) = (1.5, 10.1, 0.9);
    let smirnov = kolmogorov_smirnov(&first, &second).unwrap();
    say("ks gap".into(), smirnov.gap);
    say("ks p".into(), smirnov.p);
    say("mmd biased".into(), mmd(&first, &second, width).unwrap().biased);
    let roc = Roc::of(&Scores::new(first.clone(), second.clone()).unwrap(), CONFIDENCE);
    say("auc".into(), roc.auc.seen);
    say("average precision".into(), roc.average_precision);
    let gauge = type1(&first, reference, 12.0, Type1Settings::default()).unwrap();
    say("type 1 bias p".into(), gauge.bias_p);
    let tolerance = Tolerance::new(Some(6.0), Some(14.0)).unwrap();
    let cp = capability(gauge.mean, gauge.deviation, first.len(), tolerance, CONFIDENCE).unwrap().cp.unwrap();
    say("cp lower".into(), cp.interval.lower);
    say("cp upper".into(), cp.interval.upper);

    let mut cell = || rng.random_range(5..60_u64);
    let table = Table { both_bad: cell(), first_bad: cell(), second_bad: cell(), both_good: cell() };
    let kappa = cohen(&table, CONFIDENCE).unwrap();
    say("cohen".into(), kappa.value);
    say("cohen lower".into(), kappa.interval.lower);
    say("cohen upper".into(), kappa.interval.upper);
    let votes: Vec<Vec<u64>> = (0..30)
        .map(|_| {
            let bad = rng.random_range(0..=6);
            vec![bad, 6 - bad]
        })
        .collect();
    say("fleiss".into(), fleiss(&votes).unwrap());

    let pairs: Vec<(f64, f64)> = (0..25)
        .map(|i| {
            let reference = f64::from(1 + i % 5) * 2.0;
            (reference, reference * 1.02 - 0.1 + 0.1 * normal(&mut rng))
        })
        .collect();
    let line = linearity(&pairs, CONFIDENCE).unwrap();
    say("slope".into(), line.slope.value);
    say("slope p".into(), line.slope.p);
    say("slope lower".into(), line.slope.interval.lower);
    say("intercept".into(), line.intercept.value);
    say("r2".into(), line.r2);

    let study: Vec<Vec<Vec<f64>>> = (0..3)
        .map(|appraiser| {
            let mut cell = |part: i32| {
                let centre = f64::from(part) + 0.2 * f64::from(appraiser);
                (0..3).map(|_| centre + 0.3 * normal(&mut rng)).collect()
            };
            (0..10).map(&mut cell).collect()
        })
        .collect();
    let anova = GaugeStudy::new(&study).unwrap().anova(None).anova.unwrap();
    say("anova appraisers".into(), anova.appraisers.sum);
    say("anova parts".into(), anova.parts.sum);
    say("anova interaction".into(), anova.interaction.sum);
    say("anova equipment".into(), anova.equipment.sum);
    say("anova interaction p".into(), anova.interaction_p);

    let mut ewma = Ewma::new(reference, sigma, 0.2, 3.0).unwrap();
    let mut cusum = Cusum::new(reference, 0.5 * sigma, 1e6 * sigma).unwrap();
    for (at, value) in first.iter().enumerate() {
        let (point, sums) = (ewma.add(*value), cusum.add(*value));
        say(format!("ewma {at}"), point.value);
        say(format!("ewma upper {at}"), point.upper);
        say(format!("cusum high {at}"), sums.high);
        say(format!("cusum low {at}"), sums.low);
    }
    let steady: Vec<f64> = (0..2_000).map(|_| f64::from(u8::from(rng.random::<f64>() < 0.2))).collect();
    let moved =
        (0..2_000).map(|i| f64::from(u8::from(rng.random::<f64>() < if i < 1_000 { 0.2 } else { 0.6 })));
    let changed: Vec<f64> = moved.collect();
    for (name, values) in [("steady", &steady), ("changed", &changed)] {
        let mut adwin = Adwin::new(0.002).unwrap();
        let found = values.iter().filter(|value| adwin.add(**value)).count();
        say(format!("adwin {name}"), f64::from(u8::from(found > 0)));
    }

    let kappa_table = [[table.both_bad, table.first_bad], [table.second_bad, table.both_good]];
    let given = json!({
        "shares": shares, "discordant": discordant, "fisher": fisher, "first": first, "second": second,
        "width": width, "reference": reference, "sigma": sigma, "cp": cp.value, "kappa": kappa_table,
        "fleiss": votes, "pairs": pairs, "gauge": study, "steady": steady, "changed": changed,
    });
    let Some(theirs) = theirs(&given) else { return };
    assert_eq!(ours.keys().collect::<Vec<_>>(), theirs.keys().collect::<Vec<_>>());
    for (name, ours) in &ours {
        let theirs = theirs[name];
        assert!(
            (ours - theirs).abs() <= 1e-9 + 1e-7 * theirs.abs(),
            "{name}: {ours}, theirs {theirs} (seed {seed})"
        );
    }
}

#[test]
fn our_numbers_are_those_of_published_packages() {
    for seed in 1..=3 {
        check(seed);
    }
}
