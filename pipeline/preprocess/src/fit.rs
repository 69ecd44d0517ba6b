//! How a region of one shape becomes a tensor of another, and the way back for what is found in it.

use opencv::core::{Point, Rect, Size};
use plumb_inspection::{Affine, Fit, Placement, RectPx, TensorSpec};

/// What of a region is shown, and where in the tensor. Whole pixels on both sides, so that the way back is exact.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Fitted {
    /// Shown, in (undistorted) frame px.
    pub(crate) used: Rect,
    /// Where it is shown, in tensor px; all around it is padding.
    pub(crate) content: Rect,
    /// The whole tensor, in px.
    pub(crate) tensor: Size,
}

impl Fitted {
    /// Fits `region` into what `spec` wants. No side of either may be 0.
    pub(crate) fn new(region: Rect, spec: &TensorSpec) -> Self {
        let tensor = Size::new(spec.width as i32, spec.height as i32);
        let whole = Rect::from_point_size(Point::new(0, 0), tensor);
        match spec.fit {
            Fit::Stretch => Self { used: region, content: whole, tensor },
            Fit::Letterbox { .. } => Self { used: region, content: centred(region.size(), whole), tensor },
            Fit::Crop => Self { used: centred(tensor, region), content: whole, tensor },
        }
    }

    /// How many frame px one tensor px spans, along x and y.
    pub(crate) fn scale(&self) -> (f64, f64) {
        let (used, content) = (self.used, self.content);
        (f64::from(used.width) / f64::from(content.width), f64::from(used.height) / f64::from(content.height))
    }

    /// Content px → (undistorted) frame px.
    pub(crate) fn frame_from_content(&self) -> Affine {
        let (sx, sy) = self.scale();
        Affine::scale_then_move(sx, sy, f64::from(self.used.x), f64::from(self.used.y))
    }

    /// Tensor px → frame px, exact for the whole pixels taken.
    pub(crate) fn placement(&self) -> Placement {
        let (sx, sy) = self.scale();
        let tx = f64::from(self.used.x) - f64::from(self.content.x) * sx;
        let ty = f64::from(self.used.y) - f64::from(self.content.y) * sy;
        let Rect { x, y, width, height } = self.content;
        Placement {
            frame_from_tensor: Affine::scale_then_move(sx, sy, tx, ty),
            content_px: RectPx::from([x as f32, y as f32, width as f32, height as f32]),
        }
    }
}

/// The largest rectangle of the proportions of `shape` in the middle of `room`, in whole px and at least one of them.
fn centred(shape: Size, room: Rect) -> Rect {
    let (sw, sh) = (f64::from(shape.width), f64::from(shape.height));
    let scale = (f64::from(room.width) / sw).min(f64::from(room.height) / sh);
    let side = |length: f64, room: i32| ((length * scale).round() as i32).clamp(1, room);
    let (width, height) = (side(sw, room.width), side(sh, room.height));
    Rect::new(room.x + (room.width - width) / 2, room.y + (room.height - height) / 2, width, height)
}

#[cfg(test)]
mod tests {
    use super::*;
    use plumb_inspection::{ColourOrder, Element, Layout, PointPx};

    fn spec(width: u32, height: u32, fit: Fit) -> TensorSpec {
        TensorSpec {
            width,
            height,
            colour: ColourOrder::Rgb,
            layout: Layout::Nchw,
            element: Element::F32,
            fit,
            scale: 1.0,
            mean: vec![],
            std: vec![],
        }
    }

    #[test]
    fn a_letterbox_keeps_all_and_a_crop_fills_all() {
        let frame = Rect::new(0, 0, 1280, 720);
        let boxed = Fitted::new(frame, &spec(640, 640, Fit::Letterbox { pad: 114 }));
        assert_eq!((boxed.used, boxed.content), (frame, Rect::new(0, 140, 640, 360)));
        let cropped = Fitted::new(frame, &spec(640, 640, Fit::Crop));
        assert_eq!((cropped.used, cropped.content), (Rect::new(280, 0, 720, 720), Rect::new(0, 0, 640, 640)));
        let sliver = Fitted::new(Rect::new(5, 5, 2000, 1), &spec(64, 64, Fit::Letterbox { pad: 0 }));
        assert_eq!(sliver.content, Rect::new(0, 31, 64, 1), "never thinner than a pixel");
    }

    #[test]
    fn the_corners_of_the_content_are_the_corners_of_what_is_used() {
        for fit in [Fit::Letterbox { pad: 0 }, Fit::Stretch, Fit::Crop] {
            let fitted = Fitted::new(Rect::new(33, 7, 217, 101), &spec(96, 128, fit));
            let placement = fitted.placement();
            let (c, u) = (fitted.content, fitted.used);
            let near = |tensor: (i32, i32), frame: (i32, i32)| {
                let p = placement.point(PointPx { x: tensor.0 as f32, y: tensor.1 as f32 });
                assert!(
                    (p.x - frame.0 as f32).abs() < 1e-3 && (p.y - frame.1 as f32).abs() < 1e-3,
                    "{fit:?}"
                );
            };
            near((c.x, c.y), (u.x, u.y));
            near((c.x + c.width, c.y + c.height), (u.x + u.width, u.y + u.height));
        }
    }
}
