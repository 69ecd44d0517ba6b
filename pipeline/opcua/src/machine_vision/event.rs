//! One event, whatever its type: what a client asked for by path is looked up, and what it has not is null.
//!
//! The library's derived events send zeros for what is not set (a time of 1601); this one does not.

use super::{filter, ids::Ids};
use opcua::{
    nodes::{Event, EventField},
    types::{AttributeId, ByteString, DateTime, LocalizedText, NodeId, NumericRange, QualifiedName, Variant},
};
use std::sync::atomic::{AtomicU64, Ordering};

/// Something that happened, as clients hear of it.
#[derive(Clone, Debug)]
pub(super) struct VisionEvent {
    /// `EventId`: unique, also across restarts.
    pub(super) id: ByteString,
    kind: NodeId,
    time: DateTime,
    fields: Vec<(Vec<QualifiedName>, Variant)>,
    condition: Option<NodeId>,
}

impl VisionEvent {
    /// Of the type with this number in the node set. `severity` is 1 to 1000.
    pub(super) fn new(ids: &Ids, kind: u32, source: (NodeId, &str), message: &str, severity: u16) -> Self {
        Self::of(ids.vision(kind), source, message, severity)
    }

    /// Of any type.
    pub(super) fn of(kind: NodeId, source: (NodeId, &str), message: &str, severity: u16) -> Self {
        let (id, time) = (new_id(), DateTime::now());
        let event = Self { id: id.clone(), kind: kind.clone(), time, fields: Vec::new(), condition: None };
        event
            .with("EventId", id)
            .with("EventType", kind)
            .with("SourceNode", source.0)
            .with("SourceName", source.1)
            .with("Time", time)
            .with("ReceiveTime", time)
            .with("Message", LocalizedText::from(message))
            .with("Severity", severity)
    }

    /// A field of the base namespace; `State/Id` is the `Id` of `State`.
    pub(super) fn with(mut self, path: &str, value: impl Into<Variant>) -> Self {
        let path = path.split('/').map(|name| QualifiedName::new(0, name)).collect();
        self.fields.push((path, value.into()));
        self
    }

    /// A field of Machine Vision.
    pub(super) fn with_vision(mut self, ids: &Ids, name: &str, value: impl Into<Variant>) -> Self {
        self.fields.push((vec![QualifiedName::new(ids.vision, name)], value.into()));
        self
    }

    /// It tells of this condition.
    pub(super) fn of_condition(mut self, condition: NodeId) -> Self {
        self.condition = Some(condition);
        self
    }

    fn field(&self, path: &[QualifiedName]) -> Variant {
        let found = self.fields.iter().find(|(name, _)| name.as_slice() == path);
        found.map_or(Variant::Empty, |(_, value)| value.clone())
    }
}

impl EventField for VisionEvent {
    fn get_value(&self, attribute: AttributeId, range: &NumericRange, path: &[QualifiedName]) -> Variant {
        if let Some((path, wanted)) = filter::comparison(path) {
            return filter::is_one_of(&self.get_value(attribute, range, path), wanted).into();
        }
        match attribute {
            AttributeId::NodeId if filter::is_condition_id(path) => {
                self.condition.clone().map_or(Variant::Empty, Variant::from)
            }
            AttributeId::Value => self.field(path).range_of_owned(range).unwrap_or(Variant::Empty),
            _ => Variant::Empty,
        }
    }
}

impl Event for VisionEvent {
    fn get_field(
        &self,
        _: &NodeId, // names are unique among the types, so that the path says it all
        attribute: AttributeId,
        range: &NumericRange,
        path: &[QualifiedName],
    ) -> Variant {
        self.get_value(attribute, range, path)
    }

    fn time(&self) -> &DateTime {
        &self.time
    }

    fn event_type_id(&self) -> &NodeId {
        &self.kind
    }
}

/// 16 bytes: when the first one of this process was made, and a count.
fn new_id() -> ByteString {
    static STARTED: std::sync::OnceLock<i64> = std::sync::OnceLock::new();
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let started = STARTED.get_or_init(|| DateTime::now().ticks());
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    ByteString::from([started.to_be_bytes(), count.to_be_bytes()].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids() -> Ids {
        Ids { vision: 2, result: 3, own: 4 }
    }

    fn get(event: &VisionEvent, namespace: u16, path: &[&str]) -> Variant {
        let path: Vec<_> = path.iter().map(|name| QualifiedName::new(namespace, *name)).collect();
        event.get_field(&NodeId::null(), AttributeId::Value, &NumericRange::None, &path)
    }

    #[test]
    fn what_an_event_has_not_is_null_and_not_zero() {
        let event = VisionEvent::new(&ids(), 1013, (NodeId::new(4, "x"), "x"), "a job began", 100)
            .with("ToState/Id", NodeId::new(2, 5058))
            .with_vision(&ids(), "JobId", "j");
        assert_eq!(get(&event, 0, &["Severity"]), Variant::from(100_u16));
        assert_eq!(get(&event, 0, &["ToState", "Id"]), Variant::from(NodeId::new(2, 5058)));
        assert_eq!(get(&event, 2, &["JobId"]), Variant::from("j"));
        for (namespace, name) in [(0, "JobId"), (2, "PartId"), (0, "LocalTime")] {
            assert_eq!(get(&event, namespace, &[name]), Variant::Empty, "{name}");
        }
    }

    #[test]
    fn no_two_events_have_one_id() {
        let ids: std::collections::BTreeSet<_> = (0..100).map(|_| new_id().value).collect();
        assert_eq!(ids.len(), 100);
    }
}
