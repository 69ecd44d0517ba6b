//! Which whole pixels of the frame a region covers.

use opencv::core::{Rect, Size};
use plumb_inspection::RectPx;

/// The whole pixels nearest to `rect_px`; `None` takes the whole frame.
///
/// A region drawn at fractions of a pixel moves by at most half a one; [`crate::fit`] reckons with the pixels taken,
/// so findings are placed exactly all the same. `None` where the region does not lie wholly inside the frame: what
/// a camera does not show cannot be judged.
pub(crate) fn whole_px(rect_px: Option<RectPx>, frame: Size) -> Option<Rect> {
    let Some(wanted) = rect_px else {
        return Some(Rect::new(0, 0, frame.width, frame.height));
    };
    let (x0, y0) = (edge(wanted.x), edge(wanted.y));
    let (x1, y1) = (edge(wanted.right()), edge(wanted.bottom()));
    let inside = x0 >= 0 && y0 >= 0 && x1 <= i64::from(frame.width) && y1 <= i64::from(frame.height);
    let rect = Rect::new(x0 as i32, y0 as i32, (x1 - x0) as i32, (y1 - y0) as i32);
    (inside && x1 > x0 && y1 > y0).then_some(rect)
}

/// True if no frame at all could show this region: it has no size, or is no number.
pub(crate) fn is_empty(rect_px: RectPx) -> bool {
    let RectPx { x, y, w, h } = rect_px;
    ![x, y, w, h].iter().all(|v| v.is_finite())
        || edge(rect_px.right()) <= edge(x)
        || edge(rect_px.bottom()) <= edge(y)
}

fn edge(at: f32) -> i64 {
    at.round() as i64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_region_is_inside_or_refused() {
        let frame = Size::new(100, 50);
        let table = [
            ([0.0, 0.0, 100.0, 50.0], Some((0, 0, 100, 50))),
            ([-0.4, 0.0, 10.0, 10.0], Some((0, 0, 10, 10))),
            ([10.6, 20.4, 9.9, 9.9], Some((11, 20, 10, 10))),
            ([-1.0, 0.0, 10.0, 10.0], None),
            ([95.0, 0.0, 6.0, 10.0], None),
            ([0.0, 60.0, 5.0, 5.0], None),
            ([1e30, 0.0, 5.0, 5.0], None),
        ];
        for (rect, wanted) in table {
            let got = whole_px(Some(rect.into()), frame).map(|r| (r.x, r.y, r.width, r.height));
            assert_eq!(got, wanted, "{rect:?}");
        }
    }

    #[test]
    fn no_size_and_no_number_are_no_region() {
        for rect in
            [[0.0, 0.0, 0.0, 9.0], [5.0, 5.0, -1.0, 9.0], [0.0, f32::NAN, 9.0, 9.0], [0.0, 0.0, 0.4, 9.0]]
        {
            assert!(is_empty(rect.into()), "{rect:?}");
        }
        assert!(!is_empty([0.4, 0.0, 0.4, 9.0].into()), "rounds to the pixel it mostly covers");
    }
}
