//! The graph that a device is handed: the file as it lies, or with normalisation in front of it.

use crate::error::ModelError;
use crate::file::ModelFile;
use crate::session::Profile;
use crate::variant::Chosen;
use crate::{Card, Device, LoadOptions, Normalise};
use plumb_inspection::{Element, Layout, TensorSpec};
use plumb_onnx::{Prelude, Side, Value};

/// What is opened on one device.
pub(super) struct Prepared {
    /// The edited `.onnx`; `None` for the file as it lies.
    pub(super) edited: Option<Vec<u8>>,
    /// What it is to be given.
    pub(super) input: TensorSpec,
    /// Sides that it leaves open by name, and what they always are.
    pub(super) sides: Vec<(String, i64)>,
    /// Shapes to build an engine for, where sides are left open.
    pub(super) profile: Option<Profile>,
}

impl Prepared {
    /// For `device`.
    ///
    /// # Errors
    /// When normalisation in the graph was asked for and cannot be had, or the file has changed meanwhile.
    pub(super) fn new(
        card: &Card,
        chosen: &Chosen<'_>,
        file: &ModelFile,
        options: &LoadOptions,
        device: &Device,
    ) -> Result<Self, ModelError> {
        let on_nvidia = matches!(device, Device::Cuda(_) | Device::TensorRt(_));
        let wanted = match options.normalise {
            _ if chosen.input.element == Element::U8 => false,
            Normalise::OnHost => false,
            Normalise::InGraph => true,
            Normalise::ByDevice => on_nvidia,
        };
        let mut prepared =
            Self { edited: None, input: chosen.input.clone(), sides: Vec::new(), profile: None };
        let mut inputs = file.inputs.clone();
        if wanted {
            match file.with_prelude(card, &prelude(&chosen.input))? {
                Ok(composed) => {
                    prepared.edited = Some(composed.encode());
                    prepared.input =
                        TensorSpec { element: Element::U8, layout: Layout::Nhwc, ..chosen.input.clone() };
                    inputs = composed.inputs();
                }
                Err(error) if options.normalise == Normalise::InGraph => {
                    return Err(ModelError::Prelude { model: card.name.clone(), reason: error.to_string() });
                }
                Err(error) => {
                    tracing::info!(model = %card.name, %device, %error, "Normalised on the host.");
                }
            }
        }
        // The processor's kernels take any shape as it comes; others build for one.
        if *device != Device::Cpu
            && let [input] = &inputs[..]
        {
            prepared.close(input, options.batch_max.max(1));
        }
        Ok(prepared)
    }

    /// Settles what `input` leaves open: the card says how large a picture is, and a batch of one is always one.
    fn close(&mut self, input: &Value, batch_max: usize) {
        let shape = self.input.shape();
        if input.sides().len() != shape.len() {
            return;
        }
        let mut open = false;
        for (axis, side) in input.sides().iter().enumerate() {
            match side {
                Side::Fixed(_) => {}
                Side::Named(name) if axis > 0 || batch_max == 1 => {
                    self.sides.push((name.clone(), shape[axis] as i64));
                }
                Side::Named(_) | Side::Unknown => open = true,
            }
        }
        if open {
            let of = |batch: usize| {
                let [_, b, c, d] = shape;
                format!("{}:{batch}x{b}x{c}x{d}", input.name)
            };
            self.profile = Some(Profile { min: of(1), max: of(batch_max) });
        }
    }
}

/// The arithmetic of `spec`. The channels' order stays the host's business, who swaps them for nothing.
fn prelude(spec: &TensorSpec) -> Prelude {
    Prelude {
        layout: match spec.layout {
            Layout::Nchw => plumb_onnx::Layout::Nchw,
            Layout::Nhwc => plumb_onnx::Layout::Nhwc,
        },
        reverse_channels: false,
        scale: spec.scale,
        mean: spec.mean.clone(),
        std: spec.std.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn prepared(name: &str, options: &LoadOptions, device: &Device) -> Result<Prepared, ModelError> {
        let card = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/models/{name}.toml"));
        let card = Card::read(&card).unwrap();
        let chosen = Chosen::of(&card, None).unwrap();
        let file = ModelFile::checked(&card, &chosen).unwrap();
        Prepared::new(&card, &chosen, &file, options, device)
    }

    #[test]
    fn a_graphics_card_is_sent_bytes_and_the_processor_numbers() {
        let options = LoadOptions::default();
        let on_card = prepared("classifier", &options, &Device::Cuda(0)).unwrap();
        assert!(on_card.edited.is_some());
        assert_eq!((on_card.input.element, on_card.input.shape()), (Element::U8, [1, 32, 32, 3]));
        let on_cpu = prepared("classifier", &options, &Device::Cpu).unwrap();
        assert!(on_cpu.edited.is_none());
        assert_eq!((on_cpu.input.element, on_cpu.input.shape()), (Element::F32, [1, 3, 32, 32]));
        let already = prepared("classifier-u8", &options, &Device::Cuda(0)).unwrap();
        assert!(already.edited.is_none());
        assert_eq!(already.input.shape(), [1, 3, 32, 32]);
    }

    #[test]
    fn open_sides_are_closed_by_the_card_but_for_a_batch_that_grows() {
        let options =
            |batch_max| LoadOptions { batch_max, normalise: Normalise::OnHost, ..LoadOptions::default() };
        let one = prepared("detector-dynamic", &options(1), &Device::TensorRt(0)).unwrap();
        let sides: Vec<_> = one.sides.iter().map(|(name, length)| (name.as_str(), *length)).collect();
        assert_eq!(sides, [("n", 1), ("h", 32), ("w", 32)]);
        assert!(one.profile.is_none());
        let eight = prepared("detector-dynamic", &options(8), &Device::TensorRt(0)).unwrap();
        let profile = eight.profile.unwrap();
        assert_eq!((&*profile.min, &*profile.max), ("picture:1x3x32x32", "picture:8x3x32x32"));
    }
}
