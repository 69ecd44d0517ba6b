//! Nelson's rules: patterns that chance seldom draws.

use serde::{Deserialize, Serialize};

/// One of the eight. Each adds its own false alarms; [`Rule::USUAL`] are those that pay for theirs.
///
/// L. S. Nelson, "The Shewhart control chart: tests for special causes", Journal of Quality Technology 16 (1984).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    /// 1: one point beyond three standard deviations.
    Beyond3,
    /// 2: nine in a row on one side of the centre.
    NineOneSide,
    /// 3: six in a row, each above or each below the one before.
    SixRising,
    /// 4: fourteen in a row, up and down in turn.
    FourteenAlternating,
    /// 5: two of three beyond two standard deviations on one side.
    TwoOfThreeBeyond2,
    /// 6: four of five beyond one standard deviation on one side.
    FourOfFiveBeyond1,
    /// 7: fifteen in a row within one standard deviation: the limits are too wide, or the data are mixed.
    FifteenWithin1,
    /// 8: eight in a row, none within one standard deviation, on either side.
    EightBeyond1,
}

impl Rule {
    /// All eight, in Nelson's order.
    pub const ALL: [Self; 8] = [
        Self::Beyond3,
        Self::NineOneSide,
        Self::SixRising,
        Self::FourteenAlternating,
        Self::TwoOfThreeBeyond2,
        Self::FourOfFiveBeyond1,
        Self::FifteenWithin1,
        Self::EightBeyond1,
    ];
    /// Rules 1, 2, 3 and 5.
    pub const USUAL: [Self; 4] = [Self::Beyond3, Self::NineOneSide, Self::SixRising, Self::TwoOfThreeBeyond2];

    /// Nelson's number, 1 to 8.
    pub fn number(self) -> usize {
        self as usize + 1
    }

    /// Points looked at together.
    fn span(self) -> usize {
        match self {
            Self::Beyond3 => 1,
            Self::NineOneSide => 9,
            Self::SixRising => 6,
            Self::FourteenAlternating => 14,
            Self::TwoOfThreeBeyond2 => 3,
            Self::FourOfFiveBeyond1 => 5,
            Self::FifteenWithin1 => 15,
            Self::EightBeyond1 => 8,
        }
    }

    /// Is the last point of `z` the last of such a pattern? `z` holds just the rule's span.
    fn holds(self, z: &[f64]) -> bool {
        let last = z[z.len() - 1];
        let one_side = |beyond: f64, at_least: usize| {
            // The last point must be one of them, or the pattern was told before.
            [1.0, -1.0].into_iter().any(|side| {
                last * side > beyond && z.iter().filter(|z| **z * side > beyond).count() >= at_least
            })
        };
        let steps = || z.windows(2).map(|pair| pair[1] - pair[0]);
        match self {
            Self::Beyond3 => last.abs() > 3.0,
            Self::NineOneSide => one_side(0.0, 9),
            Self::SixRising => steps().all(|step| step > 0.0) || steps().all(|step| step < 0.0),
            Self::FourteenAlternating => {
                let steps: Vec<f64> = steps().collect();
                steps.windows(2).all(|pair| pair[0] * pair[1] < 0.0)
            }
            Self::TwoOfThreeBeyond2 => one_side(2.0, 2),
            Self::FourOfFiveBeyond1 => one_side(1.0, 4),
            Self::FifteenWithin1 => z.iter().all(|z| z.abs() < 1.0),
            Self::EightBeyond1 => z.iter().all(|z| z.abs() > 1.0),
        }
    }
}

/// A rule that spoke.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Hit {
    /// Which.
    pub rule: Rule,
    /// The last point of its pattern, from 0.
    pub at: usize,
}

/// Every point at which one of `rules` speaks, in order. `z` are distances from the centre in standard deviations; for
/// attribute charts take rules 1 to 4 or the z scale of large samples.
pub fn nelson(z: &[f64], rules: &[Rule]) -> Vec<Hit> {
    let at = |at: usize| {
        rules.iter().filter_map(move |&rule| {
            let window = (at + 1).checked_sub(rule.span()).map(|from| &z[from..=at])?;
            rule.holds(window).then_some(Hit { rule, at })
        })
    };
    (0..z.len()).flat_map(at).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hits(z: &[f64], rule: Rule) -> Vec<usize> {
        nelson(z, &[rule]).into_iter().map(|hit| hit.at).collect()
    }

    #[test]
    fn each_rule_speaks_at_the_last_point_of_its_pattern_and_not_before() {
        assert_eq!(hits(&[0.0, 3.1, -3.2, 3.0], Rule::Beyond3), [1, 2]);
        assert_eq!(hits(&[[0.1; 10].as_slice(), &[-0.1]].concat(), Rule::NineOneSide), [8, 9]);
        assert_eq!(hits(&[0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.5], Rule::SixRising), [5]);
        assert_eq!(hits(&[0.5, 0.4, 0.3, 0.2, 0.1, 0.0], Rule::SixRising), [5]);
        let saw: Vec<f64> = (0..15).map(|i| if i % 2 == 0 { 0.2 } else { -0.2 }).collect();
        assert_eq!(hits(&saw, Rule::FourteenAlternating), [13, 14]);
        assert_eq!(hits(&[2.1, 0.0, 2.2, 0.0, -2.5], Rule::TwoOfThreeBeyond2), [2]);
        assert_eq!(hits(&[1.1, 1.2, 0.0, 1.3, 1.4, 0.0], Rule::FourOfFiveBeyond1), [4]);
        assert_eq!(hits(&[0.5; 16], Rule::FifteenWithin1), [14, 15]);
        assert_eq!(hits(&[1.5, -1.5, 1.5, -1.5, 1.5, -1.5, 1.5, -1.5, 0.0], Rule::EightBeyond1), [7]);
    }

    #[test]
    fn a_point_on_the_line_breaks_a_run_and_few_points_say_nothing() {
        assert!(hits(&[0.1, 0.1, 0.1, 0.1, 0.0, 0.1, 0.1, 0.1, 0.1], Rule::NineOneSide).is_empty());
        assert!(nelson(&[0.0, 0.5], &Rule::ALL).is_empty() && nelson(&[], &Rule::ALL).is_empty());
        assert_eq!(Rule::ALL.map(Rule::number), [1, 2, 3, 4, 5, 6, 7, 8]);
    }
}
