//! Who is logged in now: in memory, so that a question costs nothing and works whatever the disk does.

use super::Secret;
use jiff::{SignedDuration, Timestamp};
use plumb_ledger::Session;
use std::collections::HashMap;

/// Sessions of one person; the oldest ends when there is one more.
const EACH: usize = 16;

/// Every session, by its digest.
#[derive(Debug)]
pub(crate) struct Sessions {
    idle: SignedDuration,
    longest: SignedDuration,
    by_digest: HashMap<String, Session>,
}

impl Sessions {
    /// Those of before a restart go on.
    pub(crate) fn new(idle: SignedDuration, longest: SignedDuration, kept: Vec<Session>) -> Self {
        let by_digest = kept.into_iter().map(|session| (session.digest.clone(), session)).collect();
        Self { idle, longest, by_digest }
    }

    /// Begins one. Gives it and those that ended for it.
    pub(crate) fn begin(&mut self, secret: &Secret, user: &str, now: Timestamp) -> (Session, Vec<String>) {
        let session = Session { digest: secret.digest(), user: user.to_owned(), begun: now, used: now };
        let mut own: Vec<&Session> = self.by_digest.values().filter(|other| other.user == user).collect();
        own.sort_by_key(|other| std::cmp::Reverse(other.used));
        let ended: Vec<String> = own.into_iter().skip(EACH - 1).map(|other| other.digest.clone()).collect();
        ended.iter().for_each(|digest| drop(self.by_digest.remove(digest)));
        self.by_digest.insert(session.digest.clone(), session.clone());
        (session, ended)
    }

    /// The session of a secret, if it goes on; being looked at by a page that renews itself is no use of it.
    pub(crate) fn peek(&self, digest: &str, now: Timestamp) -> Option<&Session> {
        let session = self.by_digest.get(digest)?;
        // A clock that was set back makes nobody's session longer.
        let (idle, age) = (now.duration_since(session.used), now.duration_since(session.begun));
        (idle <= self.idle && age <= self.longest && age >= SignedDuration::ZERO).then_some(session)
    }

    /// The session of a secret, used now. Gives it and whether it is a minute since that was last written down.
    pub(crate) fn usage(&mut self, digest: &str, now: Timestamp) -> Option<(Session, bool)> {
        if self.peek(digest, now).is_none() {
            self.by_digest.remove(digest);
            return None;
        }
        let session = self.by_digest.get_mut(digest)?;
        let is_due = now.duration_since(session.used) >= SignedDuration::from_mins(1);
        if is_due {
            session.used = now;
        }
        Some((session.clone(), is_due))
    }

    /// Ends one. True if there was one.
    pub(crate) fn end(&mut self, digest: &str) -> bool {
        self.by_digest.remove(digest).is_some()
    }

    /// Ends all of one person's but one.
    pub(crate) fn end_of(&mut self, user: &str, but: &str) {
        self.by_digest.retain(|digest, session| !session.user.eq_ignore_ascii_case(user) || digest == but);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sessions() -> Sessions {
        Sessions::new(SignedDuration::from_mins(30), SignedDuration::from_hours(12), vec![])
    }

    fn at(minutes: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + 60 * minutes).expect("a moment")
    }

    #[test]
    fn a_session_ends_after_half_an_hour_without_a_click_and_after_a_shift_whatever_happens() {
        let (mut sessions, secret) = (sessions(), Secret::new().expect("random"));
        sessions.begin(&secret, "anna", at(0));
        assert!(sessions.usage(&secret.digest(), at(30)).is_some());
        assert!(sessions.usage(&secret.digest(), at(61)).is_none(), "idle for 31 minutes");
        sessions.begin(&secret, "anna", at(100));
        for minute in (120..=820).step_by(20) {
            assert!(sessions.usage(&secret.digest(), at(minute)).is_some(), "{minute}");
        }
        assert!(sessions.usage(&secret.digest(), at(821)).is_none(), "12 hours are over");
    }

    #[test]
    fn a_clock_that_goes_backwards_ends_sessions_instead_of_keeping_them() {
        let (mut sessions, secret) = (sessions(), Secret::new().expect("random"));
        sessions.begin(&secret, "anna", at(0));
        assert!(sessions.usage(&secret.digest(), at(-60)).is_none());
    }

    #[test]
    fn a_guess_and_an_ended_session_open_nothing() {
        let (mut sessions, secret) = (sessions(), Secret::new().expect("random"));
        sessions.begin(&secret, "anna", at(0));
        assert!(sessions.usage(&"0".repeat(64), at(1)).is_none());
        assert!(sessions.end(&secret.digest()) && !sessions.end(&secret.digest()));
        assert!(sessions.usage(&secret.digest(), at(1)).is_none());
    }

    #[test]
    fn the_seventeenth_login_of_one_person_ends_the_first() {
        let mut sessions = sessions();
        let secrets: Vec<Secret> = (0..17).map(|_| Secret::new().expect("random")).collect();
        for (minute, secret) in secrets.iter().enumerate() {
            sessions.begin(secret, "anna", at(minute as i64));
        }
        assert!(sessions.usage(&secrets[0].digest(), at(17)).is_none());
        assert!(sessions.usage(&secrets[1].digest(), at(17)).is_some());
    }
}
