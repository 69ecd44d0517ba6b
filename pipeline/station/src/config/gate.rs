//! `[gate]`: how far the gate is and what happens on the way to it, and so how long the station may take.

use serde::{Deserialize, Deserializer, de::Error as _};
use std::time::Duration;

/// `[gate]` as it is written.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct GateSection {
    /// From where the trigger is noticed to the gate.
    distance_mm: f64,
    /// Of the belt. Not needed where `parts_per_minute` and `pitch_mm` say it.
    speed_mm_s: Option<f64>,
    /// At the line's full speed.
    parts_per_minute: Option<f64>,
    /// Leading edge to leading edge.
    pitch_mm: Option<f64>,
    /// Belt travel for one encoder count, where the PLC tells the encoder.
    mm_per_count: Option<f64>,
    /// The PLC's cycle, at its slowest.
    #[serde(default = "ten")]
    plc_scan_ms: f64,
    /// From the station's answer to the PLC's acknowledgement, or `"measured"`.
    #[serde(default)]
    wire_ms: WireTime,
    /// From the PLC's output to the gate having moved.
    #[serde(default = "fifteen")]
    valve_ms: f64,
}

fn ten() -> f64 {
    10.0
}
fn fifteen() -> f64 {
    15.0
}

/// What the wire is reckoned with until it has been measured, ms: a fieldbus write over a quiet network.
const WIRE_MS: f64 = 5.0;

/// `wire_ms`: a number, or `"measured"`.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
enum WireTime {
    #[default]
    Default,
    Stated(f64),
    Measured,
}

impl<'de> Deserialize<'de> for WireTime {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Written {
            Number(f64),
            Word(String),
        }
        match Written::deserialize(deserializer) {
            Ok(Written::Number(ms)) => Ok(Self::Stated(ms)),
            Ok(Written::Word(word)) if word == "measured" => Ok(Self::Measured),
            _ => Err(D::Error::custom("expected a number of ms, or \"measured\"")),
        }
    }
}

/// The way from the trigger to the gate. Every figure is finite and makes sense.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Gate {
    /// From where the trigger is noticed to the gate.
    pub distance_mm: f64,
    /// Of the belt.
    pub speed_mm_s: f64,
    /// Leading edge to leading edge, where it is known.
    pub pitch_mm: Option<f64>,
    /// Belt travel for one encoder count, where it is known.
    pub mm_per_count: Option<f64>,
    /// The PLC's cycle.
    pub plc_scan: Duration,
    /// From the answer to the PLC's acknowledgement, as stated or until it is measured.
    pub wire: Duration,
    /// The running station measures the wire and allows itself as much time as that leaves.
    pub wire_is_measured: bool,
    /// From the PLC's output to the gate having moved.
    pub valve: Duration,
}

impl Gate {
    /// From the trigger to the gate at the belt's speed.
    pub fn time_to_gate(&self) -> Duration {
        Duration::from_secs_f64(self.distance_mm / self.speed_mm_s)
    }

    /// From one part to the next, where the pitch is known.
    pub fn time_between_parts(&self) -> Option<Duration> {
        self.pitch_mm.map(|pitch_mm| Duration::from_secs_f64(pitch_mm / self.speed_mm_s))
    }

    /// What the PLC and the valve take: a write that just missed a scan is seen by the next one, and acted upon at its
    /// end.
    pub fn behind_the_wire(&self) -> Duration {
        2 * self.plc_scan + self.valve
    }

    /// How long the station may take from trigger to answer with this `wire`: `T_g - (2 T_scan + T_wire + T_valve)`.
    /// Zero where nothing is left.
    pub fn deadline(&self, wire: Duration) -> Duration {
        self.time_to_gate().saturating_sub(self.behind_the_wire() + wire)
    }
}

impl GateSection {
    /// The gate, or every key that makes no sense with what does.
    pub(super) fn resolve(self) -> Result<Gate, Vec<(&'static str, String)>> {
        let mut problems = Vec::new();
        let mut within = |key: &'static str, value: Option<f64>, least: f64, most: f64| {
            if let Some(value) = value
                && !(least..=most).contains(&value)
            {
                problems.push((key, format!("{key} is {value}; it can be {least} to {most}")));
            }
        };
        within("distance_mm", Some(self.distance_mm), 1.0, 1e6);
        within("speed_mm_s", self.speed_mm_s, 0.1, 1e5);
        within("parts_per_minute", self.parts_per_minute, 0.1, 1e5);
        within("pitch_mm", self.pitch_mm, 0.1, 1e5);
        within("mm_per_count", self.mm_per_count, 1e-4, 1e3);
        within("plc_scan_ms", Some(self.plc_scan_ms), 0.0, 1e4);
        within("valve_ms", Some(self.valve_ms), 0.0, 1e4);
        let wire_ms = match self.wire_ms {
            WireTime::Stated(ms) => ms,
            WireTime::Default | WireTime::Measured => WIRE_MS,
        };
        within("wire_ms", Some(wire_ms), 0.0, 1e4);
        let by_parts = self.parts_per_minute.zip(self.pitch_mm).map(|(parts, pitch)| parts / 60.0 * pitch);
        let speed_mm_s = match (self.speed_mm_s, by_parts) {
            (Some(stated), Some(by_parts)) if (stated - by_parts).abs() > 0.01 * stated => {
                let says = format!(
                    "the belt runs at {stated} mm/s, but parts_per_minute and pitch_mm make it {by_parts:.1}; \
                     leave one of the three out"
                );
                problems.push(("speed_mm_s", says));
                stated
            }
            (Some(speed), _) | (None, Some(speed)) => speed,
            (None, None) => {
                let says =
                    "how fast the belt runs is not known; add speed_mm_s, or parts_per_minute and pitch_mm";
                problems.push(("distance_mm", says.to_owned()));
                1.0
            }
        };
        if !problems.is_empty() {
            return Err(problems);
        }
        let ms = |ms: f64| Duration::from_secs_f64(ms / 1e3);
        Ok(Gate {
            distance_mm: self.distance_mm,
            speed_mm_s,
            pitch_mm: self.pitch_mm,
            mm_per_count: self.mm_per_count,
            plc_scan: ms(self.plc_scan_ms),
            wire: ms(wire_ms),
            wire_is_measured: self.wire_ms == WireTime::Measured,
            valve: ms(self.valve_ms),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gate(text: &str) -> Result<Gate, Vec<(&'static str, String)>> {
        toml::from_str::<GateSection>(text).unwrap().resolve()
    }

    #[test]
    fn the_deadline_is_what_scans_wire_and_valve_leave_of_the_way_to_the_gate() {
        let gate = gate("distance_mm = 150\nspeed_mm_s = 1000\nvalve_ms = 15\nwire_ms = 5").unwrap();
        assert_eq!(gate.time_to_gate(), Duration::from_millis(150));
        assert_eq!(gate.deadline(gate.wire), Duration::from_millis(110), "150 - (2 x 10 + 5 + 15)");
        assert_eq!(gate.deadline(Duration::from_millis(500)), Duration::ZERO);
    }

    #[test]
    fn the_belts_speed_follows_from_the_parts_and_their_pitch_and_must_not_contradict_them() {
        let parts = "distance_mm = 500\nparts_per_minute = 1200\npitch_mm = 50";
        assert_eq!(gate(parts).unwrap().speed_mm_s, 1000.0);
        assert_eq!(gate(parts).unwrap().time_between_parts(), Some(Duration::from_millis(50)));
        let told = gate(&format!("{parts}\nspeed_mm_s = 900")).unwrap_err();
        assert!(told[0].1.contains("900") && told[0].1.contains("1000.0"), "{told:?}");
    }

    #[test]
    fn every_figure_that_makes_no_sense_is_told_at_once() {
        let told = gate("distance_mm = 0\nplc_scan_ms = -1\nvalve_ms = nan").unwrap_err();
        let keys: Vec<_> = told.iter().map(|(key, _)| *key).collect();
        assert_eq!(keys, ["distance_mm", "plc_scan_ms", "valve_ms", "distance_mm"]);
        assert!(told[3].1.contains("speed_mm_s"), "{told:?}");
    }

    #[test]
    fn the_wire_is_stated_or_measured() {
        let with = |wire: &str| gate(&format!("distance_mm = 500\nspeed_mm_s = 1000\nwire_ms = {wire}"));
        assert!(with("\"measured\"").unwrap().wire_is_measured);
        assert_eq!(with("2").unwrap().wire, Duration::from_millis(2));
        assert!(toml::from_str::<GateSection>("distance_mm = 1\nwire_ms = \"quick\"").is_err());
    }
}
