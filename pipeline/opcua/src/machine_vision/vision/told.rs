//! What clients are told: variables and events, made of what follows from a step.

use super::{Inside, Vision};
use crate::machine_vision::{
    event::VisionEvent,
    fields::structure,
    instance::{ACTIVE_CONFIGURATION, DIAGNOSTIC_LEVEL},
    machine::{Effect, State, Steps, Transition},
    methods::{MODE, STATES},
    result::internal_id,
    types::JobIdDataType,
};
use opcua::types::{DataValue, DateTime, LocalizedText, NodeId, StatusCode, Variant};

/// Severities: table 128 has information at 201 to 400, and what a diagnosis may want below.
pub(super) const INFORMATION: u16 = 300;
const ERROR: u16 = 700;

/// A variable and its value.
pub(super) type Set = (NodeId, DataValue);

impl Vision {
    /// What is so before anything happened.
    pub(super) fn begin(&self) {
        let mut values = vec![
            self.value(ACTIVE_CONFIGURATION, structure(self.configuration())),
            self.value(DIAGNOSTIC_LEVEL, 0_u16.into()),
        ];
        values.extend(self.is_in(STATES, State::Preoperational));
        values.extend(self.is_inactive());
        self.set(&values);
    }

    /// Values, then the events that explain them.
    pub(super) fn follow(&self, inside: &mut Inside, steps: &Steps) {
        for step in steps {
            let machine = if step.to.is_of_automatic_mode() { MODE } else { STATES };
            let mut values = self.is_in(machine, step.to);
            values.extend(self.went(machine, step));
            match (step.from, step.to) {
                (_, State::Operational) => values.extend(self.is_in(MODE, State::Initialized)),
                (State::Operational, _) => values.extend(self.is_inactive()),
                _ => {}
            }
            self.set(&values);
            let mut events: Vec<VisionEvent> =
                step.effect.map(|effect| self.effect(inside, effect, step)).into_iter().collect();
            events.push(self.transition(1018, step, INFORMATION)); // StateChangedEventType
            self.raise(&events);
            if step.from == State::Operational || matches!(step.effect, Some(Effect::Ready)) {
                inside.job = None;
            }
        }
    }

    fn effect(&self, inside: &Inside, effect: Effect, step: &Transition) -> VisionEvent {
        let about_job = |kind, says: &str| {
            let id = inside.job.as_ref().map_or_else(JobIdDataType::default, |job| job.id.clone());
            self.event(kind, MODE, says, INFORMATION).with_vision(&self.ids, "JobId", structure(id))
        };
        match effect {
            Effect::Error => self.transition(1019, step, ERROR),
            Effect::ErrorResolved => self.transition(1020, step, INFORMATION),
            Effect::RecipePrepared => self.recipe_prepared(inside),
            Effect::JobStarted => about_job(1013, "A job began."),
            Effect::Ready => about_job(1023, "The job ended; the next one may begin."),
        }
    }

    /// `RecipePreparedEventType`, of the recipe that judges.
    pub(super) fn recipe_prepared(&self, inside: &Inside) -> VisionEvent {
        let name = inside.recipe.as_ref().map_or("", |recipe| recipe.name.as_str());
        let mut event = self.event(1022, MODE, &format!("Recipe {name} is prepared."), INFORMATION);
        if let Some(recipe) = &inside.recipe {
            event = event.with_vision(&self.ids, "InternalId", structure(internal_id(recipe)));
        }
        match inside.preparing.as_ref().and_then(|preparing| preparing.external.clone()) {
            Some(external) => event.with_vision(&self.ids, "ExternalId", structure(external)),
            None => event,
        }
    }

    fn transition(&self, kind: u32, step: &Transition, severity: u16) -> VisionEvent {
        let machine = if step.to.is_of_automatic_mode() { MODE } else { STATES };
        let says = format!("{} to {}.", step.from.as_str(), step.to.as_str());
        let state = |event: VisionEvent, name: &str, state: State| {
            event
                .with(name, LocalizedText::from(state.as_str()))
                .with(&format!("{name}/Id"), self.ids.vision(state.node()))
                .with(&format!("{name}/Number"), state as u32)
        };
        let event = state(self.event(kind, machine, &says, severity), "FromState", step.from);
        state(event, "ToState", step.to)
            .with("Transition", LocalizedText::from(step.name))
            .with("Transition/Id", self.ids.vision(step.node))
            .with("Transition/Number", step.number)
    }

    /// An event of this type about the object at `path`.
    pub(super) fn event(&self, kind: u32, path: &str, says: &str, severity: u16) -> VisionEvent {
        let name = path.rsplit('/').next().unwrap_or(path);
        VisionEvent::new(&self.ids, kind, (self.ids.own(path), name), says, severity)
    }

    fn is_in(&self, machine: &str, state: State) -> Vec<Set> {
        let path = format!("{machine}/CurrentState");
        vec![
            self.value(&path, LocalizedText::from(state.as_str()).into()),
            self.value(&format!("{path}/Id"), self.ids.vision(state.node()).into()),
            self.value(&format!("{path}/Number"), (state as u32).into()),
        ]
    }

    /// OPC 10000-16: a sub state machine that is not active has no state.
    fn is_inactive(&self) -> Vec<Set> {
        let none = DataValue::new_now_status(Variant::Empty, StatusCode::BadStateNotActive);
        let path = format!("{MODE}/CurrentState");
        [path.clone(), format!("{path}/Id"), format!("{path}/Number")]
            .map(|path| (self.ids.own(&path), none.clone()))
            .into()
    }

    fn went(&self, machine: &str, step: &Transition) -> Vec<Set> {
        let path = format!("{machine}/LastTransition");
        vec![
            self.value(&path, LocalizedText::from(step.name).into()),
            self.value(&format!("{path}/Id"), self.ids.vision(step.node).into()),
            self.value(&format!("{path}/Number"), step.number.into()),
            self.value(&format!("{path}/TransitionTime"), DateTime::now().into()),
        ]
    }

    pub(super) fn value(&self, path: &str, value: Variant) -> Set {
        (self.ids.own(path), DataValue::new_now(value))
    }

    pub(super) fn set(&self, values: &[Set]) {
        if let Some(outlet) = self.outlet.get() {
            outlet.set(values);
        }
    }

    pub(super) fn raise(&self, events: &[VisionEvent]) {
        if let Some(outlet) = self.outlet.get() {
            outlet.raise(events);
        }
    }
}
