//! Undistortion, cropping and scaling as one map: for each pixel of a tensor's content, where on the sensor it lies.

use crate::{error::PreprocessError, sample::PackedMap};
use opencv::{
    calib3d,
    core::{BORDER_CONSTANT, CV_16SC2, CV_32FC1, Mat, Rect, Scalar, Size, ToInputArray},
    imgproc,
    prelude::*,
};
use plumb_inspection::{Affine, Lens};

/// Far enough outside any source that bilinear sampling finds nothing but black there.
const UNSEEN: f32 = -9.0;

/// One remap from the sensor's pixels to a tensor's content.
///
/// Sampled once, bilinear, positions to 1/32 px. What the sensor did not see is black, as `cv::undistort` leaves it.
pub(crate) struct Rectify {
    /// What is read, in px of the frame as the camera gave it. The map counts from its corner.
    pub(crate) source: Rect,
    /// How much of the content the sensor saw, 0..=1.
    pub(crate) seen: f64,
    /// `CV_16SC2`: whole px.
    whole: Mat,
    /// `CV_16UC1`: index of the bilinear weights for the rest.
    rest: Mat,
    /// The same, packed for bytes.
    packed: Option<PackedMap>,
}

impl Rectify {
    /// The map for content of `size` that lies in the undistorted frame as `frame_from_content` says, through `lens`.
    /// `widen` says what must be read so that a rectangle's colours are known. `Ok(None)` where the sensor saw nothing of
    /// it.
    pub(crate) fn new(
        lens: &Lens,
        frame_from_content: &Affine,
        size: Size,
        widen: impl Fn(Rect) -> Rect,
    ) -> opencv::Result<Option<Self>> {
        let Some((mut u, mut v)) = sensor_from_content(lens, frame_from_content, size)? else {
            return Ok(None);
        };
        let (us, vs) = (u.data_typed_mut::<f32>()?, v.data_typed_mut::<f32>()?);
        let [width, height] = lens.size_px.map(|side| side as f32);
        let (mut u0, mut v0, mut u1, mut v1) = (f32::MAX, f32::MAX, f32::MIN, f32::MIN);
        let mut seen = 0_usize;
        for (u, v) in us.iter_mut().zip(vs.iter_mut()) {
            // A pixel's square reaches half a px beyond its centre: its outer half shows the pixel, not a blend with black.
            let on_sensor = *u >= -0.5 && *u <= width - 0.5 && *v >= -0.5 && *v <= height - 0.5;
            if on_sensor {
                (*u, *v) = (u.clamp(0.0, width - 1.0), v.clamp(0.0, height - 1.0));
                (u0, v0, u1, v1) = (u0.min(*u), v0.min(*v), u1.max(*u), v1.max(*v));
                seen += 1;
            } else {
                *u = f32::NAN;
            }
        }
        if seen == 0 {
            return Ok(None);
        }
        let right = (u1 as i32 + 2).min(lens.size_px[0] as i32);
        let bottom = (v1 as i32 + 2).min(lens.size_px[1] as i32);
        let source = widen(Rect::new(u0 as i32, v0 as i32, right - u0 as i32, bottom - v0 as i32));
        for (u, v) in us.iter_mut().zip(vs.iter_mut()) {
            let known = !u.is_nan();
            *u = if known { *u - source.x as f32 } else { UNSEEN };
            *v = if known { *v - source.y as f32 } else { UNSEEN };
        }
        let seen = seen as f64 / us.len() as f64;
        let (mut whole, mut rest) = (Mat::default(), Mat::default());
        imgproc::convert_maps(&u, &v, &mut whole, &mut rest, CV_16SC2, false)?;
        let packed = PackedMap::new(&whole, &rest, source.size())?;
        Ok(Some(Self { source, seen, whole, rest, packed }))
    }

    /// Samples `source`, cut to [`Rectify::source`], into `content`.
    pub(crate) fn apply(
        &self,
        source: &(impl MatTraitConst + ToInputArray),
        content: &mut Mat,
    ) -> opencv::Result<()> {
        if let Some(packed) = &self.packed
            && packed.apply(source, content)?
        {
            return Ok(());
        }
        let (linear, black) = (imgproc::INTER_LINEAR, Scalar::all(0.0));
        imgproc::remap(source, content, &self.whole, &self.rest, linear, BORDER_CONSTANT, black)
    }
}

/// OpenCV's maps `(u, v)`, `CV_32FC1`, pixel centres at whole numbers as OpenCV counts; `Ok(None)` for content of no size.
///
/// Scaling, moving and turning the undistorted picture is the same as looking at it with another camera matrix, so one
/// map does it all.
fn sensor_from_content(
    lens: &Lens,
    frame_from_content: &Affine,
    size: Size,
) -> opencv::Result<Option<(Mat, Mat)>> {
    let Some(content_from_frame) = frame_from_content.inverse() else { return Ok(None) };
    // From px centres of the frame to px centres of the content, as OpenCV counts them.
    let [[a, b, tx], [c, d, ty]] = content_from_frame.rows;
    let (tx, ty) = (tx + (a + b) / 2.0 - 0.5, ty + (c + d) / 2.0 - 0.5);
    let camera = Mat::from_slice_2d(&[[lens.fx, 0.0, lens.cx], [0.0, lens.fy, lens.cy], [0.0, 0.0, 1.0]])?;
    let view = Mat::from_slice_2d(&[
        [a * lens.fx, b * lens.fy, a * lens.cx + b * lens.cy + tx],
        [c * lens.fx, d * lens.fy, c * lens.cx + d * lens.cy + ty],
        [0.0, 0.0, 1.0],
    ])?;
    let coefficients = lens.coefficients();
    let distortion = Mat::from_slice(&coefficients)?;
    let (mut u, mut v) = (Mat::default(), Mat::default());
    let no_turn = Mat::default();
    calib3d::init_undistort_rectify_map(
        &camera,
        &distortion,
        &no_turn,
        &view,
        size,
        CV_32FC1,
        &mut u,
        &mut v,
    )?;
    Ok(Some((u, v)))
}

/// Refuses a lens that cannot be one, or whose distortion is not one-to-one as far as the picture's corners.
pub(crate) fn check(lens: &Lens) -> Result<(), PreprocessError> {
    let [k1, k2, p1, p2, k3, k4, k5, k6] = lens.coefficients();
    let centre = [("cx", lens.cx), ("cy", lens.cy)];
    let plain = [("k1", k1), ("k2", k2), ("p1", p1), ("p2", p2), ("k3", k3)];
    let named = centre.into_iter().chain(plain).chain([("k4", k4), ("k5", k5), ("k6", k6)]);
    if let Some((field, value)) = named.into_iter().find(|(_, value)| !value.is_finite()) {
        return Err(PreprocessError::LensValue { field, value });
    }
    for (field, value) in [("fx", lens.fx), ("fy", lens.fy)] {
        if !(value.is_finite() && value > 0.0) {
            return Err(PreprocessError::LensValue { field, value });
        }
    }
    for (field, side) in [("width", lens.size_px[0]), ("height", lens.size_px[1])] {
        if side == 0 {
            return Err(PreprocessError::LensValue { field, value: 0.0 });
        }
    }
    let [width, height] = lens.size_px.map(f64::from);
    let reach_x = lens.cx.max(width - lens.cx) / lens.fx;
    let reach_y = lens.cy.max(height - lens.cy) / lens.fy;
    let reach = reach_x.hypot(reach_y);
    // The radial part must grow outwards; the tangential part is too small to matter. With r·a/b its slope is
    // (a'·b·r + a·b − a·b'·r)/b², and b must not cross 0 on the way.
    let grows = |r2: f64| {
        let (a, b) = (1.0 + r2 * (k1 + r2 * (k2 + r2 * k3)), 1.0 + r2 * (k4 + r2 * (k5 + r2 * k6)));
        let r_da = r2 * (2.0 * k1 + r2 * (4.0 * k2 + r2 * 6.0 * k3));
        let r_db = r2 * (2.0 * k4 + r2 * (4.0 * k5 + r2 * 6.0 * k6));
        b > 0.0 && (r_da + a) * b - a * r_db > 0.0
    };
    match (1..=200).map(|step| f64::from(step) / 200.0).find(|part| !grows((part * reach).powi(2))) {
        Some(part) => Err(PreprocessError::LensFolds { folds_at_percent: part * 100.0 }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lens() -> Lens {
        Lens {
            size_px: [1280, 720],
            fx: 1152.0,
            fy: 1148.0,
            cx: 675.0,
            cy: 366.0,
            distortion: [-0.248, 0.047, -0.001, 0.0002, -0.157],
            rational: [0.0; 3],
        }
    }

    #[test]
    fn a_real_lens_passes_and_an_impossible_one_is_named() {
        assert!(check(&lens()).is_ok());
        let folding = Lens { distortion: [-0.9, 0.0, 0.0, 0.0, 0.0], ..lens() };
        assert!(matches!(check(&folding), Err(PreprocessError::LensFolds { .. })));
        let torn = Lens { rational: [-4.0, 0.0, 0.0], ..lens() };
        assert!(matches!(check(&torn), Err(PreprocessError::LensFolds { .. })), "its denominator crosses 0");
        let table = [
            (Lens { fx: 0.0, ..lens() }, "fx"),
            (Lens { fy: f64::NAN, ..lens() }, "fy"),
            (Lens { cx: f64::INFINITY, ..lens() }, "cx"),
            (Lens { distortion: [0.0, 0.0, f64::NAN, 0.0, 0.0], ..lens() }, "p1"),
            (Lens { size_px: [1280, 0], ..lens() }, "height"),
        ];
        for (lens, wanted) in table {
            let Err(PreprocessError::LensValue { field, .. }) = check(&lens) else {
                panic!("{wanted} should be refused")
            };
            assert_eq!(field, wanted);
        }
    }
}
