//! Enumerations. On the wire each is an `Int32`.

use opcua::types::Variant;

/// What came of a part, for a machine: `ResultEvaluationEnum` of OPC 40001-101, the first element of a result's content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub enum ResultEvaluation {
    /// Not known.
    Undefined = 0,
    /// Passed.
    Ok = 1,
    /// Failed.
    NotOk = 2,
    /// Could not be judged, or not in time. Never to be taken as passed.
    NotDecidable = 3,
}

impl From<ResultEvaluation> for Variant {
    fn from(evaluation: ResultEvaluation) -> Self {
        Self::Int32(evaluation as i32)
    }
}

/// `TriStateBooleanDataType`: a filter that may not care.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub enum TriState {
    /// Only those that are not.
    False = 0,
    /// Only those that are.
    True = 1,
    /// All.
    DontCare = 2,
}

impl TryFrom<i32> for TriState {
    type Error = i32;

    fn try_from(number: i32) -> Result<Self, i32> {
        [Self::False, Self::True, Self::DontCare]
            .into_iter()
            .find(|state| *state as i32 == number)
            .ok_or(number)
    }
}

/// `SystemStateDataType`, after SEMI E10: what the machine's time goes into.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(i32)]
pub enum SystemState {
    /// PRD_1: at work.
    #[default]
    Productive = 1,
    /// SBY_2: ready for work, or waiting for somebody's leave.
    StandBy = 2,
    /// ENG_3: somebody tries something out.
    Engineering = 3,
    /// SDT_4: stopped, as was intended.
    ScheduledDowntime = 4,
    /// UDT_5: broken.
    UnscheduledDowntime = 5,
    /// NST_6: nobody wants anything of it.
    NonScheduled = 6,
}

/// `ResultStateDataType`, table 153 of OPC 40100-1: what became of the processing. It says nothing about the part.
pub mod result_state {
    /// Not known.
    pub const UNDEFINED: i32 = 0;
    /// Ran to its end.
    pub const COMPLETED: i32 = 1;
    /// Still running.
    pub const PROCESSING: i32 = 2;
    /// Somebody ended it.
    pub const ABORTED: i32 = 3;
    /// It broke.
    pub const FAILED: i32 = 4;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_takes_the_three_words_and_no_other() {
        assert_eq!(
            [0, 1, 2, 3, -1].map(|number| TriState::try_from(number).is_ok()),
            [true, true, true, false, false]
        );
    }
}
