//! Where values and events go out to clients.

use super::{event::VisionEvent, nodes::Nodes};
use opcua::{
    nodes::Event,
    server::{SubscriptionCache, node_manager::memory::InMemoryNodeManager},
    types::{DataValue, NodeId},
};
use std::sync::{Arc, Weak};

/// The server's nodes and its subscriptions.
pub(super) struct Outlet {
    pub(super) nodes: Weak<InMemoryNodeManager<Nodes>>,
    pub(super) subscriptions: Arc<SubscriptionCache>,
    /// The object that clients subscribe to; the server's own object hears everything as well.
    pub(super) notifier: NodeId,
}

impl Outlet {
    /// Whether the nodes are there: the server makes them when it begins to run.
    pub(super) fn is_in_place(&self) -> bool {
        self.nodes.upgrade().is_some_and(|nodes| nodes.address_space().read().node_exists(&self.notifier))
    }

    /// Sets variables and tells those who watch them.
    pub(super) fn set(&self, values: &[(NodeId, DataValue)]) {
        let Some(nodes) = self.nodes.upgrade() else { return }; // the server has gone
        let values = values.iter().map(|(id, value)| (id, None, value.clone()));
        if let Err(status) = nodes.set_values(&self.subscriptions, values) {
            tracing::error!(%status, "A variable of the OPC UA server could not be set: a bug of Plumb.");
        }
    }

    /// Tells everybody whose filter lets it through.
    pub(super) fn raise(&self, events: &[VisionEvent]) {
        self.subscriptions.notify_events(events.iter().map(|event| (event as &dyn Event, &self.notifier)));
    }
}
