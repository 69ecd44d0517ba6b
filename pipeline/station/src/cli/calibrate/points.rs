//! Known lengths and sizes, as they are written on the command line.

use plumb_camera::KnownLength;
use std::str::FromStr;

/// `x1,y1,x2,y2,mm`.
#[derive(Clone, Copy, Debug)]
pub(super) struct LengthArgument(pub(super) KnownLength);

impl FromStr for LengthArgument {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let numbers: Option<Vec<f64>> = text.split(',').map(|word| word.trim().parse().ok()).collect();
        match numbers.as_deref() {
            Some(&[x1, y1, x2, y2, mm]) => Ok(Self(KnownLength { from_px: [x1, y1], to_px: [x2, y2], mm })),
            _ => Err("write it as x1,y1,x2,y2,mm: both ends in px, then how long it is".to_owned()),
        }
    }
}

/// `1280x720`.
#[derive(Clone, Copy, Debug)]
pub(super) struct SizeArgument(pub(super) [u32; 2]);

impl FromStr for SizeArgument {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let size = text.split_once('x').and_then(|(w, h)| Some([w.parse().ok()?, h.parse().ok()?]));
        match size {
            Some([w, h]) if w > 0 && h > 0 => Ok(Self([w, h])),
            _ => Err("write it as 1280x720".to_owned()),
        }
    }
}
