//! What tells a part from an empty line: that it looks busy, or that it looks unlike the belt.

use serde::{Deserialize, Serialize};

/// Grey levels a difference must have whatever the percentages say: below lies the sensor's noise.
const NOISE_GREY: f32 = 3.0;
/// Share of what is seen by which the background follows a frame without a part.
const FOLLOW: f32 = 1.0 / 16.0;
/// Gains tried between the dimmest and the brightest light allowed for.
const GAINS: usize = 11;
/// Frames without change that make a look worth remembering. Parts show changing faces as they pass, the belt does not.
const STEADY_FRAMES: u32 = 4;
/// How many times more often than the background another look must come back to replace it.
const VOTES: u32 = 3;

/// How the eye tells that its line is blocked.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Sense {
    /// Parts are busy (labels, edges, text) along the line; what is between them is smooth. Learns nothing, so any change of
    /// light or shadow is harmless, and it may start with a part on the line. Blind to plain parts, and blinded by sensor
    /// noise above some 4 grey levels (standard deviation) a pixel at the usual band of 9 px.
    Structure {
        /// Step between neighbouring samples (2 px) that counts as an edge, percent of the line's mean grey.
        #[serde(default = "edge_pct")]
        contrast_pct: f32,
    },
    /// Parts are brighter or darker than the belt. Learns the belt from its first frame: start with the line clear.
    Shade {
        /// Difference from the learnt belt that counts as a part, percent of the belt's mean grey.
        #[serde(default = "shade_pct")]
        contrast_pct: f32,
        /// The light as a whole may differ this much from frame to frame, percent. A part that covers the whole line and
        /// differs from the belt by less is taken for a change of light.
        #[serde(default = "drift_pct")]
        light_drift_pct: f32,
    },
}

fn edge_pct() -> f32 {
    4.0
}
fn shade_pct() -> f32 {
    15.0
}
fn drift_pct() -> f32 {
    15.0
}

impl Default for Sense {
    fn default() -> Self {
        Self::Shade { contrast_pct: shade_pct(), light_drift_pct: drift_pct() }
    }
}

/// A sense, and what it has learnt.
#[derive(Debug)]
pub(super) struct Sensing {
    sense: Sense,
    belt: Vec<f32>,
    before: Vec<f32>,
    steady_frames: u32,
    rival: Option<Rival>,
}

/// A look other than the belt's that keeps coming back: perhaps the true belt, if the eye was started on a part.
#[derive(Debug)]
struct Rival {
    look: Vec<f32>,
    votes: u32,
}

impl Sensing {
    pub(super) fn new(sense: Sense) -> Self {
        Self { sense, belt: Vec::new(), before: Vec::new(), steady_frames: 0, rival: None }
    }

    /// Forgets what was learnt and takes `samples` for the empty line, where the sense needs one.
    pub(super) fn restart(&mut self, samples: &[f32]) {
        *self = Self::new(self.sense);
        if matches!(self.sense, Sense::Shade { .. }) {
            self.belt.extend_from_slice(samples);
            self.before.extend_from_slice(samples);
        }
    }

    /// Share 0..=1 of the line that is blocked.
    pub(super) fn level(&self, samples: &[f32]) -> f32 {
        match self.sense {
            Sense::Structure { contrast_pct } => {
                let step_min = (mean(samples) * contrast_pct / 100.0).max(NOISE_GREY);
                let steps = samples.windows(2).filter(|pair| (pair[1] - pair[0]).abs() > step_min).count();
                steps as f32 / (samples.len() - 1) as f32
            }
            Sense::Shade { light_drift_pct, .. } => {
                unlike(&self.belt, samples, self.tolerance(), light_drift_pct).0
            }
        }
    }

    /// Learns from a frame; `clear` says that no part is on the line, `alike_max` what share of a look may be unlike.
    pub(super) fn learn(&mut self, samples: &[f32], clear: bool, alike_max: f32) {
        let Sense::Shade { light_drift_pct, .. } = self.sense else { return };
        let tolerance = self.tolerance();
        // Finer than the tolerance: a face that glides past changes little from one frame to the next.
        let still = (tolerance / 4.0).max(NOISE_GREY);
        let moved = samples.iter().zip(&self.before).filter(|(a, b)| (*a - *b).abs() > still).count();
        self.steady_frames =
            if moved * 20 > samples.len() { 0 } else { self.steady_frames.saturating_add(1) };
        self.before.copy_from_slice(samples);
        if clear {
            let (_, gain) = unlike(&self.belt, samples, tolerance, light_drift_pct);
            for (belt, &seen) in self.belt.iter_mut().zip(samples) {
                // Only what still looks like belt: a part creeping in must not be learnt edge first.
                if (seen - *belt * gain).abs() <= tolerance {
                    *belt += (seen - *belt) * FOLLOW;
                }
            }
        }
        // One vote a visit, however long it lasts: a stopped belt must not turn the part on the line into background.
        if clear && self.steady_frames == 1 {
            self.rival =
                self.rival.take().filter(|rival| rival.votes > 1).map(|r| Rival { votes: r.votes - 1, ..r });
        } else if !clear && self.steady_frames == STEADY_FRAMES {
            self.vote(samples, tolerance, light_drift_pct, alike_max);
        }
    }

    fn vote(&mut self, samples: &[f32], tolerance: f32, light_drift_pct: f32, alike_max: f32) {
        match &mut self.rival {
            Some(rival) if unlike(&rival.look, samples, tolerance, light_drift_pct).0 <= alike_max => {
                rival.votes += 1;
                if rival.votes >= VOTES {
                    tracing::warn!(
                        "The photo-eye has taken another look for the empty line; was it started on a part?"
                    );
                    self.belt.copy_from_slice(samples);
                    self.rival = None;
                }
            }
            Some(rival) if rival.votes > 1 => rival.votes -= 1,
            rival => *rival = Some(Rival { look: samples.to_vec(), votes: 1 }),
        }
    }

    /// Grey levels by which a sample may differ from the belt.
    fn tolerance(&self) -> f32 {
        match self.sense {
            Sense::Shade { contrast_pct, .. } => (mean(&self.belt) * contrast_pct / 100.0).max(NOISE_GREY),
            Sense::Structure { .. } => NOISE_GREY,
        }
    }
}

/// Share of `samples` that no single gain of the light explains as `belt`, and the gain that explains most.
fn unlike(belt: &[f32], samples: &[f32], tolerance: f32, light_drift_pct: f32) -> (f32, f32) {
    let drift = light_drift_pct / 100.0;
    (0..GAINS)
        .map(|i| {
            let gain = 1.0 - drift + 2.0 * drift * i as f32 / (GAINS - 1) as f32;
            let off = belt.iter().zip(samples).filter(|(b, s)| (*s - *b * gain).abs() > tolerance).count();
            (off as f32 / samples.len() as f32, gain)
        })
        // Of equally good gains the one nearest to 1: a light that did not change must not seem to.
        .min_by(|a, b| a.0.total_cmp(&b.0).then((a.1 - 1.0).abs().total_cmp(&(b.1 - 1.0).abs())))
        .expect("there are gains to try")
}

fn mean(samples: &[f32]) -> f32 {
    samples.iter().sum::<f32>() / samples.len() as f32
}
