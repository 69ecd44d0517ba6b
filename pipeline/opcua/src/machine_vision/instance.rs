//! The nodes of this station's vision system, after their types: arguments are copied from the declarations.

use super::{
    condition::Kind,
    fields::{DataType, fields},
    ids::Ids,
    methods::{CONFIGURATIONS, METHODS, MODE, RECIPES, RESULTS, STATES, SYSTEM},
    types::{ConfigurationDataType, ResultDataType, SystemStateDescriptionDataType},
};
use opcua::{
    nodes::{
        DefaultTypeTree, EventNotifier, MethodBuilder, NodeType, ObjectBuilder, ReferenceDirection,
        VariableBuilder,
    },
    server::address_space::AddressSpace,
    types::{
        Argument, BrowseDirection, DataEncoding, DataTypeId, LocalizedText, NodeId, NumericRange, ObjectId,
        QualifiedName, ReferenceTypeId, TimestampsToReturn, VariableTypeId, Variant,
    },
};

/// The newest result.
pub(super) const LATEST: &str = "VisionSystem/ResultManagement/Results/Latest";
pub(super) const ACTIVE_CONFIGURATION: &str = "VisionSystem/ConfigurationManagement/ActiveConfiguration";
pub(super) const SYSTEM_STATE: &str = "VisionSystem/SystemState";
pub(super) const DIAGNOSTIC_LEVEL: &str = "VisionSystem/DiagnosticLevel";

/// Path of a condition.
pub(super) fn condition(kind: Kind) -> String {
    format!("{SYSTEM}/{}", kind.name())
}

/// Puts every node of the vision system in place; `name` is the station's.
pub(super) fn build(space: &mut AddressSpace, ids: Ids, name: &str) {
    let mut nodes = Nodes { space, ids };
    nodes.system(name);
    for (path, parent, browse_name, type_number) in [
        (STATES, SYSTEM, "VisionStateMachine", 1017),
        (MODE, STATES, "AutomaticModeStateMachine", 1021),
        (RECIPES, SYSTEM, "RecipeManagement", 1004),
        (RESULTS, SYSTEM, "ResultManagement", 1007),
        ("VisionSystem/ResultManagement/Results", RESULTS, "Results", 1016),
        (CONFIGURATIONS, SYSTEM, "ConfigurationManagement", 1006),
    ] {
        nodes.object(path, parent, browse_name, type_number);
    }
    for machine in [STATES, MODE] {
        nodes.machine(machine);
    }
    for entry in METHODS {
        let declaration = ids.vision(entry.declaration);
        let [inputs, outputs] =
            ["InputArguments", "OutputArguments"].map(|which| nodes.declared(&declaration, which));
        let browse_name = QualifiedName::new(ids.vision, entry.method.as_str());
        nodes.method(&entry.path(), entry.object, browse_name, &inputs, &outputs);
    }
    let configuration = DataType::Vision(ConfigurationDataType::DATA_TYPE);
    nodes.component(ACTIVE_CONFIGURATION, CONFIGURATIONS, "ActiveConfiguration", configuration);
    let state = DataType::Vision(SystemStateDescriptionDataType::DATA_TYPE);
    nodes.component(SYSTEM_STATE, SYSTEM, "SystemState", state);
    nodes.component(DIAGNOSTIC_LEVEL, SYSTEM, "DiagnosticLevel", DataType::Base(5));
    nodes.latest();
    for kind in Kind::ALL {
        nodes.condition(kind);
    }
}

struct Nodes<'a> {
    space: &'a mut AddressSpace,
    ids: Ids,
}

impl Nodes<'_> {
    fn system(&mut self, name: &str) {
        let id = self.ids.own(SYSTEM);
        ObjectBuilder::new(&id, QualifiedName::new(self.ids.own, SYSTEM), LocalizedText::from(name))
            .has_type_definition(self.ids.vision(1003))
            .event_notifier(EventNotifier::SUBSCRIBE_TO_EVENTS)
            .organized_by(ObjectId::ObjectsFolder)
            .reference(ObjectId::Server, ReferenceTypeId::HasNotifier, ReferenceDirection::Inverse)
            .insert(self.space);
    }

    fn object(&mut self, path: &str, parent: &str, name: &str, type_number: u32) {
        ObjectBuilder::new(&self.ids.own(path), QualifiedName::new(self.ids.vision, name), name)
            .has_type_definition(self.ids.vision(type_number))
            .component_of(self.ids.own(parent))
            .insert(self.space);
    }

    /// `CurrentState` and `LastTransition` of a finite state machine.
    fn machine(&mut self, path: &str) {
        for (name, kind) in [
            ("CurrentState", VariableTypeId::FiniteStateVariableType),
            ("LastTransition", VariableTypeId::FiniteTransitionVariableType),
        ] {
            let variable = format!("{path}/{name}");
            VariableBuilder::new(&self.ids.own(&variable), name, name)
                .data_type(DataTypeId::LocalizedText)
                .value(Variant::from(LocalizedText::null()))
                .has_type_definition(kind)
                .component_of(self.ids.own(path))
                .insert(self.space);
            self.property(&variable, "Id", DataTypeId::NodeId, NodeId::null().into());
            self.property(&variable, "Number", DataTypeId::UInt32, 0_u32.into());
        }
        self.property(
            &format!("{path}/LastTransition"),
            "TransitionTime",
            DataTypeId::UtcTime,
            opcua::types::DateTime::null().into(),
        );
    }

    fn property(&mut self, of: &str, name: &str, data_type: DataTypeId, value: Variant) {
        VariableBuilder::new(&self.ids.own(&format!("{of}/{name}")), name, name)
            .data_type(data_type)
            .value(value)
            .has_type_definition(VariableTypeId::PropertyType)
            .property_of(self.ids.own(of))
            .insert(self.space);
    }

    fn method(
        &mut self,
        path: &str,
        object: &str,
        name: QualifiedName,
        inputs: &[Argument],
        outputs: &[Argument],
    ) {
        let id = self.ids.own(path);
        let display = name.name.as_ref().to_owned();
        let mut method = MethodBuilder::new(&id, name, display)
            .component_of(self.ids.own(object))
            .executable(true)
            .user_executable(true);
        if !inputs.is_empty() {
            method = method.input_args(self.space, &self.ids.own(&format!("{path}/InputArguments")), inputs);
        }
        if !outputs.is_empty() {
            method =
                method.output_args(self.space, &self.ids.own(&format!("{path}/OutputArguments")), outputs);
        }
        method.insert(self.space);
    }

    /// The arguments of a declaration; none where it has none.
    fn declared(&self, declaration: &NodeId, which: &str) -> Vec<Argument> {
        let found = self.space.find_node_by_browse_name(
            declaration,
            Some((ReferenceTypeId::HasProperty, false)),
            &DefaultTypeTree::new(),
            BrowseDirection::Forward,
            which,
        );
        let Some(NodeType::Variable(variable)) = found else { return Vec::new() };
        let value =
            variable.value(TimestampsToReturn::Neither, &NumericRange::None, &DataEncoding::Binary, 0.0);
        let Some(Variant::Array(array)) = value.value else { return Vec::new() };
        let argument = |value: Variant| match value {
            Variant::ExtensionObject(object) => object.into_inner_as::<Argument>().map(|argument| *argument),
            _ => None,
        };
        array.values.into_iter().filter_map(argument).collect()
    }

    fn component(&mut self, path: &str, parent: &str, name: &str, data_type: DataType) {
        let rank = if name == "ResultContent" { 1 } else { -1 };
        VariableBuilder::new(&self.ids.own(path), QualifiedName::new(self.ids.vision, name), name)
            .data_type(data_type.node(self.ids))
            .value_rank(rank)
            .value(Variant::Empty)
            .has_type_definition(VariableTypeId::BaseDataVariableType)
            .component_of(self.ids.own(parent))
            .insert(self.space);
    }

    /// The newest result, whole and field by field: a variable of `ResultType`.
    fn latest(&mut self) {
        VariableBuilder::new(&self.ids.own(LATEST), QualifiedName::new(self.ids.own, "Latest"), "Latest")
            .data_type(self.ids.vision(ResultDataType::DATA_TYPE))
            .value(Variant::Empty)
            .has_type_definition(self.ids.vision(2002))
            .component_of(self.ids.own("VisionSystem/ResultManagement/Results"))
            .insert(self.space);
        for field in fields(&ResultDataType::default()) {
            self.component(&format!("{LATEST}/{}", field.name), LATEST, field.name, field.data_type);
        }
    }

    /// A condition with what it can be asked and told. Events have all of its fields; its node has not.
    fn condition(&mut self, kind: Kind) {
        let path = condition(kind);
        ObjectBuilder::new(&self.ids.own(&path), QualifiedName::new(self.ids.own, kind.name()), kind.name())
            .has_type_definition(self.ids.vision(kind.type_number()))
            .component_of(self.ids.own(SYSTEM))
            .reference(self.ids.own(SYSTEM), ReferenceTypeId::HasCondition, ReferenceDirection::Inverse)
            .insert(self.space);
        self.property(&path, "Retain", DataTypeId::Boolean, false.into());
        for state in ["AckedState", "ConfirmedState"] {
            let variable = format!("{path}/{state}");
            VariableBuilder::new(&self.ids.own(&variable), state, state)
                .data_type(DataTypeId::LocalizedText)
                .value(Variant::from(LocalizedText::null()))
                .has_type_definition(VariableTypeId::TwoStateVariableType)
                .component_of(self.ids.own(&path))
                .insert(self.space);
            self.property(&variable, "Id", DataTypeId::Boolean, true.into());
        }
        let argument = |name: &str, data_type: DataTypeId| Argument {
            name: name.into(),
            data_type: data_type.into(),
            value_rank: -1,
            ..Argument::default()
        };
        let inputs =
            [argument("EventId", DataTypeId::ByteString), argument("Comment", DataTypeId::LocalizedText)];
        for name in ["Acknowledge", "Confirm"] {
            self.method(&format!("{path}/{name}"), &path, QualifiedName::new(0, name), &inputs, &[]);
        }
    }
}

impl DataType {
    /// Its node.
    pub(super) fn node(self, ids: Ids) -> NodeId {
        match self {
            Self::Vision(number) => ids.vision(number),
            Self::Base(number) => NodeId::new(0, number),
        }
    }
}
