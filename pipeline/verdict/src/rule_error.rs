//! What is wrong with a recipe's rules, found before any part is judged by them.

use crate::RuleName;
use plumb_inspection::RegionName;

/// A rule that cannot be asked, or that could never object.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum RuleError {
    /// Nothing could ever fail.
    #[error("the recipe has no rule, so every part would pass; add a [[rule]]")]
    NoRules,
    /// The reason code on the wire has two digits.
    #[error("the recipe has {got} rules, but the PLC tells only {most} apart; join some")]
    TooManyRules {
        /// How many there are.
        got: usize,
        /// How many there may be.
        most: usize,
    },
    /// A reason could not be told to its rule.
    #[error("rule {position} has no name; give it one, it is what the operator reads")]
    NoName {
        /// Counting from 1.
        position: usize,
    },
    /// Two reasons could not be told apart.
    #[error("rules {first} and {second} are both called \"{rule}\"; give each its own name")]
    SameName {
        /// Their name.
        rule: RuleName,
        /// Counting from 1.
        first: usize,
        /// Counting from 1.
        second: usize,
    },
    /// A missed part's reason is the cause's name.
    #[error("rule \"{rule}\" is called like a cause for which parts are missed; call it something else")]
    ReservedName {
        /// The rule.
        rule: RuleName,
    },
    /// It could never object.
    #[error("rule \"{rule}\" has no limit, so it could never object; give it {keys}")]
    NoLimit {
        /// The rule.
        rule: RuleName,
        /// What may be given.
        keys: &'static str,
    },
    /// It would always object.
    #[error("rule \"{rule}\" wants at least {min} and at most {max}, which nothing can be")]
    EmptyRange {
        /// The rule.
        rule: RuleName,
        /// Lower end.
        min: String,
        /// Upper end.
        max: String,
    },
    /// A limit that no size can have.
    #[error("rule \"{rule}\" has the limit {got} ({keys}), expected a number of 0 or more")]
    NotASize {
        /// The rule.
        rule: RuleName,
        /// What may be given.
        keys: &'static str,
        /// What was given.
        got: f32,
    },
    /// Which of them holds?
    #[error("rule \"{rule}\" has both {one} and {other}; keep one")]
    Either {
        /// The rule.
        rule: RuleName,
        /// A key.
        one: &'static str,
        /// Another.
        other: &'static str,
    },
    /// Half of what makes a limit.
    #[error("rule \"{rule}\" has {one} without {other}; give both")]
    Alone {
        /// The rule.
        rule: RuleName,
        /// A key.
        one: &'static str,
        /// The one that belongs to it.
        other: &'static str,
    },
    /// It could never object, or says what another kind says better.
    #[error("rule \"{rule}\" has {key} = 0, so it could never object; did you mean kind = \"absence\"?")]
    ZeroWanted {
        /// The rule.
        rule: RuleName,
        /// The key.
        key: &'static str,
    },
    /// It would always object.
    #[error(
        "no model examines anything{place}, so rule \"{rule}\" would reject every part; add the model or correct it"
    )]
    NobodyLooks {
        /// The rule.
        rule: RuleName,
        /// Where it looks: ` in "face"`.
        place: String,
        /// The region it names, if it names one.
        region: Option<RegionName>,
    },
}
