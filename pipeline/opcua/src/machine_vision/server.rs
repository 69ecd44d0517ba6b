//! The server: started on the station's background runtime, fed by the hot path without ever holding it up.

use super::{
    commands::{Commands, InspectionResult},
    condition_methods::ConditionMethods,
    filter::EventFilters,
    nodes::Nodes,
    outlet::Outlet,
    queue::{News, Queue},
    types::MachineVisionTypes,
    vision::{Identity, Vision},
};
use crate::security::{self, OpcUaServerConfig, Own, Pki, secure, unharmed};
use opcua::{
    server::{
        ServerHandle,
        address_space::AddressSpace,
        diagnostics::DiagnosticsNodeManagerBuilder,
        node_manager::{
            ServerContext,
            memory::{CoreNodeManagerBuilder, InMemoryNodeManager, InMemoryNodeManagerBuilder},
        },
    },
    types::{FallbackTypeLoader, GeneratedTypeLoader, TypeLoaderCollection},
};
use plumb_inspection::PartId;
use std::{
    io,
    net::{SocketAddr, TcpListener},
    sync::{Arc, OnceLock},
    time::Duration,
};
use tokio::{runtime, task::JoinHandle};

/// How often the station is asked how it is.
const LOOK: Duration = Duration::from_millis(200);

/// Events that wait for a client at most: a minute of a fast line. The library's own limit is 10, and silent. Full: the
/// oldest goes. A client gets as many as it asks for; who asks for none gets one.
const EVENTS_WAITING: usize = 1_000;

/// How long clients may take to go when the server stops.
const PATIENCE: Duration = Duration::from_secs(2);

/// A running server. [`MachineVisionServer::stop`] ends it; so does dropping it, without waiting.
pub struct MachineVisionServer {
    address: SocketAddr,
    handle: ServerHandle,
    serving: JoinHandle<()>,
    looking: JoinHandle<()>,
}

/// Where the hot path leaves its news, for the server that it is given to. Cheap to clone; nothing here ever waits.
#[derive(Clone, Debug, Default)]
pub struct Publisher(Arc<Queue>);

impl Publisher {
    /// A part has its verdict. Too many at once: the oldest are dropped, and counted.
    pub fn publish(&self, result: InspectionResult) {
        self.0.push(News::Result(Box::new(result)));
    }

    /// A part's pictures are there: it may move on.
    pub fn acquisition_done(&self, part: PartId) {
        self.0.push(News::Acquired(part));
    }

    /// How many news were dropped, ever.
    pub fn dropped(&self) -> u64 {
        self.0.dropped()
    }
}

impl MachineVisionServer {
    /// Listens where `config` says (port 0: the system's choice), secured as it says, and serves on `runtime`. What is
    /// published to `news` reaches the clients.
    ///
    /// # Errors
    /// The config has problems, the certificate is not good, or the address cannot be listened on.
    pub fn start(
        mut config: OpcUaServerConfig,
        pki: &Pki,
        own: &Own,
        identity: Identity,
        (station, news): (Arc<dyn Commands>, &Publisher),
        runtime: &runtime::Handle,
    ) -> Result<Self, StartError> {
        let at = config.listen;
        let listen = |source| StartError::Listen { at, source };
        let listener = TcpListener::bind(at).map_err(listen)?;
        listener.set_nonblocking(true).map_err(listen)?;
        config.listen = listener.local_addr().map_err(listen)?;
        let (mut builder, guard) = secure(&config, pki, own)?;
        builder.limits_mut().subscriptions.max_monitored_item_queue_size = EVENTS_WAITING;

        let made: Arc<OnceLock<Arc<Vision>>> = Arc::default();
        let (maker, called, name) = (made.clone(), made.clone(), identity.name.clone());
        let watch = guard.clone();
        let manager =
            InMemoryNodeManagerBuilder::new(move |context: ServerContext, space: &mut AddressSpace| {
                let ids = Nodes::namespaces(&context, space);
                let vision = maker.get_or_init(|| Arc::new(Vision::new(ids, identity, station)));
                Nodes::new(vision.clone(), guard, name)
            });
        let _inside = runtime.enter();
        let (server, handle) = builder
            .without_node_managers()
            .with_node_manager(move |context: ServerContext| ConditionMethods::new(&context, watch, called))
            .with_node_manager(InMemoryNodeManagerBuilder::new(CoreNodeManagerBuilder))
            .with_node_manager(DiagnosticsNodeManagerBuilder)
            .with_node_manager(manager)
            .build()
            .map_err(StartError::Build)?;
        let vision = made.get().expect("building the server made it").clone();
        *handle.info().type_loaders.write() = type_loaders();
        let nodes = handle.node_managers().get_of_type::<InMemoryNodeManager<Nodes>>();
        let nodes = nodes.expect("it was handed to the builder");
        let outlet = Outlet {
            nodes: Arc::downgrade(&nodes),
            subscriptions: handle.subscriptions().clone(),
            notifier: vision.ids.own(super::methods::SYSTEM),
        };
        let listener = tokio::net::TcpListener::from_std(listener).map_err(listen)?;
        let serving = runtime.spawn(async move {
            if let Err(error) = server.run_with(listener).await {
                tracing::error!(error, "The OPC UA server ended.");
            }
        });
        let looking = runtime.spawn(look_after(vision, outlet, news.0.clone(), handle.clone()));
        Ok(Self { address: config.listen, handle, serving, looking })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Tells clients and ends. Waits a moment for them, not for ever.
    pub async fn stop(self) {
        self.handle.cancel();
        let ended = async {
            let _ = self.looking.await; // a panic in it is in the log
            let _ = self.serving.await;
        };
        if tokio::time::timeout(PATIENCE, ended).await.is_err() {
            tracing::warn!("The OPC UA server did not end in time; its connections are cut.");
        }
    }
}

/// Ours first: it reads event filters so that they can be evaluated. Then as the library has them.
fn type_loaders() -> TypeLoaderCollection {
    let mut loaders = TypeLoaderCollection::new_empty();
    loaders.add_type_loader(EventFilters);
    loaders.add_type_loader(GeneratedTypeLoader);
    loaders.add_type_loader(MachineVisionTypes);
    loaders.add_type_loader(FallbackTypeLoader);
    loaders
}

/// The one task that tells clients what the station does by itself.
async fn look_after(vision: Arc<Vision>, outlet: Outlet, queue: Arc<Queue>, handle: ServerHandle) {
    // The nodes are put in place when the server begins to run; until then there is nothing to set.
    while !outlet.is_in_place() {
        tokio::select! {
            () = handle.token().cancelled() => return,
            () = tokio::time::sleep(Duration::from_millis(5)) => {}
        }
    }
    vision.speaks_through(outlet);
    let mut round = tokio::time::interval(LOOK);
    loop {
        tokio::select! {
            () = handle.token().cancelled() => return,
            () = queue.filled() => {}
            _ = round.tick() => {
                let _ = unharmed("looking at the station", async { vision.look(queue.dropped()) }).await;
            }
        }
        while let Some(news) = queue.pop() {
            let _ = unharmed("hearing of a part", async { vision.hear(news) }).await; // told in the log
        }
    }
}

/// Why there is no server.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The config, the certificate or their folder.
    #[error(transparent)]
    Security(#[from] security::ServerError),
    /// The address.
    #[error("the OPC UA server cannot listen on {at}: {source}; is another program there?")]
    Listen {
        /// Where it was to listen.
        at: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
    /// The library refused what we gave it.
    #[error("the OPC UA server could not be built: {0}")]
    Build(String),
}
