//! How far a model has come, and the ways from one state to the next.

use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSql, ToSqlOutput, ValueRef};
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// How far a model has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ModelState {
    /// Known, and trusted with nothing.
    Draft,
    /// Sees every part of its recipe; what it would say is recorded and never acts.
    Shadow,
    /// Somebody has put his name to it: it may judge.
    Approved,
    /// Judges the parts of a recipe.
    Live,
    /// Must not judge any more. A station does not start with it.
    Retired,
}

/// Who makes a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hand {
    /// Somebody who gives his name and a reason.
    Person,
    /// The station, because its recipes say which models judge.
    Station,
}

use Hand::{Person, Station};
use ModelState::{Approved, Draft, Live, Retired, Shadow};

/// Every way there is; what is not here is refused.
const WAYS: [(ModelState, ModelState, Hand); 14] = [
    (Draft, Shadow, Person),
    (Draft, Retired, Person),
    (Shadow, Draft, Person),
    (Shadow, Approved, Person),
    (Shadow, Retired, Person),
    (Approved, Shadow, Person),
    (Approved, Live, Person),
    (Approved, Retired, Person),
    (Live, Retired, Person),
    (Retired, Draft, Person),
    // Where no approval is required, the recipe's word is enough, and the book says what really judges.
    (Draft, Live, Station),
    (Shadow, Live, Station),
    (Approved, Live, Station),
    // Replaced by another version, or not named by the recipe any more.
    (Live, Approved, Station),
];

impl ModelState {
    /// Every state, in the order of a model's life.
    pub const ALL: [Self; 5] = [Draft, Shadow, Approved, Live, Retired];

    /// The spelling used everywhere.
    pub fn as_str(self) -> &'static str {
        match self {
            Draft => "draft",
            Shadow => "shadow",
            Approved => "approved",
            Live => "live",
            Retired => "retired",
        }
    }

    /// True if a model in this state may judge where approval is required.
    pub fn may_judge(self) -> bool {
        matches!(self, Approved | Live)
    }

    /// True if a person may change a model from this state to `to`.
    pub fn may_become(self, to: Self) -> bool {
        self.may_become_by(Person, to)
    }

    pub(super) fn may_become_by(self, hand: Hand, to: Self) -> bool {
        WAYS.contains(&(self, to, hand))
    }

    /// The states a person leads a model through to `to`, this one first: `draft → shadow → approved`. Never longer
    /// than need be; `None` where no way leads.
    pub fn way_to(self, to: Self) -> Option<Vec<Self>> {
        let mut ways = vec![vec![self]];
        for _ in Self::ALL {
            if let Some(way) = ways.iter().find(|way| way.last() == Some(&to)) {
                return Some(way.clone());
            }
            let longer = |way: &Vec<Self>| {
                let end = *way.last().expect("a way begins somewhere");
                let next = Self::ALL.into_iter().filter(move |&next| end.may_become(next));
                next.map(|next| [&way[..], &[next]].concat()).collect::<Vec<_>>()
            };
            ways = ways.iter().flat_map(longer).collect();
        }
        None
    }
}

impl fmt::Display for ModelState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for ModelState {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|state| state.as_str() == word).ok_or_else(|| {
            let states = Self::ALL.map(Self::as_str).join(", ");
            format!("{word:?} is no state of a model; the states are {states}")
        })
    }
}

impl ToSql for ModelState {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(self.as_str().into())
    }
}

impl FromSql for ModelState {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        value.as_str()?.parse().map_err(|says: String| FromSqlError::Other(says.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_change_is_allowed_or_refused_as_the_table_says() {
        // Rows: from. Columns: to, in the order of a model's life. p: a person may, s: the station may, b: both.
        let table = [
            (Draft, ". p . s p"),
            (Shadow, "p . p s p"),
            (Approved, ". p . b p"),
            (Live, ". . s . p"),
            (Retired, "p . . . ."),
        ];
        for (from, row) in table {
            for (to, may) in ModelState::ALL.into_iter().zip(row.split(' ')) {
                assert_eq!(from.may_become(to), "pb".contains(may), "a person, {from} → {to}");
                assert_eq!(from.may_become_by(Station, to), "sb".contains(may), "the station, {from} → {to}");
            }
        }
    }

    #[test]
    fn the_way_between_any_two_states_is_the_shortest_a_person_can_go() {
        let way = |from: ModelState, to| {
            let way = from.way_to(to).unwrap_or_default();
            way.into_iter().map(ModelState::as_str).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(way(Draft, Live), "draft shadow approved live");
        assert_eq!(way(Retired, Approved), "retired draft shadow approved");
        assert_eq!(way(Live, Shadow), "live retired draft shadow");
        assert_eq!(way(Shadow, Draft), "shadow draft");
        for (from, to) in ModelState::ALL.into_iter().flat_map(|a| ModelState::ALL.map(|b| (a, b))) {
            let way = from.way_to(to).expect("everything can be reached from everywhere");
            assert!(way.windows(2).all(|step| step[0].may_become(step[1])), "{way:?}");
        }
    }

    #[test]
    fn nothing_but_draft_follows_retirement_and_only_the_approved_may_judge_where_that_is_required() {
        let after = ModelState::ALL.into_iter().filter(|&to| Retired.may_become(to));
        assert_eq!(after.collect::<Vec<_>>(), [Draft]);
        assert!(ModelState::ALL.into_iter().all(|to| !Retired.may_become_by(Station, to)));
        assert_eq!(ModelState::ALL.map(ModelState::may_judge), [false, false, true, true, false]);
    }

    #[test]
    fn states_are_spelled_the_same_in_json_in_words_and_when_read() {
        for state in ModelState::ALL {
            assert_eq!(serde_json::to_string(&state).expect("plain data"), format!("\"{state}\""));
            assert_eq!(state.as_str().parse(), Ok(state));
        }
        let says = "lief".parse::<ModelState>().expect_err("no such state");
        assert!(
            says.contains("\"lief\"") && says.contains("draft, shadow, approved, live, retired"),
            "{says}"
        );
    }
}
