//! A region's channels in the order its model reads them.
//!
//! OpenCV does the shuffling: the baseline target this is compiled for has no vector instruction for it, OpenCV picks
//! the machine's own.

use opencv::{
    core::{self, Mat, Vector},
    imgproc,
    prelude::*,
};
use plumb_inspection::{ColourOrder, Layout, TensorSpec};

/// Turns grey or BGR content into a model's planes; keeps its buffers between frames.
pub(crate) struct Colour {
    wanted: ColourOrder,
    layout: Layout,
    converted: Mat,
    split: Vector<Mat>,
}

impl Colour {
    /// For the colours and axes of `spec`.
    pub(crate) fn new(spec: &TensorSpec) -> Self {
        Self { wanted: spec.colour, layout: spec.layout, converted: Mat::default(), split: Vector::new() }
    }

    /// Hands `then` the bytes of each plane of the tensor: three for colour in `Nchw`, else one, interleaved in `Nhwc`.
    ///
    /// `content` is continuous, one channel or BGR.
    pub(crate) fn planes<R>(&mut self, content: &Mat, then: impl FnOnce(&[&[u8]]) -> R) -> opencv::Result<R> {
        let content = match self.conversion(content.channels()) {
            Some(code) => {
                imgproc::cvt_color(content, &mut self.converted, code, 0)?;
                &self.converted
            }
            None => content,
        };
        if self.layout == Layout::Nhwc || self.wanted == ColourOrder::Grey {
            return Ok(then(&[content.data_bytes()?]));
        }
        if content.channels() == 1 {
            return Ok(then(&[content.data_bytes()?; 3]));
        }
        core::split(content, &mut self.split)?;
        let bgr = [self.split.get(0)?, self.split.get(1)?, self.split.get(2)?];
        let [b, g, r] = [bgr[0].data_bytes()?, bgr[1].data_bytes()?, bgr[2].data_bytes()?];
        Ok(then(&if self.wanted == ColourOrder::Rgb { [r, g, b] } else { [b, g, r] }))
    }

    /// What `cvt_color` has to do before planes are taken; splitting reorders colours for nothing.
    fn conversion(&self, channels: i32) -> Option<i32> {
        match (channels, self.wanted, self.layout) {
            (3, ColourOrder::Grey, _) => Some(imgproc::COLOR_BGR2GRAY),
            (3, ColourOrder::Rgb, Layout::Nhwc) => Some(imgproc::COLOR_BGR2RGB),
            (1, ColourOrder::Rgb | ColourOrder::Bgr, Layout::Nhwc) => Some(imgproc::COLOR_GRAY2BGR),
            _ => None,
        }
    }
}
