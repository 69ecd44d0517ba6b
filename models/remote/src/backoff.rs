//! How long a server that was set aside is left alone.

use std::time::Duration;

/// Doubles from `min` to `max`. No jitter: a hall has few stations.
#[derive(Debug)]
pub(crate) struct Backoff {
    min: Duration,
    max: Duration,
    failed: u32,
}

impl Backoff {
    pub(crate) fn new(min: Duration, max: Duration) -> Self {
        Self { min, max: max.max(min), failed: 0 }
    }

    /// Notes a failed look; the wait before the next.
    pub(crate) fn wait(&mut self) -> Duration {
        let wait = self.min.saturating_mul(1 << self.failed.min(16)).min(self.max);
        self.failed = self.failed.saturating_add(1);
        wait
    }

    /// The server is back: the next failure counts from the start.
    pub(crate) fn reset(&mut self) {
        self.failed = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_limit_and_begin_anew_after_success() {
        let ms = Duration::from_millis;
        let mut backoff = Backoff::new(ms(250), ms(2_000));
        let waits: Vec<_> = (0..6).map(|_| backoff.wait()).collect();
        assert_eq!(waits, [250, 500, 1_000, 2_000, 2_000, 2_000].map(ms));
        for _ in 0..100 {
            assert_eq!(backoff.wait(), ms(2_000));
        }
        backoff.reset();
        assert_eq!(backoff.wait(), ms(250));
    }
}
