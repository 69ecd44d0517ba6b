//! Whoever guesses passwords must wait: counted by name and by address, both forgotten after a while.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

/// Keys remembered. Beyond that the oldest go: a flood of names must not fill the memory.
const REMEMBERED: usize = 4096;

/// Failures of late.
#[derive(Debug)]
pub(crate) struct Lockout {
    failures_max: u32,
    wait: Duration,
    of: HashMap<Key, Failures>,
}

/// Whose failures.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Key {
    Name(String),
    Address(String),
}

#[derive(Debug)]
struct Failures {
    count: u32,
    last: Instant,
}

/// What a failure led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum After {
    /// There may be another try.
    MayTry,
    /// From now on there is a wait.
    LockedNow,
}

impl Lockout {
    pub(crate) fn new(failures_max: u32, wait: Duration) -> Self {
        Self { failures_max, wait, of: HashMap::new() }
    }

    /// How long this name at this address must still wait; `None` when it need not.
    pub(crate) fn wait(&self, name: &str, address: &str, now: Instant) -> Option<Duration> {
        let left = |key: Key| {
            let failures = self.of.get(&key).filter(|failures| failures.count >= self.max(&key))?;
            (failures.last + self.wait).checked_duration_since(now).filter(|left| !left.is_zero())
        };
        keys(name, address).into_iter().filter_map(left).max()
    }

    /// A wrong password. A name that does not exist counts like one that does.
    pub(crate) fn failed(&mut self, name: &str, address: &str, now: Instant) -> After {
        let mut after = After::MayTry;
        self.of.retain(|_, failures| now.saturating_duration_since(failures.last) < self.wait);
        for key in keys(name, address) {
            if self.of.len() >= REMEMBERED && !self.of.contains_key(&key) {
                let oldest =
                    self.of.iter().min_by_key(|(_, failures)| failures.last).map(|(key, _)| key.clone());
                oldest.and_then(|key| self.of.remove(&key));
            }
            let max = self.max(&key);
            let failures = self.of.entry(key).or_insert(Failures { count: 0, last: now });
            failures.last = now;
            failures.count += 1;
            if failures.count == max {
                after = After::LockedNow;
            }
        }
        after
    }

    /// An address has many people behind it: a shop floor's one terminal, a proxy.
    fn max(&self, key: &Key) -> u32 {
        if matches!(key, Key::Address(_)) { 4 * self.failures_max } else { self.failures_max }
    }

    /// A right password: the name's failures are forgotten, the address's are not.
    pub(crate) fn succeeded(&mut self, name: &str) {
        self.of.remove(&Key::Name(name.to_lowercase()));
    }
}

fn keys(name: &str, address: &str) -> [Key; 2] {
    [Key::Name(name.to_lowercase()), Key::Address(address.to_owned())]
}

#[cfg(test)]
mod tests {
    use super::*;

    const WAIT: Duration = Duration::from_secs(900);

    #[test]
    fn five_wrong_passwords_lock_the_name_wherever_they_come_from_until_the_time_is_over() {
        let (mut lockout, now) = (Lockout::new(5, WAIT), Instant::now());
        let after: Vec<After> = (0..5)
            .map(|n| lockout.failed(if n % 2 == 0 { "anna" } else { "Anna" }, &format!("10.0.0.{n}"), now))
            .collect();
        assert_eq!(after, [After::MayTry, After::MayTry, After::MayTry, After::MayTry, After::LockedNow]);
        assert_eq!(lockout.wait("ANNA", "10.0.0.99", now), Some(WAIT));
        assert_eq!(lockout.wait("bo", "10.0.0.1", now), None);
        assert_eq!(lockout.wait("anna", "10.0.0.99", now + WAIT), None);
    }

    #[test]
    fn an_address_that_tries_many_names_is_locked_too() {
        let (mut lockout, now) = (Lockout::new(5, WAIT), Instant::now());
        let locked = (0..20)
            .map(|n| lockout.failed(&format!("user{n}"), "10.0.0.1", now))
            .filter(|after| *after == After::LockedNow);
        assert_eq!(locked.count(), 1);
        assert!(lockout.wait("somebody", "10.0.0.1", now).is_some());
        assert!(lockout.wait("somebody", "10.0.0.2", now).is_none());
    }

    #[test]
    fn a_right_password_forgives_the_name() {
        let (mut lockout, now) = (Lockout::new(5, WAIT), Instant::now());
        (0..4).for_each(|_| assert_eq!(lockout.failed("anna", "a", now), After::MayTry));
        lockout.succeeded("anna");
        assert_eq!(lockout.failed("anna", "a", now), After::MayTry);
    }

    #[test]
    fn a_flood_of_names_does_not_fill_the_memory() {
        let (mut lockout, now) = (Lockout::new(5, WAIT), Instant::now());
        for n in 0..10_000 {
            assert_eq!(lockout.failed(&format!("user{n}"), &format!("a{n}"), now), After::MayTry);
        }
        assert!(lockout.of.len() <= REMEMBERED);
    }
}
