//! The node manager: the official types, this station's instance of them, and the way of a call to what it means.

use super::{
    MACHINERY_RESULT_DATE, NAMESPACE, OWN_NAMESPACE, RESULT_NAMESPACE,
    condition::Kind,
    ids::Ids,
    instance,
    methods::{CONDITIONS_ROLE, METHODS, Method},
    nodeset::NodeSet,
    vision::{Caller, Vision},
};
use crate::security::{Guard, certificate_is_of_client, unharmed};
use async_trait::async_trait;
use opcua::{
    core::sync::RwLock,
    server::{
        address_space::AddressSpace,
        diagnostics::NamespaceMetadata,
        node_manager::{
            MethodCall, ParsedReadValueId, RequestContext, ServerContext, memory::InMemoryNodeManagerImpl,
        },
    },
    types::{DataValue, DateTime, IdType, NodeId, StatusCode, TimestampsToReturn, Variant},
};
use std::{collections::HashMap, sync::Arc};

/// Nodes of the vision system and of its types.
pub(super) struct Nodes {
    vision: Arc<Vision>,
    guard: Arc<Guard>,
    methods: HashMap<NodeId, (Method, Option<Kind>)>,
    name: String,
}

impl Nodes {
    /// Our namespaces, in the server's order.
    pub(super) fn namespaces(context: &ServerContext, space: &mut AddressSpace) -> Ids {
        let mut types = context.type_tree.write();
        for set in [NodeSet::machine_vision(), NodeSet::machinery_result()] {
            space.import_node_set(&set, types.namespaces_mut());
        }
        let own = types.namespaces_mut().add_namespace(OWN_NAMESPACE);
        space.add_namespace(OWN_NAMESPACE, own);
        let index =
            |namespace: &str| types.namespaces().get_index(namespace).expect("it has just been imported");
        Ids { vision: index(NAMESPACE), result: index(RESULT_NAMESPACE), own }
    }

    /// `guard` learns who may call what.
    pub(super) fn new(vision: Arc<Vision>, guard: Arc<Guard>, name: String) -> Self {
        let ids = vision.ids;
        let mut methods = HashMap::new();
        for entry in METHODS {
            let id = ids.own(&entry.path());
            guard.allow(id.clone(), entry.role);
            methods.insert(id, (entry.method, None));
        }
        for kind in Kind::ALL {
            for method in [Method::Acknowledge, Method::Confirm] {
                let id = ids.own(&format!("{}/{}", instance::condition(kind), method.as_str()));
                guard.allow(id.clone(), CONDITIONS_ROLE);
                methods.insert(id, (method, Some(kind)));
            }
        }
        Self { vision, guard, methods, name }
    }

    async fn answer(
        &self,
        context: &RequestContext,
        id: &NodeId,
        arguments: &[Variant],
    ) -> Result<Vec<Variant>, StatusCode> {
        certificate_is_of_client(context)?;
        let (name, _) = self.guard.who(&context.token).ok_or(StatusCode::BadUserAccessDenied)?;
        let (method, kind) = *self.methods.get(id).ok_or(StatusCode::BadMethodInvalid)?;
        let caller = Caller { name: name.to_owned() };
        unharmed(method.as_str(), self.vision.call(method, kind, arguments, &caller)).await?
    }
}

#[async_trait]
impl InMemoryNodeManagerImpl for Nodes {
    async fn init(&self, space: &mut AddressSpace, _: ServerContext) {
        instance::build(space, self.vision.ids, &self.name);
    }

    fn name(&self) -> &str {
        "machine vision"
    }

    fn namespaces(&self) -> Vec<NamespaceMetadata> {
        let ids = self.vision.ids;
        let official =
            |uri: &str, index: u16, version: &str, date: &str, is_subset: bool| NamespaceMetadata {
                namespace_uri: uri.to_owned(),
                namespace_index: index,
                namespace_version: Some(version.to_owned()),
                namespace_publication_date: DateTime::parse_from_rfc3339(date).ok(),
                is_namespace_subset: Some(is_subset),
                static_node_id_types: Some(vec![IdType::Numeric]),
                ..NamespaceMetadata::default()
            };
        let own = NamespaceMetadata {
            namespace_uri: OWN_NAMESPACE.to_owned(),
            namespace_index: ids.own,
            is_namespace_subset: Some(false),
            static_node_id_types: Some(vec![IdType::String]),
            ..NamespaceMetadata::default()
        };
        vec![
            official(NAMESPACE, ids.vision, "1.0.0", "2019-07-11T10:18:27Z", false),
            official(RESULT_NAMESPACE, ids.result, "1.01.0", MACHINERY_RESULT_DATE, true),
            own,
        ]
    }

    async fn read_values(
        &self,
        context: &RequestContext,
        space: &RwLock<AddressSpace>,
        nodes: &[&ParsedReadValueId],
        max_age: f64,
        timestamps: TimestampsToReturn,
    ) -> Vec<DataValue> {
        if let Err(status) = certificate_is_of_client(context) {
            let refused = DataValue { status: Some(status), ..DataValue::default() };
            return vec![refused; nodes.len()];
        }
        let space = space.read();
        nodes.iter().map(|node| space.read(context, node, max_age, timestamps)).collect()
    }

    async fn call(
        &self,
        context: &RequestContext,
        _: &RwLock<AddressSpace>,
        calls: &mut [&mut &mut MethodCall],
    ) -> Result<(), StatusCode> {
        for call in calls {
            let id = call.method_id().clone();
            let answer = self.answer(context, &id, call.arguments()).await;
            match answer {
                Ok(outputs) => {
                    call.set_outputs(outputs);
                    call.set_status(StatusCode::Good);
                }
                Err(status) => call.set_status(status),
            }
        }
        Ok(())
    }
}
