//! A photo-eye made of pixels: tells, frame by frame, that a part has just crossed a line in the picture.
//!
//! It looks at nothing but a thin band along the line, so it may run on the camera's streaming thread. Like its brother of
//! glass it cannot tell directions: a part that goes back and forth over the line is a part each time.

use super::{
    barrier::{Barrier, Read},
    sense::{Sense, Sensing},
};
use plumb_inspection::Frame;
use serde::{Deserialize, Serialize};
use std::time::{Duration, Instant};

/// Samples below which shares of the line mean little.
const SAMPLES_MIN: usize = 8;
const BAND_PX_MAX: u32 = 64;

/// Where the light barrier runs, and what breaks it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PhotoEyeConfig {
    /// The line's two ends, `[x0, y0, x1, y1]` in frame px; at least 16 px long. Lay it across the direction of travel, no
    /// longer than the part is wide there, and where the parts differ most from what is between them.
    pub line_px: [f32; 4],
    /// Width over which the line is averaged, px, 1..=64. Wider sees less noise and smaller gaps worse.
    #[serde(default = "band_px")]
    pub band_px: u32,
    /// What tells a part from the empty line.
    #[serde(default)]
    pub sense: Sense,
    /// From this share of the line on, a part is there. 0..=1, above `clear_at`.
    #[serde(default = "block_at")]
    pub block_at: f32,
    /// Up to this share of the line, no part is there. 0..1. In between, nothing changes.
    #[serde(default = "clear_at")]
    pub clear_at: f32,
    /// Frames in a row that must be clear before the next part can come; at least 1. A gap shorter than this is not a gap.
    #[serde(default = "clear_frames")]
    pub clear_frames: u32,
    /// A second trigger sooner than this after one is not a part, ms.
    #[serde(default)]
    pub min_gap_ms: u32,
    /// Which end of the part fires.
    #[serde(default)]
    pub fire_on: FireOn,
}

fn band_px() -> u32 {
    9
}
fn block_at() -> f32 {
    0.30
}
fn clear_at() -> f32 {
    0.15
}
fn clear_frames() -> u32 {
    2
}

/// Which end of a part fires.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FireOn {
    /// The leading edge: the frame shows the part about to pass.
    #[default]
    Enter,
    /// The trailing edge, `clear_frames` after it.
    Leave,
}

/// The eye, and what it has seen so far. One a camera.
#[derive(Debug)]
pub struct PhotoEye {
    config: PhotoEyeConfig,
    barrier: Barrier,
    sensing: Sensing,
    samples: Vec<f32>,
    blocked: bool,
    clear_run: u32,
    level: f32,
    blocked_since: Option<Instant>,
    fired_at: Option<Instant>,
    told_outside: bool,
}

impl PhotoEye {
    /// An eye that has seen nothing yet.
    ///
    /// # Errors
    /// With the first thing in `config` that cannot be.
    pub fn new(config: PhotoEyeConfig) -> Result<Self, PhotoEyeError> {
        config.check()?;
        Ok(Self {
            barrier: Barrier::new(config.line_px, config.band_px),
            sensing: Sensing::new(config.sense),
            samples: Vec::new(),
            blocked: false,
            clear_run: 0,
            level: 0.0,
            blocked_since: None,
            fired_at: None,
            told_outside: false,
            config,
        })
    }

    /// True if a part has just crossed: once a part, on the frame that shows its edge on the line.
    ///
    /// The first frame only sets the eye up, and so does the first of another size or format. `Sense::Structure` gives no
    /// trigger for a part that is on the line then. `Sense::Shade` takes what it sees then for the empty line: started on a
    /// part it fires when that part leaves, and may miss parts or fire at their trailing edges until the true empty line
    /// has come back three times more often than the part's look (never, if parts are plain: start with the line clear).
    ///
    /// A frame too small for the line gives false, and an error in the log, once.
    pub fn see(&mut self, frame: &Frame) -> bool {
        let at = frame.at.mono;
        match self.barrier.read(&frame.image, &mut self.samples) {
            Read::Same => {}
            Read::New => {
                self.sensing.restart(&self.samples);
                self.level = self.sensing.level(&self.samples);
                self.blocked = self.level > self.config.clear_at;
                self.blocked_since = self.blocked.then_some(at);
                self.clear_run = 0;
                return false;
            }
            Read::Outside => {
                if !std::mem::replace(&mut self.told_outside, true) {
                    tracing::error!(camera = %frame.camera, line_px = ?self.config.line_px, frame = ?frame.image,
                        "The photo-eye's line leaves the picture; no part will be seen until `line_px` is corrected.");
                }
                return false;
            }
        }
        self.level = self.sensing.level(&self.samples);
        let fires = match self.cross(at) {
            Some(edge) => edge == self.config.fire_on && self.may_fire(at),
            None => false,
        };
        self.sensing.learn(&self.samples, !self.blocked, self.config.clear_at);
        fires
    }

    /// The edge this frame's level makes, if any.
    fn cross(&mut self, at: Instant) -> Option<FireOn> {
        if !self.blocked {
            self.blocked = self.level >= self.config.block_at;
            self.blocked_since = self.blocked.then_some(at);
            self.clear_run = 0;
            return self.blocked.then_some(FireOn::Enter);
        }
        self.clear_run = if self.level <= self.config.clear_at { self.clear_run + 1 } else { 0 };
        if self.clear_run < self.config.clear_frames {
            return None;
        }
        self.blocked = false;
        self.blocked_since = None;
        Some(FireOn::Leave)
    }

    fn may_fire(&mut self, at: Instant) -> bool {
        let gap = Duration::from_millis(self.config.min_gap_ms.into());
        if self.fired_at.is_some_and(|fired| at.saturating_duration_since(fired) < gap) {
            return false;
        }
        self.fired_at = Some(at);
        true
    }

    /// Share of the line that the last frame showed blocked, 0..=1: what to look at when setting `block_at` and `clear_at`.
    pub fn level(&self) -> f32 {
        self.level
    }

    /// Since when a part has been on the line. Long is a standing belt, or an eye that no longer sees its gaps.
    pub fn blocked_since(&self) -> Option<Instant> {
        self.blocked_since
    }

    /// Whether the line lies wholly in frames of this size.
    ///
    /// # Errors
    /// When it does not; then no part would ever be seen.
    pub fn fits(&self, width: u32, height: u32) -> Result<(), PhotoEyeError> {
        if self.barrier.fits(width, height) {
            return Ok(());
        }
        let (line_px, band_px) = (self.config.line_px, self.config.band_px);
        Err(PhotoEyeError::Outside { line_px, band_px, width, height })
    }
}

impl PhotoEyeConfig {
    fn check(&self) -> Result<(), PhotoEyeError> {
        let number = |field, value: f32, ok: bool, expected| {
            if ok { Ok(()) } else { Err(PhotoEyeError::Value { field, value, expected }) }
        };
        let samples = Barrier::samples_of(self.line_px);
        if !self.line_px.iter().all(|v| v.is_finite() && v.abs() < 1e6) || samples < SAMPLES_MIN {
            return Err(PhotoEyeError::Line { line_px: self.line_px });
        }
        number("band_px", self.band_px as f32, (1..=BAND_PX_MAX).contains(&self.band_px), "1 to 64")?;
        number("clear_frames", self.clear_frames as f32, self.clear_frames > 0, "at least 1")?;
        let share = 0.0..=1.0;
        number("block_at", self.block_at, share.contains(&self.block_at), "0 to 1, above clear_at")?;
        let below = share.contains(&self.clear_at) && self.clear_at < self.block_at;
        number("clear_at", self.clear_at, below, "0 to 1, below block_at")?;
        let (contrast, drift) = match self.sense {
            Sense::Structure { contrast_pct } => (contrast_pct, 0.0),
            Sense::Shade { contrast_pct, light_drift_pct } => (contrast_pct, light_drift_pct),
        };
        number("sense.contrast_pct", contrast, contrast > 0.0 && contrast <= 100.0, "above 0, up to 100")?;
        number("sense.light_drift_pct", drift, (0.0..=50.0).contains(&drift), "0 to 50")
    }
}

/// Why a photo-eye cannot be.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum PhotoEyeError {
    /// Too short to see anything, or not a line.
    #[error("photo-eye line_px is {line_px:?}; expected two points in frame px, at least 16 px apart")]
    Line {
        /// As configured.
        line_px: [f32; 4],
    },
    /// A number out of its range.
    #[error("photo-eye {field} is {value}; expected {expected}")]
    Value {
        /// Which.
        field: &'static str,
        /// As configured.
        value: f32,
        /// Its range.
        expected: &'static str,
    },
    /// The camera's frames do not hold the line.
    #[error(
        "photo-eye line_px {line_px:?}, {band_px} px wide, leaves the camera's frames of {width}x{height} px, so no part would \
         ever be seen; move it inside"
    )]
    Outside {
        /// As configured.
        line_px: [f32; 4],
        /// As configured.
        band_px: u32,
        /// Of the frames, px.
        width: u32,
        /// Of the frames, px.
        height: u32,
    },
}

#[cfg(test)]
mod tests {
    use super::*;
    use plumb_inspection::{Image, PixelFormat, Stamp};
    use std::time::SystemTime;

    /// A belt of grey 60 under a camera of 160×120 px; parts are 40 px long and travel to the left.
    struct Belt {
        format: PixelFormat,
        noise: f32,
        flicker: f32,
        part: fn(along: f32, y: u32) -> f32,
        rng: u32,
        frames: u64,
        began: Instant,
    }

    const PART_PX: f32 = 40.0;

    fn plain(_: f32, _: u32) -> f32 {
        140.0
    }
    fn labelled(along: f32, y: u32) -> f32 {
        // Print: blocks of 7×4 px, each of its own grey.
        let block = (along as u32 / 7).wrapping_mul(0x9E37_79B1) ^ (y / 4).wrapping_mul(0x85EB_CA6B);
        30.0 + ((block ^ (block >> 15)).wrapping_mul(0x2C1B_3C6D) >> 24) as f32 * 0.6
    }
    fn bright(along: f32, y: u32) -> f32 {
        150.0 + 50.0 * (along / 4.0 + y as f32 / 9.0).sin()
    }

    impl Belt {
        fn new(part: fn(f32, u32) -> f32) -> Self {
            let format = PixelFormat::Gray8;
            Self { format, noise: 2.0, flicker: 0.0, part, rng: 7, frames: 0, began: Instant::now() }
        }

        /// The frame that shows parts with their leading edges at these x.
        fn frame(&mut self, leads: &[f32]) -> Frame {
            let light = 1.0 + self.flicker * if self.frames.is_multiple_of(2) { 1.0 } else { -1.0 };
            let mut pixels = Vec::with_capacity(160 * 120 * self.format.bytes_per_px());
            for y in 0..120 {
                for x in 0..160 {
                    let on =
                        leads.iter().map(|lead| x as f32 - lead).find(|along| (0.0..PART_PX).contains(along));
                    // Darker to one side, as under a real lamp; parts reach from row 20 to row 100.
                    let shade = 60.0 + y as f32 * 0.1;
                    let grey =
                        on.filter(|_| (20..100).contains(&y)).map_or(shade, |along| (self.part)(along, y));
                    for _ in 0..self.format.bytes_per_px() {
                        self.rng = self.rng.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                        // Uniform with the standard deviation of `noise`.
                        let noise = ((self.rng >> 8) as f32 / (1 << 24) as f32 - 0.5) * 3.46 * self.noise;
                        pixels.push((grey * light + noise).clamp(0.0, 255.0) as u8);
                    }
                }
            }
            self.frames += 1;
            let mono = self.began + Duration::from_millis(self.frames * 10);
            Frame {
                camera: "belt".into(),
                seq: self.frames,
                camera_frame_id: None,
                at: Stamp { mono, wall: SystemTime::UNIX_EPOCH },
                image: Image::packed(160, 120, self.format, pixels).unwrap(),
            }
        }

        /// Triggers while `parts` parts, `pitch` px apart, travel past at `px_a_frame`.
        fn run(&mut self, eye: &mut PhotoEye, parts: u32, pitch: f32, px_a_frame: f32) -> u32 {
            let end = parts as f32 * pitch + 260.0;
            let mut fired = 0;
            let mut travel = 0.0;
            while travel < end {
                let leads: Vec<_> = (0..parts).map(|i| 200.0 + i as f32 * pitch - travel).collect();
                fired += u32::from(eye.see(&self.frame(&leads)));
                travel += px_a_frame;
            }
            fired
        }
    }

    fn config(sense: Sense) -> PhotoEyeConfig {
        toml::from_str::<PhotoEyeConfig>("line_px = [80, 24, 80, 96]")
            .map(|c| PhotoEyeConfig { sense, ..c })
            .unwrap()
    }

    fn eye(sense: Sense) -> PhotoEye {
        PhotoEye::new(config(sense)).unwrap()
    }

    const STRUCTURE: Sense = Sense::Structure { contrast_pct: 4.0 };

    fn both() -> [(Sense, Belt); 2] {
        [(Sense::default(), Belt::new(plain)), (STRUCTURE, Belt::new(labelled))]
    }

    #[test]
    fn noise_is_not_a_part() {
        for (sense, mut belt) in both() {
            belt.noise = if sense == STRUCTURE { 4.0 } else { 8.0 };
            let mut eye = eye(sense);
            let fired = (0..200).filter(|_| eye.see(&belt.frame(&[]))).count();
            assert_eq!(fired, 0, "{sense:?}");
        }
    }

    #[test]
    fn every_part_fires_once_however_fast_the_belt() {
        for px_a_frame in [0.3, 1.0, 7.0, 19.0] {
            for (sense, mut belt) in both() {
                let parts = if px_a_frame < 1.0 { 2 } else { 8 };
                let fired = belt.run(&mut eye(sense), parts, 100.0, px_a_frame);
                assert_eq!(fired, parts, "{sense:?} at {px_a_frame} px a frame");
            }
        }
    }

    #[test]
    fn every_pixel_format_sees_the_same_parts() {
        for format in
            [PixelFormat::Bgr8, PixelFormat::BayerRggb, PixelFormat::BayerGrbg, PixelFormat::BayerBggr]
        {
            for (sense, belt) in both() {
                let fired = Belt { format, ..belt }.run(&mut eye(sense), 3, 90.0, 9.0);
                assert_eq!(fired, 3, "{sense:?} {format:?}");
            }
        }
    }

    #[test]
    fn flickering_light_is_neither_a_part_nor_hides_one() {
        for (sense, mut belt) in both() {
            belt.flicker = 0.10;
            assert_eq!(belt.run(&mut eye(sense), 5, 80.0, 6.0), 5, "{sense:?}");
        }
    }

    #[test]
    fn light_that_fades_to_half_over_a_shift_is_followed() {
        let (mut belt, mut eye) = (Belt::new(plain), eye(Sense::default()));
        for i in 0..400 {
            let dim = 1.0 - i as f32 / 800.0;
            belt.noise = 1.0;
            belt.flicker = 0.0;
            let frame = belt.frame(&[]);
            let pixels = frame.image.bytes().iter().map(|&p| (f32::from(p) * dim) as u8).collect();
            let image = Image::packed(160, 120, PixelFormat::Gray8, pixels).unwrap();
            assert!(!eye.see(&Frame { image, ..frame }), "at {dim}");
        }
    }

    #[test]
    fn parts_that_touch_fire_once_each_if_the_line_crosses_where_they_do_not() {
        // Rounded shoulders, clear glass, a label that ends before the part does: 12 of 40 px are as the belt.
        fn clear_sided(along: f32, y: u32) -> f32 {
            if (6.0..34.0).contains(&along) { labelled(along, y) } else { 60.0 + y as f32 * 0.1 }
        }
        fn narrow(along: f32, y: u32) -> f32 {
            if (6.0..34.0).contains(&along) { 140.0 } else { 60.0 + y as f32 * 0.1 }
        }
        for (sense, part) in [(STRUCTURE, clear_sided as fn(f32, u32) -> f32), (Sense::default(), narrow)] {
            let config = PhotoEyeConfig { band_px: 3, ..config(sense) };
            let fired = Belt::new(part).run(&mut PhotoEye::new(config).unwrap(), 6, PART_PX, 3.0);
            assert_eq!(fired, 6, "{sense:?}");
        }
    }

    #[test]
    fn parts_without_any_gap_are_one_part() {
        // An honest limit, kept by a test so that nobody relies on the opposite.
        for (sense, mut belt) in both() {
            assert_eq!(belt.run(&mut eye(sense), 4, PART_PX, 3.0), 1, "{sense:?}");
        }
    }

    #[test]
    fn a_part_that_stops_on_the_line_fires_once_and_the_next_one_too() {
        for (sense, mut belt) in both() {
            let mut eye = eye(sense);
            let mut fired = 0;
            let mut lead = 160.0;
            while lead > -100.0 {
                // Stands for 3 s in the middle of the line, trembling.
                let stands = (55.0..=60.0).contains(&lead);
                for i in 0..if stands { 100 } else { 1 } {
                    let shake = if stands { [0.0, 0.4, -0.4][i % 3] } else { 0.0 };
                    fired += u32::from(eye.see(&belt.frame(&[lead + shake, lead + shake + 100.0])));
                }
                assert_eq!(eye.blocked_since().is_some(), eye.blocked, "{sense:?}");
                lead -= 3.0;
            }
            assert_eq!(fired, 2, "{sense:?}");
        }
    }

    #[test]
    fn a_part_that_stops_with_its_edge_on_the_line_fires_at_most_once() {
        for (sense, mut belt) in both() {
            let mut eye = eye(sense);
            let mut fired = u32::from(eye.see(&belt.frame(&[])));
            for i in 0..200 {
                let shake = [0.0, 0.6, -0.3, 0.9, -0.8][i % 5];
                fired += u32::from(eye.see(&belt.frame(&[80.0 + shake])));
            }
            assert!(fired <= 1, "{sense:?}: {fired}");
        }
    }

    #[test]
    fn structure_started_on_a_part_waits_for_the_next_one() {
        let (mut belt, mut eye) = (Belt::new(labelled), eye(STRUCTURE));
        let fired: Vec<_> = (0..120)
            .filter(|i| eye.see(&belt.frame(&[65.0 - *i as f32 * 2.0, 165.0 - *i as f32 * 2.0])))
            .collect();
        assert_eq!(fired.len(), 1, "{fired:?}");
        assert!(
            (40..48).contains(&fired[0]),
            "the second part reaches the band at frame 40, fired at {fired:?}"
        );
    }

    #[test]
    fn shade_started_on_a_part_finds_the_belt_again() {
        let (mut belt, mut eye) = (Belt::new(bright), eye(Sense::default()));
        let mut fired = Vec::new();
        for i in 0..600 {
            let leads: Vec<_> = (0..12).map(|part| 65.0 + part as f32 * 100.0 - i as f32 * 2.0).collect();
            if eye.see(&belt.frame(&leads)) {
                fired.push(i);
            }
        }
        // Part n's leading edge reaches the band at frame 50 n - 9.
        let late: Vec<_> = fired.iter().filter(|i| **i > 180).collect();
        assert_eq!(late.len(), 8, "from the fourth part on each fires once: {fired:?}");
        assert!(late.iter().all(|i| (**i + 10) % 50 < 6), "at its leading edge: {fired:?}");
    }

    #[test]
    fn the_trailing_edge_fires_instead_where_asked() {
        for (sense, mut belt) in both() {
            let mut eye = PhotoEye::new(PhotoEyeConfig { fire_on: FireOn::Leave, ..config(sense) }).unwrap();
            let fired: Vec<_> =
                (0..60).filter(|i| eye.see(&belt.frame(&[140.0 - *i as f32 * 3.0]))).collect();
            // Leading edge at frame 20, trailing edge at 33, the band a little later, then two clear frames.
            assert!(matches!(fired[..], [34..=38]), "{sense:?}: {fired:?}");
        }
    }

    #[test]
    fn a_second_trigger_within_the_shortest_gap_is_held_back() {
        // Frames are 10 ms apart; a part every 80 px at 8 px a frame is one each 100 ms.
        let config = PhotoEyeConfig { min_gap_ms: 150, ..config(Sense::default()) };
        assert_eq!(Belt::new(plain).run(&mut PhotoEye::new(config).unwrap(), 6, 80.0, 8.0), 3);
    }

    #[test]
    fn another_frame_size_sets_the_eye_up_anew_and_a_small_one_gives_nothing() {
        let (mut belt, mut eye) = (Belt::new(plain), eye(Sense::default()));
        assert!(!eye.see(&belt.frame(&[])));
        let big = Image::packed(200, 120, PixelFormat::Gray8, vec![200; 200 * 120]).unwrap();
        assert!(!eye.see(&Frame { image: big, ..belt.frame(&[]) }), "a new size is not a part");
        let small = Image::packed(60, 60, PixelFormat::Gray8, vec![0; 3600]).unwrap();
        assert!(!eye.see(&Frame { image: small, ..belt.frame(&[]) }));
        assert!(eye.fits(160, 120).is_ok());
        let says = eye.fits(60, 60).unwrap_err().to_string();
        assert!(says.contains("60x60") && says.contains("move it inside"), "{says}");
    }

    #[test]
    fn what_cannot_be_is_refused_by_name() {
        let rows: [(&str, &str); 9] = [
            ("line_px = [5, 5, 5, 12]", "at least 16 px apart"),
            ("line_px = [5, 5, nan, 90]", "line_px is"),
            ("line_px = [5, 5, 5, 90]\nband_px = 0", "band_px is 0"),
            ("line_px = [5, 5, 5, 90]\nclear_frames = 0", "clear_frames is 0"),
            ("line_px = [5, 5, 5, 90]\nblock_at = 1.5", "block_at is 1.5"),
            ("line_px = [5, 5, 5, 90]\nclear_at = 0.4", "clear_at is 0.4; expected 0 to 1, below block_at"),
            (
                "line_px = [5, 5, 5, 90]\nsense = { kind = \"structure\", contrast_pct = 0 }",
                "contrast_pct is 0",
            ),
            (
                "line_px = [5, 5, 5, 90]\nsense = { kind = \"shade\", light_drift_pct = 90 }",
                "light_drift_pct is 90",
            ),
            ("line_px = [5, 5, 5, 90]\nclear_at = nan", "clear_at is NaN"),
        ];
        for (text, message) in rows {
            let says = PhotoEye::new(toml::from_str(text).unwrap()).unwrap_err().to_string();
            assert!(says.contains(message), "{text}: {says}");
        }
        for unknown in [
            "line_px = [5,5,5,90]\nlime = 3",
            "line_px = [5,5,5,90]\nsense = { kind = \"shade\", colour = 1 }",
        ] {
            assert!(toml::from_str::<PhotoEyeConfig>(unknown).is_err(), "{unknown}");
        }
    }
}
