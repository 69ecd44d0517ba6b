//! The pixels under a light barrier: a line across the picture, read as a row of samples.

use plumb_inspection::{Image, PixelFormat};

/// Length of line behind one sample, px. Two, so that a sample of a Bayer mosaic holds whole 2×2 cells.
const SAMPLE_PX: f32 = 2.0;

/// Reads the same pixels of every picture; where they lie in memory is worked out once a picture layout.
#[derive(Debug)]
pub(super) struct Barrier {
    line_px: [f32; 4],
    band_px: u32,
    layout: Option<Layout>,
    /// Byte offsets, `bytes_per_sample` of them for each sample.
    offsets: Vec<usize>,
    bytes_per_sample: usize,
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Layout {
    width: u32,
    height: u32,
    stride: usize,
    format: PixelFormat,
}

/// What became of reading a picture.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Read {
    /// As the picture before.
    Same,
    /// The first picture, or one of another size or format: what was learnt from earlier ones no longer holds.
    New,
    /// The line, with its band, leaves the picture.
    Outside,
}

impl Barrier {
    pub(super) fn new(line_px: [f32; 4], band_px: u32) -> Self {
        Self { line_px, band_px, layout: None, offsets: Vec::new(), bytes_per_sample: 0 }
    }

    /// Fills `samples` with grey levels 0..=255 along the line, each the mean over 2 px of line and the whole band.
    pub(super) fn read(&mut self, image: &Image, samples: &mut Vec<f32>) -> Read {
        let layout = Layout {
            width: image.width(),
            height: image.height(),
            stride: image.stride(),
            format: image.format(),
        };
        let mut read = Read::Same;
        if self.layout != Some(layout) {
            if !self.fits(layout.width, layout.height) {
                return Read::Outside;
            }
            self.lay_out(layout);
            read = Read::New;
        }
        let bytes = image.bytes();
        samples.clear();
        samples.extend(self.offsets.chunks_exact(self.bytes_per_sample).map(|offsets| {
            let sum: u32 = offsets.iter().map(|&at| u32::from(bytes[at])).sum();
            sum as f32 / offsets.len() as f32
        }));
        read
    }

    /// True if every pixel of the band lies in a picture of this size.
    pub(super) fn fits(&self, width: u32, height: u32) -> bool {
        let (length, along, across) = self.axes();
        let half = (self.band_px as f32 - 1.0) / 2.0;
        // One px to spare at the far sides: a Bayer pixel is read with its right and lower neighbours.
        [0.0, length - 1.0].iter().all(|s| {
            [-half, half].iter().all(|b| {
                let x = self.line_px[0] + along[0] * s + across[0] * b;
                let y = self.line_px[1] + along[1] * s + across[1] * b;
                x.floor() >= 0.0
                    && y.floor() >= 0.0
                    && x.floor() + 1.0 < width as f32
                    && y.floor() + 1.0 < height as f32
            })
        })
    }

    /// Samples a line of this length gives.
    pub(super) fn samples_of(line_px: [f32; 4]) -> usize {
        (Self::length_of(line_px) / SAMPLE_PX) as usize
    }

    fn length_of([x0, y0, x1, y1]: [f32; 4]) -> f32 {
        (x1 - x0).hypot(y1 - y0)
    }

    /// Length in px, unit vector along the line, unit vector across it.
    fn axes(&self) -> (f32, [f32; 2], [f32; 2]) {
        let [x0, y0, x1, y1] = self.line_px;
        let length = Self::length_of(self.line_px);
        let along = [(x1 - x0) / length, (y1 - y0) / length];
        (length, along, [-along[1], along[0]])
    }

    fn lay_out(&mut self, layout: Layout) {
        let (_, along, across) = self.axes();
        let half = (self.band_px as f32 - 1.0) / 2.0;
        let (px, stride) = (layout.format.bytes_per_px(), layout.stride);
        self.offsets.clear();
        let samples = Self::samples_of(self.line_px);
        for step in 0..samples * SAMPLE_PX as usize {
            for band in 0..self.band_px {
                let (s, b) = (step as f32, band as f32 - half);
                let x = (self.line_px[0] + along[0] * s + across[0] * b).floor() as usize;
                let y = (self.line_px[1] + along[1] * s + across[1] * b).floor() as usize;
                let at = y * stride + x * px;
                match layout.format {
                    PixelFormat::Gray8 => self.offsets.push(at),
                    PixelFormat::Bgr8 => self.offsets.extend([at, at + 1, at + 2]),
                    // Any 2×2 px of a mosaic hold one red, two green and one blue: the same mixture everywhere.
                    _ => self.offsets.extend([at, at + 1, at + stride, at + stride + 1]),
                }
            }
        }
        self.bytes_per_sample = self.offsets.len() / samples;
        self.layout = Some(layout);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(barrier: &mut Barrier, image: &Image) -> (Read, Vec<f32>) {
        let mut samples = Vec::new();
        (barrier.read(image, &mut samples), samples)
    }

    #[test]
    fn a_vertical_line_reads_its_rows_in_order() {
        let pixels = (0..32u8).flat_map(|y| [y; 20]).collect();
        let image = Image::packed(20, 32, PixelFormat::Gray8, pixels).unwrap();
        let (read, samples) = read(&mut Barrier::new([10.0, 4.0, 10.0, 24.0], 5), &image);
        assert_eq!(read, Read::New);
        assert_eq!(samples, [4.5, 6.5, 8.5, 10.5, 12.5, 14.5, 16.5, 18.5, 20.5, 22.5]);
    }

    #[test]
    fn a_line_drawn_upwards_or_askew_reads_the_pixels_under_it() {
        let pixels = (0..32u8).flat_map(|y| (0..32u8).map(move |x| x + y)).collect();
        let image = Image::packed(32, 32, PixelFormat::Gray8, pixels).unwrap();
        let (_, up) = read(&mut Barrier::new([10.0, 24.0, 10.0, 4.0], 1), &image);
        assert_eq!((up.len(), up[0]), (10, 33.5));
        let (_, askew) = read(&mut Barrier::new([4.0, 4.0, 24.0, 24.0], 3), &image);
        assert!(askew.windows(2).all(|w| w[1] > w[0]), "{askew:?}");
    }

    #[test]
    fn every_format_gives_the_same_greys_for_the_same_evenly_lit_grey() {
        for format in [PixelFormat::Gray8, PixelFormat::Bgr8, PixelFormat::BayerRggb, PixelFormat::BayerGbrg]
        {
            let image = Image::packed(32, 32, format, vec![77; 32 * 32 * format.bytes_per_px()]).unwrap();
            let (_, samples) = read(&mut Barrier::new([5.0, 5.0, 5.0, 25.0], 4), &image);
            assert_eq!(samples, [77.0; 10], "{format:?}");
        }
    }

    #[test]
    fn a_coloured_mosaic_looks_flat_wherever_the_line_runs() {
        // Red 200, green 100, blue 40: mean of any cell is 110.
        let pixels =
            (0..32).flat_map(|y| (0..32).map(move |x| [[200, 100], [100, 40]][y % 2][x % 2])).collect();
        let image = Image::packed(32, 32, PixelFormat::BayerRggb, pixels).unwrap();
        for line in [[5.0, 5.0, 5.0, 25.0], [4.0, 7.0, 28.0, 9.5], [3.0, 3.0, 25.0, 29.0]] {
            let (_, samples) = read(&mut Barrier::new(line, 3), &image);
            assert!(samples.iter().all(|&s| s == 110.0), "{line:?}: {samples:?}");
        }
    }

    #[test]
    fn a_line_beyond_the_picture_is_told_and_not_read() {
        let image = Image::packed(32, 32, PixelFormat::Bgr8, vec![0; 32 * 32 * 3]).unwrap();
        for line in
            [[5.0, 5.0, 5.0, 40.0], [1.0, 4.0, 1.0, 24.0], [31.0, 4.0, 31.0, 24.0], [-3.0, 4.0, 20.0, 4.0]]
        {
            assert_eq!(read(&mut Barrier::new(line, 5), &image).0, Read::Outside, "{line:?}");
        }
    }

    #[test]
    fn padding_between_rows_is_skipped_and_another_layout_is_noticed() {
        let mut barrier = Barrier::new([5.0, 5.0, 5.0, 25.0], 3);
        let padded = |stride: usize| {
            let pixels: Vec<u8> =
                (0..32).flat_map(|_| (0..stride).map(|x| if x < 32 { 9 } else { 255 })).collect();
            Image::new(32, 32, stride, PixelFormat::Gray8, std::sync::Arc::new(pixels)).unwrap()
        };
        assert_eq!(read(&mut barrier, &padded(40)), (Read::New, vec![9.0; 10]));
        assert_eq!(read(&mut barrier, &padded(40)).0, Read::Same);
        assert_eq!(read(&mut barrier, &padded(36)), (Read::New, vec![9.0; 10]));
    }
}
