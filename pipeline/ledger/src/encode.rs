//! Camera pixels → the bytes of a picture file.

use crate::{PictureConfig, PictureFormat, demosaic::demosaic};
use image::{
    ExtendedColorType, ImageEncoder, ImageResult,
    codecs::{
        jpeg::JpegEncoder,
        png::{CompressionType, FilterType, PngEncoder},
    },
};
use plumb_inspection::{Image, PixelFormat};

/// Grey stays grey, BGR becomes RGB, a Bayer mosaic becomes colour.
///
/// A mosaic is not stored raw: nobody can look at one, and JPEG would smear its sites into each other.
pub(crate) fn encode(picture: &Image, config: &PictureConfig) -> ImageResult<Vec<u8>> {
    let (pixels, colour) = match picture.format() {
        PixelFormat::Gray8 => (packed(picture), ExtendedColorType::L8),
        PixelFormat::Bgr8 => (rgb(picture), ExtendedColorType::Rgb8),
        _ => (demosaic(picture), ExtendedColorType::Rgb8),
    };
    let (w, h) = (picture.width(), picture.height());
    let mut file = Vec::with_capacity(pixels.len() / 4);
    match config.format {
        PictureFormat::Jpeg => {
            JpegEncoder::new_with_quality(&mut file, config.quality).write_image(&pixels, w, h, colour)?;
        }
        PictureFormat::Png => {
            PngEncoder::new_with_quality(&mut file, CompressionType::Fast, FilterType::Adaptive)
                .write_image(&pixels, w, h, colour)?;
        }
    }
    Ok(file)
}

fn packed(picture: &Image) -> Vec<u8> {
    (0..picture.height()).flat_map(|y| picture.row(y)).copied().collect()
}

fn rgb(picture: &Image) -> Vec<u8> {
    let mut rgb = Vec::with_capacity(picture.width() as usize * picture.height() as usize * 3);
    for y in 0..picture.height() {
        rgb.extend(picture.row(y).chunks_exact(3).flat_map(|bgr| [bgr[2], bgr[1], bgr[0]]));
    }
    rgb
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    /// Smooth, and different in every channel, with padding after each row as cameras leave it.
    fn scene(format: PixelFormat) -> Image {
        let (w, h, n) = (64_usize, 48_usize, format.bytes_per_px());
        let stride = w * n + 5;
        let mut pixels = vec![0xEE; stride * h];
        for (y, row) in pixels.chunks_mut(stride).enumerate() {
            for (i, byte) in row[..w * n].iter_mut().enumerate() {
                *byte = (i / n * 2 + y + i % n * 40) as u8;
            }
        }
        Image::new(w as u32, h as u32, stride, format, Arc::new(pixels)).expect("strided")
    }

    #[test]
    fn png_gives_back_every_pixel_and_jpeg_nearly() {
        for format in [PixelFormat::Gray8, PixelFormat::Bgr8, PixelFormat::BayerGbrg] {
            let picture = scene(format);
            let expected = match format {
                PixelFormat::Gray8 => packed(&picture),
                PixelFormat::Bgr8 => rgb(&picture),
                _ => demosaic(&picture),
            };
            for (file_format, off_max) in [(PictureFormat::Png, 0), (PictureFormat::Jpeg, 12)] {
                let config = PictureConfig { format: file_format, ..PictureConfig::default() };
                let file = encode(&picture, &config).expect("encodes");
                let decoded = image::load_from_memory(&file).expect("decodes");
                assert_eq!((decoded.width(), decoded.height()), (64, 48));
                let off = decoded.as_bytes().iter().zip(&expected).map(|(a, b)| a.abs_diff(*b)).max();
                assert_eq!(decoded.as_bytes().len(), expected.len(), "{format:?}: grey stays grey");
                assert!(off <= Some(off_max), "{format:?} as {file_format:?} is {off:?} off");
            }
        }
    }

    #[test]
    fn a_side_longer_than_the_format_allows_is_an_error() {
        let picture = Image::packed(70_000, 1, PixelFormat::Gray8, vec![0; 70_000]).expect("packed");
        assert!(encode(&picture, &PictureConfig::default()).is_err());
    }
}
