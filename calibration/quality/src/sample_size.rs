//! How many parts a claim takes.

use crate::{Confidence, beta};

const PARTS_MAX: u64 = 1 << 30;

/// The fewest parts among which `events` may be seen while the true share is still shown to be at most `share_max`,
/// `confidence` sure. `None` where a thousand million parts would not do.
///
/// The smallest n whose binomial probability of `events` or fewer, at `share_max`, is at most the risk; that is where
/// the bound of Clopper and Pearson reaches `share_max`.
pub fn parts_needed(events: u64, share_max: f64, confidence: Confidence) -> Option<u64> {
    if !(share_max > 0.0 && share_max < 1.0) {
        return None;
    }
    let shown = |trials: u64| beta::binomial_at_most(events, trials, share_max) <= confidence.risk();
    let mut enough = events + 1;
    while !shown(enough) {
        enough = enough.checked_mul(2).filter(|trials| *trials <= PARTS_MAX)?;
    }
    let mut too_few = enough / 2;
    while enough - too_few > 1 {
        let middle = too_few + (enough - too_few) / 2;
        if shown(middle) {
            enough = middle;
        } else {
            too_few = middle;
        }
    }
    Some(enough)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Worked with scipy's binomial distribution.
    #[test]
    fn the_table_of_every_quality_handbook() {
        let at_95: [(f64, [u64; 4]); 7] = [
            (0.10, [29, 46, 61, 76]),
            (0.05, [59, 93, 124, 153]),
            (0.02, [149, 236, 313, 386]),
            (0.01, [299, 473, 628, 773]),
            (0.005, [598, 947, 1258, 1549]),
            (0.001, [2995, 4742, 6294, 7752]),
            (0.0001, [29_956, 47_437, 62_956, 77_535]),
        ];
        for (share_max, row) in at_95 {
            for (events, parts) in row.into_iter().enumerate() {
                assert_eq!(
                    parts_needed(events as u64, share_max, Confidence::NINETY_FIVE),
                    Some(parts),
                    "{events} events, {share_max}"
                );
            }
        }
        let shares = [0.1, 0.05, 0.02, 0.01, 0.005, 0.001, 0.0001];
        for (level, row) in
            [(0.90, [22, 45, 114, 230, 460, 2302, 23_025]), (0.99, [44, 90, 228, 459, 919, 4603, 46_050])]
        {
            let got = shares.map(|share| parts_needed(0, share, Confidence::new(level).unwrap()).unwrap());
            assert_eq!(got, row, "{level}");
        }
    }

    #[test]
    fn a_claim_of_nothing_at_all_takes_more_parts_than_there_are() {
        assert_eq!(parts_needed(0, 0.0, Confidence::NINETY_FIVE), None);
        assert_eq!(parts_needed(0, f64::NAN, Confidence::NINETY_FIVE), None);
        assert_eq!(parts_needed(0, 1e-10, Confidence::NINETY_FIVE), None);
    }
}
