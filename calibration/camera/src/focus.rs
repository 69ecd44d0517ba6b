//! Focus: how sharp the picture is now against the sharpest so far, in the whole and in each quarter.
//!
//! Sharpness has no unit: it depends on what is looked at. So it is compared with itself only, while somebody turns the
//! focus ring; a quarter that is sharpest at another moment than its neighbours shows that camera and part are tilted.

use crate::{CameraError, error::opencv, picture::Picture};
use opencv::{
    core::{CV_32F, Mat, Rect, Size, no_array},
    imgproc,
    prelude::*,
};
use serde::{Deserialize, Serialize};

/// The quarters in words, in the order of [`Sharpness::quadrants`].
pub const QUADRANTS: [&str; 4] = ["top left", "top right", "bottom left", "bottom right"];

/// A quarter below this share of its best, where another is at its best, shows tilt.
const TILT_SHARE: f64 = 0.85;

/// Energy of the Laplacian over the squared mean brightness: the variance of the Laplacian after a Gaussian of 1 px that
/// takes the noise out, so that brighter light does not look like better focus (Pech-Pacheco et al., ICPR 2000).
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Sharpness {
    /// Of the whole picture.
    pub whole: f64,
    /// Of its quarters, as [`QUADRANTS`].
    pub quadrants: [f64; 4],
}

impl Sharpness {
    /// Of a picture.
    ///
    /// # Errors
    /// When it is smaller than 8 px, or OpenCV fails.
    pub fn of(picture: &Picture) -> Result<Self, CameraError> {
        let [width, height] = picture.size_px();
        if width.min(height) < 8 {
            let says = format!("it has {width}x{height} px; sharpness needs 8 a side");
            return Err(CameraError::NoTarget { picture: picture.name.clone(), says });
        }
        let grey = picture.grey()?;
        let doing = opencv("looked at the sharpness");
        let (mut calm, mut edges) = (Mat::default(), Mat::default());
        imgproc::gaussian_blur_def(&grey, &mut calm, Size::new(0, 0), 1.0).map_err(&doing)?;
        imgproc::laplacian_def(&calm, &mut edges, CV_32F).map_err(&doing)?;
        let (w, h) = (grey.cols(), grey.rows());
        let of = |rect: Rect| -> opencv::Result<f64> {
            let (mut mean, mut deviation) = (Mat::default(), Mat::default());
            opencv::core::mean_std_dev(&Mat::roi(&edges, rect)?, &mut mean, &mut deviation, &no_array())?;
            let brightness = opencv::core::mean_def(&Mat::roi(&grey, rect)?)?[0].max(1.0);
            Ok((*deviation.at::<f64>(0)? / brightness).powi(2))
        };
        let quarter = |index: i32| {
            let (x, y) = (index % 2 * (w / 2), index / 2 * (h / 2));
            of(Rect::new(
                x,
                y,
                if x == 0 { w / 2 } else { w - w / 2 },
                if y == 0 { h / 2 } else { h - h / 2 },
            ))
        };
        let quadrants = [quarter(0), quarter(1), quarter(2), quarter(3)];
        let [a, b, c, d] = quadrants.map(|quarter| quarter.map_err(&doing));
        Ok(Self { whole: of(Rect::new(0, 0, w, h)).map_err(&doing)?, quadrants: [a?, b?, c?, d?] })
    }
}

/// Sharpness now beside the best so far.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FocusNow {
    /// The picture.
    pub picture: String,
    /// Now.
    pub now: Sharpness,
    /// Best so far, this one among them; each quarter its own.
    pub best: Sharpness,
    /// Now over best, in percent: of the whole.
    pub percent: f64,
    /// Now over best, in percent: of each quarter.
    pub quadrants_percent: [f64; 4],
    /// What tilt it shows, in a sentence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tilt: Option<String>,
}

/// Remembers the best while pictures come.
#[derive(Clone, Debug, Default)]
pub struct FocusTracker {
    best: Sharpness,
    pictures: usize,
}

impl FocusTracker {
    /// Goes on from a best that was reached before.
    pub fn from_best(best: Sharpness) -> Self {
        Self { best, pictures: 1 }
    }

    /// Looks at the next picture.
    ///
    /// # Errors
    /// As [`Sharpness::of`].
    pub fn look(&mut self, picture: &Picture) -> Result<FocusNow, CameraError> {
        let now = Sharpness::of(picture)?;
        self.pictures += 1;
        let best = &mut self.best;
        best.whole = best.whole.max(now.whole);
        for (best, now) in best.quadrants.iter_mut().zip(now.quadrants) {
            *best = best.max(now);
        }
        let percent = |now: f64, best: f64| if best > 0.0 { now / best * 100.0 } else { 0.0 };
        let quadrants_percent =
            std::array::from_fn(|index| percent(now.quadrants[index], self.best.quadrants[index]));
        let tilt = (self.pictures > 1).then(|| tilt(&quadrants_percent)).flatten();
        Ok(FocusNow {
            picture: picture.name.clone(),
            now,
            best: self.best,
            percent: percent(now.whole, self.best.whole),
            quadrants_percent,
            tilt,
        })
    }

    /// The best so far.
    pub fn best(&self) -> Sharpness {
        self.best
    }
}

fn tilt(quadrants_percent: &[f64; 4]) -> Option<String> {
    let order = |better: fn(f64, f64) -> bool| {
        (0..4).reduce(|a, b| if better(quadrants_percent[b], quadrants_percent[a]) { b } else { a })
    };
    let (sharp, soft) = (order(|a, b| a > b)?, order(|a, b| a < b)?);
    let (most, least) = (quadrants_percent[sharp], quadrants_percent[soft]);
    (most > 97.0 && least < most * TILT_SHARE).then(|| {
        format!(
            "{} is at {most:.0} % of its best while {} is at {least:.0} %: camera and part are tilted to each other",
            QUADRANTS[sharp], QUADRANTS[soft]
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use plumb_inspection::{Image, PixelFormat};

    /// Stripes, each quarter blurred by its own number of px.
    fn picture(name: &str, blur: [f64; 4], bright: f64) -> Picture {
        let bytes = (0..128_u32 * 128)
            .map(|at| {
                let (x, y) = (at % 128, at / 128);
                let blur = blur[(y / 64 * 2 + x / 64) as usize];
                let phase = (f64::from(x) / 16.0 * std::f64::consts::TAU).sin();
                (bright * (0.5 + 0.4 * (phase * 4.0 / (1.0 + blur)).clamp(-1.0, 1.0))).round() as u8
            })
            .collect();
        let image = Image::packed(128, 128, PixelFormat::Gray8, bytes).expect("a picture");
        Picture::of_frame(name, &image)
    }

    #[test]
    fn sharpness_rises_to_the_focus_falls_behind_it_and_the_best_is_kept() {
        let mut tracker = FocusTracker::default();
        let percents: Vec<f64> = [6.0, 3.0, 0.0, 3.0, 6.0]
            .iter()
            .map(|blur| tracker.look(&picture("p", [*blur; 4], 200.0)).expect("a look").percent)
            .collect();
        assert_eq!(percents[..3], [100.0; 3], "each is the best so far");
        assert!(percents[3] < 90.0 && percents[4] < percents[3], "{percents:?}");
        let dim = tracker.look(&picture("p", [0.0; 4], 100.0)).expect("a look");
        assert!((dim.percent - 100.0).abs() < 6.0, "half the light is not half the focus: {}", dim.percent);
    }

    #[test]
    fn a_quarter_that_is_sharp_at_another_moment_shows_tilt() {
        let mut tracker = FocusTracker::default();
        tracker.look(&picture("1", [0.0, 4.0, 0.0, 4.0], 200.0)).expect("a look");
        let now = tracker.look(&picture("2", [4.0, 0.0, 4.0, 0.0], 200.0)).expect("a look");
        let says = now.tilt.expect("left and right are never sharp together");
        assert!(says.contains("right is at 100 %") && says.contains("left is at"), "{says}");
        let mut level = FocusTracker::default();
        level.look(&picture("1", [4.0; 4], 200.0)).expect("a look");
        assert_eq!(level.look(&picture("2", [0.0; 4], 200.0)).expect("a look").tilt, None);
    }
}
