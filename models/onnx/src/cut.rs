//! A part of a graph: what is in the middle of it given out, and everything dropped that this does not need.

use crate::proto::{GraphProto, ModelProto, NodeProto};
use crate::value::declare;
use crate::{OnnxFile, Side, Value};
use std::collections::{BTreeMap, BTreeSet};

/// Why a graph cannot be cut so. It stays as it was.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CutError {
    /// No node, input or weight gives it.
    #[error("the graph has no value \"{name}\"")]
    NoValue {
        /// As asked for.
        name: String,
    },
    /// A file without the one input that a picture goes into.
    #[error("it has {} inputs ({}), and a picture goes into one", names.len(), names.join(", "))]
    Inputs {
        /// Their names.
        names: Vec<String>,
    },
    /// The file says that a side is always of another length.
    #[error("its input is {input}, which cannot be {wanted:?}")]
    Sides {
        /// As declared.
        input: String,
        /// As asked for.
        wanted: Vec<u64>,
    },
}

impl OnnxFile {
    /// A copy that gives `wanted` instead of its outputs, and has only what these need: nodes, weights, declarations.
    /// Number type and shape of a new output are left to the reader, who infers them.
    ///
    /// # Errors
    /// For a value that the graph does not have.
    pub fn cut_at(&self, wanted: &[&str]) -> Result<Self, CutError> {
        let graph = self.graph();
        let given: BTreeSet<&str> = graph
            .node
            .iter()
            .flat_map(|node| node.output.iter().map(String::as_str))
            .chain(graph.input.iter().map(|input| input.name()))
            .collect();
        if let Some(name) = wanted.iter().find(|name| name.is_empty() || !given.contains(**name)) {
            return Err(CutError::NoValue { name: (*name).to_owned() });
        }
        let mut model = self.model.clone();
        let graph = model.graph.as_mut().expect("parse refuses a model without a graph");
        let known: BTreeMap<String, _> = graph
            .value_info
            .iter()
            .chain(&graph.output)
            .map(|value| (value.name().to_owned(), value.clone()))
            .collect();
        graph.output = wanted
            .iter()
            .map(|name| known.get(*name).cloned().unwrap_or_else(|| declare((*name).to_owned(), None)))
            .collect();
        prune(&mut model, wanted);
        Ok(Self { model })
    }

    /// A copy whose one input has `sides`, where it left them open. What the file says of values behind it is dropped
    /// where it was not certain.
    ///
    /// # Errors
    /// For another number of inputs or of sides, and for a side that always has another length.
    pub fn with_input_sides(&self, sides: &[u64]) -> Result<Self, CutError> {
        let inputs = self.inputs();
        let [input] = &inputs[..] else {
            return Err(CutError::Inputs { names: inputs.into_iter().map(|input| input.name).collect() });
        };
        let fits = input.sides().len() == sides.len()
            && input.lengths().iter().zip(sides).all(|(is, wanted)| is.is_none_or(|is| is == *wanted));
        if !fits {
            return Err(CutError::Sides { input: input.to_string(), wanted: sides.to_vec() });
        }
        let fixed: Vec<Side> = sides.iter().map(|side| Side::Fixed(*side)).collect();
        let mut model = self.model.clone();
        let graph = model.graph.as_mut().expect("parse refuses a model without a graph");
        if let Some(declared) = graph.input.iter_mut().find(|declared| declared.name() == input.name) {
            let kind = declared.r#type.as_ref().map_or(1, crate::value::element_number);
            *declared = declare(input.name.clone(), Some((kind, &fixed)));
        }
        // A name for an open side would now stand for a length that is known: readers would have to believe both.
        let is_certain =
            |value: &crate::proto::ValueInfoProto| Value::of(value).lengths().iter().all(Option::is_some);
        graph.value_info.retain(is_certain);
        for output in graph.output.iter_mut().filter(|output| !is_certain(output)) {
            *output = declare(output.name().to_owned(), None);
        }
        Ok(Self { model })
    }
}

/// Drops every node, weight and declaration that none of `wanted` needs; also what graphs inside a node take is needed.
pub(crate) fn prune<S: AsRef<str>>(model: &mut ModelProto, wanted: &[S]) {
    let Some(graph) = model.graph.as_mut() else { return };
    let mut needed: BTreeSet<String> = wanted.iter().map(|name| name.as_ref().to_owned()).collect();
    let mut kept = vec![false; graph.node.len()];
    // Nodes stand in the order in which they run, so that one pass from the end meets every taker before its giver.
    for (node, kept) in graph.node.iter().zip(&mut kept).rev() {
        if node.output.iter().any(|output| needed.contains(output)) {
            *kept = true;
            take(node, &mut needed);
        }
    }
    let mut kept = kept.into_iter();
    graph.node.retain(|_| kept.next().unwrap_or(true));
    graph.initializer.retain(|weight| needed.contains(weight.name()));
    graph
        .sparse_initializer
        .retain(|weight| weight.values.as_ref().is_some_and(|v| needed.contains(v.name())));
    graph.quantization_annotation.retain(|note| needed.contains(note.tensor_name()));
    let weights: BTreeSet<&str> = graph.initializer.iter().map(|weight| weight.name()).collect();
    let given: BTreeSet<&str> =
        graph.node.iter().flat_map(|node| node.output.iter().map(String::as_str)).collect();
    graph.value_info.retain(|value| given.contains(value.name()) || weights.contains(value.name()));
}

/// What `node` takes, and the graphs inside it.
fn take(node: &NodeProto, needed: &mut BTreeSet<String>) {
    needed.extend(node.input.iter().cloned());
    let mut graphs: Vec<&GraphProto> =
        node.attribute.iter().flat_map(|attribute| attribute.g.iter().chain(&attribute.graphs)).collect();
    while let Some(graph) = graphs.pop() {
        needed.extend(graph.output.iter().map(|output| output.name().to_owned()));
        for node in &graph.node {
            needed.extend(node.input.iter().cloned());
            graphs.extend(
                node.attribute.iter().flat_map(|attribute| attribute.g.iter().chain(&attribute.graphs)),
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn file(name: &str) -> OnnxFile {
        let file =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("../exports/files").join(name).join("model.onnx");
        OnnxFile::read(&file).unwrap()
    }

    #[test]
    fn what_the_wanted_value_does_not_need_is_gone() {
        let whole = file("timm-resnet10t");
        let pools = whole.model().graph.as_ref().unwrap();
        let middle = pools.node[pools.node.len() / 2].output[0].clone();
        let cut = whole.cut_at(&[&middle]).unwrap();
        assert_eq!(cut.outputs().len(), 1);
        assert_eq!(cut.outputs()[0].name, middle);
        let nodes = |file: &OnnxFile| file.operators().values().sum::<usize>();
        assert!(nodes(&cut) < nodes(&whole) && cut.initialisers().count() < whole.initialisers().count());
        assert_eq!(cut.cut_at(&[&middle]).unwrap(), cut, "cut once more it is the same");
        let says = whole.cut_at(&["nowhere"]).unwrap_err();
        assert!(says.to_string().contains("nowhere"), "{says}");
    }

    #[test]
    fn an_open_input_is_closed_and_a_closed_one_is_not_bent() {
        let open = OnnxFile::read(
            &Path::new(env!("CARGO_MANIFEST_DIR")).join("../inference/tests/models/detector-dynamic.onnx"),
        )
        .unwrap();
        let closed = open.with_input_sides(&[1, 3, 64, 96]).unwrap();
        assert_eq!(closed.inputs()[0].lengths(), [Some(1), Some(3), Some(64), Some(96)]);
        assert!(matches!(closed.with_input_sides(&[1, 3, 64, 64]), Err(CutError::Sides { .. })));
        assert!(matches!(open.with_input_sides(&[3, 64, 64]), Err(CutError::Sides { .. })));
    }
}
