//! A camera's pixels as OpenCV reads them, without a copy. Beside `sample`, the only unsafe of this crate.

use opencv::{
    boxed_ref::BoxedRef,
    core::{CV_8UC1, CV_8UC3, Mat, StsOutOfRange},
};
use plumb_inspection::{Image, PixelFormat};

/// `image` as a Mat of `CV_8UC3` for BGR, else `CV_8UC1`; rows keep their stride, mosaics stay mosaics.
///
/// # Errors
/// When a side is larger than OpenCV can count, or the buffer is shorter than the image says.
pub(crate) fn mat(image: &Image) -> opencv::Result<BoxedRef<'_, Mat>> {
    let bytes = image.bytes();
    let row = image.width() as usize * image.format().bytes_per_px();
    let needed = (image.height() as usize)
        .checked_sub(1)
        .and_then(|rows| rows.checked_mul(image.stride()))
        .and_then(|start_of_last| start_of_last.checked_add(row));
    let (Ok(rows), Ok(cols)) = (i32::try_from(image.height()), i32::try_from(image.width())) else {
        return Err(too_large(image));
    };
    if needed.is_none_or(|needed| needed > bytes.len()) || image.stride() < row {
        return Err(too_large(image));
    }
    let typ = if image.format() == PixelFormat::Bgr8 { CV_8UC3 } else { CV_8UC1 };
    // SAFETY: `bytes` is valid for reads and unchanged for as long as `image` is borrowed, and the returned
    // `BoxedRef` carries that borrow. The last byte OpenCV may touch is that of the last row, which lies inside
    // `bytes` as checked just above on this very slice (`needed`, `stride >= row`). The pointer is cast to mutable
    // only because OpenCV's constructor takes no other: `BoxedRef` hands out no `&mut Mat`, so nothing writes.
    // OpenCV neither owns nor frees data given to it this way.
    let mat = unsafe {
        Mat::new_rows_cols_with_data_unsafe(rows, cols, typ, bytes.as_ptr().cast_mut().cast(), image.stride())
    }?;
    Ok(BoxedRef::from(mat))
}

fn too_large(image: &Image) -> opencv::Error {
    opencv::Error::new(StsOutOfRange, format!("a frame of {image:?} with rows {} apart", image.stride()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use opencv::prelude::*;
    use std::sync::Arc;

    #[test]
    fn opencv_reads_the_cameras_own_bytes_rows_apart() {
        let image =
            Image::new(2, 2, 5, PixelFormat::Gray8, Arc::new(vec![1, 2, 9, 9, 9, 3, 4])).expect("7 bytes");
        let mat = mat(&image).expect("a picture");
        assert_eq!(mat.data(), image.bytes().as_ptr());
        assert_eq!(mat.at_row::<u8>(1).expect("second row"), [3, 4]);
    }

    /// Bytes that were there when the image was made and are gone when it is read.
    struct Shrinking(std::sync::atomic::AtomicBool);
    impl AsRef<[u8]> for Shrinking {
        fn as_ref(&self) -> &[u8] {
            if self.0.swap(false, std::sync::atomic::Ordering::Relaxed) { &[7; 4] } else { &[] }
        }
    }

    #[test]
    fn a_buffer_that_shrank_since_is_refused() {
        let pixels = Arc::new(Shrinking(true.into()));
        let image = Image::new(2, 2, 2, PixelFormat::Gray8, pixels).expect("4 bytes at first");
        assert!(mat(&image).is_err());
    }
}
