//! Proposals as they are on disk.

use super::{Change, NewProposal, Proposal, ProposalError, ProposalState};
use crate::{
    people::{Door, told},
    record::from_us,
};
use jiff::Timestamp;
use plumb_inspection::PartId;
use rusqlite::{Connection, OptionalExtension as _, Row, params};
use std::path::Path;

/// The proposals of one station.
#[derive(Debug)]
pub struct ProposalBook {
    door: Door,
}

impl ProposalBook {
    /// In the data folder `folder`; made with the first question.
    pub fn new(folder: &Path) -> Self {
        Self { door: Door::new(folder) }
    }

    /// Keeps what `by` proposes; gives its number.
    ///
    /// # Errors
    /// Without a reason, and when the file cannot be written.
    pub fn propose(&self, new: &NewProposal, by: &str) -> Result<u64, ProposalError> {
        if new.reason.trim().is_empty() {
            return Err(ProposalError::NoReason);
        }
        let path = self.door.path();
        let (rule, key, old, to, text) = match &new.change {
            Change::Threshold { rule, key, old, new } => (rule.as_str(), key.as_str(), *old, *new, None),
            Change::Recipe { text } => ("", "", 0.0, 0.0, Some(text)),
        };
        let n = self.door.with(|connection| {
            connection
                .execute(
                    "INSERT INTO proposals (at_us, by, recipe, rule, key, old, new, file_digest, reason, numbers, text, state)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, 'open')",
                    params![
                        Timestamp::now().as_microsecond(),
                        by,
                        new.recipe.as_str(),
                        rule,
                        key,
                        f64::from(old),
                        f64::from(to),
                        new.file_digest,
                        new.reason.trim(),
                        new.numbers.to_string(),
                        text
                    ],
                )
                .map_err(|source| told(&path, source))?;
            Ok(connection.last_insert_rowid().unsigned_abs())
        })?;
        Ok(n)
    }

    /// Every proposal for `recipe` and `rule`, or all there are; newest first, `limit` at most. No rule (`""`) is the whole
    /// recipe.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn list(&self, of: Option<(&str, &str)>, limit: usize) -> Result<Vec<Proposal>, ProposalError> {
        let path = self.door.path();
        let filter = if of.is_some() { "WHERE recipe = ?1 AND rule = ?2" } else { "WHERE ?1 = ?2" };
        let (recipe, rule) = of.unwrap_or(("", ""));
        let sql = format!("{SELECT} {filter} ORDER BY n DESC LIMIT {limit}");
        let ask = |connection: &Connection| -> rusqlite::Result<Vec<Proposal>> {
            connection.prepare_cached(&sql)?.query_map([recipe, rule], read)?.collect()
        };
        Ok(self.door.read(|connection| ask(connection).map_err(|source| told(&path, source)))?)
    }

    /// One of them.
    ///
    /// # Errors
    /// When there is none, or the file cannot be read.
    pub fn get(&self, n: u64) -> Result<Proposal, ProposalError> {
        let path = self.door.path();
        let found = self.door.read(|connection| find(connection, n).map_err(|source| told(&path, source)))?;
        found.ok_or(ProposalError::None { n })
    }

    /// `who` takes their own proposal back.
    ///
    /// # Errors
    /// When it is another's, is settled, or the file cannot be written.
    pub fn withdraw(&self, n: u64, who: &str, why: &str) -> Result<(), ProposalError> {
        self.decide(n, ProposalState::Withdrawn, who, why)
    }

    /// `who`, a second person, says no.
    ///
    /// # Errors
    /// When it is their own, is settled, no reason is given, or the file cannot be written.
    pub fn refuse(&self, n: u64, who: &str, why: &str) -> Result<(), ProposalError> {
        if why.trim().is_empty() {
            return Err(ProposalError::NoReason);
        }
        self.decide(n, ProposalState::Refused, who, why)
    }

    /// `who`, a second person, has signed. From here on nobody else can decide; it goes live, or is given back.
    ///
    /// # Errors
    /// When it is their own, is settled, or the file cannot be written.
    pub fn approve(&self, n: u64, who: &str, why: &str) -> Result<Proposal, ProposalError> {
        self.decide(n, ProposalState::Approved, who, why)?;
        self.get(n)
    }

    /// An approved one is in the recipe, from `from_part` on where that is known.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn went_live(&self, n: u64, from_part: Option<PartId>) -> Result<(), ProposalError> {
        let part = from_part.map(PartId::get);
        self.write(
            "UPDATE proposals SET state = 'live', from_part = ?2 WHERE n = ?1 AND state = 'approved'",
            n,
            part,
        )
    }

    /// An approved one could not be put into the recipe: it waits for a decision again.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn give_back(&self, n: u64) -> Result<(), ProposalError> {
        let sql =
            "UPDATE proposals SET state = 'open', decided_us = ?2, decided_by = NULL, decided_why = NULL
                   WHERE n = ?1 AND state = 'approved'";
        self.write(sql, n, None)
    }

    /// Approvals that a station did not live to carry out wait for a decision again. To be called when it starts.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn give_all_back(&self) -> Result<usize, ProposalError> {
        let path = self.door.path();
        let sql =
            "UPDATE proposals SET state = 'open', decided_us = NULL, decided_by = NULL, decided_why = NULL
                   WHERE state = 'approved'";
        let given_back =
            self.door.with(|connection| connection.execute(sql, []).map_err(|source| told(&path, source)))?;
        Ok(given_back)
    }

    fn write(&self, sql: &str, n: u64, value: Option<u32>) -> Result<(), ProposalError> {
        let path = self.door.path();
        let written = self.door.with(|connection| {
            connection.execute(sql, params![n.cast_signed(), value]).map_err(|source| told(&path, source))
        })?;
        if written == 0 { Err(ProposalError::None { n }) } else { Ok(()) }
    }

    /// Looks and writes in one transaction: of two that decide at once the second is told.
    fn decide(&self, n: u64, to: ProposalState, who: &str, why: &str) -> Result<(), ProposalError> {
        let path = self.door.path();
        self.door.with(|connection| {
            let told = |source| told(&path, source);
            let Some(found) = find(connection, n).map_err(told)? else {
                return Ok(Err(ProposalError::None { n }));
            };
            if found.state != ProposalState::Open {
                return Ok(Err(ProposalError::Settled { n, state: found.state }));
            }
            let is_own = found.by.to_lowercase() == who.to_lowercase();
            match (to, is_own) {
                (ProposalState::Withdrawn, false) => {
                    return Ok(Err(ProposalError::NotYours { n, by: found.by }));
                }
                (ProposalState::Withdrawn, true) | (_, false) => {}
                (_, true) => return Ok(Err(ProposalError::OwnProposal { n })),
            }
            connection
                .execute(
                    "UPDATE proposals SET state = ?2, decided_us = ?3, decided_by = ?4, decided_why = ?5 WHERE n = ?1",
                    params![n.cast_signed(), to.as_str(), Timestamp::now().as_microsecond(), who, why.trim()],
                )
                .map_err(told)?;
            Ok(Ok(()))
        })?
    }
}

const SELECT: &str = "SELECT n, at_us, by, recipe, rule, key, old, new, file_digest, reason, numbers, state,
    decided_us, decided_by, decided_why, from_part, text FROM proposals";

fn find(connection: &Connection, n: u64) -> rusqlite::Result<Option<Proposal>> {
    connection
        .prepare_cached(&format!("{SELECT} WHERE n = ?1"))?
        .query_row([n.cast_signed()], read)
        .optional()
}

fn read(row: &Row<'_>) -> rusqlite::Result<Proposal> {
    let unreadable = |at, says: String| {
        rusqlite::Error::FromSqlConversionFailure(at, rusqlite::types::Type::Text, says.into())
    };
    let word: String = row.get(11)?;
    let numbers: String = row.get(10)?;
    Ok(Proposal {
        n: row.get::<_, i64>(0)?.unsigned_abs(),
        at: from_us(row.get(1)?)?,
        by: row.get(2)?,
        recipe: row.get::<_, String>(3)?.as_str().into(),
        change: match row.get::<_, Option<String>>(16)? {
            Some(text) => Change::Recipe { text },
            None => Change::Threshold {
                rule: row.get(4)?,
                key: row.get(5)?,
                old: row.get::<_, f64>(6)? as f32,
                new: row.get::<_, f64>(7)? as f32,
            },
        },
        file_digest: row.get(8)?,
        reason: row.get(9)?,
        numbers: serde_json::from_str(&numbers).map_err(|error| unreadable(10, error.to_string()))?,
        state: ProposalState::from_word(&word)
            .ok_or_else(|| unreadable(11, format!("{word:?} is no state")))?,
        decided_at: row.get::<_, Option<i64>>(12)?.map(from_us).transpose()?,
        decided_by: row.get(13)?,
        decided_why: row.get(14)?,
        from_part: row.get::<_, Option<u32>>(15)?.and_then(PartId::new),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn book() -> (tempfile::TempDir, ProposalBook) {
        let folder = tempfile::tempdir().expect("temp folder");
        let book = ProposalBook::new(folder.path());
        (folder, book)
    }

    fn new() -> NewProposal {
        NewProposal {
            recipe: "washer".into(),
            change: Change::Threshold { rule: "scratch".into(), key: "max".into(), old: 0.7, new: 0.62 },
            file_digest: "ab".repeat(32),
            reason: "two escapes last week".into(),
            numbers: json!({ "escapes": [0, 59] }),
        }
    }

    #[test]
    fn it_takes_a_second_person_and_only_one_decision() {
        let (_folder, book) = book();
        let n = book.propose(&new(), "Ann").expect("kept");
        assert!(matches!(book.approve(n, "ann", ""), Err(ProposalError::OwnProposal { .. })));
        assert!(matches!(book.refuse(n, "ANN", "no"), Err(ProposalError::OwnProposal { .. })));
        assert!(matches!(book.withdraw(n, "bob", ""), Err(ProposalError::NotYours { .. })));
        assert!(matches!(book.refuse(n, "bob", " "), Err(ProposalError::NoReason)));
        let approved = book.approve(n, "bob", "seen").expect("a second person");
        assert_eq!((&approved.change, approved.decided_by.as_deref()), (&new().change, Some("bob")));
        assert!(matches!(book.refuse(n, "cid", "late"), Err(ProposalError::Settled { .. })));
        // What could not be done waits again, and can then be taken back.
        book.give_back(n).expect("kept");
        assert_eq!(book.get(n).expect("there").decided_by, None);
        book.withdraw(n, "Ann", "the file has changed").expect("her own");
        assert!(matches!(book.approve(n, "bob", ""), Err(ProposalError::Settled { .. })));
        let again = book.propose(&new(), "Ann").expect("kept");
        book.approve(again, "bob", "").expect("open");
        // The station was killed just then; the next start finds it.
        assert_eq!(book.give_all_back().expect("kept"), 1);
        book.approve(again, "bob", "").expect("open again");
        book.went_live(again, PartId::new(77)).expect("kept");
        let listed = book.list(Some(("washer", "scratch")), 10).expect("readable");
        let told: Vec<_> = listed.iter().map(|p| (p.state, p.from_part.map(PartId::get))).collect();
        assert_eq!(told, [(ProposalState::Live, Some(77)), (ProposalState::Withdrawn, None)]);
        assert!(book.list(Some(("washer", "dent")), 10).expect("readable").is_empty());
    }

    #[test]
    fn a_whole_recipe_is_proposed_like_a_threshold_and_listed_apart() {
        let (_folder, book) = book();
        book.propose(&new(), "ann").expect("kept");
        let change = Change::Recipe { text: "[recipe]\nname = \"washer\"\n".into() };
        let n = book.propose(&NewProposal { change: change.clone(), ..new() }, "ann").expect("kept");
        let listed = book.list(Some(("washer", "")), 10).expect("readable");
        assert_eq!(listed.iter().map(|p| (p.n, &p.change)).collect::<Vec<_>>(), [(n, &change)]);
        assert_eq!(book.list(None, 10).expect("readable").len(), 2);
        let told = serde_json::to_value(&listed[0]).expect("plain data");
        assert!(
            told["text"].as_str().is_some_and(|text| text.contains("washer")) && told.get("rule").is_none()
        );
        assert_eq!(serde_json::to_value(book.get(1).expect("there")).expect("plain data")["old"], 0.7);
    }

    #[test]
    fn the_database_itself_refuses_to_rewrite_what_was_proposed() {
        let (folder, book) = book();
        let n = book.propose(&new(), "ann").expect("kept");
        assert!(matches!(
            book.propose(&NewProposal { reason: " ".into(), ..new() }, "ann"),
            Err(ProposalError::NoReason)
        ));
        book.withdraw(n, "ann", "").expect("her own");
        let database = Connection::open(folder.path().join("people.sqlite")).expect("the database");
        for rewriting in [
            "UPDATE proposals SET new = 0.9",
            "UPDATE proposals SET text = 'x'",
            "UPDATE proposals SET state = 'open'",
            "DELETE FROM proposals",
            "INSERT INTO proposals (at_us, by, recipe, rule, key, old, new, file_digest, reason, numbers, state, decided_by)
             VALUES (1, 'ann', 'r', 'r', 'max', 0, 1, '', 'x', '{}', 'live', 'Ann')",
        ] {
            assert!(database.execute(rewriting, []).is_err(), "{rewriting}");
        }
    }
}
