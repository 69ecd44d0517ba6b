//! The camera's own frame counter: what a jump means, and what a wrap does not.

/// Follows one camera's counter through one opening.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct FrameIds {
    last: Option<u64>,
}

/// GigE Vision 1.x counts blocks in 16 bits and skips 0.
const WRAP_16: u64 = 0xFFFF;
/// A step back by more than this is a counter begun anew, not a wrap with frames missing.
const LARGEST_LOSS: u64 = 0x7FFF;

impl FrameIds {
    /// How many frames are missing between the last id and this one. The first id of an opening misses none.
    pub(crate) fn missing_before(&mut self, id: u64) -> u64 {
        let Some(last) = self.last.replace(id) else { return 0 };
        if id > last {
            return id - last - 1;
        }
        let across_wrap = (WRAP_16.saturating_sub(last) + id).saturating_sub(1);
        if last <= WRAP_16 && across_wrap <= LARGEST_LOSS { across_wrap } else { 0 }
    }

    /// A frame came whose number is not known: it was the next one, and is not missing.
    pub(crate) fn one_without_number(&mut self) {
        self.last = match self.last {
            Some(WRAP_16) => Some(1),
            Some(last) => Some(last.wrapping_add(1)),
            None => None,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_jump_is_a_loss_and_a_wrap_or_a_restart_is_none() {
        for (last, id, missing, why) in [
            (1, 2, 0, "the next"),
            (1, 3, 1, "one lost"),
            (7, 107, 99, "many lost"),
            (65_535, 1, 0, "16-bit wrap, which skips 0"),
            (65_535, 3, 2, "two lost after the wrap"),
            (65_533, 2, 3, "65534, 65535 and 1 lost"),
            (5000, 1, 0, "the camera began anew"),
            (70_000, 3, 0, "a 64-bit counter begun anew"),
            (u64::MAX, 1, 0, "the last of all numbers"),
            (4, 4, 0, "the same again"),
        ] {
            let mut ids = FrameIds::default();
            assert_eq!(ids.missing_before(last), 0);
            assert_eq!(ids.missing_before(id), missing, "{last} then {id}: {why}");
        }
    }

    #[test]
    fn a_frame_that_lost_its_number_is_not_also_missing() {
        for (last, next) in [(7, 9), (65_534, 1), (65_535, 2)] {
            let mut ids = FrameIds::default();
            ids.missing_before(last);
            ids.one_without_number();
            assert_eq!(ids.missing_before(next), 0, "{last}, one without number, {next}");
        }
        let mut fresh = FrameIds::default();
        fresh.one_without_number();
        assert_eq!(fresh.missing_before(9), 0);
    }
}
