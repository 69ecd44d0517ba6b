//! Register block v1: 20 words, big-endian, u32 with the high word first; the same on every protocol.
//!
//! Words 0–9 are written by the PLC ([`FromPlc`]), words 10–19 by the station ([`ToPlc`]).
//!
//! v1.1 adds what was reserved before and stays 0 where it is not used: word 7 ([`GateStatus`]) and status bit 12
//! (LineStopRequest). A program for v1 runs on unchanged, on either side.

use crate::VerdictCode;
use plumb_inspection::{PartId, RecipeNumber};

/// Words of the whole block.
pub const BLOCK_WORDS: usize = 20;
/// Words of each direction; the station's begin at this offset.
pub const HALF_WORDS: usize = 10;

/// One direction of the block as it travels.
pub type Words = [u16; HALF_WORDS];

/// Makes a struct of named bits that packs into one word, bit 0 first.
macro_rules! bits {
    ($(#[$doc:meta])* $name:ident { $($(#[$bit_doc:meta])* $bit:ident),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct $name { $($(#[$bit_doc])* pub $bit: bool),* }

        impl $name {
            /// The word; bits without a name are 0.
            pub fn word(self) -> u16 {
                [$(self.$bit),*].into_iter().rev().fold(0, |word, bit| word << 1 | u16::from(bit))
            }

            /// From the word; bits without a name are ignored.
            pub fn from_word(word: u16) -> Self {
                let mut rest = word;
                let mut next = || { let bit = rest & 1 == 1; rest >>= 1; bit };
                Self { $($bit: next()),* }
            }
        }
    };
}

bits! {
    /// Word 0, PLC → station.
    Control {
        /// Triggers may come; falling, it clears MissedTrigger.
        trigger_enable,
        /// Look at a part now: held until TriggerAck.
        trigger,
        /// Freeze each result until ResultsAck.
        buffer_results,
        /// The shown result has been taken: held until ResultsValid falls.
        results_ack,
        /// Clear MissedTrigger and BufferOverrun.
        clear_errors,
        /// Change to the recipe of word 6.
        recipe_change,
        /// The belt moves.
        line_running,
    }
}

bits! {
    /// Word 10, station → PLC.
    Status {
        /// The station judges.
        online,
        /// A Trigger would be taken.
        trigger_ready,
        /// The Trigger has been taken: held until Trigger falls.
        trigger_ack,
        /// The camera's shutter is open: the part must not move.
        exposing,
        /// The shutter has closed: the part may move.
        exposure_complete,
        /// At least one part awaits its verdict.
        busy,
        /// Turns over with each new result.
        inspection_toggle,
        /// Words 12–19 are an answer.
        results_valid,
        /// A Trigger came when none could be taken.
        missed_trigger,
        /// Answers came faster than the PLC took them.
        buffer_overrun,
        /// Another recipe is being loaded.
        recipe_changing,
        /// The station cannot judge; its console says why.
        fault,
        /// v1.1. The station asks for the line to stop; its console says why. ClearErrors ends it. Word 15 stays the
        /// part's own reason.
        line_stop_request,
    }
}

bits! {
    /// Word 7, PLC → station, v1.1: what only the PLC can see behind the gate. 0 where it has no such eyes.
    GateStatus {
        /// A rejected part did not reach the reject-confirm photo-eye.
        reject_not_confirmed,
        /// The bin for rejects is full.
        bin_full,
        /// The air that moves the gate is low.
        air_low,
        /// The photo-eye of the pass lane saw a part that was to be rejected.
        rejected_part_in_pass_lane,
    }
}

/// Words 0–9: what the PLC says. [`Default`] is what a zeroed block reads as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FromPlc {
    /// Word 0.
    pub control: Control,
    /// Word 1: +1 every 100 ms while the PLC's program runs.
    pub heartbeat: u16,
    /// Words 2–3: the PLC's tracking id; `None` (0) leaves the numbering to the station.
    pub part: Option<PartId>,
    /// Words 4–5: encoder count at the photo-eye.
    pub encoder: u32,
    /// Word 6: wanted with RecipeChange.
    pub recipe: RecipeNumber,
    /// Word 7: what the PLC sees behind the gate.
    pub gate: GateStatus,
}

impl Default for FromPlc {
    fn default() -> Self {
        Self::decode(&[0; HALF_WORDS])
    }
}

impl FromPlc {
    /// As written by the PLC; words 8–9 are 0.
    pub fn encode(&self) -> Words {
        let [part_high, part_low] = split(self.part.map_or(0, PartId::get));
        let [encoder_high, encoder_low] = split(self.encoder);
        let control = self.control.word();
        let gate = self.gate.word();
        [control, self.heartbeat, part_high, part_low, encoder_high, encoder_low, self.recipe.0, gate, 0, 0]
    }

    /// As read by the station. Every word sequence means something; reserved words and bits are ignored.
    pub fn decode(words: &Words) -> Self {
        Self {
            control: Control::from_word(words[0]),
            heartbeat: words[1],
            part: PartId::new(join(words[2], words[3])),
            encoder: join(words[4], words[5]),
            recipe: RecipeNumber(words[6]),
            gate: GateStatus::from_word(words[7]),
        }
    }
}

/// Words 10–19: what the station says. [`Default`] is what a zeroed block reads as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ToPlc {
    /// Word 10.
    pub status: Status,
    /// Word 11: +1 every 100 ms while verdicts can be reached.
    pub heartbeat: u16,
    /// Words 12–13, and the low word again in word 19.
    pub part: Option<PartId>,
    /// Word 14.
    pub code: VerdictCode,
    /// Word 15.
    pub reason: u16,
    /// Words 16–17: from trigger to verdict, µs.
    pub decision_us: u32,
    /// Word 18: the recipe that judges now.
    pub recipe: RecipeNumber,
}

impl Default for ToPlc {
    fn default() -> Self {
        Self {
            status: Status::default(),
            heartbeat: 0,
            part: None,
            code: VerdictCode::None,
            reason: 0,
            decision_us: 0,
            recipe: RecipeNumber(0),
        }
    }
}

impl ToPlc {
    /// As written by the station, in one write.
    pub fn encode(&self) -> Words {
        let [part_high, part_low] = split(self.part.map_or(0, PartId::get));
        let [us_high, us_low] = split(self.decision_us);
        let code = self.code.word();
        [
            self.status.word(),
            self.heartbeat,
            part_high,
            part_low,
            code,
            self.reason,
            us_high,
            us_low,
            self.recipe.0,
            part_low,
        ]
    }

    /// As a PLC must read it.
    ///
    /// # Errors
    /// [`TornRead`] where word 19 is not word 13: half of this block is of another write. Ignore it, read again.
    pub fn decode(words: &Words) -> Result<Self, TornRead> {
        if words[9] != words[3] {
            return Err(TornRead { word_13: words[3], word_19: words[9] });
        }
        Ok(Self {
            status: Status::from_word(words[0]),
            heartbeat: words[1],
            part: PartId::new(join(words[2], words[3])),
            code: VerdictCode::from_word(words[4]),
            reason: words[5],
            decision_us: join(words[6], words[7]),
            recipe: RecipeNumber(words[8]),
        })
    }
}

/// A block read while it was being written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("torn read: word 19 is {word_19}, word 13 is {word_13}, they should be equal; read the block again")]
pub struct TornRead {
    /// Low word of the part id.
    pub word_13: u16,
    /// Its copy at the end of the block.
    pub word_19: u16,
}

fn split(value: u32) -> [u16; 2] {
    [(value >> 16) as u16, value as u16]
}

fn join(high: u16, low: u16) -> u32 {
    u32::from(high) << 16 | u32::from(low)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use proptest::prelude::*;

    pub(crate) fn any_from_plc() -> impl Strategy<Value = FromPlc> {
        (any::<[u16; 4]>(), any::<u32>(), any::<u32>()).prop_map(
            |([control, heartbeat, recipe, gate], part, encoder)| FromPlc {
                control: Control::from_word(control),
                heartbeat,
                part: PartId::new(part),
                encoder,
                recipe: RecipeNumber(recipe),
                gate: GateStatus::from_word(gate),
            },
        )
    }

    fn any_to_plc() -> impl Strategy<Value = ToPlc> {
        let code = prop::sample::select(VerdictCode::ALL.to_vec());
        (any::<[u16; 4]>(), any::<u32>(), any::<u32>(), code).prop_map(
            |([status, heartbeat, reason, recipe], part, decision_us, code)| ToPlc {
                status: Status::from_word(status),
                heartbeat,
                part: PartId::new(part),
                code,
                reason,
                decision_us,
                recipe: RecipeNumber(recipe),
            },
        )
    }

    proptest! {
        #[test]
        fn what_the_plc_writes_is_what_the_station_reads(said in any_from_plc()) {
            prop_assert_eq!(FromPlc::decode(&said.encode()), said);
        }

        #[test]
        fn what_the_station_writes_is_what_the_plc_reads(said in any_to_plc()) {
            prop_assert_eq!(ToPlc::decode(&said.encode()), Ok(said));
        }

        #[test]
        fn a_block_made_of_two_parts_answers_is_known_as_torn(
            old in any_to_plc(), new in any_to_plc(), seam in 4..HALF_WORDS,
        ) {
            let low = |block: &ToPlc| block.part.map_or(0, PartId::get) as u16;
            prop_assume!(low(&old) != low(&new));
            let mut torn = old.encode();
            torn[..seam].copy_from_slice(&new.encode()[..seam]);
            prop_assert!(ToPlc::decode(&torn).is_err());
        }

        #[test]
        fn arbitrary_words_are_read_without_a_panic(words: Words) {
            let _ = FromPlc::decode(&words);
            let _ = ToPlc::decode(&words);
        }
    }

    #[test]
    fn each_bit_has_the_place_the_contract_gives_it() {
        let control = |bit: u16| Control::from_word(1 << bit);
        assert!(control(0).trigger_enable && control(1).trigger && control(2).buffer_results);
        assert!(control(3).results_ack && control(4).clear_errors && control(5).recipe_change);
        assert!(control(6).line_running);
        let status = |bit: u16| Status::from_word(1 << bit);
        assert!(status(0).online && status(1).trigger_ready && status(2).trigger_ack && status(3).exposing);
        assert!(status(4).exposure_complete && status(5).busy && status(6).inspection_toggle);
        assert!(status(7).results_valid && status(8).missed_trigger && status(9).buffer_overrun);
        assert!(status(10).recipe_changing && status(11).fault && status(12).line_stop_request);
        assert_eq!(status(7).word(), 1 << 7);
        let gate = |bit: u16| GateStatus::from_word(1 << bit);
        assert!(gate(0).reject_not_confirmed && gate(1).bin_full && gate(2).air_low);
        assert!(gate(3).rejected_part_in_pass_lane);
    }

    #[test]
    fn each_word_has_the_place_the_contract_gives_it() {
        let block = ToPlc {
            status: Status { results_valid: true, ..Status::default() },
            heartbeat: 11,
            part: PartId::new(0x0012_0034),
            code: VerdictCode::Pass,
            reason: 15,
            decision_us: 0x0016_0017,
            recipe: RecipeNumber(18),
        };
        assert_eq!(block.encode(), [0x80, 11, 0x12, 0x34, 0x5AA5, 15, 0x16, 0x17, 18, 0x34]);
        let said = FromPlc::decode(&[0b11, 1, 0x02, 0x03, 0x04, 0x05, 6, 0b10, 8, 9]);
        assert_eq!(said.gate, GateStatus { bin_full: true, ..GateStatus::default() });
        assert_eq!((said.heartbeat, said.encoder, said.recipe), (1, 0x0004_0005, RecipeNumber(6)));
        assert_eq!(said.part, PartId::new(0x0002_0003));
    }

    #[test]
    fn what_v1_1_adds_is_0_for_a_program_of_v1() {
        let said = FromPlc { control: Control::from_word(0x7f), heartbeat: 9, ..FromPlc::default() };
        assert_eq!(said.encode()[7..], [0, 0, 0]);
        assert_eq!(FromPlc::decode(&said.encode()).gate, GateStatus::default());
        let v1 = Status { online: true, fault: true, ..Status::default() };
        assert!(v1.word() < 1 << 12, "bit 12 is up only while a stop is asked for");
    }

    #[test]
    fn a_zeroed_block_is_no_answer() {
        let read = ToPlc::decode(&[0; HALF_WORDS]).unwrap();
        assert_eq!(read, ToPlc::default());
        assert!(!read.status.results_valid && read.code == VerdictCode::None);
    }
}
