//! The moves of the handshake, in the order in which a programmer tries them, and what became of each.

use std::{fmt, str::FromStr, time::Duration};

/// One move.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Step {
    /// The connection stands.
    Link,
    /// Word 1 counts.
    Heartbeat,
    /// TriggerEnable.
    Enable,
    /// Trigger, TriggerAck, Trigger dropped.
    Trigger,
    /// A FAIL answer, taken.
    Fail,
    /// A MISSED answer, taken.
    Missed,
    /// A LATE answer, taken.
    Late,
    /// No Trigger while TriggerReady is 0.
    NotReady,
    /// No Trigger while the station's heartbeat stands still.
    StationLost,
    /// A PASS answer, taken: releases a part.
    Pass,
}

impl Step {
    /// All but [`Step::Pass`], in order.
    pub const REJECTING: [Self; 9] = [
        Self::Link,
        Self::Heartbeat,
        Self::Enable,
        Self::Trigger,
        Self::Fail,
        Self::Missed,
        Self::Late,
        Self::NotReady,
        Self::StationLost,
    ];

    /// The spelling on the command line and in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Link => "link",
            Self::Heartbeat => "heartbeat",
            Self::Enable => "enable",
            Self::Trigger => "trigger",
            Self::Fail => "fail",
            Self::Missed => "missed",
            Self::Late => "late",
            Self::NotReady => "not_ready",
            Self::StationLost => "station_lost",
            Self::Pass => "pass",
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Step {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::REJECTING.into_iter().find(|step| step.as_str() == text).ok_or_else(|| {
            let names = Self::REJECTING.map(Self::as_str).join(", ");
            format!("there is no step \"{text}\"; there are {names}")
        })
    }
}

/// What became of a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Which.
    pub step: Step,
    /// The PLC did as it should.
    pub ok: bool,
    /// How long the step took, waiting for the person included.
    pub took: Duration,
    /// What was seen.
    pub says: String,
    /// What to change in the PLC's program, where it did not.
    pub change: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_word_on_the_command_line_releases_a_part() {
        for step in Step::REJECTING {
            assert_eq!(step.as_str().parse(), Ok(step));
        }
        assert!("pass".parse::<Step>().unwrap_err().contains("heartbeat"));
    }
}
