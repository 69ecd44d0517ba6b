//! The belt: where everything is at a moment. Pure; exact to a nanosecond.

use std::time::{Duration, Instant};

use crate::LineConfig;

/// The belt's motion since the line started.
///
/// Distances are mm of belt travel. A part's *lead* is the travel at which its leading edge reaches the photo-eye.
#[derive(Clone, Debug)]
pub(crate) struct Belt {
    start: Instant,
    speed_mm_s: f64,
    pitch_mm: f64,
    pitch_jitter_mm: f64,
    mm_per_count: f64,
    encoder_start: u32,
    seed: u64,
}

impl Belt {
    pub(crate) fn new(config: &LineConfig, start: Instant) -> Self {
        Self {
            start,
            speed_mm_s: config.speed_mm_s(),
            pitch_mm: config.pitch_mm,
            pitch_jitter_mm: config.pitch_jitter_mm,
            mm_per_count: config.mm_per_count,
            encoder_start: config.encoder_start,
            seed: config.seed,
        }
    }

    /// Belt travel since the start, mm; 0 before it.
    pub(crate) fn travel_mm(&self, now: Instant) -> f64 {
        now.saturating_duration_since(self.start).as_secs_f64() * self.speed_mm_s
    }

    /// The first nanosecond at which the belt has travelled `mm`.
    pub(crate) fn instant_at(&self, mm: f64) -> Instant {
        let ns = (mm / self.speed_mm_s * 1e9).ceil().max(0.0) as u64;
        let mut at = self.start + Duration::from_nanos(ns);
        while self.travel_mm(at) < mm {
            at += Duration::from_nanos(1); // rounding of f64 may leave us one short
        }
        at
    }

    /// The encoder's count; wraps as a 32-bit counter does.
    pub(crate) fn encoder(&self, now: Instant) -> u32 {
        // A millionth of a count of grace: 0.3 mm at 0.1 mm a count are 3 counts, whatever f64 makes of it.
        let counts = (self.travel_mm(now) / self.mm_per_count + 1e-6).floor() as u64;
        self.encoder_start.wrapping_add(counts as u32)
    }

    /// Travel at which part `index`'s leading edge is at the photo-eye, mm.
    pub(crate) fn lead_mm(&self, index: u64) -> f64 {
        let u = unit(self.seed, index);
        (index + 1) as f64 * self.pitch_mm + (2.0 * u - 1.0) * self.pitch_jitter_mm
    }

    /// How many parts' leading edges have come within `ahead_mm` of the photo-eye, or passed it, by `now`.
    pub(crate) fn begun(&self, now: Instant, ahead_mm: f64) -> u64 {
        let travel = self.travel_mm(now) + ahead_mm;
        let mut count = (travel / self.pitch_mm - 2.0).max(0.0) as u64; // surely begun: jitter is under half a pitch
        while self.lead_mm(count) <= travel {
            count += 1;
        }
        count
    }
}

/// A number in 0..1 that depends on nothing but `seed` and `index` (splitmix64).
fn unit(seed: u64, index: u64) -> f64 {
    let mut z =
        seed.wrapping_mul(0x9E37_79B9_7F4A_7C15).wrapping_add(index.wrapping_mul(0xD134_2543_DE82_EF95));
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    (z ^ (z >> 31)) as f64 / 2f64.powi(64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn belt(config: &LineConfig) -> (Belt, Instant) {
        let start = Instant::now();
        (Belt::new(config, start), start)
    }

    #[test]
    fn three_hundred_parts_a_minute_at_sixty_mm_are_three_hundred_mm_a_second() {
        let (belt, start) = belt(&LineConfig { pitch_jitter_mm: 0.0, ..LineConfig::default() });
        assert_eq!(belt.travel_mm(start + Duration::from_secs(2)), 600.0);
        assert_eq!(belt.encoder(start + Duration::from_millis(500)), 1500);
        assert_eq!(belt.instant_at(belt.lead_mm(0)), start + Duration::from_millis(200));
        assert_eq!(belt.begun(start + Duration::from_nanos(199_999_999), 0.0), 0);
        assert_eq!(belt.begun(start + Duration::from_millis(200), 0.0), 1);
        assert_eq!(belt.begun(start + Duration::from_secs(60), 0.0), 300);
    }

    #[test]
    fn the_encoder_wraps() {
        let (belt, start) = belt(&LineConfig { encoder_start: u32::MAX - 1, ..LineConfig::default() });
        assert_eq!(belt.encoder(start), u32::MAX - 1);
        assert_eq!(belt.encoder(start + Duration::from_millis(1)), 1); // 0.3 mm on: 3 counts
    }

    proptest! {
        #[test]
        fn an_instant_is_the_first_at_which_the_belt_has_travelled_so_far(
            ppm in 1.0..3000.0f64, jitter in 0.0..5.0f64, seed: u64, index in 0..1_000_000u64,
        ) {
            let config = LineConfig { parts_per_minute: ppm, pitch_jitter_mm: jitter, seed, ..LineConfig::default() };
            let (belt, _) = belt(&config);
            let lead = belt.lead_mm(index);
            prop_assert!((lead - (index + 1) as f64 * 60.0).abs() <= jitter);
            let at = belt.instant_at(lead);
            prop_assert!(belt.travel_mm(at) >= lead);
            prop_assert!(belt.travel_mm(at - Duration::from_nanos(2)) < lead);
            prop_assert_eq!(belt.begun(at, 0.0), index + 1);
            prop_assert_eq!(belt.begun(at - Duration::from_nanos(2), 0.0), index);
        }
    }
}
