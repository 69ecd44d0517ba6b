//! ADWIN: a window over a stream that forgets its past as soon as the past no longer fits.

use std::collections::VecDeque;

/// Adaptive window over values in 0..=1, in buckets of growing size: memory grows with the logarithm of the window.
///
/// A. Bifet and R. Gavaldà, "Learning from time-changing data with adaptive windowing", SDM 2007. A false alarm in a
/// window comes at most with chance `delta`.
#[derive(Clone, Debug)]
pub struct Adwin {
    delta: f64,
    /// Oldest, and so largest, first.
    buckets: VecDeque<Bucket>,
    since_look: u32,
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Bucket {
    /// 1, 2, 4, …
    count: u64,
    sum: f64,
    /// Sum of squared distances from the bucket's own mean.
    spread: f64,
}

impl Bucket {
    fn with(self, other: Self) -> Self {
        let (n, m) = (self.count as f64, other.count as f64);
        if n == 0.0 || m == 0.0 {
            return if n == 0.0 { other } else { self };
        }
        let apart = self.sum / n - other.sum / m;
        Self {
            count: self.count + other.count,
            sum: self.sum + other.sum,
            spread: self.spread + other.spread + apart * apart * n * m / (n + m),
        }
    }

    fn mean(self) -> f64 {
        self.sum / self.count as f64
    }
}

impl Adwin {
    /// Buckets of one size that are kept; more are joined.
    const SAME_SIZE: usize = 5;
    /// Values between two looks: each costs the number of buckets.
    const LOOK_EVERY: u32 = 32;
    /// Either side of a cut holds at least so many.
    const SIDE_MIN: u64 = 5;

    /// `delta` between 0 and 1; 0.002 is usual. `None` for anything else.
    pub fn new(delta: f64) -> Option<Self> {
        (delta > 0.0 && delta < 1.0).then(|| Self { delta, buckets: VecDeque::new(), since_look: 0 })
    }

    /// Takes up a value (values outside 0..=1 count as the nearer end, NaN is left out); true if the past no longer fits
    /// and was forgotten.
    pub fn add(&mut self, value: f64) -> bool {
        if value.is_nan() {
            return false;
        }
        self.buckets.push_back(Bucket { count: 1, sum: value.clamp(0.0, 1.0), spread: 0.0 });
        self.join();
        self.since_look += 1;
        if self.since_look < Self::LOOK_EVERY {
            return false;
        }
        self.since_look = 0;
        let mut changed = false;
        while self.past_does_not_fit() {
            self.buckets.pop_front();
            changed = true;
        }
        changed
    }

    /// Values in the window.
    pub fn len(&self) -> u64 {
        self.buckets.iter().map(|bucket| bucket.count).sum()
    }

    /// True before the first value.
    pub fn is_empty(&self) -> bool {
        self.buckets.is_empty()
    }

    /// Mean of the window; `None` before the first value.
    pub fn mean(&self) -> Option<f64> {
        (!self.is_empty()).then(|| self.whole().mean())
    }

    fn whole(&self) -> Bucket {
        self.buckets.iter().fold(Bucket::default(), |all, bucket| all.with(*bucket))
    }

    /// From the newest on: where more buckets of one size stand than are kept, the two oldest of them become one.
    fn join(&mut self) {
        let mut end = self.buckets.len();
        while end > 0 {
            let size = self.buckets[end - 1].count;
            let start =
                (0..end).rev().take_while(|i| self.buckets[*i].count == size).last().unwrap_or(end - 1);
            if end - start <= Self::SAME_SIZE {
                return;
            }
            let joined = self.buckets[start].with(self.buckets[start + 1]);
            self.buckets[start] = joined;
            self.buckets.remove(start + 1);
            end = start + 1;
        }
    }

    fn past_does_not_fit(&self) -> bool {
        let whole = self.whole();
        let n = whole.count as f64;
        let variance = whole.spread / n;
        let mut past = Bucket::default();
        self.buckets.iter().any(|bucket| {
            past = past.with(*bucket);
            let left = whole.count - past.count;
            if past.count < Self::SIDE_MIN || left < Self::SIDE_MIN {
                return false;
            }
            let present = (whole.sum - past.sum) / left as f64;
            (past.mean() - present).abs() > cut(past.count as f64, left as f64, variance, self.delta)
        })
    }
}

/// How far two sides' means may be apart.
fn cut(before: f64, after: f64, variance: f64, delta: f64) -> f64 {
    let m = 1.0 / (1.0 / before + 1.0 / after);
    let spread_over = (2.0 * (before + after).ln() / delta).ln();
    (2.0 / m * variance * spread_over).sqrt() + 2.0 / (3.0 * m) * spread_over
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{Rng as _, SeedableRng as _};
    use rand_chacha::ChaCha8Rng;

    #[test]
    fn the_cut_of_the_worked_examples() {
        assert!((cut(500.0, 500.0, 0.01, 0.002) - 0.050_168_2).abs() < 5e-8);
        assert!((cut(100.0, 100.0, 0.09, 0.002) - 0.290_035_3).abs() < 5e-8);
    }

    #[test]
    fn a_shift_is_seen_and_the_past_forgotten_and_a_steady_stream_is_left_alone() {
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        let mut adwin = Adwin::new(0.002).unwrap();
        let mut alarms = 0;
        for _ in 0..20_000 {
            alarms += u32::from(adwin.add(0.3 + 0.1 * rng.random::<f64>()));
        }
        assert_eq!((alarms, adwin.len()), (0, 20_000));
        assert!(adwin.buckets.len() < 80, "{}", adwin.buckets.len());
        let seen = (0..2000).position(|_| adwin.add(0.4 + 0.1 * rng.random::<f64>())).unwrap();
        assert!(seen < 300, "{seen}");
        for _ in 0..2000 {
            adwin.add(0.4 + 0.1 * rng.random::<f64>());
        }
        assert!((adwin.mean().unwrap() - 0.45).abs() < 0.01, "{:?}", adwin.mean());
        assert!(adwin.len() < 6000, "{}", adwin.len());
    }

    #[test]
    fn what_is_no_number_is_left_out() {
        let mut adwin = Adwin::new(0.01).unwrap();
        adwin.add(f64::NAN);
        assert!(adwin.is_empty() && adwin.mean().is_none());
        assert!(Adwin::new(0.0).is_none() && Adwin::new(1.0).is_none());
    }
}
