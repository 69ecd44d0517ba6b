//! What is found out about a model before it is called ready: does its file take and give what its card says?

use super::backend::Backend;
use super::{Model, batch, described};
use crate::Card;
use crate::error::ModelError;
use crate::family::Look;
use crate::output::{self, Output};
use plumb_inspection::{Affine, Element, ModelName, Placement, RectPx, RegionName, TensorSpec, Values};

/// Compares the file's input with `spec`; gives the length of its batch axis, −1 for any.
pub(super) fn input(backend: &Backend, card: &Card, spec: &TensorSpec) -> Result<i64, ModelError> {
    let inputs = backend.inputs();
    if inputs.len() != 1 {
        return Err(ModelError::Inputs { model: card.name.clone(), inputs });
    }
    if let Some((element, sides)) = backend.input()
        && element == spec.element
    {
        let fit = |sides: &[i64]| {
            let says = &spec.shape()[1..];
            let fits = |(wants, says): (&i64, &usize)| *wants < 0 || usize::try_from(*wants) == Ok(*says);
            sides.len() == says.len() && sides.iter().zip(says).all(fits)
        };
        match sides[..] {
            [batch, ref picture @ ..] if batch != 0 && fit(picture) => return Ok(batch),
            // torchvision's detectors take one picture, without a batch.
            ref picture if fit(picture) => return Ok(1),
            _ => {}
        }
    }
    Err(ModelError::Input {
        model: card.name.clone(),
        wants: backend.input_type(),
        says: described(spec),
        card: card.path.clone(),
    })
}

impl Model {
    /// One run, to see the shapes that the file itself may leave open.
    pub(super) fn check_output(&mut self) -> Result<(), ModelError> {
        let spec = self.info.input.clone();
        let region = nowhere();
        let placement = Placement {
            frame_from_tensor: Affine::IDENTITY,
            content_px: RectPx { x: 0.0, y: 0.0, w: spec.width as f32, h: spec.height as f32 },
        };
        let look = Look {
            model: &self.info.name,
            labels: &self.info.labels,
            card: &self.origin.card.path,
            region: &region,
            placement: &placement,
            input_px: (spec.width as f32, spec.height as f32),
        };
        let (blank, family, places) = (blank(&spec), &self.family, self.batch.filled_to(1));
        let checked = self.backend.run(&spec, &[&blank], places, None, |outputs| {
            match batch::of_picture(outputs, 0, places) {
                Some(outputs) => family.check(&outputs, &look),
                None => Err(mixed_up(look.model, places, outputs)),
            }
        });
        match checked {
            Ok(checked) => checked,
            Err(error) => Err(self.failed(error, &region)),
        }
    }
}

/// A batch that does not come out as it went in.
pub(super) fn mixed_up(model: &ModelName, batch: usize, outputs: &[Output<'_>]) -> ModelError {
    ModelError::Batch { model: model.clone(), batch, gives: output::described(outputs) }
}

/// The region of pictures that nobody took.
pub(super) fn nowhere() -> RegionName {
    RegionName::from("(warm-up)")
}

/// A grey picture, as preprocessing would hand it over but for mean and std.
pub(super) fn blank(spec: &TensorSpec) -> Values {
    match spec.element {
        Element::F32 | Element::F16 => Values::F32(vec![0.5; spec.len()]),
        Element::U8 => Values::U8(vec![128; spec.len()]),
    }
}

/// Dim noise, the same for the same `seed`.
pub(super) fn noise(spec: &TensorSpec, seed: u32) -> Values {
    let byte = |i: usize| ((i as u32 ^ seed.rotate_left(20)).wrapping_mul(2_654_435_761) >> 25) as u8;
    match spec.element {
        Element::F32 | Element::F16 => {
            Values::F32((0..spec.len()).map(|i| f32::from(byte(i)) / 255.0).collect())
        }
        Element::U8 => Values::U8((0..spec.len()).map(byte).collect()),
    }
}
