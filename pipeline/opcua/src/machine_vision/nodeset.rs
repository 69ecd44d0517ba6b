//! The official node sets, put right while they are read.
//!
//! async-opcua 0.19 compares encodings before and after it has renumbered their namespace, so no structure gets its
//! `DefaultEncodingId`, and clients cannot read values of it. And the namespace's own `TrimmedString` has the name of
//! one in the base namespace (since 1.05), so that asyncua does not find it; on the wire both are strings.

use opcua::{
    nodes::{ImportedItem, NodeSet2Import, NodeSetImport, NodeType},
    types::{DataTypeDefinition, DataTypeId, NodeId, NodeSetNamespaceMapper, ReferenceTypeId},
};
use std::collections::{HashMap, HashSet};

const MACHINE_VISION: &str = include_str!("../../nodesets/Opc.Ua.MachineVision.NodeSet2.xml");
const MACHINERY_RESULT: &str =
    include_str!("../../nodesets/Opc.Ua.Machinery_Result.ResultEvaluationEnum.NodeSet2.xml");

/// A node set in which every structure has its encoding.
pub(super) struct NodeSet(NodeSet2Import);

impl NodeSet {
    /// OPC 40100-1.
    pub(super) fn machine_vision() -> Self {
        Self::of(MACHINE_VISION)
    }

    /// `ResultEvaluationEnum` of OPC 40001-101.
    pub(super) fn machinery_result() -> Self {
        Self::of(MACHINERY_RESULT)
    }

    fn of(xml: &str) -> Self {
        Self(NodeSet2Import::new_str("", xml, Vec::new()).expect("a test reads the files that are built in"))
    }
}

impl NodeSetImport for NodeSet {
    fn register_namespaces(&self, namespaces: &mut NodeSetNamespaceMapper<'_>) {
        // As the library does, but for what it prints: stdout is for data.
        for (namespace, index) in self.get_own_namespaces().iter().zip(1..) {
            namespaces.add_namespace(namespace, index);
        }
    }

    fn get_own_namespaces(&self) -> Vec<String> {
        self.0.get_own_namespaces()
    }

    fn load<'a>(
        &'a self,
        namespaces: &'a NodeSetNamespaceMapper<'_>,
    ) -> Box<dyn Iterator<Item = ImportedItem> + 'a> {
        let mut items: Vec<ImportedItem> = self.0.load(namespaces).collect();
        put_right(&mut items);
        Box::new(items.into_iter())
    }
}

fn put_right(items: &mut [ImportedItem]) {
    let mut binary = HashSet::new();
    let mut own_trimmed = None;
    for item in &*items {
        match &item.node {
            NodeType::Object(_) if named(item, "Default Binary") => drop(binary.insert(id(item))),
            NodeType::DataType(_) if named(item, "TrimmedString") => own_trimmed = Some(id(item)),
            _ => {}
        }
    }
    let mut encodings: HashMap<NodeId, NodeId> = HashMap::new();
    for item in &*items {
        let has = |to: &NodeId| binary.contains(to);
        for reference in
            item.references.iter().filter(|reference| reference.type_id == ReferenceTypeId::HasEncoding)
        {
            let own = id(item);
            match reference.is_forward {
                true if has(&reference.target_id) => drop(encodings.insert(own, reference.target_id.clone())),
                false if has(&own) => drop(encodings.insert(reference.target_id.clone(), own)),
                _ => {}
            }
        }
    }
    for item in items {
        let NodeType::DataType(node) = &mut item.node else { continue };
        let Some(DataTypeDefinition::Structure(mut definition)) = node.data_type_definition().cloned() else {
            continue;
        };
        let own = opcua::nodes::NodeBase::node_id(&**node).clone();
        if let Some(encoding) = encodings.get(&own) {
            definition.default_encoding_id = encoding.clone();
        }
        for field in definition.fields.iter_mut().flatten() {
            if Some(&field.data_type) == own_trimmed.as_ref() {
                field.data_type = DataTypeId::TrimmedString.into();
            }
        }
        node.set_data_type_definition(Some(DataTypeDefinition::Structure(definition)));
    }
}

fn named(item: &ImportedItem, name: &str) -> bool {
    item.node.as_node().browse_name().name.as_ref() == name
}

fn id(item: &ImportedItem) -> NodeId {
    item.node.as_node().node_id().clone()
}
