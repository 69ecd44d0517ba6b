//! What the line makes, how fast, and how hard it is to see: the `[line]` table of a demo's TOML.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::DefectKind;

/// What is on the belt.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Product {
    /// A machined steel washer, 24 mm across, with a 12.4 mm hole.
    #[default]
    Washer,
    /// A foil of 33 × 21 mm with 2 × 5 pills in their pockets.
    BlisterPack,
}

impl Product {
    /// Half of the part's nominal length along the belt, in mm.
    pub fn half_length_mm(self) -> f64 {
        match self {
            Self::Washer => 12.0,
            Self::BlisterPack => 16.5,
        }
    }

    /// The word in TOML.
    pub fn name(self) -> &'static str {
        match self {
            Self::Washer => "washer",
            Self::BlisterPack => "blister_pack",
        }
    }
}

/// One line, wholly described: two lines with equal configs make the same parts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LineConfig {
    /// What is made.
    pub product: Product,
    /// Every part, its defects and its pose follow from this and the part's index.
    pub seed: u64,
    /// Parts put on the belt before feeding stops; `None` feeds until [`crate::Line::stop_feeding`].
    pub parts: Option<u64>,
    /// Share of parts with at least one defect, 0..=1.
    pub defect_share: f64,
    /// The kinds of defect that occur, equally often; empty means all of them.
    pub defects: Vec<DefectKind>,

    /// Parts a minute past the photo-eye.
    pub parts_per_minute: f64,
    /// Leading edge to leading edge, mm. Belt speed follows from it and `parts_per_minute`.
    pub pitch_mm: f64,
    /// A part lies at most this far before or behind its place on the belt, mm.
    pub pitch_jitter_mm: f64,
    /// Photo-eye to gate, mm.
    pub gate_mm: f64,
    /// From the leading edge at the gate until the gate must have moved, mm. A decision after that is too late.
    pub gate_window_mm: f64,
    /// Belt travel for one encoder count, mm.
    pub mm_per_count: f64,
    /// The encoder's count when the line starts; near `u32::MAX` it soon wraps.
    pub encoder_start: u32,

    /// Picture width, px.
    pub width: u32,
    /// Picture height, px.
    pub height: u32,
    /// Scale of the picture on the belt.
    pub mm_per_px: f64,
    /// A part is in the middle of the picture when its leading edge is this far past the photo-eye, mm.
    pub camera_mm: f64,
    /// Sensor noise, standard deviation in grey levels.
    pub noise: f64,
    /// A part lies at most this far beside the middle of the belt, px.
    pub pose_jitter_px: f64,
    /// A part is turned by at most this much, degrees. Washers are turned every way regardless: they are round.
    pub pose_jitter_deg: f64,
    /// 0: the same light everywhere; 1: the darkest corner gets none.
    pub uneven_light: f64,
}

impl Default for LineConfig {
    fn default() -> Self {
        Self {
            product: Product::Washer,
            seed: 1,
            parts: None,
            defect_share: 0.1,
            defects: Vec::new(),
            parts_per_minute: 300.0,
            pitch_mm: 60.0,
            pitch_jitter_mm: 1.0,
            gate_mm: 300.0,
            gate_window_mm: 20.0,
            mm_per_count: 0.1,
            encoder_start: 0,
            width: 320,
            height: 240,
            mm_per_px: 0.15,
            camera_mm: 1.5,
            noise: 2.5,
            pose_jitter_px: 6.0,
            pose_jitter_deg: 3.0,
            uneven_light: 0.3,
        }
    }
}

impl LineConfig {
    /// Belt speed, mm/s.
    pub fn speed_mm_s(&self) -> f64 {
        self.pitch_mm * self.parts_per_minute / 60.0
    }

    /// Everything that is wrong with this line; empty if it can be built.
    pub fn problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        let mut want = |ok: bool, field, got: String, expected: &str| {
            if !ok {
                problems.push(Problem { field, got, expected: expected.to_owned() });
            }
        };
        for (field, value) in [
            ("parts_per_minute", self.parts_per_minute),
            ("pitch_mm", self.pitch_mm),
            ("gate_mm", self.gate_mm),
            ("gate_window_mm", self.gate_window_mm),
            ("mm_per_count", self.mm_per_count),
            ("mm_per_px", self.mm_per_px),
        ] {
            want(value.is_finite() && value > 0.0, field, value.to_string(), "more than 0");
        }
        for (field, value, most) in [
            ("defect_share", self.defect_share, 1.0),
            ("uneven_light", self.uneven_light, 1.0),
            ("noise", self.noise, 128.0),
            ("pose_jitter_px", self.pose_jitter_px, 1e4),
            ("pose_jitter_deg", self.pose_jitter_deg, 180.0),
            ("pitch_jitter_mm", self.pitch_jitter_mm, 1e4),
        ] {
            want((0.0..=most).contains(&value), field, value.to_string(), &format!("0 to {most}"));
        }
        want(self.camera_mm.is_finite(), "camera_mm", self.camera_mm.to_string(), "a distance");
        for (field, value) in [("width", self.width), ("height", self.height)] {
            want((16..=8192).contains(&value), field, value.to_string(), "16 to 8192 px");
        }
        let room = self.pitch_mm - 2.0 * self.pitch_jitter_mm;
        let length = 2.0 * self.product.half_length_mm() + 3.0; // 3 mm: the largest oversize
        want(
            room > length,
            "pitch_mm",
            self.pitch_mm.to_string(),
            &format!("more than {} (part and jitter), or parts overlap", length + 2.0 * self.pitch_jitter_mm),
        );
        want(
            self.gate_window_mm < room,
            "gate_window_mm",
            self.gate_window_mm.to_string(),
            &format!("less than {room} (pitch without jitter), or two parts share the gate"),
        );
        problems
    }
}

/// One field of a [`LineConfig`] that cannot be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The field's name in TOML.
    pub field: &'static str,
    /// What it says.
    pub got: String,
    /// What it may say.
    pub expected: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line.{} is {}, expected {}", self.field, self.got, self.expected)
    }
}

/// Why a line cannot be built.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LineError {
    /// The config asks for a line that cannot be; all its problems at once.
    #[error("{}", problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Config {
        /// At least one.
        problems: Vec<Problem>,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_line_can_be_built() {
        assert_eq!(LineConfig::default().problems(), []);
        let blister = LineConfig { product: Product::BlisterPack, ..LineConfig::default() };
        assert_eq!(blister.problems(), []);
        assert_eq!(blister.speed_mm_s(), 300.0);
    }

    #[test]
    fn all_problems_are_told_at_once() {
        let config = LineConfig {
            defect_share: 1.5,
            mm_per_px: 0.0,
            pitch_mm: 20.0,
            gate_window_mm: 19.0,
            noise: f64::NAN,
            ..LineConfig::default()
        };
        let said = LineError::Config { problems: config.problems() }.to_string();
        for field in ["defect_share", "mm_per_px", "pitch_mm", "gate_window_mm", "noise"] {
            assert!(said.contains(&format!("line.{field} is ")), "{field} missing in {said}");
        }
        assert!(said.contains("line.defect_share is 1.5, expected 0 to 1"), "{said}");
    }
}
