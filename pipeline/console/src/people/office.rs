//! The office that lets people in: accounts, sessions, lock-outs, and an entry in the audit log for each.
//!
//! What is asked with each click ([`Office::recognise`]) is answered from memory. Everything else hashes passwords or
//! writes to the disk: call it where waiting is allowed.

use super::{
    Secret, Who,
    lockout::{After, Lockout},
    password::{self, PasswordError},
    secret::readable_password,
    sessions::Sessions,
};
use crate::ConsoleConfig;
use jiff::{SignedDuration, Timestamp};
use plumb_ledger::{
    AuditEntry, AuditLog, NewAuditEntry, PeopleBook, PeopleError, Role, Token, User, Verified,
};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    path::Path,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// Why somebody is not let in, or something about people is not changed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LoginError {
    /// Name or password. Which of them is nobody's business.
    #[error("name or password is wrong")]
    Wrong,
    /// Too many failures.
    #[error("too many failed logins; wait {} minutes", wait.as_secs().div_ceil(60))]
    Locked { wait: Duration },
    /// A password that cannot be one.
    #[error(transparent)]
    Password(#[from] PasswordError),
    /// The system gives no randomness.
    #[error("this machine has no random numbers to give; nobody can log in")]
    Random,
    /// The file.
    #[error(transparent)]
    People(#[from] PeopleError),
}

/// Somebody who showed a session's secret.
#[derive(Clone, Debug)]
pub(crate) struct Shown {
    pub(crate) who: Who,
    /// Of the session.
    pub(crate) digest: String,
    /// What each change must bring along.
    pub(crate) page_token: String,
    pub(crate) must_change: bool,
}

#[derive(Debug)]
pub(crate) struct Office {
    pub(super) book: PeopleBook,
    log: AuditLog,
    desk: Mutex<Desk>,
}

/// What is kept in memory.
#[derive(Debug)]
pub(super) struct Desk {
    /// By lower-case name.
    users: BTreeMap<String, User>,
    /// By digest.
    tokens: BTreeMap<String, Token>,
    pub(super) sessions: Sessions,
    lockout: Lockout,
    chain: Option<Verified>,
}

impl Office {
    /// Of the data folder `folder`. One that cannot be read lets nobody in, and says so at each login.
    pub(crate) fn open(folder: &Path, config: &ConsoleConfig) -> Self {
        let (book, log) = (PeopleBook::new(folder), AuditLog::new(folder));
        let idle = SignedDuration::from_mins(i64::from(config.idle_minutes));
        let longest = SignedDuration::from_hours(i64::from(config.session_hours));
        let kept = book.sessions().unwrap_or_else(|error| {
            tracing::error!(%error, "Nobody can log in at the console.");
            Vec::new()
        });
        let desk = Desk {
            users: BTreeMap::new(),
            tokens: BTreeMap::new(),
            sessions: Sessions::new(idle, longest, kept),
            lockout: Lockout::new(
                config.failures,
                Duration::from_secs(60 * u64::from(config.lockout_minutes)),
            ),
            chain: None,
        };
        let office = Self { book, log, desk: Mutex::new(desk) };
        if let Err(error) = office.reload() {
            tracing::error!(%error, "Nobody can log in at the console.");
        }
        office
    }

    /// Makes the account `admin` where there is nobody at all, and gives its one-time password: it must be changed at the
    /// first login, and is nowhere else.
    pub(crate) fn first_admin(&self) -> Result<Option<String>, LoginError> {
        if !self.book.users()?.is_empty() {
            return Ok(None);
        }
        let password = readable_password().ok_or(LoginError::Random)?;
        let user = self.new_user("admin", Role::Admin, &password)?;
        self.enter(NewAuditEntry {
            who: "station".into(),
            what: "user_added".into(),
            of: user.name.clone(),
            new: Some(json!({ "role": user.role })),
            reason: "there was nobody who could log in".into(),
            ..NewAuditEntry::default()
        })?;
        self.book.add(&user)?;
        self.reload()?;
        Ok(Some(password))
    }

    /// Lets somebody in, or says why not. Each way it goes is an entry in the audit log.
    pub(crate) fn login(&self, name: &str, password: &str, address: &str) -> Result<Secret, LoginError> {
        let name: String = name.trim().chars().take(64).collect();
        let now = Instant::now();
        if let Some(wait) = self.desk().lockout.wait(&name, address, now) {
            return Err(LoginError::Locked { wait });
        }
        self.reload()?; // another process may have changed somebody
        let user = self.user(&name).filter(|user| user.active);
        if !password::matches(user.as_ref().map(|user| user.password.as_str()), password) {
            let after = self.desk().lockout.failed(&name, address, now);
            self.note("login_failed", &name, "", address, None);
            if after == After::LockedNow {
                self.note("locked_out", &name, "", address, None);
            }
            return Err(LoginError::Wrong);
        }
        let user = user.ok_or(LoginError::Wrong)?;
        self.desk().lockout.succeeded(&user.name);
        self.begin(&user, address, "login")
    }

    /// Somebody whom a trusted proxy names.
    pub(crate) fn login_by_proxy(&self, name: &str, address: &str) -> Result<Secret, LoginError> {
        let user = self.user(name).filter(|user| user.active).ok_or(LoginError::Wrong)?;
        self.begin(&user, address, "login_by_proxy")
    }

    fn begin(&self, user: &User, address: &str, what: &str) -> Result<Secret, LoginError> {
        let secret = Secret::new().ok_or(LoginError::Random)?;
        let (session, ended) = self.desk().sessions.begin(&secret, &user.name, Timestamp::now());
        self.note(what, &user.name, user.role.as_str(), address, None);
        for digest in ended {
            self.unkept(self.book.end_session(&digest));
        }
        self.unkept(self.book.keep_session(&session));
        Ok(secret)
    }

    /// Who shows this secret, and whether it is time to write down that it was used; `None` when the session has ended or
    /// never was. A page that renews itself (`by_itself`) does not keep a session from ending. From memory.
    pub(crate) fn recognise(&self, secret: &Secret, address: &str, by_itself: bool) -> Option<(Shown, bool)> {
        let (digest, now) = (secret.digest(), Timestamp::now());
        let mut desk = self.desk();
        let (session, is_due) = if by_itself {
            (desk.sessions.peek(&digest, now)?.clone(), false)
        } else {
            desk.sessions.usage(&digest, now)?
        };
        let user = desk.users.get(&session.user.to_lowercase()).filter(|user| user.active)?;
        let who = Who { name: user.name.clone(), role: user.role, address: address.to_owned() };
        let shown = Shown { who, digest, page_token: secret.page_token(), must_change: user.must_change };
        Some((shown, is_due))
    }

    /// Whether a session still goes on. From memory.
    pub(crate) fn goes_on(&self, digest: &str) -> bool {
        self.desk().sessions.peek(digest, Timestamp::now()).is_some()
    }

    /// Writes down that a session was used.
    pub(crate) fn keep_used(&self, digest: &str) {
        let session = self.desk().sessions.peek(digest, Timestamp::now()).cloned();
        if let Some(session) = session {
            self.unkept(self.book.keep_session(&session));
        }
    }

    /// The program that shows this token. From memory.
    pub(crate) fn program(&self, secret: &Secret, address: &str) -> Option<Who> {
        let desk = self.desk();
        let token = desk.tokens.get(&secret.digest()).filter(|token| Timestamp::now() < token.until)?;
        Some(Who { name: format!("token {}", token.name), role: token.role, address: address.to_owned() })
    }

    /// Ends a session.
    pub(crate) fn logout(&self, shown: &Shown) {
        self.desk().sessions.end(&shown.digest);
        self.note("logout", &shown.who.name, shown.who.role.as_str(), &shown.who.address, None);
        self.unkept(self.book.end_session(&shown.digest));
    }

    /// Somebody changes their own password; their other sessions end.
    pub(crate) fn change_password(&self, shown: &Shown, old: &str, new: &str) -> Result<(), LoginError> {
        self.check(&shown.who, old)?;
        let hash = password::hash(&shown.who.name, new)?;
        if old == new {
            return Err(LoginError::Password(PasswordError::Same));
        }
        self.enter(shown.who.entry("password_changed", &shown.who.name))?;
        self.book.set_password(&shown.who.name, &hash, false)?;
        self.desk().sessions.end_of(&shown.who.name, &shown.digest);
        self.book.end_sessions_of(&shown.who.name, &shown.digest)?;
        Ok(self.reload()?)
    }

    /// An electronic signature: the password, given again. A wrong one counts as a failed login.
    pub(crate) fn check(&self, who: &Who, password: &str) -> Result<(), LoginError> {
        let now = Instant::now();
        if let Some(wait) = self.desk().lockout.wait(&who.name, &who.address, now) {
            return Err(LoginError::Locked { wait });
        }
        let user = self.user(&who.name).filter(|user| user.active);
        if password::matches(user.as_ref().map(|user| user.password.as_str()), password) {
            self.desk().lockout.succeeded(&who.name);
            return Ok(());
        }
        let after = self.desk().lockout.failed(&who.name, &who.address, now);
        self.note("signature_failed", &who.name, who.role.as_str(), &who.address, None);
        if after == After::LockedNow {
            self.note("locked_out", &who.name, who.role.as_str(), &who.address, None);
        }
        Err(LoginError::Wrong)
    }

    /// Everybody with an account.
    pub(crate) fn users(&self) -> Vec<User> {
        self.desk().users.values().cloned().collect()
    }

    /// Every token.
    pub(crate) fn tokens(&self) -> Vec<Token> {
        self.desk().tokens.values().cloned().collect()
    }

    /// The audit log, for reading.
    pub(crate) fn log(&self) -> &AuditLog {
        &self.log
    }

    /// Enters something in the audit log. What cannot be entered must not be done.
    pub(crate) fn enter(&self, entry: NewAuditEntry) -> Result<AuditEntry, PeopleError> {
        self.log.append(entry)
    }

    /// Goes through the audit log and remembers what it found, for the banner on every page.
    pub(crate) fn verify(&self) -> Result<Verified, PeopleError> {
        let found = self.log.verify()?;
        if let Verified::Broken { n, says } = &found {
            tracing::error!(entry = n, says, "The audit log was changed.");
        }
        self.desk().chain = Some(found.clone());
        Ok(found)
    }

    /// The first broken entry of the audit log, if the last look found one.
    pub(crate) fn broken_at(&self) -> Option<u64> {
        match self.desk().chain {
            Some(Verified::Broken { n, .. }) => Some(n),
            _ => None,
        }
    }

    pub(super) fn user(&self, name: &str) -> Option<User> {
        self.desk().users.get(&name.to_lowercase()).cloned()
    }

    pub(super) fn new_user(&self, name: &str, role: Role, password: &str) -> Result<User, LoginError> {
        let password = password::hash(name, password)?;
        Ok(User {
            name: name.to_owned(),
            role,
            password,
            must_change: true,
            active: true,
            since: Timestamp::now(),
        })
    }

    pub(super) fn reload(&self) -> Result<(), PeopleError> {
        let (users, tokens) = (self.book.users()?, self.book.tokens()?);
        let mut desk = self.desk();
        desk.users = users.into_iter().map(|user| (user.name.to_lowercase(), user)).collect();
        desk.tokens = tokens.into_iter().map(|token| (token.digest.clone(), token)).collect();
        Ok(())
    }

    /// An entry about a login. A full disk must keep nobody from looking at the station that is in trouble because of it.
    fn note(&self, what: &str, name: &str, role: &str, address: &str, new: Option<Value>) {
        let entry = NewAuditEntry {
            who: name.to_owned(),
            role: role.to_owned(),
            from: address.to_owned(),
            what: what.to_owned(),
            new,
            ..NewAuditEntry::default()
        };
        if let Err(error) = self.enter(entry) {
            tracing::error!(%error, what, user = name, address, "A login is not in the audit log; this line is all there is of it.");
        }
    }

    /// A session that is not on disk ends with the next restart, and no earlier.
    fn unkept(&self, kept: Result<(), PeopleError>) {
        if let Err(error) = kept {
            tracing::warn!(%error, "A session is kept in memory alone.");
        }
    }

    pub(super) fn desk(&self) -> MutexGuard<'_, Desk> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Who {
    /// An entry in the audit log by this person, with the rest empty.
    pub(crate) fn entry(&self, what: &str, of: &str) -> NewAuditEntry {
        NewAuditEntry {
            who: self.name.clone(),
            role: self.role.as_str().to_owned(),
            from: self.address.clone(),
            what: what.to_owned(),
            of: of.to_owned(),
            ..NewAuditEntry::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use plumb_ledger::AuditQuery;

    fn office() -> (tempfile::TempDir, Office) {
        let folder = tempfile::tempdir().expect("temp folder");
        let office = Office::open(folder.path(), &ConsoleConfig::default());
        (folder, office)
    }

    fn whats(office: &Office) -> Vec<String> {
        let query = AuditQuery { limit: 100, ..AuditQuery::default() };
        let mut entries = office.log().find(&query).expect("readable");
        entries.reverse();
        entries.into_iter().map(|entry| entry.what).collect()
    }

    #[test]
    fn the_first_start_makes_one_administrator_whose_password_must_be_changed_and_the_second_none() {
        let (folder, office) = office();
        let password = office.first_admin().expect("writable").expect("nobody was there");
        assert!(office.first_admin().expect("writable").is_none());
        let secret = office.login("Admin", &password, "10.0.0.1").expect("the printed password");
        let (shown, _) = office.recognise(&secret, "10.0.0.1", false).expect("logged in");
        assert!(shown.must_change && shown.who.role == Role::Admin);
        assert!(matches!(
            office.change_password(&shown, "wrong wrong", "a better one"),
            Err(LoginError::Wrong)
        ));
        assert!(matches!(office.change_password(&shown, &password, &password), Err(LoginError::Password(_))));
        office.change_password(&shown, &password, "a better one").expect("changed");
        assert!(!office.recognise(&secret, "", false).expect("still logged in").0.must_change);
        assert!(matches!(office.login("admin", &password, ""), Err(LoginError::Wrong)), "it was for once");
        // And after a restart the session goes on, the new password holds, and nobody is made again.
        drop(office);
        let office = Office::open(folder.path(), &ConsoleConfig::default());
        assert!(
            office.recognise(&secret, "", false).is_some()
                && office.first_admin().expect("readable").is_none()
        );
        office.login("admin", "a better one", "").expect("the new one");
        assert_eq!(
            whats(&office),
            ["user_added", "login", "signature_failed", "password_changed", "login_failed", "login"]
        );
        assert!(matches!(office.verify().expect("readable"), Verified::Whole { entries: 6, .. }));
    }

    #[test]
    fn guessing_locks_the_name_out_and_the_right_password_then_waits_too() {
        let (_folder, office) = office();
        let password = office.first_admin().expect("writable").expect("nobody was there");
        for _ in 0..5 {
            assert!(matches!(office.login("admin", "guess guess", "10.0.0.9"), Err(LoginError::Wrong)));
        }
        let wait = office.login("admin", &password, "10.0.0.1").expect_err("locked").to_string();
        assert_eq!(wait, "too many failed logins; wait 15 minutes");
        assert_eq!(whats(&office).iter().filter(|what| *what == "locked_out").count(), 1);
    }

    #[test]
    fn whoever_is_put_out_of_use_is_out_at_once() {
        let (_folder, office) = office();
        office.first_admin().expect("writable");
        let boss = Who { name: "admin".into(), role: Role::Admin, address: String::new() };
        let password = office.add_user(&boss, "bo", Role::Operator, "new on line 2").expect("added");
        let secret = office.login("bo", &password, "").expect("lets in");
        office.set_role(&boss, "BO", (Role::Operator, false), "left").expect("changed");
        assert!(office.recognise(&secret, "", false).is_none());
        assert!(matches!(office.login("bo", &password, ""), Err(LoginError::Wrong)));
        let error = office.set_role(&boss, "admin", (Role::Viewer, true), "oops").expect_err("the last one");
        assert!(error.to_string().contains("last active administrator"), "{error}");
    }

    #[test]
    fn a_token_may_what_its_scope_says_until_it_is_taken_back() {
        let (_folder, office) = office();
        let boss = Who { name: "admin".into(), role: Role::Admin, address: String::new() };
        let secret = office.add_token(&boss, "mes", (Role::Viewer, 30), "for the MES").expect("made");
        let who = office.program(&secret, "10.0.0.5").expect("a program");
        assert_eq!((who.name.as_str(), who.role), ("token mes", Role::Viewer));
        assert!(office.add_token(&boss, "mes", (Role::Admin, 1), "").is_err(), "the name is taken");
        office.end_token(&boss, "mes", "no more").expect("there was one");
        assert!(office.program(&secret, "").is_none());
        assert!(office.program(&Secret::new().expect("random"), "").is_none());
    }
}
