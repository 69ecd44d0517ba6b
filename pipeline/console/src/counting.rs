//! What a threshold would do, counted: what a browser needs to count while somebody drags, and the numbers that the
//! station counts itself and keeps.

use crate::{Evidence, Piece};
use plumb_ledger::{PartSet, Truth};
use plumb_quality::{Confidence, Scores, Share, Zones, parts_needed, suggest, zones};
use plumb_verdict::Threshold;
use serde_json::{Value, json};

/// How sure everything on these pages is.
pub(crate) const SURE: Confidence = Confidence::NINETY_FIVE;

/// Shares of escapes that somebody may want to promise.
pub(crate) const CLAIMS: [f64; 5] = [0.05, 0.02, 0.01, 0.005, 0.001];

/// At most this share of good pieces is rejected without a person's look, where a person looks at what is between.
const FALSE_REJECTS_MAX: f64 = 0.01;

/// Events for which every bound is told one by one; beyond them one in fifty, as the bounds are straight enough there.
const EXACT: u64 = 400;

/// Escapes up to which it is told how many parts a claim takes with them.
const ESCAPES: u64 = 20;

/// As a recipe writes it: 0.6, and not the 0.6000000238 that a 32-bit number is among 64-bit ones.
pub(crate) fn as_written(value: f32) -> f64 {
    value.to_string().parse().unwrap_or(f64::from(value))
}

/// Scores of the pieces to tune by, as `scores.bin`: ascending, 32-bit floats, then a byte each: 0 good, 1 defective.
/// Little endian. The pieces to certify by are not in it: who has seen them can prove nothing with them.
pub(crate) fn bytes(pieces: &[Piece]) -> Vec<u8> {
    let tune = || to_tune(pieces);
    let scores = tune().flat_map(|piece| (piece.score as f32).to_le_bytes());
    scores.chain(tune().map(|piece| u8::from(piece.truth == Truth::Defective))).collect()
}

/// Pieces to choose by, in order.
pub(crate) fn to_tune(pieces: &[Piece]) -> impl Iterator<Item = &Piece> {
    pieces.iter().filter(|piece| piece.part_set == PartSet::Tune)
}

/// The bounds of every count among `n`, as three columns of a table: two-sided interval and one-sided upper bound. Between
/// its rows one may draw straight lines.
pub(crate) fn bounds(n: u64) -> Value {
    let rows: Vec<(u64, Share)> =
        knots(n).into_iter().filter_map(|events| Some((events, Share::new(events, n).ok()?))).collect();
    let column = |of: &dyn Fn(Share) -> f64| rows.iter().map(|(_, share)| of(*share)).collect::<Vec<_>>();
    json!({
        "n": n,
        "events": rows.iter().map(|(events, _)| *events).collect::<Vec<_>>(),
        "lower": column(&|share| share.interval(SURE).lower),
        "upper": column(&|share| share.interval(SURE).upper),
        "at_most": column(&|share| share.at_most(SURE)),
    })
}

/// Counts whose bounds are worth a row: all near both ends, ever fewer towards the middle.
fn knots(n: u64) -> Vec<u64> {
    let mut low = Vec::new();
    let mut at = 0;
    while at <= n / 2 {
        low.push(at);
        at += if at < EXACT { 1 } else { at / 50 };
    }
    let mut all: Vec<u64> = low.iter().map(|at| n - at).chain(low.iter().copied()).collect();
    all.sort_unstable();
    all.dedup();
    all
}

/// How many defective pieces each claim takes, with 0, 1, 2 … of them escaping.
pub(crate) fn needed() -> Value {
    let of = |claim: f64| {
        let pieces: Vec<Option<u64>> =
            (0..=ESCAPES).map(|escapes| parts_needed(escapes, claim, SURE)).collect();
        json!({ "escape_max": claim, "pieces": pieces })
    };
    CLAIMS.into_iter().map(of).collect()
}

/// Escapes and false rejects among the pieces of one set; `None` without a piece to see it on.
fn shares(pieces: &[Piece], set: PartSet, threshold: Threshold) -> (Option<Share>, Option<Share>) {
    let of = |truth, is_wrong: &dyn Fn(f64) -> bool| {
        let known = pieces.iter().filter(|piece| piece.part_set == set && piece.truth == truth);
        Share::of(known, |piece| is_wrong(piece.score)).ok()
    };
    let escapes = of(Truth::Defective, &|score| !threshold.rejects(score));
    (escapes, of(Truth::Good, &|score| threshold.rejects(score)))
}

/// What the threshold at `value` does, on both sets, beside what the present one does: counted here, from the records.
pub(crate) fn numbers(evidence: &Evidence, value: f32) -> Value {
    let of = |threshold: Threshold| {
        let set = |set| {
            let (escapes, false_rejects) = shares(&evidence.pieces, set, threshold);
            json!({ "escapes": escapes.map(told), "false_rejects": false_rejects.map(told) })
        };
        json!({ "tune": set(PartSet::Tune), "certify": set(PartSet::Certify) })
    };
    json!({
        "confidence": SURE,
        "before": of(evidence.seen.threshold),
        "after": of(Threshold { value, ..evidence.seen.threshold }),
        "left_out": left_out(evidence),
    })
}

/// Why inspections do not count.
pub(crate) fn left_out(evidence: &Evidence) -> Vec<Value> {
    let told = |(inspections, why): &(u64, String)| json!({ "inspections": inspections, "why": why });
    evidence.left_out.iter().map(told).collect()
}

fn told(share: Share) -> Value {
    let interval = share.interval(SURE);
    json!({
        "events": share.events(), "of": share.trials(), "at_most": share.at_most(SURE),
        "lower": interval.lower, "upper": interval.upper, "says": share.says(SURE),
    })
}

/// For each claim the threshold that `plumb threshold suggest` would give, or why there is none, and the zones in which
/// a part passes, is looked at by a person, or is rejected. Of the pieces to certify by, whose guarantee it is; they are
/// not shown one by one.
pub(crate) fn suggestions(evidence: &Evidence) -> Value {
    let of_kind = |truth| {
        let certify = evidence.pieces.iter().filter(|piece| piece.part_set == PartSet::Certify);
        certify.filter(|piece| piece.truth == truth).map(|piece| piece.score).collect::<Vec<f64>>()
    };
    let scores = Scores::new(of_kind(Truth::Good), of_kind(Truth::Defective));
    let value = |score: f64| as_written(evidence.seen.threshold.from_which(score).value);
    let zone = |zones: Zones| json!({ "review_from": value(zones.review_from), "reject_from": value(zones.reject_from) });
    let of = |claim: f64| match &scores {
        Err(error) => json!({ "escape_max": claim, "infeasible": error.to_string() }),
        Ok(scores) => match suggest(scores, claim, SURE) {
            Err(infeasible) => json!({ "escape_max": claim, "infeasible": infeasible.to_string() }),
            Ok(found) => json!({
                "escape_max": claim,
                "value": value(found.threshold),
                "zones": zones(scores, claim, FALSE_REJECTS_MAX, SURE).ok().map(zone),
            }),
        },
    };
    CLAIMS.into_iter().map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::RuleSeen;
    use plumb_inspection::PartId;
    use plumb_verdict::Rejects;

    fn evidence(pieces: &[(f64, Truth, PartSet)]) -> Evidence {
        let threshold = Threshold { key: "max", value: 0.5, rejects: Rejects::Above };
        let piece = |(n, (score, truth, part_set)): (u32, &(f64, Truth, PartSet))| Piece {
            score: *score,
            truth: *truth,
            part_set: *part_set,
            part: PartId::new(n).expect("not 0"),
            triggered_at: jiff::Timestamp::UNIX_EPOCH,
        };
        Evidence {
            seen: RuleSeen {
                recipe: "washer".into(),
                rule: "scratch".into(),
                threshold,
                file_digest: "ab".into(),
                runs: true,
            },
            pieces: (1..).zip(pieces).map(piece).collect(),
            left_out: vec![(3, "the part was judged by another version of a model".into())],
        }
    }

    #[test]
    fn the_numbers_are_counted_on_both_sets_and_a_part_at_the_threshold_passes() {
        use PartSet::{Certify, Tune};
        use Truth::{Defective, Good};
        let evidence = evidence(&[
            (0.2, Good, Tune),
            (0.5, Defective, Tune),
            (0.6, Good, Tune),
            (1e300, Defective, Tune),
            (0.55, Defective, Certify),
        ]);
        let told = numbers(&evidence, 0.6);
        let count = |path: &str| {
            let share = told.pointer(path).expect("told");
            (share["events"].as_u64(), share["of"].as_u64())
        };
        assert_eq!(count("/before/tune/escapes"), (Some(1), Some(2)));
        assert_eq!(count("/before/tune/false_rejects"), (Some(1), Some(2)));
        assert_eq!(count("/after/tune/false_rejects"), (Some(0), Some(2)), "0.6 is allowed then");
        assert_eq!(count("/after/certify/escapes"), (Some(1), Some(1)));
        assert!(
            told.pointer("/after/certify/false_rejects").is_some_and(Value::is_null),
            "nobody to see it on"
        );
        assert_eq!(told["left_out"][0]["inspections"], 3);
    }

    #[test]
    fn a_browser_gets_the_pieces_to_tune_by_and_no_others() {
        use PartSet::{Certify, Tune};
        let pieces =
            [(0.25, Truth::Good, Tune), (0.5, Truth::Good, Certify), (1e300, Truth::Defective, Tune)];
        let bytes = bytes(&evidence(&pieces).pieces);
        assert_eq!(bytes.len(), 10);
        assert_eq!(bytes[..4], 0.25_f32.to_le_bytes());
        assert_eq!(bytes[4..8], f32::INFINITY.to_le_bytes(), "rejected whatever the threshold");
        assert_eq!(bytes[8..], [0, 1]);
    }

    #[test]
    fn between_two_rows_of_the_table_a_straight_line_is_as_good_as_the_bound() {
        for n in [1, 59, 5_000, 200_000] {
            let table = bounds(n);
            let column = |name: &str| -> Vec<f64> {
                table[name]
                    .as_array()
                    .expect("a column")
                    .iter()
                    .map(|x| x.as_f64().expect("a number"))
                    .collect()
            };
            let (events, upper, at_most) = (column("events"), column("upper"), column("at_most"));
            assert!(events.len() < 1_700, "{n}: {} rows", events.len());
            assert_eq!((events[0], events[events.len() - 1]), (0.0, n as f64));
            for x in [0, 1, n / 100, n / 7, n / 3, n - n / 9, n - 1, n] {
                let row = events.partition_point(|row| *row < x as f64);
                let line = |column: &[f64]| match events[row] - x as f64 {
                    0.0 => column[row],
                    short => {
                        let step = events[row] - events[row - 1];
                        column[row] - (column[row] - column[row - 1]) * short / step
                    }
                };
                let share = Share::new(x, n).expect("a share");
                assert!((line(&upper) / share.interval(SURE).upper - 1.0).abs() < 1e-3, "{x} of {n}");
                assert!((line(&at_most) / share.at_most(SURE) - 1.0).abs() < 1e-3, "{x} of {n}");
            }
        }
        assert!((bounds(59)["at_most"][0].as_f64().expect("a bound") - 0.049_507_6).abs() < 1e-6);
    }

    #[test]
    fn what_a_claim_takes_is_told_and_what_cannot_be_shown_says_so() {
        let needed = needed();
        assert_eq!((needed[0]["pieces"][0].as_u64(), needed[2]["pieces"][2].as_u64()), (Some(59), Some(628)));
        let few =
            evidence(&[(0.9, Truth::Defective, PartSet::Certify), (0.1, Truth::Good, PartSet::Certify)]);
        let says = suggestions(&few)[0]["infeasible"].to_string();
        assert!(says.contains("it takes 59"), "{says}");
        let mut many = vec![(0.9, Truth::Defective, PartSet::Certify); 60];
        many.push((0.1, Truth::Good, PartSet::Certify));
        let value = suggestions(&evidence(&many))[0]["value"].as_f64().expect("a value");
        assert!((0.89..=0.9).contains(&value), "just below the defective ones: {value}");
    }
}
