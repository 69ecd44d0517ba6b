//! Names in a graph, and new ones that do not clash with them.

use crate::proto::GraphProto;
use std::collections::BTreeSet;

/// Every name of a value or a node in the graph, those of graphs inside it too: they may not hide ours.
pub(crate) fn names(graph: &GraphProto) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let mut graphs = vec![graph];
    while let Some(graph) = graphs.pop() {
        names.extend(graph.input.iter().chain(&graph.output).map(|value| value.name().to_owned()));
        names.extend(graph.initializer.iter().map(|weight| weight.name().to_owned()));
        for node in &graph.node {
            names.insert(node.name().to_owned());
            names.extend(node.input.iter().chain(&node.output).cloned());
            let inner =
                node.attribute.iter().flat_map(|attribute| attribute.g.iter().chain(&attribute.graphs));
            graphs.extend(inner);
        }
    }
    names
}

/// `wish`, with a number behind it where that name is taken; it is taken from now on.
pub(crate) fn unused(taken: &mut BTreeSet<String>, wish: &str) -> String {
    let numbered = (2..).map(|n| format!("{wish}_{n}"));
    let free = std::iter::once(wish.to_owned()).chain(numbered).find(|name| !taken.contains(name));
    let free = free.expect("there are more numbers than names");
    taken.insert(free.clone());
    free
}
