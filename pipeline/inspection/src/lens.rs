//! What a calibration says about a camera, as the stages use it. Making one is `calibration/camera`'s work.

use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Pinhole camera with Brown–Conrady distortion, OpenCV's convention.
///
/// `x' = x(1 + k1 r² + k2 r⁴ + k3 r⁶) + 2 p1 xy + p2 (r² + 2x²)` on the normalised plane, likewise y;
/// then `u = fx x' + cx`. Where `rational` is not zero, the first bracket is divided by `1 + k4 r² + k5 r⁴ + k6 r⁶`. Here `cx`, `cy` follow OpenCV: pixel *centres* at whole numbers.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lens {
    /// The frame size the calibration was made at, `[width, height]` in px.
    pub size_px: [u32; 2],
    /// Focal length in px, x.
    pub fx: f64,
    /// Focal length in px, y.
    pub fy: f64,
    /// Principal point, x.
    pub cx: f64,
    /// Principal point, y.
    pub cy: f64,
    /// `[k1, k2, p1, p2, k3]`.
    pub distortion: [f64; 5],
    /// `[k4, k5, k6]` of the rational model; zero for a lens that five numbers describe.
    #[serde(default)]
    pub rational: [f64; 3],
}

impl Lens {
    /// `[k1, k2, p1, p2, k3, k4, k5, k6]`, as OpenCV wants them.
    pub fn coefficients(&self) -> [f64; 8] {
        let ([k1, k2, p1, p2, k3], [k4, k5, k6]) = (self.distortion, self.rational);
        [k1, k2, p1, p2, k3, k4, k5, k6]
    }
}

/// A picture of an even white target: what full light looks like at each pixel.
#[derive(Clone, Debug)]
pub struct FlatField {
    /// Frame width in px.
    pub width: u32,
    /// Frame height in px.
    pub height: u32,
    /// Gain for each pixel, row by row: `mean(white) / white`, 1.0 where the light is as bright as on average.
    pub gain: Arc<[f32]>,
}

/// How many mm of the part's plane one px covers.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(from = "[f64; 2]", into = "[f64; 2]")]
pub struct MmPerPx {
    /// Along x.
    pub x: f64,
    /// Along y.
    pub y: f64,
}

impl From<[f64; 2]> for MmPerPx {
    fn from([x, y]: [f64; 2]) -> Self {
        Self { x, y }
    }
}
impl From<MmPerPx> for [f64; 2] {
    fn from(scale: MmPerPx) -> Self {
        [scale.x, scale.y]
    }
}
