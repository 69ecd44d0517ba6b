//! What an administrator does at the office: accounts, roles, one-time passwords, tokens. Each is in the audit log with its
//! reason.

use super::{LoginError, Office, Secret, Who, password, secret::readable_password};
use jiff::{SignedDuration, Timestamp};
use plumb_ledger::{NewAuditEntry, PeopleError, Role, Token};
use serde_json::json;

impl Office {
    /// Makes an account; gives the one-time password.
    pub(crate) fn add_user(
        &self,
        by: &Who,
        name: &str,
        role: Role,
        reason: &str,
    ) -> Result<String, LoginError> {
        let password = readable_password().ok_or(LoginError::Random)?;
        let user = self.new_user(name.trim(), role, &password)?;
        self.book.add(&user)?;
        self.enter(NewAuditEntry {
            new: Some(json!({ "role": role })),
            reason: reason.to_owned(),
            ..by.entry("user_added", &user.name)
        })?;
        self.reload()?;
        Ok(password)
    }

    /// Gives somebody another role, or takes the account out of use. Their sessions end.
    pub(crate) fn set_role(
        &self,
        by: &Who,
        name: &str,
        (role, active): (Role, bool),
        reason: &str,
    ) -> Result<(), LoginError> {
        let was = self.user(name).ok_or_else(|| PeopleError::NoUser { name: name.to_owned() })?;
        let told = |role: Role, active: bool| json!({ "role": role, "active": active });
        self.book.set_role(&was.name, role, active)?;
        self.desk().sessions.end_of(&was.name, "");
        self.reload()?;
        self.enter(NewAuditEntry {
            old: Some(told(was.role, was.active)),
            new: Some(told(role, active)),
            reason: reason.to_owned(),
            ..by.entry("user_changed", &was.name)
        })?;
        Ok(())
    }

    /// Gives somebody a new one-time password.
    pub(crate) fn reset_password(&self, by: &Who, name: &str, reason: &str) -> Result<String, LoginError> {
        let user = self.user(name).ok_or_else(|| PeopleError::NoUser { name: name.to_owned() })?;
        let password = readable_password().ok_or(LoginError::Random)?;
        let hash = password::hash(&user.name, &password)?;
        self.enter(NewAuditEntry { reason: reason.to_owned(), ..by.entry("password_reset", &user.name) })?;
        self.book.set_password(&user.name, &hash, true)?;
        self.desk().sessions.end_of(&user.name, "");
        self.book.end_sessions_of(&user.name, "")?;
        self.reload()?;
        Ok(password)
    }

    /// Makes a token for a program; gives its secret, once.
    pub(crate) fn add_token(
        &self,
        by: &Who,
        name: &str,
        (role, days): (Role, u16),
        reason: &str,
    ) -> Result<Secret, LoginError> {
        let secret = Secret::new().ok_or(LoginError::Random)?;
        let now = Timestamp::now();
        let until = now + SignedDuration::from_hours(24 * i64::from(days.clamp(1, 730)));
        let token = Token {
            digest: secret.digest(),
            name: name.trim().to_owned(),
            role,
            by: by.name.clone(),
            made: now,
            until,
        };
        self.book.keep_token(&token)?;
        self.enter(NewAuditEntry {
            new: Some(json!({ "role": role, "until": until })),
            reason: reason.to_owned(),
            ..by.entry("token_added", &token.name)
        })?;
        self.reload()?;
        Ok(secret)
    }

    /// Takes a token back.
    pub(crate) fn end_token(&self, by: &Who, name: &str, reason: &str) -> Result<(), LoginError> {
        if !self.book.end_token(name)? {
            return Err(PeopleError::NoUser { name: name.to_owned() }.into());
        }
        self.enter(NewAuditEntry { reason: reason.to_owned(), ..by.entry("token_ended", name) })?;
        Ok(self.reload()?)
    }
}
