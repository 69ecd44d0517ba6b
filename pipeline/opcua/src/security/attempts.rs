//! How often a password may be wrong: five times in a row, then the user waits, each time twice as long.

use std::time::{Duration, Instant};

/// Wrong ones in a row before the user has to wait.
const FREE: u32 = 5;

/// The first wait.
const WAIT: Duration = Duration::from_secs(30);

/// The longest one. Somebody must be able to work again after an attack without a restart of the station.
const LONGEST_WAIT: Duration = Duration::from_secs(15 * 60);

/// One user's wrong passwords in a row.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Attempts {
    wrong: u32,
    locked_until: Option<Instant>,
}

impl Attempts {
    /// How long the user must still wait, if at all.
    pub(super) fn wait(&self, now: Instant) -> Option<Duration> {
        let rest = self.locked_until?.saturating_duration_since(now);
        (!rest.is_zero()).then_some(rest)
    }

    /// The password was wrong.
    pub(super) fn wrong(&mut self, now: Instant) {
        self.wrong = self.wrong.saturating_add(1);
        if self.wrong >= FREE {
            let doublings = (self.wrong - FREE).min(16);
            self.locked_until = Some(now + WAIT.saturating_mul(1 << doublings).min(LONGEST_WAIT));
        }
    }

    /// It was right.
    pub(super) fn right(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_five_wrong_passwords_a_user_waits_and_each_time_longer() {
        let (mut attempts, mut now) = (Attempts::default(), Instant::now());
        for _ in 0..4 {
            attempts.wrong(now);
            assert_eq!(attempts.wait(now), None);
        }
        for expected_s in [30, 60, 120, 240, 480, 900, 900] {
            attempts.wrong(now);
            assert_eq!(attempts.wait(now), Some(Duration::from_secs(expected_s)));
            now += Duration::from_secs(expected_s);
            assert_eq!(attempts.wait(now), None, "one attempt is free when the wait is over");
        }
        attempts.right();
        attempts.wrong(now);
        assert_eq!(attempts.wait(now), None);
    }
}
