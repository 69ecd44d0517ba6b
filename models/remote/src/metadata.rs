//! What a server says of its model: what goes in, what comes out.

use crate::{Datatype, Tensor, proto::ModelMetadataResponse, proto::model_metadata_response::TensorMetadata};
use std::fmt;

/// Room for names, shapes and parameters in an answer, beside its numbers.
const AROUND: usize = 64 * 1024;

/// What a server says of its model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metadata {
    /// `onnx_onnxv1`, `tensorrt_plan` …; may be empty.
    pub platform: String,
    /// The versions that the server has; may be empty.
    pub versions: Vec<String>,
    /// What goes in. Empty where the server does not say: then the server alone judges what it is given.
    pub inputs: Vec<TensorInfo>,
    /// What comes out. Empty where the server does not say.
    pub outputs: Vec<TensorInfo>,
}

/// One input or output of a model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TensorInfo {
    /// As the model calls it.
    pub name: String,
    /// Number type.
    pub datatype: Datatype,
    /// Outermost first; −1 for a side that may vary.
    pub shape: Vec<i64>,
}

impl Metadata {
    /// # Errors
    /// With what is wrong, for a datatype that the protocol does not have.
    pub(crate) fn read(said: ModelMetadataResponse) -> Result<Self, String> {
        let all = |tensors: Vec<TensorMetadata>| {
            tensors.into_iter().map(TensorInfo::read).collect::<Result<Vec<_>, _>>()
        };
        let (inputs, outputs) = (all(said.inputs)?, all(said.outputs)?);
        Ok(Self { platform: said.platform, versions: said.versions, inputs, outputs })
    }

    /// What is wrong with `given` as the model's inputs, all of it at once; `None` if nothing is.
    pub(crate) fn objection(&self, given: &[Tensor<'_>]) -> Option<String> {
        let mut wrong: Vec<String> = given
            .iter()
            .filter(|tensor| Some(tensor.values.len()) != elements(&tensor.shape))
            .map(|tensor| format!("{} holds {} numbers", tensor.described(), tensor.values.len()))
            .collect();
        if !self.inputs.is_empty() {
            let named = |name: &str| self.inputs.iter().find(|input| input.name == name);
            wrong.extend(given.iter().filter_map(|tensor| match named(&tensor.name) {
                Some(input) if input.fits(tensor) => None,
                Some(input) => Some(format!("{} where the model wants {input}", tensor.described())),
                None => {
                    Some(format!("{} where the model wants {}", tensor.described(), listed(&self.inputs)))
                }
            }));
            let absent = |input: &&TensorInfo| given.iter().all(|tensor| tensor.name != input.name);
            wrong.extend(self.inputs.iter().filter(absent).map(|input| format!("nothing for {input}")));
        }
        (!wrong.is_empty()).then(|| wrong.join("; "))
    }

    /// What is wrong with `given` as the model's outputs, all of it at once; `None` if nothing is.
    pub(crate) fn contradiction(&self, given: &[Tensor<'_>]) -> Option<String> {
        let wrong: Vec<String> = self
            .outputs
            .iter()
            .filter_map(|output| match given.iter().find(|tensor| tensor.name == output.name) {
                Some(tensor) if output.fits(tensor) => None,
                Some(tensor) => Some(format!("{} where its metadata says {output}", tensor.described())),
                None => Some(format!("nothing for {output}")),
            })
            .collect();
        (!wrong.is_empty()).then(|| wrong.join("; "))
    }

    /// True if what goes in and out is the same, in any order.
    pub(crate) fn is_same_model(&self, other: &Self) -> bool {
        let same = |a: &[TensorInfo], b: &[TensorInfo]| a.len() == b.len() && a.iter().all(|t| b.contains(t));
        same(&self.inputs, &other.inputs) && same(&self.outputs, &other.outputs)
    }

    /// The largest answer that this model can give; `otherwise` where it cannot be told.
    pub(crate) fn answer_bytes_max(&self, otherwise: usize) -> usize {
        let bytes = |output: &TensorInfo| {
            let sides: Option<Vec<usize>> = output.shape.iter().map(|s| usize::try_from(*s).ok()).collect();
            elements(&sides?)?.checked_mul(output.datatype.bytes_max()?)
        };
        let all = self.outputs.iter().map(bytes).try_fold(AROUND, |sum, bytes| sum.checked_add(bytes?));
        all.filter(|_| !self.outputs.is_empty()).unwrap_or(otherwise)
    }
}

impl fmt::Display for Metadata {
    /// `"picture" FP32 [1, 3, 32, 32] to "logits" FP32 [1, 3]`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} to {}", listed(&self.inputs), listed(&self.outputs))
    }
}

impl TensorInfo {
    fn read(said: TensorMetadata) -> Result<Self, String> {
        let datatype = said.datatype.parse().map_err(|wrong| format!("{:?}: {wrong}", said.name))?;
        let shape = said.shape.into_iter().map(|side| side.max(-1)).collect();
        Ok(Self { name: said.name, datatype, shape })
    }

    fn fits(&self, tensor: &Tensor<'_>) -> bool {
        let side = |(said, given): (&i64, &usize)| *said < 0 || usize::try_from(*said) == Ok(*given);
        tensor.values.datatype() == self.datatype
            && tensor.shape.len() == self.shape.len()
            && self.shape.iter().zip(tensor.shape.iter()).all(side)
    }
}

impl fmt::Display for TensorInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} {} {:?}", self.name, self.datatype, self.shape)
    }
}

fn listed(tensors: &[TensorInfo]) -> String {
    if tensors.is_empty() {
        return "what it does not say".to_owned();
    }
    tensors.iter().map(ToString::to_string).collect::<Vec<_>>().join(" and ")
}

/// How many numbers a shape holds; `None` past what can be counted.
pub(crate) fn elements(shape: &[usize]) -> Option<usize> {
    shape.iter().try_fold(1usize, |product, side| product.checked_mul(*side))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn info(name: &str, datatype: Datatype, shape: &[i64]) -> TensorInfo {
        TensorInfo { name: name.to_owned(), datatype, shape: shape.to_vec() }
    }

    fn model(inputs: Vec<TensorInfo>, outputs: Vec<TensorInfo>) -> Metadata {
        Metadata { platform: String::new(), versions: vec![], inputs, outputs }
    }

    #[test]
    fn all_that_is_wrong_with_the_inputs_is_told_at_once() {
        let model = model(vec![info("a", Datatype::F32, &[-1, 2]), info("b", Datatype::U8, &[1])], vec![]);
        let (two, four) = ([0f32; 2], [0f32; 4]);
        let b = Tensor::lent("b", &[1], &[7u8][..]);
        assert_eq!(model.objection(&[Tensor::lent("a", &[1, 2], &two[..]), b.clone()]), None);
        assert_eq!(model.objection(&[Tensor::lent("a", &[2, 2], &four[..]), b]), None, "-1 is any");
        let says = model.objection(&[Tensor::lent("a", &[4], &two[..]), Tensor::lent("c", &[2], &two[..])]);
        let says = says.unwrap();
        for part in [
            r#""a" FP32 [4] holds 2 numbers"#,
            r#""a" FP32 [4] where the model wants "a" FP32 [-1, 2]"#,
            r#""c" FP32 [2] where the model wants "a" FP32 [-1, 2] and "b" UINT8 [1]"#,
            r#"nothing for "b" UINT8 [1]"#,
        ] {
            assert!(says.contains(part), "{part} in {says}");
        }
        let monstrous = Tensor::lent("a", &[usize::MAX, 2], &two[..]);
        assert!(model.objection(&[monstrous]).is_some());
    }

    #[test]
    fn an_answer_is_bounded_by_what_the_model_can_say() {
        let boxes = info("boxes", Datatype::F32, &[1, 84, 8400]);
        let classes = info("classes", Datatype::I64, &[1, 100]);
        let known = model(vec![], vec![boxes.clone(), classes]);
        assert_eq!(known.answer_bytes_max(7), 84 * 8400 * 4 + 1_000 + AROUND);
        for unknown in [
            model(vec![], vec![]),
            model(vec![], vec![boxes.clone(), info("n", Datatype::F32, &[1, -1])]),
            model(vec![], vec![info("text", Datatype::Bytes, &[1])]),
            model(vec![], vec![info("huge", Datatype::F32, &[i64::MAX, i64::MAX])]),
        ] {
            assert_eq!(unknown.answer_bytes_max(7), 7);
        }
    }

    #[test]
    fn servers_may_list_the_same_model_in_another_order() {
        let (a, b) = (info("a", Datatype::F32, &[1]), info("b", Datatype::F32, &[1]));
        let one = model(vec![], vec![a.clone(), b.clone()]);
        assert!(one.is_same_model(&model(vec![], vec![b.clone(), a.clone()])));
        assert!(!one.is_same_model(&model(vec![], vec![a.clone()])));
        assert!(!one.is_same_model(&model(vec![], vec![a, info("b", Datatype::F32, &[2])])));
    }
}
