//! What a model takes in: its wishes ([`TensorSpec`]) and one region of one frame cut to them ([`Tensor`]).

use crate::{Placement, RegionName};
use serde::{Deserialize, Serialize};
use std::sync::{Arc, Mutex};

/// What a model wants to be given: read from its card, obeyed by preprocessing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TensorSpec {
    /// Width in px.
    pub width: u32,
    /// Height in px.
    pub height: u32,
    /// Channels and their order.
    #[serde(default)]
    pub colour: ColourOrder,
    /// Order of the axes.
    #[serde(default)]
    pub layout: Layout,
    /// Number type.
    #[serde(default)]
    pub element: Element,
    /// How a region of another shape is made to fit.
    #[serde(default)]
    pub fit: Fit,
    /// A pixel value 0..=255 is first multiplied by this; 1/255 gives 0..=1.
    #[serde(default = "one_in_255")]
    pub scale: f32,
    /// Then this is taken off, one value a channel in the tensor's order; one value serves all; empty is 0.
    #[serde(default)]
    pub mean: Vec<f32>,
    /// Then divided by this; empty is 1.
    #[serde(default)]
    pub std: Vec<f32>,
}

fn one_in_255() -> f32 {
    1.0 / 255.0
}

impl TensorSpec {
    /// 1 for grey, 3 for colour.
    pub fn channels(&self) -> usize {
        match self.colour {
            ColourOrder::Grey => 1,
            ColourOrder::Rgb | ColourOrder::Bgr => 3,
        }
    }

    /// Numbers in one tensor.
    pub fn len(&self) -> usize {
        self.width as usize * self.height as usize * self.channels()
    }

    /// True for a model that wants nothing.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Shape with a batch of one, in the order of `layout`.
    pub fn shape(&self) -> [usize; 4] {
        let (c, h, w) = (self.channels(), self.height as usize, self.width as usize);
        match self.layout {
            Layout::Nchw => [1, c, h, w],
            Layout::Nhwc => [1, h, w, c],
        }
    }

    /// `(mean, std)` of channel `c`, filled in as the field docs say.
    pub fn mean_std(&self, c: usize) -> (f32, f32) {
        let of = |values: &[f32], or| values.get(c).or(values.first()).copied().unwrap_or(or);
        (of(&self.mean, 0.0), of(&self.std, 1.0))
    }
}

/// Channels of a tensor and their order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ColourOrder {
    /// Red, green, blue.
    #[default]
    Rgb,
    /// Blue, green, red.
    Bgr,
    /// One channel, Rec. 601 luma.
    Grey,
}

/// Order of a tensor's axes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Layout {
    /// Batch, channel, row, column.
    #[default]
    Nchw,
    /// Batch, row, column, channel.
    Nhwc,
}

/// Number type of a model's input.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Element {
    /// 32-bit float.
    #[default]
    F32,
    /// 16-bit float; prepared as f32 and narrowed by inference.
    F16,
    /// Byte, 0..=255 as the camera gave it: `scale`, `mean` and `std` are the model's own business.
    U8,
}

/// How a region becomes a tensor of another shape.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase", deny_unknown_fields)]
pub enum Fit {
    /// The whole region keeps its proportions, centred; the rest is filled with `pad` (0..=255, every channel).
    Letterbox {
        /// Fill value.
        #[serde(default = "grey_114")]
        pad: u8,
    },
    /// The whole region, both sides scaled apart.
    #[default]
    Stretch,
    /// The largest centred part of the region that has the tensor's proportions.
    Crop,
}

fn grey_114() -> u8 {
    114
}

/// The numbers of a tensor.
#[derive(Clone, Debug, PartialEq)]
pub enum Values {
    /// For [`Element::F32`] and [`Element::F16`].
    F32(Vec<f32>),
    /// For [`Element::U8`].
    U8(Vec<u8>),
}

/// One region of one frame, cut, scaled and normalised for one model. Batch of one.
#[derive(Debug)]
pub struct Tensor {
    /// The region shown.
    pub region: RegionName,
    /// As [`TensorSpec::shape`].
    pub shape: [usize; 4],
    /// Row-major, in the order of `shape`.
    pub values: Values,
    /// Back to frame px.
    pub placement: Placement,
    pool: Option<TensorPool>,
}

impl Tensor {
    /// A tensor whose memory is freed when it is dropped.
    pub fn new(region: RegionName, shape: [usize; 4], values: Values, placement: Placement) -> Self {
        Self { region, shape, values, placement, pool: None }
    }

    /// A tensor whose memory goes home to `pool` when it is dropped, so that a steady line allocates nothing.
    pub fn pooled(
        region: RegionName,
        shape: [usize; 4],
        values: Vec<f32>,
        placement: Placement,
        pool: &TensorPool,
    ) -> Self {
        Self { region, shape, values: Values::F32(values), placement, pool: Some(pool.clone()) }
    }
}

impl Drop for Tensor {
    fn drop(&mut self) {
        if let (Some(pool), Values::F32(values)) = (&self.pool, &mut self.values) {
            pool.give_back(std::mem::take(values));
        }
    }
}

/// Buffers of finished tensors, kept for the next ones. A fresh 640×640 buffer costs a millisecond of page faults.
#[derive(Clone, Debug, Default)]
pub struct TensorPool(Arc<Mutex<Vec<Vec<f32>>>>);

impl TensorPool {
    /// More than a camera's regions in flight; what comes back beyond it is freed.
    const KEPT: usize = 16;

    /// A buffer of `len` numbers, old values in it.
    pub fn take(&self, len: usize) -> Vec<f32> {
        let mut buffer = self.0.lock().ok().and_then(|mut kept| kept.pop()).unwrap_or_default();
        buffer.resize(len, 0.0);
        buffer
    }

    fn give_back(&self, buffer: Vec<f32>) {
        if let Ok(mut kept) = self.0.lock()
            && kept.len() < Self::KEPT
        {
            kept.push(buffer);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Affine, RectPx};

    #[test]
    fn a_dropped_tensor_gives_its_memory_to_the_next() {
        let pool = TensorPool::default();
        let buffer = pool.take(12);
        let address = buffer.as_ptr();
        let placement = Placement { frame_from_tensor: Affine::IDENTITY, content_px: RectPx::default() };
        drop(Tensor::pooled("whole".into(), [1, 3, 2, 2], buffer, placement, &pool));
        let next = pool.take(12);
        assert_eq!(next.as_ptr(), address);
    }

    #[test]
    fn one_mean_serves_all_channels_and_none_is_zero() {
        let spec = TensorSpec {
            width: 4,
            height: 2,
            colour: ColourOrder::Rgb,
            layout: Layout::Nchw,
            element: Element::F32,
            fit: Fit::Stretch,
            scale: 1.0,
            mean: vec![0.5],
            std: vec![],
        };
        assert_eq!(spec.mean_std(2), (0.5, 1.0));
        assert_eq!(spec.shape(), [1, 3, 2, 4]);
    }
}
