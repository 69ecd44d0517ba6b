//! Conditions: what is wrong with the station, and who has seen it.

use super::{Caller, Inside, Vision, told::INFORMATION};
use crate::machine_vision::{
    arguments::{Arguments, NotDone},
    commands::{Condition, Doing},
    condition::{Kind, VisionCondition},
    event::VisionEvent,
    fields::structure,
    instance,
    methods::SYSTEM,
    result::internal_id,
};
use opcua::{
    nodes::Event,
    types::{LocalizedText, NodeId, ObjectId, ObjectTypeId, StatusCode, Variant},
};

/// Longest sentence of a condition.
const LONGEST: usize = 1_000;

impl Vision {
    /// The station's reasons become conditions: degraded a warning, not released an error, a fault a persistent one.
    /// A hold that a client asked for is none.
    pub(super) fn conditions_are(&self, inside: &mut Inside, condition: &Condition) {
        let says: String = condition.reasons.join("; ").chars().take(LONGEST).collect();
        let is_held = inside.machine.is_held();
        let kind = match condition.doing {
            Doing::Degraded => Some(Kind::Warning),
            Doing::NotReleased if !is_held => Some(Kind::Error),
            Doing::Fault => Some(Kind::PersistentError),
            Doing::NotReleased | Doing::Running | Doing::Stopped => None,
        };
        for at in 0..inside.conditions.len() {
            let now = (Some(inside.conditions[at].kind) == kind).then_some(says.as_str());
            if inside.conditions[at].is_now(now) {
                self.tell_condition(inside, at);
            }
        }
    }

    /// Somebody has seen a condition.
    pub(super) fn acknowledge(
        &self,
        kind: Kind,
        arguments: &mut Arguments<'_>,
        caller: &Caller,
    ) -> Result<(), NotDone> {
        self.answered(kind, arguments, caller, VisionCondition::acknowledge)
    }

    /// Somebody says that it is dealt with.
    pub(super) fn confirm(
        &self,
        kind: Kind,
        arguments: &mut Arguments<'_>,
        caller: &Caller,
    ) -> Result<(), NotDone> {
        self.answered(kind, arguments, caller, VisionCondition::confirm)
    }

    fn answered(
        &self,
        kind: Kind,
        arguments: &mut Arguments<'_>,
        caller: &Caller,
        answer: fn(
            &mut VisionCondition,
            &opcua::types::ByteString,
            &str,
            LocalizedText,
        ) -> Result<(), StatusCode>,
    ) -> Result<(), NotDone> {
        let (event, comment) = (arguments.bytes()?, arguments.comment()?);
        let mut inside = self.inside();
        let at = Kind::ALL.iter().position(|other| *other == kind).expect("ALL has every kind");
        answer(&mut inside.conditions[at], &event, &caller.name, comment)?;
        self.tell_condition(&mut inside, at);
        Ok(())
    }

    /// All at once.
    pub(super) fn confirm_all(&self, arguments: &mut Arguments<'_>, caller: &Caller) -> Result<(), NotDone> {
        let comment = arguments.comment()?;
        let mut inside = self.inside();
        for at in 0..inside.conditions.len() {
            if inside.conditions[at].settle(&caller.name, comment.clone()) {
                self.tell_condition(&mut inside, at);
            }
        }
        self.station.confirmed_all(&format!("by OPC UA client {}: {}", caller.name, comment.text));
        Ok(())
    }

    fn tell_condition(&self, inside: &mut Inside, at: usize) {
        let condition = &inside.conditions[at];
        let event = self.condition_event(inside, condition);
        let path = instance::condition(condition.kind);
        let (acknowledged, confirmed) = (condition.acknowledged, condition.confirmed);
        self.set(&[
            self.value(&format!("{path}/Retain"), condition.retain().into()),
            self.value(&format!("{path}/AckedState"), acknowledged_word(acknowledged).into()),
            self.value(&format!("{path}/AckedState/Id"), acknowledged.into()),
            self.value(&format!("{path}/ConfirmedState"), confirmed_word(confirmed).into()),
            self.value(&format!("{path}/ConfirmedState/Id"), confirmed.into()),
        ]);
        inside.conditions[at].told(event.id.clone());
        inside.told_last[at] = Some(event.clone());
        self.raise(&[event]);
    }

    /// The node of a condition.
    pub(in crate::machine_vision) fn condition_node(&self, kind: Kind) -> NodeId {
        self.ids.own(&instance::condition(kind))
    }

    /// Hands over what somebody hears who asks for every condition again (OPC 10000-9, `ConditionRefresh`): between two
    /// marks, each that is retained, as it was last told. `send` also gets the node of those events.
    pub(in crate::machine_vision) fn refreshed<T>(
        &self,
        send: impl FnOnce(&NodeId, &[&dyn Event]) -> Result<T, StatusCode>,
    ) -> Result<T, StatusCode> {
        let notifier = self.ids.own(SYSTEM);
        let mark = |kind: ObjectTypeId, says: &str| {
            VisionEvent::of(kind.into(), (ObjectId::Server.into(), "Server"), says, INFORMATION)
        };
        let start = mark(ObjectTypeId::RefreshStartEventType, "Every condition that is retained follows.");
        let end = mark(ObjectTypeId::RefreshEndEventType, "That was every condition.");
        let inside = self.inside();
        let retained =
            inside.conditions.iter().zip(&inside.told_last).filter(|(condition, _)| condition.retain());
        let mut events: Vec<&dyn Event> = vec![&start];
        events.extend(retained.filter_map(|(_, told)| told.as_ref()).map(|event| event as &dyn Event));
        events.push(&end);
        send(&notifier, &events)
    }

    fn condition_event(&self, inside: &Inside, condition: &VisionCondition) -> VisionEvent {
        let kind = condition.kind;
        let path = instance::condition(kind);
        let gone = format!("No more: {}", condition.says);
        let says = if condition.active { &condition.says } else { &gone };
        let stops = kind != Kind::Warning && condition.active;
        let event = self
            .event(kind.type_number(), &path, says, kind.severity())
            .of_condition(self.ids.own(&path))
            .with("ConditionName", kind.name())
            .with("ConditionClassId", NodeId::from(ObjectTypeId::SystemConditionClassType))
            .with("ConditionClassName", LocalizedText::from("SystemConditionClass"))
            .with("BranchId", NodeId::null())
            .with("Retain", condition.retain())
            .with("EnabledState", LocalizedText::from("Enabled"))
            .with("EnabledState/Id", true)
            .with("Quality", StatusCode::Good)
            .with("LastSeverity", kind.severity())
            .with("Comment", condition.comment.clone())
            .with("ClientUserId", condition.user.as_str())
            .with("AckedState", acknowledged_word(condition.acknowledged))
            .with("AckedState/Id", condition.acknowledged)
            .with("ConfirmedState", confirmed_word(condition.confirmed))
            .with("ConfirmedState/Id", condition.confirmed)
            .with_vision(&self.ids, "StopReaction", stops)
            .with_vision(&self.ids, "BlockReaction", stops)
            .with_vision(&self.ids, "ErrorString", condition.says.as_str())
            .with_vision(&self.ids, "InternalConfigurationId", structure(self.configuration_id()));
        let recipe = inside.recipe.as_ref().map_or(Variant::Empty, |recipe| structure(internal_id(recipe)));
        event.with_vision(&self.ids, "InternalRecipeId", recipe)
    }
}

fn acknowledged_word(is: bool) -> LocalizedText {
    LocalizedText::from(if is { "Acknowledged" } else { "Unacknowledged" })
}

fn confirmed_word(is: bool) -> LocalizedText {
    LocalizedText::from(if is { "Confirmed" } else { "Unconfirmed" })
}
