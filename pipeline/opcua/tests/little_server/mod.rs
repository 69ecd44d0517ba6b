//! A server of this crate's security with a few nodes behind it: methods of each role, one that panics, two variables.

#![allow(dead_code, clippy::unwrap_used, reason = "each test uses its own part")]

use async_trait::async_trait;
use opcua::{
    core::sync::RwLock,
    nodes::{MethodBuilder, ObjectBuilder, VariableBuilder},
    server::{
        ServerHandle,
        address_space::{AddressSpace, write_node_value},
        diagnostics::NamespaceMetadata,
        node_manager::{
            MethodCall, RequestContext, ServerContext, WriteNode,
            memory::{InMemoryNodeManagerBuilder, InMemoryNodeManagerImpl},
        },
    },
    types::{DataTypeId, NodeId, ObjectId, ObjectTypeId, StatusCode, Variant},
};
use plumb_opcua::security::{
    Guard, OpcUaServerConfig, Pki, Role, Wish, certificate_is_of_client, secure, unharmed,
};
use std::{net::SocketAddr, path::Path, sync::Arc};

pub(crate) const NAMESPACE: &str = "urn:plumb:little-server";

/// A folder of certificates with its own made, for this application on this machine.
pub(crate) fn pki(folder: &Path, name: &str) -> Pki {
    let pki = Pki::open(folder.join(name)).unwrap();
    let hosts = ["localhost", "127.0.0.1"].map(str::to_owned).to_vec();
    let wish = Wish { name: name.into(), application_uri: format!("urn:test:{name}"), hosts, years: 1 };
    pki.own_or_new(&wish).unwrap();
    pki
}

/// The two trust each other.
pub(crate) fn introduce(one: &Pki, other: &Pki) {
    for (who, whom) in [(one, other), (other, one)] {
        let certificate = whom.own().unwrap().unwrap().certificate_path;
        who.trust(certificate.to_str().unwrap()).unwrap();
    }
}

/// A running server. Dropping it stops it.
pub(crate) struct LittleServer {
    pub(crate) at: SocketAddr,
    handle: ServerHandle,
    runtime: Option<tokio::runtime::Runtime>,
}

impl LittleServer {
    pub(crate) fn start(mut config: OpcUaServerConfig, pki: &Pki) -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        config.listen = listener.local_addr().unwrap();
        listener.set_nonblocking(true).unwrap();
        let (builder, guard) = secure(&config, pki, &pki.own().unwrap().unwrap()).unwrap();
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let _inside = runtime.enter();
        let manager =
            InMemoryNodeManagerBuilder::new(move |context: ServerContext, space: &mut AddressSpace| {
                Nodes::new(&context, space, guard)
            });
        let (server, handle) = builder.with_node_manager(manager).build().unwrap();
        runtime.spawn(
            async move { server.run_with(tokio::net::TcpListener::from_std(listener).unwrap()).await },
        );
        drop(_inside);
        Self { at: config.listen, handle, runtime: Some(runtime) }
    }

    pub(crate) fn url(&self) -> String {
        format!("opc.tcp://{}", self.at)
    }
}

impl Drop for LittleServer {
    fn drop(&mut self) {
        self.handle.cancel();
        // A test may itself run on a runtime, where another one must not be waited for.
        self.runtime.take().unwrap().shutdown_background();
    }
}

struct Nodes {
    namespace: u16,
    guard: Arc<Guard>,
}

impl Nodes {
    fn new(context: &ServerContext, space: &mut AddressSpace, guard: Arc<Guard>) -> Self {
        let namespace = context.type_tree.write().namespaces_mut().add_namespace(NAMESPACE);
        space.add_namespace(NAMESPACE, namespace);
        let id = |name: &str| NodeId::new(namespace, name);
        guard.allow(id("WhoAmI"), Role::Observer);
        guard.allow(id("Panic"), Role::Observer);
        guard.allow(id("Start"), Role::Operator);
        // "Save" is named to nobody: an engineer's.
        Self { namespace, guard }
    }

    fn call_one(&self, context: &RequestContext, method: &NodeId) -> Result<Vec<Variant>, StatusCode> {
        certificate_is_of_client(context)?;
        let (name, role) = self.guard.who(&context.token).ok_or(StatusCode::BadUserAccessDenied)?;
        assert!(method.identifier != NodeId::new(0, "Panic").identifier, "a bug");
        Ok(vec![Variant::from(name), Variant::from(role.to_string())])
    }
}

#[async_trait]
impl InMemoryNodeManagerImpl for Nodes {
    async fn init(&self, space: &mut AddressSpace, _: ServerContext) {
        let id = |name: &str| NodeId::new(self.namespace, name);
        ObjectBuilder::new(&id("Station"), "Station", "Station")
            .has_type_definition(ObjectTypeId::BaseObjectType)
            .organized_by(ObjectId::ObjectsFolder)
            .insert(space);
        for name in ["WhoAmI", "Start", "Save", "Panic"] {
            MethodBuilder::new(&id(name), name, name)
                .component_of(id("Station"))
                .executable(true)
                .user_executable(true)
                .insert(space);
        }
        let count =
            VariableBuilder::new(&id("Count"), "Count", "Count").data_type(DataTypeId::UInt32).value(0_u32);
        count.writable().component_of(id("Station")).insert(space);
        let words = VariableBuilder::new(&id("Words"), "Words", "Words").data_type(DataTypeId::UInt16);
        let words = words.value_rank(1).array_dimensions(&[10]).value(vec![0_u16; 10]);
        words.writable().component_of(id("Station")).insert(space);
        let fixed =
            VariableBuilder::new(&id("Fixed"), "Fixed", "Fixed").data_type(DataTypeId::Boolean).value(true);
        fixed.component_of(id("Station")).insert(space);
    }

    fn name(&self) -> &str {
        "little server"
    }

    fn namespaces(&self) -> Vec<NamespaceMetadata> {
        let (namespace_uri, namespace_index) = (NAMESPACE.to_owned(), self.namespace);
        vec![NamespaceMetadata { namespace_uri, namespace_index, ..NamespaceMetadata::default() }]
    }

    async fn write(
        &self,
        context: &RequestContext,
        space: &RwLock<AddressSpace>,
        writes: &mut [&mut WriteNode],
    ) -> Result<(), StatusCode> {
        let mut space = space.write();
        let types = context.type_tree.read();
        for write in writes {
            let written = space
                .validate_node_write(context, write.value(), &*types)
                .and_then(|node| write_node_value(node, write.value()));
            write.set_status(written.err().unwrap_or(StatusCode::Good));
        }
        Ok(())
    }

    async fn call(
        &self,
        context: &RequestContext,
        _: &RwLock<AddressSpace>,
        methods: &mut [&mut &mut MethodCall],
    ) -> Result<(), StatusCode> {
        for method in methods {
            let id = method.method_id().clone();
            let called = unharmed("a test's method", async { self.call_one(context, &id) }).await;
            match called.and_then(|done| done) {
                Ok(outputs) => {
                    method.set_outputs(outputs);
                    method.set_status(StatusCode::Good);
                }
                Err(status) => method.set_status(status),
            }
        }
        Ok(())
    }
}
