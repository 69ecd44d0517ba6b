//! Every graph, node and tensor of a model, wherever it is nested: loops and conditions hold graphs of their own.

use crate::proto::{GraphProto, ModelProto, NodeProto, TensorProto};

/// The main graph first, then those inside it. Nesting is bounded by the decoder's own limit of 100 levels.
pub(crate) fn graphs(model: &ModelProto) -> Vec<&GraphProto> {
    let mut found: Vec<&GraphProto> = model.graph.iter().collect();
    let in_functions = model.functions.iter().flat_map(|function| &function.node);
    found.extend(in_functions.flat_map(inner));
    let mut at = 0;
    while at < found.len() {
        let graph = found[at];
        found.extend(graph.node.iter().flat_map(inner));
        at += 1;
    }
    found
}

fn inner(node: &NodeProto) -> impl Iterator<Item = &GraphProto> {
    node.attribute.iter().flat_map(|attribute| attribute.g.iter().chain(&attribute.graphs))
}

/// Nodes of every graph and function.
pub(crate) fn nodes(model: &ModelProto) -> impl Iterator<Item = &NodeProto> {
    graphs(model)
        .into_iter()
        .flat_map(|graph| &graph.node)
        .chain(model.functions.iter().flat_map(|function| &function.node))
}

/// Weights and constants of every graph and function.
pub(crate) fn tensors(model: &ModelProto) -> impl Iterator<Item = &TensorProto> {
    let weights = graphs(model).into_iter().flat_map(|graph| {
        let sparse = &graph.sparse_initializer;
        graph
            .initializer
            .iter()
            .chain(sparse.iter().flat_map(|sparse| sparse.values.iter().chain(&sparse.indices)))
    });
    let constants = nodes(model).flat_map(|node| &node.attribute).flat_map(|attribute| {
        let sparse = attribute.sparse_tensor.iter().chain(&attribute.sparse_tensors);
        let dense = attribute.t.iter().chain(&attribute.tensors);
        dense.chain(sparse.flat_map(|sparse| sparse.values.iter().chain(&sparse.indices)))
    });
    weights.chain(constants)
}
