//! Attribute agreement: do appraisers, of whom the station is one, call the same parts good and bad?

use crate::{Confidence, Interval, Share};
use serde::{Deserialize, Serialize};
use statrs::distribution::{ContinuousCDF as _, Normal};

/// Two appraisers' words on the same parts, both ways.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Table {
    /// Both said bad.
    pub both_bad: u64,
    /// The first said bad, the second good.
    pub first_bad: u64,
    /// The second said bad, the first good.
    pub second_bad: u64,
    /// Both said good.
    pub both_good: u64,
}

impl Table {
    /// Counts pairs (first said bad, second said bad).
    pub fn count(pairs: impl IntoIterator<Item = (bool, bool)>) -> Self {
        let mut table = Self { both_bad: 0, first_bad: 0, second_bad: 0, both_good: 0 };
        for pair in pairs {
            *match pair {
                (true, true) => &mut table.both_bad,
                (true, false) => &mut table.first_bad,
                (false, true) => &mut table.second_bad,
                (false, false) => &mut table.both_good,
            } += 1;
        }
        table
    }

    fn all(&self) -> u64 {
        self.both_bad + self.first_bad + self.second_bad + self.both_good
    }
}

/// Agreement beyond chance. Show the table beside it: where nearly all parts are good, kappa is low however well two
/// agree.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Kappa {
    /// 1 is full agreement, 0 what chance gives; AIAG calls 0.75 good and below 0.40 poor.
    pub value: f64,
    /// Where the true one lies.
    pub interval: Interval,
}

/// Cohen's kappa of a table, with its large-sample interval.
///
/// J. Cohen, Educational and Psychological Measurement 20 (1960); variance by Fleiss, Cohen and Everitt, Psychological
/// Bulletin 72 (1969).
///
/// # Errors
/// Without parts, and where both always said the same one word: then chance alone explains everything.
pub fn cohen(table: &Table, confidence: Confidence) -> Result<Kappa, AgreementError> {
    let n = table.all() as f64;
    if n == 0.0 {
        return Err(AgreementError::NoParts);
    }
    let share = |count: u64| count as f64 / n;
    let (a, b, c, d) =
        (share(table.both_bad), share(table.first_bad), share(table.second_bad), share(table.both_good));
    let (first, second) = (a + b, a + c);
    let seen = a + d;
    let chance = first * second + (1.0 - first) * (1.0 - second);
    if chance >= 1.0 {
        return Err(AgreementError::OneWord);
    }
    let value = (seen - chance) / (1.0 - chance);
    let rest = 1.0 - value;
    let own = a * (1.0 - (first + second) * rest).powi(2) + d * (1.0 - (2.0 - first - second) * rest).powi(2);
    let cross = rest.powi(2) * (b * (second + 1.0 - first).powi(2) + c * (first + 1.0 - second).powi(2));
    let variance = (own + cross - (value - chance * rest).powi(2)) / (n * (1.0 - chance).powi(2));
    let half = z(confidence) * variance.max(0.0).sqrt();
    let interval = Interval { lower: (value - half).max(-1.0), upper: (value + half).min(1.0) };
    Ok(Kappa { value, interval })
}

/// Fleiss' kappa of several appraisers: `counts[part][word]` says how many of them used a word, each part by the same
/// number.
///
/// J. L. Fleiss, Psychological Bulletin 76 (1971).
///
/// # Errors
/// Without parts, with fewer than two appraisers or different numbers of them, and where only one word was ever used.
pub fn fleiss(counts: &[Vec<u64>]) -> Result<f64, AgreementError> {
    let Some(first) = counts.first() else { return Err(AgreementError::NoParts) };
    let appraisers: u64 = first.iter().sum();
    if appraisers < 2 {
        return Err(AgreementError::OneAppraiser);
    }
    let differs = |row: &Vec<u64>| row.len() != first.len() || row.iter().sum::<u64>() != appraisers;
    if let Some(part) = counts.iter().position(differs) {
        return Err(AgreementError::Cell { part });
    }
    let (parts, m) = (counts.len() as f64, appraisers as f64);
    let pairs = |row: &Vec<u64>| row.iter().map(|&n| (n * n) as f64).sum::<f64>() - m;
    let seen = counts.iter().map(pairs).sum::<f64>() / (parts * m * (m - 1.0));
    let word = |word: usize| counts.iter().map(|row| row[word]).sum::<u64>() as f64 / (parts * m);
    let chance: f64 = (0..first.len()).map(|w| word(w).powi(2)).sum();
    if chance >= 1.0 {
        return Err(AgreementError::OneWord);
    }
    Ok((seen - chance) / (1.0 - chance))
}

/// AIAG's limits, best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Grade {
    /// Effectiveness at least 90 %, miss at most 2 %, false alarm at most 5 %.
    Acceptable,
    /// At least 80 %, at most 5 %, at most 10 %.
    Marginal,
    /// Below that.
    Unacceptable,
}

/// One appraiser against the reference. Shares are graded by what was seen, as AIAG does; their bounds say how sure.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Agreement {
    /// Agreement with the reference beyond chance.
    pub kappa: Kappa,
    /// Right words of all.
    pub effectiveness: Share,
    /// Bad parts called good.
    pub miss: Share,
    /// Good parts called bad.
    pub false_alarm: Share,
    /// The worst of the three, by AIAG's limits.
    pub grade: Grade,
}

/// An appraiser (`first` of the table) against the reference (`second`).
///
/// # Errors
/// As [`cohen`], and where the reference has no bad or no good part.
pub fn agreement(table: &Table, confidence: Confidence) -> Result<Agreement, AgreementError> {
    let share =
        |events, trials, kind| Share::new(events, trials).map_err(|_| AgreementError::Missing { kind });
    let miss = share(table.second_bad, table.second_bad + table.both_bad, "bad")?;
    let false_alarm = share(table.first_bad, table.first_bad + table.both_good, "good")?;
    let kappa = cohen(table, confidence)?;
    let effectiveness = share(table.both_bad + table.both_good, table.all(), "judged")?;
    let grade = |bad: f64, good_at: f64, fair_at: f64| {
        if bad <= good_at {
            Grade::Acceptable
        } else if bad <= fair_at {
            Grade::Marginal
        } else {
            Grade::Unacceptable
        }
    };
    let wrong = (table.first_bad + table.second_bad) as f64 / table.all() as f64;
    let worst = grade(wrong, 0.10, 0.20).max(grade(miss.seen(), 0.02, 0.05)).max(grade(
        false_alarm.seen(),
        0.05,
        0.10,
    ));
    Ok(Agreement { kappa, effectiveness, miss, false_alarm, grade: worst })
}

fn z(confidence: Confidence) -> f64 {
    Normal::standard().inverse_cdf(1.0 - confidence.risk() / 2.0)
}

/// Why agreement cannot be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AgreementError {
    /// Nothing judged.
    #[error("no part was judged by both; there is no agreement to speak of")]
    NoParts,
    /// Nobody to agree with.
    #[error("one appraiser cannot agree with himself; it takes two, or a reference")]
    OneAppraiser,
    /// Only one word in all.
    #[error(
        "everybody always said the same word; chance alone explains that: take parts of both kinds, and some near the limit"
    )]
    OneWord,
    /// A missing word.
    #[error("part number {} was judged by another number of appraisers than the first, or with other words; fill in what is missing, or leave the part out", part + 1)]
    Cell {
        /// From 0.
        part: usize,
    },
    /// One kind is not there.
    #[error(
        "the reference has no {kind} part; without them the study cannot say how often such parts are called wrong"
    )]
    Missing {
        /// `bad` or `good`.
        kind: &'static str,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table([both_bad, first_bad, second_bad, both_good]: [u64; 4]) -> Table {
        Table { both_bad, first_bad, second_bad, both_good }
    }

    /// AIAG MSA, 4th edition, p. 134: 50 parts, three appraisers, three trials; 150 words each.
    #[test]
    fn kappas_of_aiags_study() {
        let rows = [
            ([44, 6, 3, 97], 0.862_944),
            ([42, 5, 9, 94], 0.788_007),
            ([43, 7, 8, 92], 0.776_119),
            ([45, 5, 3, 97], 0.878_788),
            ([45, 2, 3, 100], 0.922_982),
            ([42, 9, 6, 93], 0.773_960),
        ];
        for (counts, expected) in rows {
            let kappa = cohen(&table(counts), Confidence::NINETY_FIVE).unwrap();
            assert!((kappa.value - expected).abs() < 5e-7, "{kappa:?} for {expected}");
            assert!(kappa.interval.contains(kappa.value) && kappa.interval.lower > 0.6, "{kappa:?}");
        }
    }

    #[test]
    fn appraisers_of_aiags_study_against_the_reference() {
        let rows = [
            ([45, 5, 3, 97], (3, 48), (5, 102), Grade::Unacceptable),
            ([45, 2, 3, 100], (3, 48), (2, 102), Grade::Unacceptable),
            ([42, 9, 6, 93], (6, 48), (9, 102), Grade::Unacceptable),
            ([99, 5, 1, 95], (1, 100), (5, 100), Grade::Acceptable),
            ([96, 8, 4, 92], (4, 100), (8, 100), Grade::Marginal),
        ];
        for (counts, miss, false_alarm, grade) in rows {
            let found = agreement(&table(counts), Confidence::NINETY_FIVE).unwrap();
            assert_eq!((found.miss.events(), found.miss.trials()), miss);
            assert_eq!((found.false_alarm.events(), found.false_alarm.trials()), false_alarm);
            assert_eq!(found.grade, grade, "{found:?}");
        }
    }

    /// The worked table of ten subjects, fourteen raters and five words.
    #[test]
    fn fleiss_kappa_of_the_worked_table() {
        let rows = [
            [0, 0, 0, 0, 14],
            [0, 2, 6, 4, 2],
            [0, 0, 3, 5, 6],
            [0, 3, 9, 2, 0],
            [2, 2, 8, 1, 1],
            [7, 7, 0, 0, 0],
            [3, 2, 6, 3, 0],
            [2, 5, 3, 2, 2],
            [6, 5, 2, 1, 0],
            [0, 2, 2, 3, 7],
        ];
        let counts: Vec<Vec<u64>> = rows.iter().map(|row| row.to_vec()).collect();
        assert!((fleiss(&counts).unwrap() - 0.209_931).abs() < 5e-7);
        let mut short = counts.clone();
        short[4][0] = 0;
        assert_eq!(fleiss(&short), Err(AgreementError::Cell { part: 4 }));
        assert_eq!(fleiss(&[vec![1, 0]]), Err(AgreementError::OneAppraiser));
        assert_eq!(fleiss(&[vec![3, 0], vec![3, 0]]), Err(AgreementError::OneWord));
    }

    #[test]
    fn studies_without_one_kind_are_refused() {
        let sure = Confidence::NINETY_FIVE;
        assert_eq!(cohen(&table([0; 4]), sure), Err(AgreementError::NoParts));
        assert_eq!(cohen(&table([0, 0, 0, 50]), sure), Err(AgreementError::OneWord));
        assert_eq!(agreement(&table([0, 1, 0, 50]), sure), Err(AgreementError::Missing { kind: "bad" }));
        let counted = Table::count([(true, true), (true, false), (false, false), (false, false)]);
        assert_eq!(counted, table([1, 1, 0, 2]));
    }
}
