//! The light: how even, how steady, how bright, how white. From pictures of an even white target, and of no light at all.

use crate::{CameraError, error::opencv, picture::Picture, quality::CLIPPED};
use image::{ImageBuffer, Luma};
use opencv::prelude::*;
use plumb_inspection::FlatField;
use serde::{Deserialize, Serialize};

/// A sample this dark or darker is at the bottom of the scale.
const BLACK: u8 = 1;
/// Bands of rows that are watched apart: light that flickers while a rolling shutter reads makes some of them darker.
const BANDS: usize = 16;
/// A white this dark, in grey levels above the dark, drowns in noise.
const WHITE_MIN: f64 = 20.0;

/// What colours to multiply by so that white is white: shares of green.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct WhiteBalance {
    /// Gain of red.
    pub red: f64,
    /// Gain of green: 1.
    pub green: f64,
    /// Gain of blue.
    pub blue: f64,
}

/// What the pictures say of the light.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct LightReport {
    /// White pictures looked at.
    pub white_pictures: usize,
    /// Dark pictures looked at.
    pub dark_pictures: usize,
    /// Mean of the white in grey levels, 0..=255.
    pub white_mean: f64,
    /// Mean without light, in grey levels; absent without dark pictures.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dark_mean: Option<f64>,
    /// Samples of the white that are clipped, in percent.
    pub clipped_percent: f64,
    /// Samples of the white that are black, in percent.
    pub black_percent: f64,
    /// Darkest over brightest of 8 × 8 fields of the view, 0..=1: 1 is even.
    pub evenness: f64,
    /// Largest minus smallest picture mean over their mean, in percent; absent for one picture.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flicker_percent: Option<f64>,
    /// The same of the worst band of rows once the whole picture's change is taken out; absent for one picture.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub banding_percent: Option<f64>,
    /// Noise of a sample from picture to picture in grey levels; absent for one picture.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub noise: Option<f64>,
    /// Absent for grey pictures.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub white_balance: Option<WhiteBalance>,
}

impl LightReport {
    /// What is wrong with the light, and what to do: a sentence each. A flat field of such light would be wrong. Limits in
    /// percent: of clipped samples, and of flicker or banding.
    pub fn findings(&self, clipped_max_percent: f64, flicker_max_percent: f64) -> Vec<String> {
        let over = |what: &str, percent: Option<f64>, most: f64, so: &str| {
            percent
                .filter(|percent| *percent > most)
                .map(|percent| format!("{what} is {percent:.2} %, at most {most} % is allowed; {so}"))
        };
        [
            over("clipping", Some(self.clipped_percent), clipped_max_percent, "expose shorter"),
            over(
                "flicker",
                self.flicker_percent,
                flicker_max_percent,
                "drive the lamp with DC, or expose for whole periods of it",
            ),
            over(
                "banding",
                self.banding_percent,
                flicker_max_percent,
                "the lamp flickers while the rows are read; drive it with DC",
            ),
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}

/// Takes pictures one at a time; holds sums only, so a series may be long.
#[derive(Debug, Default)]
pub struct LightStudy {
    size_px: Option<([u32; 2], String)>,
    white: Sums,
    dark: Sums,
    clipped: u64,
    black: u64,
    /// Mean of each white picture, and of its bands.
    means: Vec<(f64, [f64; BANDS])>,
    colours: [f64; 3],
    coloured: usize,
}

#[derive(Debug, Default)]
struct Sums {
    pictures: usize,
    sum: Vec<f32>,
    squares: Vec<f32>,
}

impl Sums {
    fn add(&mut self, grey: &[u8]) {
        self.sum.resize(grey.len(), 0.0);
        self.squares.resize(grey.len(), 0.0);
        self.pictures += 1;
        for ((&value, sum), square) in grey.iter().zip(&mut self.sum).zip(&mut self.squares) {
            let value = f32::from(value);
            *sum += value;
            *square += value * value;
        }
    }

    fn mean_at(&self, at: usize) -> f64 {
        self.sum.get(at).map_or(0.0, |sum| f64::from(*sum) / self.pictures as f64)
    }

    fn mean(&self) -> f64 {
        self.sum.iter().map(|sum| f64::from(*sum)).sum::<f64>() / (self.sum.len() * self.pictures) as f64
    }

    /// Root of the mean variance over the pictures.
    fn noise(&self) -> Option<f64> {
        let n = self.pictures as f64;
        if self.pictures < 2 {
            return None;
        }
        let variance = |(sum, square): (&f32, &f32)| {
            let mean = f64::from(*sum) / n;
            ((f64::from(*square) / n - mean * mean) * n / (n - 1.0)).max(0.0)
        };
        let all: f64 = self.sum.iter().zip(&self.squares).map(variance).sum();
        Some((all / self.sum.len() as f64).sqrt())
    }
}

impl LightStudy {
    /// Takes a picture of the white target.
    ///
    /// # Errors
    /// When it has another size than the first.
    pub fn add_white(&mut self, picture: &Picture) -> Result<(), CameraError> {
        let (grey, width) = self.grey(picture)?;
        let samples = picture.image.bytes(); // clipping is of the sensor's samples, not of their grey
        self.clipped += share_of(samples, |value| value >= CLIPPED, grey.len());
        self.black += share_of(samples, |value| value <= BLACK, grey.len());
        let rows = grey.len() / width;
        let mut bands = [0.0; BANDS];
        for (index, band) in bands.iter_mut().enumerate() {
            let (first, last) =
                (rows * index / BANDS, (rows * (index + 1) / BANDS).max(rows * index / BANDS + 1));
            *band = mean(&grey[first * width..last.min(rows) * width]);
        }
        self.means.push((mean(&grey), bands));
        if let Some(bgr) = picture.bgr()? {
            let mean = opencv::core::mean_def(&bgr).map_err(opencv("took the mean of the colours"))?;
            (0..3).for_each(|channel| self.colours[channel] += mean[channel]);
            self.coloured += 1;
        }
        self.white.add(&grey);
        Ok(())
    }

    /// Takes a picture without light: lens covered, lamp off.
    ///
    /// # Errors
    /// When it has another size than the first.
    pub fn add_dark(&mut self, picture: &Picture) -> Result<(), CameraError> {
        let (grey, _) = self.grey(picture)?;
        self.dark.add(&grey);
        Ok(())
    }

    fn grey(&mut self, picture: &Picture) -> Result<(Vec<u8>, usize), CameraError> {
        let size_px = picture.size_px();
        let (expected, first) = self.size_px.get_or_insert_with(|| (size_px, picture.name.clone()));
        if size_px != *expected {
            return Err(CameraError::Size {
                picture: picture.name.clone(),
                width: size_px[0],
                height: size_px[1],
                than: first.clone(),
                expected_width: expected[0],
                expected_height: expected[1],
            });
        }
        let grey = picture.grey()?;
        let bytes = grey.data_bytes().map_err(opencv("read the picture's pixels"))?;
        Ok((bytes.to_vec(), size_px[0] as usize))
    }

    /// What all of them say, and the flat field.
    ///
    /// # Errors
    /// Without a white picture, or when the white is hardly brighter than the dark somewhere.
    pub fn finish(&self) -> Result<(LightReport, FlatField), CameraError> {
        let says = |says: String| CameraError::Light { says };
        let Some(([width, height], _)) = &self.size_px else {
            return Err(says("there is no picture".to_owned()));
        };
        if self.white.pictures == 0 {
            return Err(says("there is no picture of the white target".to_owned()));
        }
        let light: Vec<f64> =
            (0..self.white.sum.len()).map(|at| self.white.mean_at(at) - self.dark_at(at)).collect();
        let whole = light.iter().sum::<f64>() / light.len() as f64;
        if whole < WHITE_MIN {
            return Err(says(format!(
                "the white target is {whole:.0} levels above the dark; it must be {WHITE_MIN:.0} at least, better 150 to 220"
            )));
        }
        let darkest = light.iter().copied().fold(f64::MAX, f64::min);
        if darkest < whole * 0.05 {
            return Err(says(format!(
                "a place is {darkest:.1} levels bright where the mean is {whole:.0}: something dark lies on the target, or the view reaches beyond it"
            )));
        }
        let gain = light.iter().map(|light| (whole / light) as f32).collect();
        let samples = (self.white.sum.len() * self.white.pictures) as f64;
        let report = LightReport {
            white_pictures: self.white.pictures,
            dark_pictures: self.dark.pictures,
            white_mean: self.white.mean(),
            dark_mean: (self.dark.pictures > 0).then(|| self.dark.mean()),
            clipped_percent: self.clipped as f64 / samples * 100.0,
            black_percent: self.black as f64 / samples * 100.0,
            evenness: evenness(&light, *width as usize),
            flicker_percent: self.flicker_percent(),
            banding_percent: self.banding_percent(),
            noise: self.white.noise(),
            white_balance: self.white_balance(),
        };
        Ok((report, FlatField { width: *width, height: *height, gain }))
    }

    fn dark_at(&self, at: usize) -> f64 {
        if self.dark.pictures == 0 { 0.0 } else { self.dark.mean_at(at) }
    }

    fn flicker_percent(&self) -> Option<f64> {
        (self.means.len() > 1).then(|| spread_percent(self.means.iter().map(|(mean, _)| *mean)))
    }

    fn banding_percent(&self) -> Option<f64> {
        let of = |band: usize| spread_percent(self.means.iter().map(move |(mean, bands)| bands[band] / mean));
        (self.means.len() > 1).then(|| (0..BANDS).map(of).fold(0.0, f64::max))
    }

    fn white_balance(&self) -> Option<WhiteBalance> {
        let [blue, green, red] = self.colours;
        (self.coloured > 0 && blue > 0.0 && red > 0.0).then(|| WhiteBalance {
            red: green / red,
            green: 1.0,
            blue: green / blue,
        })
    }

    /// White minus dark as 16-bit grey, for the camera's `flat_field`.
    pub fn flat_picture(&self) -> Option<ImageBuffer<Luma<u16>, Vec<u16>>> {
        self.picture(|at| self.white.mean_at(at) - self.dark_at(at))
    }

    /// The dark as 16-bit grey; `None` without dark pictures.
    pub fn dark_picture(&self) -> Option<ImageBuffer<Luma<u16>, Vec<u16>>> {
        if self.dark.pictures == 0 { None } else { self.picture(|at| self.dark.mean_at(at)) }
    }

    fn picture(&self, level: impl Fn(usize) -> f64) -> Option<ImageBuffer<Luma<u16>, Vec<u16>>> {
        let ([width, height], _) = self.size_px.as_ref()?;
        let len = *width as usize * *height as usize;
        let levels = (0..len).map(|at| (level(at) * 257.0).round().clamp(0.0, 65_535.0) as u16).collect();
        ImageBuffer::from_raw(*width, *height, levels)
    }
}

fn mean(samples: &[u8]) -> f64 {
    samples.iter().map(|value| f64::from(*value)).sum::<f64>() / samples.len().max(1) as f64
}

/// How many of `px` pixels have a sample that is `so`, reckoned from all samples.
fn share_of(samples: &[u8], so: impl Fn(u8) -> bool, px: usize) -> u64 {
    let count = samples.iter().filter(|value| so(**value)).count();
    (count as f64 * px as f64 / samples.len().max(1) as f64).round() as u64
}

fn spread_percent(values: impl Iterator<Item = f64> + Clone) -> f64 {
    let (lo, hi) = values.clone().fold((f64::MAX, f64::MIN), |(lo, hi), v| (lo.min(v), hi.max(v)));
    let (sum, n) = values.fold((0.0, 0.0), |(sum, n), v| (sum + v, n + 1.0));
    if sum > 0.0 { (hi - lo) / (sum / n) * 100.0 } else { 0.0 }
}

/// Darkest over brightest of 8 × 8 fields.
fn evenness(light: &[f64], width: usize) -> f64 {
    const FIELDS: usize = 8;
    let height = light.len() / width;
    let (mut sums, mut counts) = ([0.0; FIELDS * FIELDS], [0_u32; FIELDS * FIELDS]);
    for (at, value) in light.iter().enumerate() {
        let (x, y) = (at % width * FIELDS / width, at / width * FIELDS / height);
        sums[y * FIELDS + x] += value;
        counts[y * FIELDS + x] += 1;
    }
    let means = sums.iter().zip(counts).filter(|(_, n)| *n > 0).map(|(sum, n)| sum / f64::from(n));
    let (lo, hi) = means.fold((f64::MAX, f64::MIN), |(lo, hi), v| (lo.min(v), hi.max(v)));
    if hi > 0.0 { lo / hi } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use plumb_inspection::{Image, PixelFormat};

    fn grey(name: &str, level: impl Fn(u32, u32) -> f64) -> Picture {
        let (width, height) = (64, 48);
        let bytes = (0..width * height).map(|at| level(at % width, at / width).round() as u8).collect();
        Picture::of_frame(name, &Image::packed(width, height, PixelFormat::Gray8, bytes).expect("a picture"))
    }

    #[test]
    fn a_known_vignette_is_what_the_gains_undo() {
        let vignette = |x: u32, y: u32| {
            let (dx, dy) = (f64::from(x) - 31.5, f64::from(y) - 23.5);
            1.0 - 0.4 * (dx * dx + dy * dy) / (31.5 * 31.5 + 23.5 * 23.5)
        };
        let mut study = LightStudy::default();
        study.add_dark(&grey("dark", |_, _| 10.0)).expect("taken");
        study.add_white(&grey("white", |x, y| 10.0 + 200.0 * vignette(x, y))).expect("taken");
        let (report, flat) = study.finish().expect("a flat field");
        let even: Vec<f64> = (0..64 * 48)
            .map(|at| f64::from(flat.gain[at]) * vignette(at as u32 % 64, at as u32 / 64))
            .collect();
        let mean = even.iter().sum::<f64>() / even.len() as f64;
        assert!(even.iter().all(|v| (v / mean - 1.0).abs() < 0.006), "even to the rounding of a level");
        assert!((report.evenness - 0.68).abs() < 0.06 && report.dark_mean == Some(10.0), "{report:?}");
        assert_eq!((report.flicker_percent, report.clipped_percent), (None, 0.0));
    }

    #[test]
    fn flicker_banding_and_clipping_are_told_apart() {
        let mut steady = LightStudy::default();
        let mut flickers = LightStudy::default();
        let mut bands = LightStudy::default();
        for index in 0..10_u32 {
            let phase = if index % 2 == 0 { 1.0 } else { -1.0 };
            steady.add_white(&grey("s", |x, y| 180.0 + f64::from((x + y + index) % 2))).expect("taken");
            flickers.add_white(&grey("f", |_, _| 180.0 + 9.0 * phase)).expect("taken");
            let wave = |y: u32| 1.0 + 0.05 * phase * (f64::from(y) / 48.0 * std::f64::consts::TAU).sin();
            bands.add_white(&grey("b", |_, y| 180.0 * wave(y))).expect("taken");
        }
        let of = |study: &LightStudy| study.finish().expect("a report").0;
        assert!(of(&steady).flicker_percent.expect("a series") < 0.01);
        assert!((of(&flickers).flicker_percent.expect("a series") - 10.0).abs() < 0.1, "{:?}", of(&flickers));
        assert!(of(&flickers).banding_percent.expect("a series") < 0.1);
        assert!(
            of(&bands).flicker_percent.expect("a series") < 0.5
                && of(&bands).banding_percent.expect("a series") > 8.0
        );
        let mut clipped = LightStudy::default();
        clipped.add_white(&grey("c", |x, _| if x < 16 { 255.0 } else { 200.0 })).expect("taken");
        assert!((of(&clipped).clipped_percent - 25.0).abs() < 0.01);
    }

    #[test]
    fn white_balance_is_what_makes_the_white_white() {
        let bytes = [100_u8, 200, 160].repeat(64 * 48);
        let image = Image::packed(64, 48, PixelFormat::Bgr8, bytes).expect("a picture");
        let mut study = LightStudy::default();
        study.add_white(&Picture::of_frame("white", &image)).expect("taken");
        let balance = study.finish().expect("a report").0.white_balance.expect("colour");
        assert!((balance.blue - 2.0).abs() < 1e-9 && (balance.red - 1.25).abs() < 1e-9, "{balance:?}");
    }

    #[test]
    fn darkness_and_another_size_are_refused_by_name() {
        let mut study = LightStudy::default();
        study.add_white(&grey("black.png", |_, _| 3.0)).expect("taken");
        let told = study.finish().expect_err("too dark").to_string();
        assert!(told.contains("3 levels above the dark"), "{told}");
        let small = Image::packed(8, 8, PixelFormat::Gray8, vec![200; 64]).expect("a picture");
        let told =
            study.add_white(&Picture::of_frame("small.png", &small)).expect_err("another size").to_string();
        assert!(told.contains("small.png has 8x8 px, black.png has 64x48"), "{told}");
    }
}
