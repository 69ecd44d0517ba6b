//! Mosaics: reading one region's colours without touching the rest of the frame.

use opencv::{
    core::{Rect, Size},
    imgproc::{
        COLOR_BayerBG2BGR, COLOR_BayerBG2GRAY, COLOR_BayerGB2BGR, COLOR_BayerGB2GRAY, COLOR_BayerGR2BGR,
        COLOR_BayerGR2GRAY, COLOR_BayerRG2BGR, COLOR_BayerRG2GRAY,
    },
};
use plumb_inspection::PixelFormat;

/// The smallest side a mosaic can be read at: below it OpenCV leaves every pixel black.
pub(crate) const SIDE_MIN_PX: u32 = 3;

/// OpenCV's conversion for this mosaic, to grey or to BGR; `None` where there is no mosaic.
///
/// OpenCV names a mosaic by the second and third pixel of its *second* row: RGGB is its "BG".
pub(crate) fn conversion(format: PixelFormat, to_grey: bool) -> Option<i32> {
    let (bgr, grey) = match format {
        PixelFormat::Gray8 | PixelFormat::Bgr8 => return None,
        PixelFormat::BayerRggb => (COLOR_BayerBG2BGR, COLOR_BayerBG2GRAY),
        PixelFormat::BayerGrbg => (COLOR_BayerGB2BGR, COLOR_BayerGB2GRAY),
        PixelFormat::BayerGbrg => (COLOR_BayerGR2BGR, COLOR_BayerGR2GRAY),
        PixelFormat::BayerBggr => (COLOR_BayerRG2BGR, COLOR_BayerRG2GRAY),
    };
    Some(if to_grey { grey } else { bgr })
}

/// `rect` with the neighbours its colours are reckoned from, starting where the mosaic starts anew, so that a region
/// reads just as the same pixels of the whole frame do.
pub(crate) fn with_neighbours(rect: Rect, frame: Size) -> Rect {
    let lo = |at: i32| (at - 2).max(0) & !1;
    let (x0, y0) = (lo(rect.x), lo(rect.y));
    let x1 = (rect.x + rect.width + 2).min(frame.width);
    let y1 = (rect.y + rect.height + 2).min(frame.height);
    Rect::new(x0, y0, x1 - x0, y1 - y0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_region_starts_on_the_mosaics_first_colour_and_is_never_too_small() {
        let frame = Size::new(31, 31);
        for x in 0..31 {
            let wide = with_neighbours(Rect::new(x, 30 - x, 1, 1), frame);
            assert_eq!((wide.x % 2, wide.y % 2), (0, 0));
            assert!(wide.width >= SIDE_MIN_PX as i32 && wide.height >= SIDE_MIN_PX as i32, "{wide:?}");
            assert!(wide.x + wide.width <= 31 && wide.y + wide.height <= 31);
        }
    }
}
