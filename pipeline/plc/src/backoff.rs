//! How long to wait before the next attempt to reach a PLC.

use std::time::Duration;

/// Doubles from `min` to `max`. No jitter: one station knocks at one PLC.
#[derive(Clone, Debug)]
pub(crate) struct Backoff {
    min: Duration,
    max: Duration,
    attempt: u32,
}

impl Backoff {
    pub(crate) fn new(min: Duration, max: Duration) -> Self {
        Self { min, max: max.max(min), attempt: 0 }
    }

    /// Notes a failed attempt: its number, from 1, and the wait before the next.
    pub(crate) fn failed(&mut self) -> (u32, Duration) {
        let wait = self.min.saturating_mul(1 << self.attempt.min(16)).min(self.max);
        self.attempt = self.attempt.saturating_add(1);
        (self.attempt, wait)
    }

    /// The PLC is back: the next failure counts from 1 again.
    pub(crate) fn reset(&mut self) {
        self.attempt = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_limit_and_begin_anew_after_success() {
        let ms = Duration::from_millis;
        let mut backoff = Backoff::new(ms(250), ms(5_000));
        let waits: Vec<_> = (0..7).map(|_| backoff.failed()).collect();
        let expected = [250, 500, 1_000, 2_000, 4_000, 5_000, 5_000].map(ms);
        assert_eq!(waits.iter().map(|w| w.1).collect::<Vec<_>>(), expected);
        assert_eq!(waits[3].0, 4, "the attempts are counted from 1");
        for _ in 0..100 {
            assert_eq!(backoff.failed().1, ms(5_000));
        }
        backoff.reset();
        assert_eq!(backoff.failed(), (1, ms(250)));
    }
}
