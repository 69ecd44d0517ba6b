//! Conditions by the methods of their base types: `Acknowledge` as `i=9111`, `Confirm` as `i=9113`, `ConditionRefresh`
//! as `i=3875`. So alarm clients call them, whatever id a condition's own method has.
//!
//! The library gives a call to the first node manager that owns the method: for the base namespace its own, which
//! refuses. This one stands before it and owns these four methods; what else is asked of them it hands on.

use super::{
    condition::Kind,
    methods::{CONDITIONS_ROLE, Method},
    vision::{Caller, Vision},
};
use crate::security::{Guard, Role, certificate_is_of_client, unharmed};
use async_trait::async_trait;
use opcua::{
    nodes::DefaultTypeTree,
    server::{
        CreateMonitoredItem,
        diagnostics::NamespaceMetadata,
        node_manager::{
            BrowseNode, BrowsePathItem, DynNodeManager, MethodCall, NodeManager, NodeManagersRef, ReadNode,
            RequestContext, ServerContext,
        },
    },
    types::{AttributeId, MethodId, NodeId, ObjectId, StatusCode, TimestampsToReturn, Variant},
};
use std::sync::{Arc, OnceLock};

/// What can be called, and who may.
const METHODS: [(MethodId, Role); 4] = [
    (MethodId::AcknowledgeableConditionType_Acknowledge, CONDITIONS_ROLE),
    (MethodId::AcknowledgeableConditionType_Confirm, CONDITIONS_ROLE),
    (MethodId::ConditionType_ConditionRefresh, Role::Observer),
    (MethodId::ConditionType_ConditionRefresh2, Role::Observer),
];

fn found(id: &NodeId) -> Option<(MethodId, Role)> {
    let id = id.as_method_id().ok()?;
    METHODS.into_iter().find(|(method, _)| *method == id)
}

/// Owns those methods, and nothing else.
pub(super) struct ConditionMethods {
    managers: NodeManagersRef,
    guard: Arc<Guard>,
    /// Made when the vision system's nodes are.
    vision: Arc<OnceLock<Arc<Vision>>>,
}

impl ConditionMethods {
    /// `guard` learns who may call what.
    pub(super) fn new(
        context: &ServerContext,
        guard: Arc<Guard>,
        vision: Arc<OnceLock<Arc<Vision>>>,
    ) -> Self {
        for (method, role) in METHODS {
            guard.allow(method.into(), role);
        }
        Self { managers: context.node_managers.clone(), guard, vision }
    }

    /// The library's own manager of the base namespace; `None` once the server has gone.
    fn core(&self) -> Option<Arc<DynNodeManager>> {
        self.managers.iter().find(|manager| manager.owns_node(&ObjectId::Server.into()))
    }

    async fn answer(&self, context: &RequestContext, call: &MethodCall) -> Result<(), StatusCode> {
        certificate_is_of_client(context)?;
        let (name, role) = self.guard.who(&context.token).ok_or(StatusCode::BadUserAccessDenied)?;
        let (method, needs) = found(call.method_id()).ok_or(StatusCode::BadMethodInvalid)?;
        if role < needs {
            return Err(StatusCode::BadUserAccessDenied);
        }
        let vision = self.vision.get().ok_or(StatusCode::BadInvalidState)?;
        let caller = Caller { name: name.to_owned() };
        let answered = match method {
            MethodId::AcknowledgeableConditionType_Acknowledge => Method::Acknowledge,
            MethodId::AcknowledgeableConditionType_Confirm => Method::Confirm,
            _ => {
                let wanted = Refresh::of(call.arguments())?;
                return unharmed("ConditionRefresh", async { wanted.send(context, vision) }).await?;
            }
        };
        let own = |kind: &Kind| *call.object_id() == vision.condition_node(*kind);
        let kind = Kind::ALL.into_iter().find(own).ok_or(StatusCode::BadNodeIdUnknown)?;
        if call.arguments().len() > 2 {
            return Err(StatusCode::BadTooManyArguments);
        }
        let said = vision.call(answered, Some(kind), call.arguments(), &caller);
        unharmed(answered.as_str(), said).await?.map(drop)
    }
}

/// Who wants to hear of every condition again: a subscription, or one item of it.
struct Refresh {
    subscription: u32,
    item: Option<u32>,
}

impl Refresh {
    fn of(arguments: &[Variant]) -> Result<Self, StatusCode> {
        match arguments {
            [Variant::UInt32(subscription)] => Ok(Self { subscription: *subscription, item: None }),
            [Variant::UInt32(subscription), Variant::UInt32(item)] => {
                Ok(Self { subscription: *subscription, item: Some(*item) })
            }
            [] => Err(StatusCode::BadArgumentsMissing),
            _ => Err(StatusCode::BadInvalidArgument),
        }
    }

    /// Nobody else hears of it.
    fn send(&self, context: &RequestContext, vision: &Vision) -> Result<(), StatusCode> {
        let subscriptions = context.subscriptions.get_session_subscriptions(context.session_id);
        let subscriptions = subscriptions.ok_or(StatusCode::BadSubscriptionIdInvalid)?;
        vision.refreshed(|notifier, events| {
            let mut subscriptions = subscriptions.lock();
            let subscription =
                subscriptions.get_mut(self.subscription).ok_or(StatusCode::BadSubscriptionIdInvalid)?;
            let hears = |node: &NodeId| node == notifier || *node == ObjectId::Server;
            let items: Vec<u32> = subscription
                .items()
                .filter(|item| item.item_to_monitor().attribute_id == AttributeId::EventNotifier)
                .filter(|item| hears(&item.item_to_monitor().node_id))
                .map(|item| item.id())
                .filter(|id| self.item.is_none_or(|wanted| wanted == *id))
                .collect();
            if items.is_empty() && self.item.is_some() {
                return Err(StatusCode::BadMonitoredItemIdInvalid);
            }
            let types = context.get_type_tree_for_user();
            for item in items {
                for event in events {
                    subscription.notify_event(&item, *event, types.get());
                }
            }
            Ok(())
        })
    }
}

#[async_trait]
impl NodeManager for ConditionMethods {
    fn owns_node(&self, id: &NodeId) -> bool {
        found(id).is_some()
    }

    fn name(&self) -> &str {
        "methods of conditions"
    }

    fn namespaces_for_user(&self, _: &RequestContext) -> Vec<NamespaceMetadata> {
        Vec::new()
    }

    async fn init(&self, _: &mut DefaultTypeTree, _: ServerContext) {}

    async fn read(
        &self,
        context: &RequestContext,
        max_age: f64,
        timestamps: TimestampsToReturn,
        nodes: &mut [&mut ReadNode],
    ) -> Result<(), StatusCode> {
        match self.core() {
            Some(core) => core.read(context, max_age, timestamps, nodes).await,
            None => Err(StatusCode::BadShutdown),
        }
    }

    /// Whoever comes next knows the references.
    async fn browse(&self, _: &RequestContext, _: &mut [BrowseNode]) -> Result<(), StatusCode> {
        Ok(())
    }

    async fn translate_browse_paths_to_node_ids(
        &self,
        _: &RequestContext,
        _: &mut [&mut BrowsePathItem],
    ) -> Result<(), StatusCode> {
        Ok(())
    }

    async fn create_monitored_items(
        &self,
        context: &RequestContext,
        items: &mut [&mut CreateMonitoredItem],
    ) -> Result<(), StatusCode> {
        match self.core() {
            Some(core) => core.create_monitored_items(context, items).await,
            None => Err(StatusCode::BadShutdown),
        }
    }

    async fn call(&self, context: &RequestContext, calls: &mut [&mut MethodCall]) -> Result<(), StatusCode> {
        for call in calls {
            let status = self.answer(context, call).await.err().unwrap_or(StatusCode::Good);
            call.set_status(status);
        }
        Ok(())
    }
}
