//! Uneven light made even: each pixel times its gain.
//!
//! Grey and BGR frames keep the gain until the end: the gain map goes through the region's own geometry once, when the
//! route is planned, and each frame's numbers are multiplied on their way into the tensor, unrounded. (The product of
//! two samples is not quite the sample of the product, but gains differ little from a pixel to the next.)
//! Mosaics are multiplied first, since neighbours of another colour may have another gain.

use crate::error::PreprocessError;
use opencv::{
    core::{CV_8UC1, Mat, Rect, Scalar},
    prelude::*,
};
use plumb_inspection::FlatField;

/// Refuses a flat field of the wrong length, or with a gain that would blacken or blow up a pixel.
pub(crate) fn check(flat: &FlatField) -> Result<(), PreprocessError> {
    let (width, height) = (flat.width, flat.height);
    if flat.gain.is_empty() || flat.gain.len() != width as usize * height as usize {
        return Err(PreprocessError::FlatFieldLength { width, height, got: flat.gain.len() });
    }
    match flat.gain.iter().position(|gain| !(gain.is_finite() && *gain > 0.0)) {
        Some(at) => Err(PreprocessError::FlatFieldGain {
            x: at % width as usize,
            y: at / width as usize,
            gain: flat.gain[at],
        }),
        None => Ok(()),
    }
}

/// The gains as `geometry` shows them in a tensor's content: row by row, each `per_px` times over.
pub(crate) fn through(
    flat: &FlatField,
    source: Rect,
    per_px: usize,
    geometry: impl FnOnce(&Mat, &mut Mat) -> opencv::Result<()>,
) -> opencv::Result<Vec<f32>> {
    let gains = Mat::new_rows_cols_with_data(flat.height as i32, flat.width as i32, &flat.gain)?;
    let (mut there, mut here) = (Mat::default(), Mat::default());
    Mat::roi(&gains, source)?.copy_to(&mut there)?;
    geometry(&there, &mut here)?;
    Ok(here.data_typed::<f32>()?.iter().flat_map(|&gain| std::iter::repeat_n(gain, per_px)).collect())
}

/// A mosaic made even before its colours are read, rounded to bytes.
pub(crate) struct EvenMosaic {
    gains: Vec<f32>,
    even: Mat,
}

impl EvenMosaic {
    /// For the pixels of `source`.
    pub(crate) fn new(flat: &FlatField, source: Rect) -> opencv::Result<Self> {
        let (x, width) = (source.x as usize, source.width as usize);
        let rows = source.y as usize..(source.y + source.height) as usize;
        let starts = rows.map(|y| y * flat.width as usize + x);
        let gains = starts.flat_map(|start| flat.gain[start..start + width].iter().copied()).collect();
        let even = Mat::new_size_with_default(source.size(), CV_8UC1, Scalar::default())?;
        Ok(Self { gains, even })
    }

    /// `mosaic`, of the size planned for, times its gains.
    pub(crate) fn apply(&mut self, mosaic: &impl MatTraitConst) -> opencv::Result<&Mat> {
        let width = self.even.cols() as usize;
        for (y, gains) in (0..).zip(self.gains.chunks_exact(width)) {
            brighten(self.even.at_row_mut::<u8>(y)?, mosaic.at_row::<u8>(y)?, gains);
        }
        Ok(&self.even)
    }
}

/// One row of bytes times its gains, rounded to the nearest byte.
pub(crate) fn brighten(out: &mut [u8], row: &[u8], gains: &[f32]) {
    // Beside 1.5 × 2²³ a float has no room for fractions: the sum rounds, and its lowest byte is the whole number. A cast
    // would do the same, one pixel at a time; this the compiler does for a vector at once.
    const NO_FRACTIONS: f32 = 12_582_912.0;
    for ((out, &value), &gain) in out.iter_mut().zip(row).zip(gains) {
        *out = ((f32::from(value) * gain).min(255.0) + NO_FRACTIONS).to_bits() as u8;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gain_rounds_to_the_nearest_byte_and_stops_at_white() {
        let mut out = [0; 4];
        brighten(&mut out, &[100, 100, 200, 0], &[1.004, 1.006, 2.0, 9.0]);
        assert_eq!(out, [100, 101, 255, 0]);
    }

    #[test]
    fn a_flat_field_that_is_none_is_refused_at_the_pixel() {
        let flat = |gain: Vec<f32>| FlatField { width: 3, height: 2, gain: gain.into() };
        assert!(check(&flat(vec![1.0; 6])).is_ok());
        assert!(matches!(check(&flat(vec![1.0; 5])), Err(PreprocessError::FlatFieldLength { got: 5, .. })));
        for bad in [0.0, -1.0, f32::NAN, f32::INFINITY] {
            let mut gain = vec![1.0; 6];
            gain[4] = bad;
            assert!(
                matches!(check(&flat(gain)), Err(PreprocessError::FlatFieldGain { x: 1, y: 1, .. })),
                "{bad}"
            );
        }
    }
}
