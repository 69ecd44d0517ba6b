//! A password that nobody can reset at the console any more: an administrator's, forgotten. Whoever can write the data folder
//! could do anything to it anyway; this leaves an entry in the audit log.

use super::{LoginError, Office, Who};
use crate::ConsoleConfig;
use plumb_ledger::{PeopleError, Role};
use std::path::Path;

/// Why there is no new password.
#[derive(Debug, thiserror::Error)]
pub enum LostPassword {
    /// Nobody of that name.
    #[error("there is nobody called {name:?}; there is {}", if known.is_empty() { "nobody at all: start the station".to_owned() } else { known.join(", ") })]
    Nobody {
        /// As it was typed.
        name: String,
        /// Everybody there is.
        known: Vec<String>,
    },
    /// The file.
    #[error(transparent)]
    People(#[from] PeopleError),
    /// Anything else.
    #[error("{0}")]
    Office(String),
}

/// Gives `name`, of the data folder `folder`, a new one-time password and brings the account back into use. `by` is who sits
/// at the terminal. A station that runs lets in with it at once; sessions that are open there go on until they end.
///
/// # Errors
/// When there is nobody of that name, or the file cannot be written.
pub fn one_time_password(folder: &Path, name: &str, by: &str, reason: &str) -> Result<String, LostPassword> {
    let office = Office::open(folder, &ConsoleConfig::default());
    let users = office.book.users()?;
    let Some(user) = users.iter().find(|user| user.name.eq_ignore_ascii_case(name.trim())) else {
        let known = users.into_iter().map(|user| user.name).collect();
        return Err(LostPassword::Nobody { name: name.to_owned(), known });
    };
    let by = Who { name: by.to_owned(), role: Role::Admin, address: "terminal".to_owned() };
    let told = |error: LoginError| match error {
        LoginError::People(error) => LostPassword::People(error),
        error => LostPassword::Office(error.to_string()),
    };
    if !user.active {
        office.set_role(&by, &user.name, (user.role, true), reason).map_err(told)?;
    }
    office.reset_password(&by, &user.name, reason).map_err(told)
}

#[cfg(test)]
mod tests {
    use super::*;
    use plumb_ledger::{AuditLog, Verified};

    #[test]
    fn a_forgotten_password_is_replaced_by_one_that_works_once_and_is_in_the_audit_log() {
        let folder = tempfile::tempdir().expect("a folder");
        let office = Office::open(folder.path(), &ConsoleConfig::default());
        let first = office.first_admin().expect("writable").expect("nobody was there");
        let wrong = one_time_password(folder.path(), "adnim", "root", "forgotten");
        assert!(wrong.expect_err("nobody").to_string().ends_with("there is admin"));

        let second = one_time_password(folder.path(), "Admin", "root", "forgotten").expect("reset");
        assert!(office.login("admin", &first, "10.0.0.1").is_err(), "the station that runs knows at once");
        let secret = office.login("admin", &second, "10.0.0.1").expect("let in");
        assert!(office.recognise(&secret, "10.0.0.1", false).expect("shown").0.must_change);
        let log = AuditLog::new(folder.path());
        assert!(matches!(log.verify().expect("readable"), Verified::Whole { .. }));
        let mut reset = Vec::new();
        log.each(|_, entry, _| {
            reset.extend(entry.contains("password_reset").then(|| entry.to_owned()));
            Ok(())
        })
        .expect("readable");
        assert!(reset.len() == 1 && reset[0].contains("root") && reset[0].contains("forgotten"), "{reset:?}");
    }

    #[test]
    fn an_account_out_of_use_comes_back() {
        let folder = tempfile::tempdir().expect("a folder");
        let office = Office::open(folder.path(), &ConsoleConfig::default());
        office.first_admin().expect("writable");
        let by = Who { name: "admin".into(), role: Role::Admin, address: String::new() };
        office.add_user(&by, "eve", Role::Quality, "new").expect("added");
        office.set_role(&by, "eve", (Role::Quality, false), "left").expect("out of use");
        let password = one_time_password(folder.path(), "eve", "root", "back").expect("reset");
        assert!(office.login("eve", &password, "10.0.0.1").is_ok());
    }
}
