//! Users, sessions and tokens as they are on disk.

use super::{Door, PeopleError, Role, told};
use crate::record::from_us;
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Row, params};
use std::path::Path;

/// A person with an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// Their name; unique whatever the case.
    pub name: String,
    /// What they may do.
    pub role: Role,
    /// Argon2id in PHC form; empty for one who comes by a proxy alone.
    pub password: String,
    /// The password was given by somebody else and must be changed first.
    pub must_change: bool,
    /// False: may not log in any more.
    pub active: bool,
    /// When the account was made.
    pub since: Timestamp,
}

/// A person logged in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// SHA-256 of its secret, hex.
    pub digest: String,
    /// Whose it is.
    pub user: String,
    /// When it began.
    pub begun: Timestamp,
    /// When it was last used, to the minute.
    pub used: Timestamp,
}

/// A program's way in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// SHA-256 of its secret, hex.
    pub digest: String,
    /// What it is for.
    pub name: String,
    /// Its scope: what this role may do.
    pub role: Role,
    /// Who made it.
    pub by: String,
    /// When.
    pub made: Timestamp,
    /// Until when it is good.
    pub until: Timestamp,
}

/// The people of one station.
#[derive(Debug)]
pub struct PeopleBook {
    door: Door,
}

impl PeopleBook {
    /// In the data folder `folder`. The file is made with the first question.
    pub fn new(folder: &Path) -> Self {
        Self { door: Door::new(folder) }
    }

    /// Everybody, by name.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn users(&self) -> Result<Vec<User>, PeopleError> {
        self.all(&format!("{USER} ORDER BY name"), user)
    }

    /// Makes an account.
    ///
    /// # Errors
    /// When the name is none or is taken, or the file cannot be written.
    pub fn add(&self, user: &User) -> Result<(), PeopleError> {
        let name = &user.name;
        let is_name = (1..=64).contains(&name.chars().count())
            && name.trim() == name
            && !name.chars().any(char::is_control);
        if !is_name {
            return Err(PeopleError::Name { name: name.clone() });
        }
        let added = self.write(
            "INSERT INTO users (name, role, password, must_change, active, since_us) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
             ON CONFLICT DO NOTHING",
            params![
                user.name,
                user.role.as_str(),
                user.password,
                user.must_change,
                user.active,
                user.since.as_microsecond()
            ],
        )?;
        if added == 0 { Err(PeopleError::Taken { name: name.clone() }) } else { Ok(()) }
    }

    /// Gives somebody another password, by its hash.
    ///
    /// # Errors
    /// When there is no such user, or the file cannot be written.
    pub fn set_password(&self, name: &str, hash: &str, must_change: bool) -> Result<(), PeopleError> {
        let set = self.write(
            "UPDATE users SET password = ?2, must_change = ?3 WHERE name = ?1",
            params![name, hash, must_change],
        )?;
        if set == 0 { Err(PeopleError::NoUser { name: name.to_owned() }) } else { Ok(()) }
    }

    /// Gives somebody another role, or puts them out of use. Their sessions end.
    ///
    /// # Errors
    /// When there is no such user, it is the last active administrator, or the file cannot be written.
    pub fn set_role(&self, name: &str, role: Role, active: bool) -> Result<(), PeopleError> {
        let path = self.door.path();
        self.door.with(|connection| {
            let told = |source| told(&path, source);
            let others: i64 = connection
                .query_row(
                    "SELECT count(*) FROM users WHERE role = 'admin' AND active = 1 AND name <> ?1",
                    [name],
                    |row| row.get(0),
                )
                .map_err(told)?;
            if others == 0 && !(role == Role::Admin && active) {
                let was = connection
                    .query_row(&format!("{USER} WHERE name = ?1"), [name], user)
                    .optional()
                    .map_err(told)?;
                if was.is_some_and(|was| was.role == Role::Admin && was.active) {
                    return Err(PeopleError::LastAdmin { name: name.to_owned() });
                }
            }
            let set = connection
                .execute(
                    "UPDATE users SET role = ?2, active = ?3 WHERE name = ?1",
                    params![name, role.as_str(), active],
                )
                .map_err(told)?;
            if set == 0 {
                return Err(PeopleError::NoUser { name: name.to_owned() });
            }
            connection.execute("DELETE FROM sessions WHERE user = ?1", [name]).map_err(told)?;
            Ok(())
        })
    }

    /// Every session that is kept.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn sessions(&self) -> Result<Vec<Session>, PeopleError> {
        self.all("SELECT digest, user, begun_us, used_us FROM sessions", |row| {
            Ok(Session {
                digest: row.get(0)?,
                user: row.get(1)?,
                begun: from_us(row.get(2)?)?,
                used: from_us(row.get(3)?)?,
            })
        })
    }

    /// Keeps a session, or when it was used last.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn keep_session(&self, session: &Session) -> Result<(), PeopleError> {
        self.write(
            "INSERT INTO sessions (digest, user, begun_us, used_us) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (digest) DO UPDATE SET used_us = excluded.used_us",
            params![
                session.digest,
                session.user,
                session.begun.as_microsecond(),
                session.used.as_microsecond()
            ],
        )
        .map(drop)
    }

    /// Ends a session.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn end_session(&self, digest: &str) -> Result<(), PeopleError> {
        self.write("DELETE FROM sessions WHERE digest = ?1", [digest]).map(drop)
    }

    /// Ends every session of somebody but one.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn end_sessions_of(&self, user: &str, but: &str) -> Result<(), PeopleError> {
        self.write("DELETE FROM sessions WHERE user = ?1 AND digest <> ?2", [user, but]).map(drop)
    }

    /// Every token.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn tokens(&self) -> Result<Vec<Token>, PeopleError> {
        self.all("SELECT digest, name, role, by, made_us, until_us FROM tokens ORDER BY name", |row| {
            Ok(Token {
                digest: row.get(0)?,
                name: row.get(1)?,
                role: role(row, 2)?,
                by: row.get(3)?,
                made: from_us(row.get(4)?)?,
                until: from_us(row.get(5)?)?,
            })
        })
    }

    /// Keeps a token.
    ///
    /// # Errors
    /// When its name is taken, or the file cannot be written.
    pub fn keep_token(&self, token: &Token) -> Result<(), PeopleError> {
        let name = &token.name;
        if name.trim() != name || name.is_empty() || name.chars().count() > 64 {
            return Err(PeopleError::Name { name: name.clone() });
        }
        let kept = self.write(
            "INSERT INTO tokens (digest, name, role, by, made_us, until_us) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
             ON CONFLICT DO NOTHING",
            params![
                token.digest,
                name,
                token.role.as_str(),
                token.by,
                token.made.as_microsecond(),
                token.until.as_microsecond()
            ],
        )?;
        if kept == 0 { Err(PeopleError::Taken { name: name.clone() }) } else { Ok(()) }
    }

    /// Takes a token back. True if there was one.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn end_token(&self, name: &str) -> Result<bool, PeopleError> {
        self.write("DELETE FROM tokens WHERE name = ?1", [name]).map(|ended| ended > 0)
    }

    fn write(&self, sql: &str, values: impl rusqlite::Params) -> Result<usize, PeopleError> {
        let path = self.door.path();
        self.door.with(|connection| connection.execute(sql, values).map_err(|source| told(&path, source)))
    }

    fn all<T>(&self, sql: &str, read: fn(&Row<'_>) -> rusqlite::Result<T>) -> Result<Vec<T>, PeopleError> {
        let path = self.door.path();
        let ask = |connection: &Connection| -> rusqlite::Result<Vec<T>> {
            connection.prepare_cached(sql)?.query_map([], read)?.collect()
        };
        self.door.read(|connection| ask(connection).map_err(|source| told(&path, source)))
    }
}

const USER: &str = "SELECT name, role, password, must_change, active, since_us FROM users";

fn user(row: &Row<'_>) -> rusqlite::Result<User> {
    Ok(User {
        name: row.get(0)?,
        role: role(row, 1)?,
        password: row.get(2)?,
        must_change: row.get(3)?,
        active: row.get(4)?,
        since: from_us(row.get(5)?)?,
    })
}

fn role(row: &Row<'_>, at: usize) -> rusqlite::Result<Role> {
    let word: String = row.get(at)?;
    Role::from_word(&word).ok_or_else(|| {
        let says = format!("{word:?} is no role").into();
        rusqlite::Error::FromSqlConversionFailure(at, rusqlite::types::Type::Text, says)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn anna(role: Role) -> User {
        User {
            name: "Anna".into(),
            role,
            password: "$argon2id$".into(),
            must_change: false,
            active: true,
            since: Timestamp::from_second(1_700_000_000).expect("a moment"),
        }
    }

    #[test]
    fn a_name_is_taken_whatever_its_case_and_nonsense_is_no_name() {
        let folder = tempfile::tempdir().expect("temp folder");
        let book = PeopleBook::new(folder.path());
        book.add(&anna(Role::Quality)).expect("new");
        assert!(matches!(
            book.add(&User { name: "ANNA".into(), ..anna(Role::Admin) }),
            Err(PeopleError::Taken { .. })
        ));
        for name in ["", " anna", "a\nb", &"x".repeat(65)] {
            let bad = User { name: name.into(), ..anna(Role::Admin) };
            assert!(matches!(book.add(&bad), Err(PeopleError::Name { .. })), "{name:?}");
        }
        // What SQL makes of it does not matter: it is a value.
        book.add(&User { name: "'; DROP TABLE users; --".into(), ..anna(Role::Viewer) }).expect("a name");
        assert_eq!(book.users().expect("readable").len(), 2);
    }

    #[test]
    fn the_last_administrator_stays_one() {
        let folder = tempfile::tempdir().expect("temp folder");
        let book = PeopleBook::new(folder.path());
        book.add(&anna(Role::Admin)).expect("new");
        assert!(matches!(book.set_role("anna", Role::Quality, true), Err(PeopleError::LastAdmin { .. })));
        assert!(matches!(book.set_role("anna", Role::Admin, false), Err(PeopleError::LastAdmin { .. })));
        book.add(&User { name: "bo".into(), ..anna(Role::Admin) }).expect("new");
        book.set_role("anna", Role::Quality, true).expect("there is another");
        assert!(matches!(book.set_role("nobody", Role::Viewer, true), Err(PeopleError::NoUser { .. })));
    }

    #[test]
    fn sessions_end_with_the_role_they_began_in_and_outlive_a_restart() {
        let folder = tempfile::tempdir().expect("temp folder");
        let book = PeopleBook::new(folder.path());
        book.add(&anna(Role::Admin)).expect("new");
        book.add(&User { name: "bo".into(), ..anna(Role::Admin) }).expect("new");
        let at = Timestamp::from_second(1_700_000_000).expect("a moment");
        let session = Session { digest: "0".repeat(64), user: "Anna".into(), begun: at, used: at };
        book.keep_session(&session).expect("kept");
        let later = Session { used: Timestamp::from_second(1_700_000_060).expect("a moment"), ..session };
        book.keep_session(&later).expect("used again");
        drop(book);
        let book = PeopleBook::new(folder.path());
        assert_eq!(book.sessions().expect("readable"), [later]);
        book.set_role("anna", Role::Viewer, true).expect("another role");
        assert_eq!(book.sessions().expect("readable"), []);
    }

    #[test]
    fn nobody_but_the_stations_own_account_reads_the_file() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().expect("temp folder");
        PeopleBook::new(folder.path()).users().expect("made");
        let mode =
            std::fs::metadata(folder.path().join("people.sqlite")).expect("there").permissions().mode();
        assert_eq!(mode & 0o077, 0);
    }
}
