//! Several pictures in one run: how many, and which part of the output is whose.

use super::{Model, check};
use crate::Device;
use crate::error::ModelError;
use crate::output::{Output, described};
use crate::session::RunError;
use plumb_inspection::{Findings, Tensor, Values};
use std::borrow::Cow;
use std::time::Instant;

/// How many pictures a run takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Batch {
    /// Any number up to this.
    UpTo(usize),
    /// The next of 1, 2, 4, 8 … up to this: a graphics card prepares itself for each number it meets.
    Powers(usize),
    /// Always this many.
    Fixed(usize),
}

impl Batch {
    /// For a graph whose batch axis is `wants` (−1 for any number), on `device`, where `wish` pictures may share a run.
    pub(super) fn new(wants: i64, device: &Device, wish: usize) -> Self {
        match usize::try_from(wants) {
            Ok(fixed @ 2..) => Self::Fixed(fixed),
            Ok(_) => Self::UpTo(1),
            Err(_) if matches!(device, Device::Cuda(_) | Device::TensorRt(_)) => Self::Powers(wish.max(1)),
            Err(_) => Self::UpTo(wish.max(1)),
        }
    }

    /// Most pictures of one run.
    pub(super) fn max(self) -> usize {
        match self {
            Self::UpTo(max) | Self::Powers(max) | Self::Fixed(max) => max,
        }
    }

    /// How many places a run with `pictures` has.
    pub(super) fn filled_to(self, pictures: usize) -> usize {
        match self {
            Self::UpTo(_) => pictures,
            Self::Powers(max) => pictures.next_power_of_two().min(max),
            Self::Fixed(batch) => batch,
        }
    }

    /// Every number of places that a run can have.
    pub(super) fn sizes(self) -> Vec<usize> {
        let mut sizes: Vec<usize> = (1..=self.max()).map(|pictures| self.filled_to(pictures)).collect();
        sizes.dedup();
        sizes
    }
}

/// The outputs for picture `at` of a run with `batch` places, each with a batch of one; `None` where an output has not
/// a place for each picture.
pub(super) fn of_picture<'o>(
    outputs: &'o [Output<'o>],
    at: usize,
    batch: usize,
) -> Option<Cow<'o, [Output<'o>]>> {
    if batch == 1 {
        return Some(Cow::Borrowed(outputs));
    }
    outputs.iter().map(|output| output.item(at, batch)).collect()
}

impl Model {
    /// Shares a run among `tensors`, no more than a run takes. Where that fails, each has a run of its own: a batch that
    /// is too large for a device's memory is no reason to miss all its parts.
    pub(super) fn examine_together(
        &mut self,
        tensors: &[&Tensor],
        by: Option<Instant>,
    ) -> Vec<Result<Findings, ModelError>> {
        if tensors.len() > 1 && tensors.iter().all(|tensor| self.fits(tensor).is_ok()) {
            match self.look_at(tensors, by) {
                Ok(seen) => return seen,
                Err(error) => {
                    let (model, pictures) = (&self.info.name, tensors.len());
                    tracing::warn!(%model, pictures, %error, "A batch failed; its pictures are examined one by one.");
                }
            }
        }
        tensors.iter().map(|tensor| self.examine_by(tensor, by)).collect()
    }

    /// Finds out by trial whether pictures that share a run get the answers that each gets alone, for every number of
    /// them that is to come, and says why not. An export may declare its batch open and still mix pictures up.
    pub(super) fn prove_batch(&mut self) -> Result<(), String> {
        let sizes = match self.batch {
            Batch::UpTo(max) => vec![2, max],
            Batch::Powers(_) | Batch::Fixed(_) => self.batch.sizes(),
        };
        let two = [check::noise(&self.info.input, 1), check::noise(&self.info.input, 2)];
        let mut alone = Vec::new();
        for picture in &two {
            let one = self.outputs_of(&[picture], self.batch.filled_to(1))?;
            alone.push(one.into_iter().next().expect("as many answers as pictures"));
        }
        for size in sizes.into_iter().filter(|size| *size > 1) {
            let pictures: Vec<&Values> = (0..size).map(|i| &two[i % 2]).collect();
            for (i, together) in self.outputs_of(&pictures, size)?.iter().enumerate() {
                if !alike(&alone[i % 2], together) {
                    return Err(format!(
                        "with {size} pictures in a run, one of them gives other numbers than alone"
                    ));
                }
            }
        }
        Ok(())
    }

    /// Shape and numbers of each output, for each picture of one run.
    fn outputs_of(&mut self, pictures: &[&Values], places: usize) -> Result<Vec<Vec<Owned>>, String> {
        let read = |outputs: &[Output<'_>]| {
            (0..pictures.len())
                .map(|at| {
                    let outputs = of_picture(outputs, at, places).ok_or_else(|| {
                        format!(
                            "of {places} pictures it gives {}, which has no place for each",
                            described(outputs)
                        )
                    })?;
                    Ok(outputs.iter().map(|o| (o.shape.clone(), o.values.to_vec())).collect())
                })
                .collect()
        };
        match self.backend.run(&self.info.input, pictures, places, None, read) {
            Ok(each) => each,
            Err(RunError::Fault(_, reason) | RunError::Failed(reason)) => Err(reason),
            Err(RunError::Remote(error)) => Err(error.to_string()),
        }
    }
}

/// Shape and numbers of one output.
type Owned = (Vec<usize>, Vec<f32>);

/// The same but for rounding: kernels for another number of pictures add up in another order, and in fp16 that shows.
fn alike(a: &[Owned], b: &[Owned]) -> bool {
    let same = |a: &[f32], b: &[f32]| {
        let largest = a.iter().fold(0.0_f32, |largest, v| largest.max(v.abs()));
        a.iter().zip(b).all(|(a, b)| (a - b).abs() <= largest * 0.01 || a.to_bits() == b.to_bits())
    };
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.0 == b.0 && same(&a.1, &b.1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_has_a_place_for_each_picture_and_a_card_knows_few_sizes() {
        let cuda = Device::Cuda(0);
        assert_eq!(Batch::new(1, &Device::Cpu, 8), Batch::UpTo(1));
        assert_eq!(Batch::new(4, &cuda, 8), Batch::Fixed(4));
        assert_eq!(Batch::new(-1, &Device::Cpu, 0).sizes(), [1]);
        assert_eq!(Batch::new(-1, &Device::Cpu, 3).sizes(), [1, 2, 3]);
        assert_eq!(Batch::new(-1, &cuda, 12).sizes(), [1, 2, 4, 8, 12]);
        assert_eq!(Batch::new(-1, &cuda, 12).filled_to(9), 12);
        assert_eq!(Batch::Fixed(4).filled_to(1), 4);
    }

    #[test]
    fn each_picture_gets_its_part_of_every_output_or_none_is_read() {
        let output = |shape: &[usize]| {
            let values: Vec<f32> = (0..shape.iter().product()).map(|i: usize| i as f32).collect();
            Output { name: "o", shape: shape.to_vec(), values: values.into(), whole: false }
        };
        let outputs = [output(&[2, 3]), output(&[2])];
        let second = of_picture(&outputs, 1, 2).unwrap();
        assert_eq!((&*second[0].shape, &*second[0].values), (&[1, 3][..], &[3.0, 4.0, 5.0][..]));
        assert_eq!((&*second[1].shape, &*second[1].values), (&[1][..], &[1.0][..]));
        assert!(of_picture(&[output(&[1, 6])], 0, 2).is_none());
        assert!(of_picture(&[output(&[])], 0, 2).is_none());
    }
}
