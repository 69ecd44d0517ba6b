//! Which pictures are worth their disk space.

use crate::RecordVerdict;
use plumb_inspection::PartId;

/// True if the pictures of this part are to be kept: always for a reject, for `share` (0..=1) of the passes.
///
/// The choice depends on the part id alone, so every camera of a part chooses alike, and a replay as the line did.
pub fn keep_picture(verdict: RecordVerdict, part: PartId, share: f64) -> bool {
    verdict != RecordVerdict::Pass || evenly_spread(part) < share
}

/// The part id, scattered over 0..1 (splitmix64's finaliser): neighbours land far apart, so a share taken of it does
/// not beat with the pitch of a carrier or the cavities of a mould.
fn evenly_spread(part: PartId) -> f64 {
    let mut x = u64::from(part.get()).wrapping_add(0x9E37_79B9_7F4A_7C15);
    x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    x ^= x >> 31;
    (x >> 11) as f64 / (1_u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passes_kept(share: f64, every: usize) -> usize {
        let parts = (1..=100_000).step_by(every).filter_map(PartId::new);
        parts.filter(|&part| keep_picture(RecordVerdict::Pass, part, share)).count()
    }

    #[test]
    fn a_share_of_passes_is_kept_whatever_the_pitch_of_the_carrier() {
        assert_eq!(passes_kept(0.0, 1), 0);
        assert_eq!(passes_kept(1.0, 1), 100_000);
        for every in [1, 2, 8, 10] {
            let (kept, of) = (passes_kept(0.1, every) as f64, (100_000 / every) as f64);
            assert!((kept / of - 0.1).abs() < 0.01, "{kept} of {of} with pitch {every}");
        }
    }

    #[test]
    fn every_reject_is_kept() {
        for verdict in [RecordVerdict::Fail, RecordVerdict::Missed, RecordVerdict::Late] {
            assert!((1..1000).filter_map(PartId::new).all(|part| keep_picture(verdict, part, 0.0)));
        }
    }
}
