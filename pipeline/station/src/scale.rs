//! What a camera's px are in mm at a moment, and why that does not count as calibrated, where it does not.

use crate::config::{CalibrationPlan, CameraPlan};
use jiff::Timestamp;
use plumb_inspection::Frame;
use plumb_preprocess::{Plane, Scale};

/// One camera's scale, as its preprocess thread holds it.
#[derive(Clone, Debug, Default)]
pub struct CameraScale {
    plane: Option<Plane>,
    by_hand: bool,
    calibration: Option<CalibrationPlan>,
}

impl CameraScale {
    /// As the config says.
    pub fn of(camera: &CameraPlan) -> Self {
        let u = camera.mm_per_px_u;
        let plane = camera.mm_per_px.map(|mm_per_px| Plane { mm_per_px, u_relative: u.unwrap_or(0.0) });
        Self { plane, by_hand: u.is_none(), calibration: camera.calibration.clone() }
    }

    /// For one frame. Of frames of another size than the calibration's nothing in it is true, so they are measured in px. A
    /// calibration that has expired or is of another camera is gone on with where the config says so, and marked.
    pub fn at(&self, frame: &Frame) -> Scale {
        let now = Timestamp::try_from(frame.at.wall).unwrap_or(Timestamp::MAX); // beyond the year 9999 it has expired
        let size_px = [frame.image.width(), frame.image.height()];
        let unfit = self.calibration.as_ref().and_then(|calibration| calibration.uncalibrated(now, size_px));
        let of_this_size = self.calibration.as_ref().is_none_or(|calibration| calibration.size_px == size_px);
        let known = self.plane.filter(|_| of_this_size);
        let why = || match self.plane {
            None => Some("the camera has no scale".to_owned()),
            Some(_) if self.by_hand => {
                Some("the scale was set by hand, and nobody knows how well".to_owned())
            }
            Some(_) => None,
        };
        Scale { known, uncalibrated: unfit.map(|unfit| format!("its calibration {unfit}")).or_else(why) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use plumb_inspection::{Image, MmPerPx, PixelFormat, Stamp};

    fn frame(width: u32) -> Frame {
        let image =
            Image::packed(width, 4, PixelFormat::Gray8, vec![0; width as usize * 4]).expect("as many");
        Frame { camera: "top".into(), seq: 1, camera_frame_id: None, at: Stamp::now(), image }
    }

    #[test]
    fn only_a_calibration_that_holds_makes_mm_that_count() {
        let plane = Plane { mm_per_px: MmPerPx { x: 0.1, y: 0.1 }, u_relative: 0.001 };
        let fit = CalibrationPlan {
            file: "top.toml".into(),
            digest: "d".into(),
            size_px: [8, 4],
            expires_at: None,
            unfit: None,
        };
        let calibrated = CameraScale { plane: Some(plane), by_hand: false, calibration: Some(fit.clone()) };
        assert_eq!(calibrated.at(&frame(8)), Scale { known: Some(plane), uncalibrated: None });
        let other = calibrated.at(&frame(6));
        assert_eq!(other.known, None, "of another size nothing is true");
        assert!(other.uncalibrated.is_some_and(|why| why.contains("8x4")));
        let past = Some("2020-01-01T00:00:00Z".parse().expect("a time"));
        let expired = CalibrationPlan { expires_at: past, ..fit };
        let expired = CameraScale { calibration: Some(expired), ..calibrated }.at(&frame(8));
        assert_eq!(expired.known, Some(plane), "the config says to go on");
        assert!(expired.uncalibrated.is_some_and(|why| why.contains("expired")));
        let by_hand = CameraScale { plane: Some(plane), by_hand: true, calibration: None }.at(&frame(8));
        assert!(by_hand.known.is_some() && by_hand.uncalibrated.is_some());
        let none = CameraScale::default().at(&frame(8));
        assert!(none.known.is_none() && none.uncalibrated.is_some());
    }
}
