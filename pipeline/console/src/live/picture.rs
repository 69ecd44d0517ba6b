//! A camera's frame made small enough to be sent ten times a second, with what was found in it.

use image::{ExtendedColorType, ImageEncoder, ImageResult, RgbImage, codecs::jpeg::JpegEncoder, imageops};
use jiff::Timestamp;
use plumb_inspection::{CameraId, ClassName, Finding, Frame, Image, PartId, PixelFormat};
use plumb_ledger::RecordVerdict;
use serde::Serialize;
use std::time::Instant;

/// Good enough to judge a scratch by, and a fifth of the bytes of 95.
const QUALITY: u8 = 80;

/// The newest picture of a part that was judged.
#[derive(Clone, Debug, Serialize)]
pub struct LivePicture {
    /// Who took it.
    pub camera: CameraId,
    /// Of which part.
    pub part: PartId,
    /// When the frame arrived, by the station's clock.
    pub at: Timestamp,
    /// What the PLC was told.
    pub verdict: RecordVerdict,
    /// Picture px for one frame px, at most 1.
    pub scale: f32,
    /// Width of the picture, px.
    pub width: u32,
    /// Height of the picture, px.
    pub height: u32,
    /// What was found, in picture px.
    pub boxes: Vec<BoxSeen>,
    /// When the frame arrived, for its age.
    #[serde(skip)]
    pub arrived: Instant,
    /// The picture.
    #[serde(skip)]
    pub jpeg: Vec<u8>,
}

/// A finding, in picture px.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct BoxSeen {
    /// What it is.
    pub class: ClassName,
    /// The model's own score.
    pub score: f32,
    /// `[x, y, w, h]`.
    pub box_px: [f32; 4],
}

impl LivePicture {
    /// Scales `frame` down so that no side is longer than `side_px`, encodes it, and takes `findings` (frame px) along.
    /// Some 5 ms for a megapixel; never to be called on the hot path.
    ///
    /// # Errors
    /// When the picture cannot be encoded: a side longer than JPEG allows.
    pub fn encode<'a>(
        frame: &Frame,
        (part, verdict): (PartId, RecordVerdict),
        findings: impl IntoIterator<Item = &'a Finding>,
        side_px: u32,
    ) -> ImageResult<Self> {
        let full = rgb(&frame.image);
        let scale = (side_px as f32 / full.width().max(full.height()) as f32).min(1.0);
        let small = if scale < 1.0 {
            let side = |px: u32| ((px as f32 * scale).round() as u32).max(1);
            imageops::thumbnail(&full, side(full.width()), side(full.height()))
        } else {
            full
        };
        let mut jpeg = Vec::with_capacity(small.len() / 8);
        let (width, height) = small.dimensions();
        JpegEncoder::new_with_quality(&mut jpeg, QUALITY).write_image(
            &small,
            width,
            height,
            ExtendedColorType::Rgb8,
        )?;
        let scale = width as f32 / frame.image.width() as f32;
        let seen = |finding: &Finding| BoxSeen {
            class: finding.class.clone(),
            score: finding.score.get(),
            box_px: [finding.box_px.x, finding.box_px.y, finding.box_px.w, finding.box_px.h]
                .map(|px| px * scale),
        };
        Ok(Self {
            camera: frame.camera.clone(),
            part,
            at: Timestamp::try_from(frame.at.wall).unwrap_or(Timestamp::UNIX_EPOCH),
            verdict,
            scale,
            width,
            height,
            boxes: findings.into_iter().map(seen).collect(),
            arrived: frame.at.mono,
            jpeg,
        })
    }
}

/// Grey and BGR as they are; of a Bayer mosaic one pixel for each 2 × 2 sites, which is half the size and plenty here.
fn rgb(image: &Image) -> RgbImage {
    let (w, h) = (image.width(), image.height());
    match image.format() {
        PixelFormat::Gray8 => RgbImage::from_fn(w, h, |x, y| {
            let grey = image.row(y)[x as usize];
            [grey; 3].into()
        }),
        PixelFormat::Bgr8 => {
            let mut pixels = Vec::with_capacity(w as usize * h as usize * 3);
            for y in 0..h {
                pixels.extend(image.row(y).chunks_exact(3).flat_map(|bgr| [bgr[2], bgr[1], bgr[0]]));
            }
            RgbImage::from_raw(w, h, pixels).expect("three bytes a pixel were written")
        }
        mosaic => {
            let red_at = match mosaic {
                PixelFormat::BayerRggb => (0, 0),
                PixelFormat::BayerGrbg => (1, 0),
                PixelFormat::BayerGbrg => (0, 1),
                _ => (1, 1),
            };
            RgbImage::from_fn((w / 2).max(1), (h / 2).max(1), |x, y| {
                let site = |dx: u32, dy: u32| {
                    let (x, y) = ((2 * x + dx).min(w - 1), (2 * y + dy).min(h - 1));
                    image.row(y)[x as usize]
                };
                let (rx, ry) = red_at;
                let green = u16::from(site(1 - rx, ry)) + u16::from(site(rx, 1 - ry));
                [site(rx, ry), (green / 2) as u8, site(1 - rx, 1 - ry)].into()
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use plumb_inspection::{RectPx, Score, Stamp};

    fn frame(width: u32, height: u32, format: PixelFormat, pixels: Vec<u8>) -> Frame {
        let image = Image::packed(width, height, format, pixels).expect("as many bytes as pixels");
        Frame { camera: "top".into(), seq: 1, camera_frame_id: None, at: Stamp::now(), image }
    }

    fn scratch() -> Finding {
        Finding {
            class: "scratch".into(),
            score: Score::new(0.9).expect("finite"),
            box_px: RectPx::from([200.0, 100.0, 40.0, 20.0]),
            polygon_px: None,
            keypoints_px: None,
            area_px: 800.0,
            length_mm: None,
            area_mm2: None,
            region: "face".into(),
            model: "surface".into(),
        }
    }

    #[test]
    fn a_large_frame_is_scaled_down_and_its_findings_with_it() {
        let frame = frame(2560, 1920, PixelFormat::Gray8, vec![90; 2560 * 1920]);
        let part = (PartId::FIRST, RecordVerdict::Fail);
        let seen = LivePicture::encode(&frame, part, [&scratch()], 1280).expect("encodes");
        assert_eq!((seen.width, seen.height, seen.scale), (1280, 960, 0.5));
        assert_eq!(seen.boxes[0].box_px, [100.0, 50.0, 20.0, 10.0]);
        let decoded = image::load_from_memory(&seen.jpeg).expect("a JPEG");
        assert_eq!((decoded.width(), decoded.height()), (1280, 960));
    }

    #[test]
    fn colours_come_out_as_the_camera_saw_them() {
        let bgr = frame(16, 16, PixelFormat::Bgr8, [10, 20, 200].repeat(256));
        let mosaic: Vec<u8> =
            (0..32).flat_map(|y| (0..32).map(move |x| [[20, 200], [10, 20]][y % 2][x % 2])).collect();
        let bayer = frame(32, 32, PixelFormat::BayerGrbg, mosaic);
        for frame in [bgr, bayer] {
            let part = (PartId::FIRST, RecordVerdict::Pass);
            let seen = LivePicture::encode(&frame, part, [], 1280).expect("encodes");
            let decoded = image::load_from_memory(&seen.jpeg).expect("a JPEG").to_rgb8();
            let got = decoded.get_pixel(8, 8).0;
            let off = got.iter().zip([200, 20, 10]).map(|(a, b)| a.abs_diff(b)).max();
            assert!(off <= Some(6), "{:?}: {got:?}", frame.image.format());
        }
    }
}
