//! Only the transitions of the specification, each with its event; whatever else is called changes nothing.

use super::*;
use crate::machine_vision::{NAMESPACE, nodeset::NodeSet};
use opcua::{
    nodes::{ImportedItem, NodeBase, NodeSetImport, NodeType},
    types::{NamespaceMap, NodeId, NodeSetNamespaceMapper, NumericRange, TimestampsToReturn, Variant},
};
use proptest::prelude::*;
use std::collections::BTreeMap;

#[derive(Clone, Copy, Debug)]
enum Step {
    Call(Call),
    Happens(Happens),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let call = prop::sample::select(Call::ALL.to_vec()).prop_map(Step::Call);
    let happens = prop::sample::select(Happens::ALL.to_vec()).prop_map(Step::Happens);
    prop::collection::vec(prop_oneof![call, happens], 0..60)
}

proptest! {
    #[test]
    fn whatever_comes_only_transitions_of_the_specification_follow(steps in steps()) {
        let mut machine = Machine::default();
        for step in steps {
            let before = machine;
            let (taken, cause) = match step {
                Step::Call(call) => match machine.call(call) {
                    Ok(taken) => (taken, Some(call)),
                    Err(wrong) => {
                        prop_assert_eq!(machine, before, "a wrong call changes nothing");
                        prop_assert_eq!(wrong, WrongState { call, state: before.state() });
                        prop_assert!(!before.takes(call));
                        continue;
                    }
                },
                Step::Happens(what) => (machine.happens(what), None),
            };
            let (mut outer, mut mode) = (before.outer, before.mode);
            for step in taken {
                prop_assert!(TRANSITIONS.contains(step));
                prop_assert_eq!(step.cause, cause);
                if step.to.is_of_automatic_mode() {
                    prop_assert_eq!((outer, mode), (State::Operational, Some(step.from)));
                    mode = Some(step.to);
                } else {
                    prop_assert_eq!(outer, step.from);
                    outer = step.to;
                    mode = (outer == State::Operational).then_some(State::Initialized);
                }
            }
            prop_assert_eq!((machine.outer, machine.mode), (outer, mode), "each change is a transition");
        }
    }

    #[test]
    fn whoever_halted_or_reset_it_must_select_the_automatic_mode_again(steps in steps(), last in prop_oneof![Just(Call::Halt), Just(Call::Reset)]) {
        let mut machine = Machine::default();
        machine.happens(Happens::Released);
        prop_assert!(machine.call(last).is_ok());
        for step in steps {
            match step {
                Step::Call(Call::SelectModeAutomatic) => {}
                Step::Call(call) => drop(machine.call(call)),
                Step::Happens(what) => drop(machine.happens(what)),
            }
            prop_assert_ne!(machine.outer, State::Operational);
        }
    }
}

#[test]
fn a_day_at_the_line() {
    let mut machine = Machine::default();
    let numbers = |steps: Steps| steps.iter().map(|step| step.number).collect::<Vec<_>>();
    assert_eq!(numbers(machine.happens(Happens::Released)), [140]);
    assert_eq!(numbers(machine.happens(Happens::RecipeThere)), [560]);
    for (call, number) in
        [(Call::StartSingleJob, 671), (Call::Stop, 761), (Call::StartContinuous, 681), (Call::Abort, 862)]
    {
        assert_eq!(numbers(machine.call(call).unwrap()), [number]);
    }
    assert_eq!(numbers(machine.call(Call::UnprepareRecipe).unwrap()), [651]);
    assert_eq!(numbers(machine.happens(Happens::RecipeThere)), [0; 0], "a client took it away");
    assert_eq!(numbers(machine.call(Call::PrepareRecipe).unwrap()), [561]);
    assert_eq!(numbers(machine.call(Call::PrepareRecipe).unwrap()), [0; 0], "again, while jobs may have one");
    assert_eq!(numbers(machine.happens(Happens::Broke)), [430]);
    assert_eq!(numbers(machine.happens(Happens::Released)), [340]);
    assert_eq!(numbers(machine.happens(Happens::Stopped)), [420]);
    assert_eq!(
        numbers(machine.happens(Happens::Released)),
        [210, 140],
        "there is no way from Halted to Operational"
    );
    assert_eq!(numbers(machine.call(Call::Halt).unwrap()), [421]);
    assert_eq!(numbers(machine.happens(Happens::Withdrawn)), [0; 0], "halted is halted");
    assert_eq!(numbers(machine.call(Call::Reset).unwrap()), [211]);
    assert_eq!(numbers(machine.call(Call::SelectModeAutomatic).unwrap()), [141]);
}

/// The table against the official XML: node, number, states, cause, effects.
#[test]
fn the_table_is_the_official_node_sets() {
    let mut namespaces = NamespaceMap::new();
    let mut mapper = NodeSetNamespaceMapper::new(&mut namespaces);
    let set = NodeSet::machine_vision();
    set.register_namespaces(&mut mapper);
    assert_eq!(mapper.namespaces().get_index(NAMESPACE), Some(1));
    let items: BTreeMap<u32, ImportedItem> =
        set.load(&mapper).map(|item| (number_of(item.node.as_node().node_id()), item)).collect();

    for state in State::ALL {
        assert_eq!(name(&items, state.node()), state.as_str());
        assert_eq!(child_number(&items, state.node()), Some(state as u32), "{state:?}");
    }
    for step in TRANSITIONS {
        assert_eq!(name(&items, step.node), step.name);
        assert_eq!(child_number(&items, step.node), Some(step.number), "{}", step.name);
        let targets = |kind: u32| {
            let references = items[&step.node].references.iter();
            let targets = references
                .filter(|reference| reference.is_forward && reference.type_id == NodeId::new(0, kind));
            targets.map(|reference| name(&items, number_of(&reference.target_id))).collect::<Vec<_>>()
        };
        assert_eq!(
            (targets(51), targets(52)),
            (vec![step.from.as_str()], vec![step.to.as_str()]),
            "{}",
            step.name
        );
        assert_eq!(targets(53).first().copied(), step.cause.map(Call::as_str), "{}", step.name);
        let mut effects = targets(54);
        effects.retain(|effect| *effect != "StateChangedEventType");
        let own = step.effect.map(|effect| format!("{effect:?}EventType"));
        match step.number {
            430 => assert!(effects.is_empty(), "the node set has put it right: then so must the table"),
            _ => assert_eq!(effects.first().map(|effect| (*effect).to_owned()), own, "{}", step.name),
        }
    }
}

fn number_of(id: &NodeId) -> u32 {
    id.as_u32().unwrap()
}

fn name(items: &BTreeMap<u32, ImportedItem>, node: u32) -> &str {
    items[&node].node.as_node().browse_name().name.as_ref()
}

/// The value of its one property: StateNumber or TransitionNumber.
fn child_number(items: &BTreeMap<u32, ImportedItem>, node: u32) -> Option<u32> {
    let property =
        items[&node].references.iter().find(|r| r.is_forward && r.type_id == NodeId::new(0, 46))?;
    let NodeType::Variable(variable) = &items[&number_of(&property.target_id)].node else { return None };
    let value =
        variable.value(TimestampsToReturn::Neither, &NumericRange::None, &Default::default(), 0.0).value;
    assert_eq!(number_of(variable.node_id()), number_of(&property.target_id));
    match value {
        Some(Variant::UInt32(number)) => Some(number),
        other => panic!("{other:?} is no number"),
    }
}
