//! Node ids: those of the node sets are numbers, our own are paths (`VisionSystem/VisionStateMachine/Halt`).

use opcua::types::NodeId;

/// The indices that our namespaces got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ids {
    /// Of [`super::NAMESPACE`].
    pub(super) vision: u16,
    /// Of [`super::RESULT_NAMESPACE`].
    pub(super) result: u16,
    /// Of [`super::OWN_NAMESPACE`].
    pub(super) own: u16,
}

impl Ids {
    /// A node of the Machine Vision node set.
    pub(super) fn vision(&self, number: u32) -> NodeId {
        NodeId::new(self.vision, number)
    }

    /// A node of our own.
    pub(super) fn own(&self, path: &str) -> NodeId {
        NodeId::new(self.own, path)
    }
}
