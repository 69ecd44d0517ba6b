//! From so much to so much; either end may be open, and both ends belong to it.

use crate::{Rejects, RuleError, RuleName, Threshold};
use std::fmt;

/// A value exactly at an end is within.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Limits<T> {
    pub(crate) min: Option<T>,
    pub(crate) max: Option<T>,
}

/// The threshold of a rule whose only limit is an upper one; each pair of limits with the key of its upper end.
pub(crate) fn largest_that_passes(limits: &[(&'static str, Limits<f32>)]) -> Option<Threshold> {
    let given = limits.iter().filter(|(_, limits)| !limits.are_open()).collect::<Vec<_>>();
    match given[..] {
        [(key, Limits { min: None, max: Some(max) })] => {
            Some(Threshold { key, value: *max, rejects: Rejects::Above })
        }
        _ => None,
    }
}

impl<T: PartialOrd + Copy + fmt::Display> Limits<T> {
    /// What is not a number is never within.
    pub(crate) fn admit(&self, value: T) -> bool {
        self.min.is_none_or(|min| value >= min) && self.max.is_none_or(|max| value <= max)
    }

    pub(crate) fn are_open(&self) -> bool {
        self.min.is_none() && self.max.is_none()
    }

    /// What is wrong with the limits of `rule`; `keys` names them for the person who wrote it.
    pub(crate) fn problem(&self, rule: &RuleName, keys: &'static str) -> Option<RuleError> {
        match (self.min, self.max) {
            (None, None) => Some(RuleError::NoLimit { rule: rule.clone(), keys }),
            // The other way round would let a limit that is no number through.
            (Some(min), Some(max)) if !matches!(min.partial_cmp(&max), Some(o) if o.is_le()) => {
                Some(RuleError::EmptyRange { rule: rule.clone(), min: min.to_string(), max: max.to_string() })
            }
            _ => None,
        }
    }
}

impl Limits<f32> {
    /// As [`problem`](Self::problem), and each end must be a number ≥ 0.
    pub(crate) fn size_problem(&self, rule: &RuleName, keys: &'static str) -> Option<RuleError> {
        let odd = [self.min, self.max].into_iter().flatten().find(|end| !end.is_finite() || *end < 0.0);
        match odd {
            Some(got) => Some(RuleError::NotASize { rule: rule.clone(), keys, got }),
            None => self.problem(rule, keys),
        }
    }

    /// By how much `value` is outside, in its own unit; infinite for what is not a number.
    pub(crate) fn excess(&self, value: f32) -> f32 {
        let below = self.min.map_or(0.0, |min| min - value);
        let above = self.max.map_or(0.0, |max| value - max);
        let excess = below.max(above);
        if excess.is_nan() { f32::INFINITY } else { excess }
    }
}

/// `at most 0 allowed`, `at least 2 wanted`, `2 to 5 wanted`, `exactly 3 wanted`.
impl<T: PartialEq + fmt::Display> fmt::Display for Limits<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.min, &self.max) {
            (Some(min), Some(max)) if min == max => write!(f, "exactly {min} wanted"),
            (Some(min), Some(max)) => write!(f, "{min} to {max} wanted"),
            (Some(min), None) => write!(f, "at least {min} wanted"),
            (None, Some(max)) => write!(f, "at most {max} allowed"),
            (None, None) => f.write_str("any allowed"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_exactly_at_a_limit_passes_and_what_is_no_number_never_does() {
        let limits = Limits { min: Some(1.0), max: Some(2.0) };
        let rows = [(0.999, false), (1.0, true), (2.0, true), (2.001, false), (f32::NAN, false)];
        for (value, within) in rows {
            assert_eq!(limits.admit(value), within, "{value}");
        }
        assert!(!Limits { min: None, max: Some(2.0) }.admit(f32::NAN));
    }

    #[test]
    fn limits_that_nothing_or_everything_meets_are_refused() {
        let rule = RuleName::from("r");
        assert!(Limits::<u32> { min: None, max: None }.problem(&rule, "min").is_some());
        assert!(Limits { min: Some(3), max: Some(2) }.problem(&rule, "min").is_some());
        assert!(Limits { min: Some(2), max: Some(2) }.problem(&rule, "min").is_none());
        for end in [f32::NAN, f32::INFINITY, -1.0] {
            assert!(Limits { min: Some(end), max: None }.size_problem(&rule, "min").is_some(), "{end}");
        }
    }
}
