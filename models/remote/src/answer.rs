//! A server's answer, read and checked: as many numbers as its shapes say, of the types that its metadata says.

use crate::{Metadata, Tensor, Values, metadata::elements, proto::ModelInferResponse};
use std::{borrow::Cow, sync::Arc};

/// What a model found, and which server said so.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// In the server's order.
    pub outputs: Vec<Tensor<'static>>,
    /// The model's version, where the server tells it; empty where it does not.
    pub model_version: String,
    /// `host:port` of the server that answered.
    pub endpoint: Arc<str>,
}

impl Answer {
    /// Reads raw contents and typed ones.
    ///
    /// # Errors
    /// With what is wrong, all of it at once: it is no answer then.
    pub(crate) fn read(
        said: ModelInferResponse,
        endpoint: Arc<str>,
        metadata: &Metadata,
    ) -> Result<Self, String> {
        let ModelInferResponse { outputs, raw_output_contents: raw, .. } = said;
        if !raw.is_empty() && raw.len() != outputs.len() {
            return Err(format!("{} outputs and raw contents for {}", outputs.len(), raw.len()));
        }
        let mut wrong = Vec::new();
        let mut read = Vec::with_capacity(outputs.len());
        for (at, output) in outputs.into_iter().enumerate() {
            let values = output.datatype.parse().and_then(|datatype| match raw.get(at) {
                Some(raw) => Values::from_raw(datatype, raw),
                None => Values::from_typed(datatype, output.contents.unwrap_or_default()),
            });
            let shape =
                output.shape.iter().map(|side| usize::try_from(*side).ok()).collect::<Option<Vec<_>>>();
            match (values, shape) {
                (Ok(values), Some(shape)) if elements(&shape) == Some(values.len()) => {
                    read.push(Tensor { name: Cow::Owned(output.name), shape: Cow::Owned(shape), values });
                }
                (Ok(values), _) => wrong.push(format!(
                    "output {:?} of shape {:?} holds {} numbers",
                    output.name,
                    output.shape,
                    values.len()
                )),
                (Err(says), _) => wrong.push(format!("output {:?} {says}", output.name)),
            }
        }
        if wrong.is_empty() {
            wrong.extend(metadata.contradiction(&read));
        }
        if wrong.is_empty() {
            Ok(Self { outputs: read, model_version: said.model_version, endpoint })
        } else {
            Err(wrong.join("; "))
        }
    }

    /// The output of this name.
    pub fn output(&self, name: &str) -> Option<&Tensor<'static>> {
        self.outputs.iter().find(|output| output.name == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Datatype, TensorInfo,
        proto::{InferTensorContents, model_infer_response::InferOutputTensor},
    };
    use prost::bytes::Bytes;

    fn output(
        name: &str,
        datatype: &str,
        shape: &[i64],
        typed: Option<InferTensorContents>,
    ) -> InferOutputTensor {
        InferOutputTensor {
            name: name.to_owned(),
            datatype: datatype.to_owned(),
            shape: shape.to_vec(),
            contents: typed,
            ..Default::default()
        }
    }

    fn read(outputs: Vec<InferOutputTensor>, raw: &[&'static [u8]]) -> Result<Answer, String> {
        let logits = TensorInfo { name: "logits".to_owned(), datatype: Datatype::F32, shape: vec![1, -1] };
        let metadata =
            Metadata { platform: String::new(), versions: vec![], inputs: vec![], outputs: vec![logits] };
        let raw_output_contents = raw.iter().copied().map(Bytes::from_static).collect();
        let said = ModelInferResponse { outputs, raw_output_contents, ..Default::default() };
        Answer::read(said, "a:1".into(), &metadata)
    }

    #[test]
    fn raw_and_typed_contents_read_the_same() {
        let raw = read(vec![output("logits", "FP32", &[1, 2], None)], &[&[0, 0, 128, 63, 0, 0, 0, 192]]);
        let typed = InferTensorContents { fp32_contents: vec![1.0, -2.0], ..Default::default() };
        let typed = read(vec![output("logits", "FP32", &[1, 2], Some(typed))], &[]);
        assert_eq!(raw.as_ref().unwrap().output("logits").unwrap().values, Values::from(&[1f32, -2.0][..]));
        assert_eq!(raw, typed);
    }

    #[test]
    fn an_answer_without_a_single_finding_is_an_answer() {
        let answer = read(vec![output("logits", "FP32", &[1, 0], None)], &[&[]]).unwrap();
        assert!(answer.outputs[0].values.is_empty());
        assert_eq!(read(vec![output("logits", "FP32", &[1, 0], None)], &[]).unwrap(), answer);
    }

    #[test]
    fn what_does_not_add_up_is_told_and_is_no_answer() {
        let logits = |datatype, shape| output("logits", datatype, shape, None);
        for (outputs, raw, says) in [
            (vec![], &[][..], r#"nothing for "logits" FP32 [1, -1]"#),
            (vec![logits("FP32", &[1, 2])], &[&[0u8; 4][..]], "of shape [1, 2] holds 1 numbers"),
            (vec![logits("FP32", &[1, -1])], &[&[0u8; 4]], "of shape [1, -1] holds 1 numbers"),
            (vec![logits("FP32", &[i64::MAX, 2, 4])], &[&[0u8; 4]], "holds 1 numbers"),
            (vec![logits("FP32", &[1, 1])], &[&[0u8; 3]], "has 3 bytes"),
            (vec![logits("FP32", &[1, 1])], &[&[0u8; 4], &[0u8; 4]], "1 outputs and raw contents for 2"),
            (vec![logits("FLOAT", &[1, 1])], &[&[0u8; 4]], r#"datatype "FLOAT""#),
            (vec![logits("BYTES", &[1, 1])], &[&[0u8; 4]], "which Plumb does not read"),
            (vec![logits("INT32", &[1, 1])], &[&[0u8; 4]], "where its metadata says"),
            (vec![logits("FP32", &[1])], &[&[0u8; 4]], "where its metadata says"),
        ] {
            let wrong = read(outputs, raw).unwrap_err();
            assert!(wrong.contains(says), "{says} in {wrong}");
        }
    }
}
