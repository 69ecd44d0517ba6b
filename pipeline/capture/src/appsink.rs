//! `gst::Sample` → [`Image`], without a copy: the image keeps the camera's buffer mapped for as long as it lives.

use crate::{event::DownCause, event::Failure};
use gstreamer as gst;
use gstreamer_video as gst_video;
use plumb_inspection::{Image, PixelFormat};
use std::sync::Arc;

/// What may arrive at the appsink. A camera that gives one of these is not converted.
pub(crate) const CAPS: &str = "video/x-raw,format={GRAY8,BGR};video/x-bayer,format={rggb,grbg,gbrg,bggr}";

/// A mapped buffer; `start` is where its first pixel lies.
struct Lent {
    buffer: gst::MappedBuffer<gst::buffer::Readable>,
    start: usize,
}

impl AsRef<[u8]> for Lent {
    fn as_ref(&self) -> &[u8] {
        &self.buffer.as_slice()[self.start..]
    }
}

/// Width, height, format and stride as the caps tell them; read once, as caps stay the same for millions of frames.
#[derive(Clone, Debug)]
pub(crate) struct Shape {
    caps: gst::Caps,
    width: u32,
    height: u32,
    stride: usize,
    format: PixelFormat,
}

impl Shape {
    /// True if `caps` are those this shape was read from.
    pub(crate) fn is_of(&self, caps: &gst::CapsRef) -> bool {
        std::ptr::eq::<gst::CapsRef>(self.caps.as_ref(), caps) || *self.caps.as_ref() == *caps
    }

    /// Reads `caps`.
    ///
    /// # Errors
    /// For what the appsink should never have let in.
    pub(crate) fn read(caps: &gst::CapsRef) -> Result<Self, Failure> {
        let odd = || {
            Failure::new(
                DownCause::Corrupt,
                format!("gives {caps}, which is neither GRAY8, BGR nor 8-bit Bayer"),
            )
        };
        let structure = caps.structure(0).ok_or_else(odd)?;
        let bayer = match structure.get::<&str>("format").map_err(|_| odd())? {
            "rggb" => Some(PixelFormat::BayerRggb),
            "grbg" => Some(PixelFormat::BayerGrbg),
            "gbrg" => Some(PixelFormat::BayerGbrg),
            "bggr" => Some(PixelFormat::BayerBggr),
            _ => None,
        };
        let (width, height, stride, format) = if let Some(format) = bayer {
            let side = |name| structure.get::<i32>(name).ok().and_then(|px| u32::try_from(px).ok());
            let (width, height) = side("width").zip(side("height")).ok_or_else(odd)?;
            // Rows of Bayer pictures are padded to 4 bytes, as all of GStreamer's own elements agree.
            (width, height, width.next_multiple_of(4) as usize, format)
        } else {
            let info = gst_video::VideoInfo::from_caps(caps).map_err(|_| odd())?;
            let format = match info.format() {
                gst_video::VideoFormat::Gray8 => PixelFormat::Gray8,
                gst_video::VideoFormat::Bgr => PixelFormat::Bgr8,
                _ => return Err(odd()),
            };
            let stride = usize::try_from(info.stride()[0]).map_err(|_| odd())?;
            (info.width(), info.height(), stride, format)
        };
        Ok(Self { caps: caps.to_owned(), width, height, stride, format })
    }

    /// The picture in `buffer`, pixels lent.
    ///
    /// # Errors
    /// A sentence, if the buffer is damaged or shorter than the picture.
    pub(crate) fn image(&self, buffer: gst::Buffer) -> Result<Image, String> {
        if buffer.flags().contains(gst::BufferFlags::CORRUPTED) {
            return Err("the decoder marked a picture as damaged".into());
        }
        // A buffer that lies otherwise than its caps say tells so itself.
        let (stride, start) = match buffer.meta::<gst_video::VideoMeta>() {
            Some(meta) => {
                (usize::try_from(meta.stride()[0]).map_err(|_| "rows run backwards")?, meta.offset()[0])
            }
            None => (self.stride, 0),
        };
        let buffer = buffer.into_mapped_buffer_readable().map_err(|_| "a buffer cannot be mapped")?;
        if start > buffer.size() {
            return Err("a buffer ends before its picture begins".into());
        }
        Image::new(self.width, self.height, stride, self.format, Arc::new(Lent { buffer, start }))
            .map_err(|error| error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(caps: &str) -> Result<Shape, Failure> {
        gst::init().expect("GStreamer starts");
        Shape::read(caps.parse::<gst::Caps>().expect("caps").as_ref())
    }

    #[test]
    fn an_image_shows_the_very_bytes_of_the_buffer() {
        let shape = shape("video/x-raw,format=BGR,width=4,height=2").expect("BGR");
        let pixels: Vec<u8> = (0..24).collect();
        let address = pixels.as_ptr();
        let image = shape.image(gst::Buffer::from_slice(pixels)).expect("24 bytes");
        assert_eq!(image.bytes().as_ptr(), address, "the pixels were copied");
        assert_eq!(image.row(1), (12..24).collect::<Vec<u8>>());
    }

    #[test]
    fn odd_widths_have_padded_rows() {
        for caps in
            ["video/x-raw,format=GRAY8,width=5,height=2", "video/x-bayer,format=gbrg,width=5,height=2"]
        {
            let image =
                shape(caps).expect(caps).image(gst::Buffer::from_slice(vec![1; 16])).expect("2 rows of 8");
            assert_eq!((image.stride(), image.width()), (8, 5), "{caps}");
        }
    }

    #[test]
    fn a_buffer_that_lies_otherwise_than_its_caps_is_read_as_it_lies() {
        let shape = shape("video/x-raw,format=GRAY8,width=2,height=2").expect("GRAY8");
        let mut buffer = gst::Buffer::from_slice((0..40).collect::<Vec<u8>>());
        gst_video::VideoMeta::add_full(
            buffer.get_mut().expect("ours alone"),
            gst_video::VideoFrameFlags::empty(),
            gst_video::VideoFormat::Gray8,
            2,
            2,
            &[10],
            &[16],
        )
        .expect("fits");
        let image = shape.image(buffer).expect("fits");
        assert_eq!((image.row(0), image.row(1)), (&[10, 11][..], &[26, 27][..]));
    }

    #[test]
    fn a_short_or_damaged_buffer_is_no_picture() {
        let shape = shape("video/x-raw,format=GRAY8,width=8,height=8").expect("GRAY8");
        assert!(
            shape.image(gst::Buffer::from_slice(vec![0; 63])).expect_err("63 of 64").contains("63 bytes")
        );
        let mut damaged = gst::Buffer::from_slice(vec![0; 64]);
        damaged.get_mut().expect("ours alone").set_flags(gst::BufferFlags::CORRUPTED);
        assert!(shape.image(damaged).is_err());
    }

    #[test]
    fn other_formats_are_refused_by_name() {
        let failure = shape("video/x-raw,format=I420,width=8,height=8").expect_err("I420");
        assert!(failure.says.contains("I420"), "{}", failure.says);
    }
}
