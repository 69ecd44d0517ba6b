//! Pixels, lent: an [`Image`] borrows the camera's own buffer for as long as any clone of it lives.

use std::{fmt, sync::Arc};

/// How one pixel lies in memory. Eight bits a sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PixelFormat {
    /// One grey byte a pixel.
    Gray8,
    /// Three bytes a pixel: blue, green, red.
    Bgr8,
    /// Bayer mosaic, first row R G R G …, one byte a pixel.
    BayerRggb,
    /// Bayer mosaic, first row G R G R …
    BayerGrbg,
    /// Bayer mosaic, first row G B G B …
    BayerGbrg,
    /// Bayer mosaic, first row B G B G …
    BayerBggr,
}

impl PixelFormat {
    /// Bytes from one pixel of a row to the next.
    pub fn bytes_per_px(self) -> usize {
        match self {
            Self::Bgr8 => 3,
            _ => 1,
        }
    }

    /// True for the four mosaics.
    pub fn is_bayer(self) -> bool {
        !matches!(self, Self::Gray8 | Self::Bgr8)
    }
}

/// Anything that owns bytes and keeps them where they are: a mapped GStreamer buffer, a `Vec<u8>`.
pub trait Pixels: AsRef<[u8]> + Send + Sync + 'static {}
impl<T: AsRef<[u8]> + Send + Sync + 'static> Pixels for T {}

/// A picture of `width × height` px whose rows start `stride` bytes apart. Cloning shares the pixels.
#[derive(Clone)]
pub struct Image {
    width: u32,
    height: u32,
    stride: usize,
    format: PixelFormat,
    pixels: Arc<dyn Pixels>,
}

impl Image {
    /// Takes `pixels` as they are, without a copy.
    ///
    /// # Errors
    /// When a side is 0, the stride is shorter than a row, or the buffer ends before the last row does.
    pub fn new(
        width: u32,
        height: u32,
        stride: usize,
        format: PixelFormat,
        pixels: Arc<dyn Pixels>,
    ) -> Result<Self, ImageError> {
        let row = width as usize * format.bytes_per_px();
        if width == 0 || height == 0 {
            return Err(ImageError::Empty { width, height });
        }
        if stride < row {
            return Err(ImageError::Stride { stride, row });
        }
        let wanted = stride * (height as usize - 1) + row;
        let got = (*pixels).as_ref().len();
        if got < wanted {
            return Err(ImageError::Short { got, wanted });
        }
        Ok(Self { width, height, stride, format, pixels })
    }

    /// An image that owns tightly packed `pixels`.
    ///
    /// # Errors
    /// As [`Image::new`].
    pub fn packed(width: u32, height: u32, format: PixelFormat, pixels: Vec<u8>) -> Result<Self, ImageError> {
        Self::new(width, height, width as usize * format.bytes_per_px(), format, Arc::new(pixels))
    }

    /// Pixels a row.
    pub fn width(&self) -> u32 {
        self.width
    }

    /// Rows.
    pub fn height(&self) -> u32 {
        self.height
    }

    /// Bytes from the start of one row to the start of the next.
    pub fn stride(&self) -> usize {
        self.stride
    }

    /// How a pixel lies in memory.
    pub fn format(&self) -> PixelFormat {
        self.format
    }

    /// The whole buffer; row `y` starts at `y * stride()`.
    pub fn bytes(&self) -> &[u8] {
        (*self.pixels).as_ref()
    }

    /// The bytes of row `y`, without padding. Panics if `y >= height`, as a slice would.
    pub fn row(&self, y: u32) -> &[u8] {
        assert!(y < self.height, "row {y} of {}", self.height);
        let start = y as usize * self.stride;
        &self.bytes()[start..start + self.width as usize * self.format.bytes_per_px()]
    }

    /// A copy that owns its pixels, so that the camera's buffer can go home.
    pub fn to_owned_pixels(&self) -> Self {
        let row = self.width as usize * self.format.bytes_per_px();
        let mut pixels = Vec::with_capacity(row * self.height as usize);
        for y in 0..self.height {
            pixels.extend_from_slice(self.row(y));
        }
        Self { stride: row, pixels: Arc::new(pixels), ..self.clone() }
    }
}

impl fmt::Debug for Image {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x{} {:?}", self.width, self.height, self.format)
    }
}

/// Why bytes are not the picture they claim to be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ImageError {
    /// A side of 0 px.
    #[error("a picture of {width}x{height} px has no pixels")]
    Empty {
        /// Claimed width in px.
        width: u32,
        /// Claimed height in px.
        height: u32,
    },
    /// Rows overlap.
    #[error("rows are {stride} bytes apart but {row} bytes long")]
    Stride {
        /// Bytes between row starts.
        stride: usize,
        /// Bytes in a row.
        row: usize,
    },
    /// The buffer ends too early: a truncated or corrupt frame.
    #[error("the buffer holds {got} bytes, the picture needs {wanted}")]
    Short {
        /// Bytes in the buffer.
        got: usize,
        /// Bytes the picture needs.
        wanted: usize,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_buffer_is_refused() {
        let short = Image::packed(4, 4, PixelFormat::Bgr8, vec![0; 47]);
        assert_eq!(short.expect_err("one byte is missing"), ImageError::Short { got: 47, wanted: 48 });
    }

    #[test]
    fn the_last_row_needs_no_padding() {
        let image = Image::new(3, 2, 8, PixelFormat::Gray8, Arc::new(vec![7; 11])).expect("8 + 3 bytes");
        assert_eq!(image.row(1), [7, 7, 7]);
        assert_eq!(image.to_owned_pixels().bytes().len(), 6);
    }

    #[test]
    fn clones_share_the_camera_buffer() {
        let image = Image::packed(2, 2, PixelFormat::Gray8, vec![1; 4]).expect("4 bytes");
        assert_eq!(image.clone().bytes().as_ptr(), image.bytes().as_ptr());
    }
}
