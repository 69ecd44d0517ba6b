//! One picture of a target, from a file or straight from a camera, and what names it for ever: its digest.

use crate::error::{CameraError, opencv};
use image::{DynamicImage, ImageDecoder as _, ImageReader};
use opencv::{core::Mat, imgproc, prelude::*};
use plumb_inspection::{Image, PixelFormat};
use sha2::{Digest as _, Sha256};
use std::{fs, io::Cursor, path::Path};

/// The most pixels a picture may have: a file that claims more is damaged, or no picture of this world.
const PX_MAX: u64 = 400_000_000;

/// A picture to be looked at.
#[derive(Clone, Debug)]
pub struct Picture {
    /// File name, or the camera's frame.
    pub name: String,
    /// Of the file's bytes, or of the pixels where there is no file; lower-case hex.
    pub sha256: String,
    /// The pixels, 8 bits a sample.
    pub image: Image,
}

impl Picture {
    /// Reads a PNG, JPEG, BMP or TIFF, grey or colour, 8 or 16 bits a sample.
    ///
    /// Pictures of 10 or 12 bits are often stored in 16; they are told by their brightest pixel and brought to 8.
    ///
    /// # Errors
    /// When the file cannot be read or is no picture.
    pub fn read(file: &Path) -> Result<Self, CameraError> {
        let no_picture = |says: String| CameraError::Picture { file: file.to_owned(), says };
        let bytes = fs::read(file).map_err(|error| no_picture(error.to_string()))?;
        let name = file.file_name().unwrap_or(file.as_os_str()).to_string_lossy().into_owned();
        Self::decode(name, &bytes).map_err(no_picture)
    }

    /// As [`Picture::read`], from a file's bytes.
    ///
    /// # Errors
    /// The decoder's words, when they are no picture.
    pub fn decode(name: String, bytes: &[u8]) -> Result<Self, String> {
        let image = eight_bits(decode(bytes)?).map_err(|error| error.to_string())?;
        Ok(Self { name, sha256: digest(bytes), image })
    }

    /// The bytes of a PNG file of it; a mosaic becomes colour.
    ///
    /// # Errors
    /// When OpenCV or the encoder fails.
    pub fn png(&self) -> Result<Vec<u8>, CameraError> {
        let doing = opencv("read the picture's pixels");
        let [width, height] = self.size_px();
        let picture = match self.bgr()? {
            None => {
                image::GrayImage::from_raw(width, height, self.grey()?.data_bytes().map_err(doing)?.to_vec())
                    .map(DynamicImage::ImageLuma8)
            }
            Some(bgr) => {
                let bgr = bgr.data_bytes().map_err(doing)?;
                let rgb = bgr.chunks_exact(3).flat_map(|bgr| [bgr[2], bgr[1], bgr[0]]).collect();
                image::RgbImage::from_raw(width, height, rgb).map(DynamicImage::ImageRgb8)
            }
        };
        let mut bytes = Cursor::new(Vec::new());
        let picture = picture.expect("as many bytes as the picture has");
        picture.write_to(&mut bytes, image::ImageFormat::Png).map_err(|error| CameraError::Picture {
            file: self.name.clone().into(),
            says: error.to_string(),
        })?;
        Ok(bytes.into_inner())
    }

    /// A camera's frame. The pixels are copied, so that its buffer can go home.
    pub fn of_frame(name: impl Into<String>, image: &Image) -> Self {
        let image = image.to_owned_pixels();
        Self { name: name.into(), sha256: digest(image.bytes()), image }
    }

    /// `[width, height]` in px.
    pub fn size_px(&self) -> [u32; 2] {
        [self.image.width(), self.image.height()]
    }

    /// One channel of bytes, as OpenCV weighs colours.
    pub(crate) fn grey(&self) -> Result<Mat, CameraError> {
        self.converted(|format| match format {
            PixelFormat::Gray8 => None,
            PixelFormat::Bgr8 => Some(imgproc::COLOR_BGR2GRAY),
            // OpenCV names a mosaic by the second and third pixel of its second row.
            PixelFormat::BayerRggb => Some(imgproc::COLOR_BayerBG2GRAY),
            PixelFormat::BayerGrbg => Some(imgproc::COLOR_BayerGB2GRAY),
            PixelFormat::BayerGbrg => Some(imgproc::COLOR_BayerGR2GRAY),
            PixelFormat::BayerBggr => Some(imgproc::COLOR_BayerRG2GRAY),
        })
    }

    /// Three channels of bytes, B, G, R; `None` for a grey picture.
    pub(crate) fn bgr(&self) -> Result<Option<Mat>, CameraError> {
        if self.image.format() == PixelFormat::Gray8 {
            return Ok(None);
        }
        let bgr = self.converted(|format| match format {
            PixelFormat::Gray8 | PixelFormat::Bgr8 => None,
            PixelFormat::BayerRggb => Some(imgproc::COLOR_BayerBG2BGR),
            PixelFormat::BayerGrbg => Some(imgproc::COLOR_BayerGB2BGR),
            PixelFormat::BayerGbrg => Some(imgproc::COLOR_BayerGR2BGR),
            PixelFormat::BayerBggr => Some(imgproc::COLOR_BayerRG2BGR),
        })?;
        Ok(Some(bgr))
    }

    fn converted(&self, code: impl Fn(PixelFormat) -> Option<i32>) -> Result<Mat, CameraError> {
        let doing = opencv("read the picture's pixels");
        let channels = self.image.format().bytes_per_px();
        let packed = self.image.to_owned_pixels();
        let rows = Mat::from_slice(packed.bytes()).map_err(&doing)?;
        let shaped = rows.reshape(channels as i32, self.image.height() as i32).map_err(&doing)?;
        let mut out = Mat::default();
        match code(self.image.format()) {
            Some(code) => imgproc::cvt_color_def(&shaped, &mut out, code).map_err(&doing)?,
            None => shaped.copy_to(&mut out).map_err(&doing)?,
        }
        Ok(out)
    }
}

fn decode(bytes: &[u8]) -> Result<DynamicImage, String> {
    let reader =
        ImageReader::new(Cursor::new(bytes)).with_guessed_format().map_err(|error| error.to_string())?;
    let decoder = reader.into_decoder().map_err(|error| error.to_string())?;
    let (width, height) = decoder.dimensions();
    if u64::from(width) * u64::from(height) > PX_MAX {
        return Err(format!("it claims {width}x{height} px"));
    }
    DynamicImage::from_decoder(decoder).map_err(|error| error.to_string())
}

fn eight_bits(decoded: DynamicImage) -> Result<Image, plumb_inspection::ImageError> {
    let (width, height) = (decoded.width(), decoded.height());
    let grey = !decoded.color().has_color();
    let samples = match &decoded {
        DynamicImage::ImageLuma16(picture) => from_sixteen(picture.as_raw()),
        DynamicImage::ImageLumaA16(_) => from_sixteen(decoded.to_luma16().as_raw()),
        DynamicImage::ImageRgb16(picture) => from_sixteen(picture.as_raw()),
        DynamicImage::ImageRgba16(_) => from_sixteen(decoded.to_rgb16().as_raw()),
        _ if grey => decoded.to_luma8().into_raw(),
        _ => decoded.to_rgb8().into_raw(),
    };
    if grey {
        return Image::packed(width, height, PixelFormat::Gray8, samples);
    }
    let bgr = samples.chunks_exact(3).flat_map(|rgb| [rgb[2], rgb[1], rgb[0]]).collect();
    Image::packed(width, height, PixelFormat::Bgr8, bgr)
}

/// 10, 12 or 16 bits to 8, by the brightest sample.
fn from_sixteen(samples: &[u16]) -> Vec<u8> {
    let shift = match samples.iter().copied().max().unwrap_or(0) {
        0..=1023 => 2,
        1024..=4095 => 4,
        _ => 8,
    };
    samples.iter().map(|sample| (sample >> shift) as u8).collect()
}

pub(crate) fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn twelve_bits_in_sixteen_keep_their_contrast() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("deep.png");
        let deep =
            image::ImageBuffer::<image::Luma<u16>, _>::from_fn(4, 2, |x, _| image::Luma([x as u16 * 1365]));
        deep.save(&file).expect("written");
        let picture = Picture::read(&file).expect("a picture");
        assert_eq!(picture.image.row(0), [0, 85, 170, 255]);
        assert_eq!((picture.size_px(), picture.sha256.len()), ([4, 2], 64));
    }

    #[test]
    fn colour_is_read_as_opencv_weighs_it_and_a_text_is_no_picture() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("red.png");
        image::RgbImage::from_pixel(3, 3, image::Rgb([255, 0, 0])).save(&file).expect("written");
        let grey = Picture::read(&file).expect("a picture").grey().expect("grey");
        assert_eq!(*grey.at_2d::<u8>(1, 1).expect("a pixel"), 76);
        fs::write(folder.path().join("notes.png"), "no picture").expect("written");
        let error = Picture::read(&folder.path().join("notes.png")).expect_err("it is a text").to_string();
        assert!(error.contains("notes.png is no picture"), "{error}");
    }
}
