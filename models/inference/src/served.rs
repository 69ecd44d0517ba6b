//! A model that runs on an inference server, seen as a graph: a tensor goes out, outputs come back by a deadline.

use crate::error::ModelError;
use crate::output::Output;
use crate::session::RunError;
use crate::{Card, Kserve, RemoteOptions};
use half::f16;
use half::slice::HalfFloatSliceExt as _;
use plumb_inspection::{Element, TensorSpec, Values};
use plumb_remote::{Datatype, Remote, Tensor, TensorInfo, Values as Numbers};
use std::borrow::Cow;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// One model on its servers. Clones share the connections and their bound on what is under way.
#[derive(Clone, Debug)]
pub(crate) struct Served {
    remote: Arc<Remote>,
    answer_within: Duration,
}

impl Served {
    /// Waits until one of the servers has the model ready.
    ///
    /// # Errors
    /// When none has in time, or when it does not say what goes in.
    pub(crate) fn connect(card: &Card, to: &Kserve, options: &RemoteOptions) -> Result<Self, ModelError> {
        let remote = plumb_remote::Options {
            connect_within: Duration::from_millis(options.connect_within_ms),
            in_flight_max: NonZeroUsize::new(options.in_flight_max).unwrap_or(NonZeroUsize::MIN),
            ..plumb_remote::Options::default()
        };
        let remote = Remote::connect(&to.endpoints, &to.model, remote)
            .map_err(|error| ModelError::Remote { model: card.name.clone(), error })?;
        Ok(Self { remote: Arc::new(remote), answer_within: Duration::from_millis(options.answer_within_ms) })
    }

    /// Names of all inputs, as the server says.
    pub(crate) fn inputs(&self) -> Vec<String> {
        self.remote.metadata().inputs.iter().map(|input| input.name.clone()).collect()
    }

    /// Number type and shape of the first input, as `Session::input`.
    pub(crate) fn input(&self) -> Option<(Element, Vec<i64>)> {
        let input = self.first()?;
        let element = match input.datatype {
            Datatype::F32 => Element::F32,
            Datatype::F16 => Element::F16,
            Datatype::U8 => Element::U8,
            _ => return None,
        };
        Some((element, input.shape.clone()))
    }

    /// The first input as the server writes it, for messages.
    pub(crate) fn input_type(&self) -> String {
        self.first().map_or_else(|| "what its server does not say".to_owned(), ToString::to_string)
    }

    fn first(&self) -> Option<&TensorInfo> {
        self.remote.metadata().inputs.first()
    }

    /// As `Session::run`, answered or refused by `by`.
    pub(crate) fn run<R>(
        &self,
        spec: &TensorSpec,
        pictures: &[&Values],
        batch: usize,
        by: Option<Instant>,
        read: impl FnOnce(&[Output<'_>]) -> R,
    ) -> Result<R, RunError> {
        let by = by.unwrap_or_else(|| Instant::now() + self.answer_within);
        let mut shape = spec.shape();
        shape[0] = batch.max(pictures.len());
        let values = side_by_side(pictures, shape[0], spec.element);
        let name = self.first().map_or("", |input| &input.name);
        let input = Tensor { name: name.into(), shape: Cow::Borrowed(&shape), values };
        let mut answer = self.remote.infer(&[input], by).map_err(RunError::Remote)?;
        // The graph's order, which families go by, is the one of the metadata; an answer may have another.
        let order = &self.remote.metadata().outputs;
        answer.outputs.sort_by_key(|output| order.iter().position(|info| info.name == output.name));
        let outputs: Result<Vec<Output<'_>>, String> = answer.outputs.iter().map(output).collect();
        Ok(read(&outputs.map_err(RunError::Failed)?))
    }
}

/// All pictures one after the other, the last again up to `places`. A single f32 or u8 one is lent.
fn side_by_side<'a>(pictures: &[&'a Values], places: usize, element: Element) -> Numbers<'a> {
    let last = pictures.last();
    let filled = pictures.iter().chain(last.into_iter().cycle()).take(places);
    let floats = |values: &'a Values| match values {
        Values::F32(values) => &values[..],
        Values::U8(_) => &[],
    };
    let bytes = |values: &'a Values| match values {
        Values::U8(values) => &values[..],
        Values::F32(_) => &[],
    };
    match (element, pictures) {
        (Element::F32, [one]) if places == 1 => Numbers::F32(Cow::Borrowed(floats(one))),
        (Element::U8, [one]) if places == 1 => Numbers::U8(Cow::Borrowed(bytes(one))),
        (Element::F32, _) => Numbers::F32(filled.flat_map(|values| floats(values)).copied().collect()),
        (Element::U8, _) => Numbers::U8(filled.flat_map(|values| bytes(values)).copied().collect()),
        (Element::F16, _) => {
            Numbers::F16(filled.flat_map(|values| floats(values)).map(|v| f16::from_f32(*v)).collect())
        }
    }
}

/// # Errors
/// For number types that no family reads.
fn output<'a>(tensor: &'a Tensor<'static>) -> Result<Output<'a>, String> {
    let values: Cow<'a, [f32]> = match &tensor.values {
        Numbers::F32(values) => Cow::Borrowed(&values[..]),
        Numbers::F16(values) => {
            let mut wide = vec![0.0; values.len()];
            values.convert_to_f32_slice(&mut wide);
            Cow::Owned(wide)
        }
        Numbers::F64(values) => values.iter().map(|v| *v as f32).collect(),
        // Class numbers, far below the 2^24 up to which f32 is exact.
        Numbers::I64(values) => values.iter().map(|v| *v as f32).collect(),
        Numbers::I32(values) => values.iter().map(|v| *v as f32).collect(),
        Numbers::U8(values) => values.iter().map(|v| f32::from(*v)).collect(),
        Numbers::Bool(values) => values.iter().map(|v| f32::from(u8::from(*v))).collect(),
        other => {
            return Err(format!(
                "output {:?} holds {}, which no family reads",
                tensor.name,
                other.datatype()
            ));
        }
    };
    let whole = matches!(tensor.values, Numbers::I64(_) | Numbers::I32(_) | Numbers::U8(_));
    Ok(Output { name: &tensor.name, shape: tensor.shape.to_vec(), values, whole })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_tensor_is_lent_and_several_lie_side_by_side() {
        let (a, b) = (Values::F32(vec![1.0, 2.0]), Values::F32(vec![3.0, 4.0]));
        let one = side_by_side(&[&a], 1, Element::F32);
        assert!(matches!(&one, Numbers::F32(Cow::Borrowed([1.0, 2.0]))), "{one:?}");
        let four = side_by_side(&[&a, &b], 3, Element::F32);
        assert_eq!(four, Numbers::F32(vec![1.0, 2.0, 3.0, 4.0, 3.0, 4.0].into()));
        let half = side_by_side(&[&a], 1, Element::F16);
        assert_eq!(half, Numbers::F16(vec![f16::from_f32(1.0), f16::from_f32(2.0)].into()));
        let bytes = Values::U8(vec![7]);
        assert_eq!(side_by_side(&[&bytes], 2, Element::U8), Numbers::U8(vec![7, 7].into()));
    }
}
