//! Event filters that work: what async-opcua 0.19 cannot compare is turned into a question it can, when it is read.
//!
//! Its `Equals` and `InList` compare numbers and booleans alone. A filter such as asyncua's default,
//! `EventType in [a, b]`, would silently match nothing. So `field in [a, b]` becomes `field.<is one of a, b> in [true]`:
//! a field that our events know. The `ConditionId`, an empty path, is refused by it as well, and moves all fields
//! behind it by one; it gets a name.

use opcua::types::{
    AttributeId, BinaryDecodable, BinaryEncodable, ContentFilterElement, Context, ContextOwned, DataTypeId,
    DynEncodable, EncodingResult, EventFilter, ExtensionObject, FilterOperator, LiteralOperand, NodeId,
    ObjectId, ObjectTypeId, QualifiedName, SimpleAttributeOperand, TypeLoader, TypeLoaderPriority, Variant,
    xml::XmlStreamReader,
};
use std::io::Read;

/// Begins the name of a comparison; no browse name has it.
const IS_ONE_OF: &str = "\u{1}is one of ";

/// The name that the `ConditionId` gets.
const CONDITION_ID: &str = "\u{1}ConditionId";

/// Reads event filters in place of the library's own reader: to be the first of all.
pub(super) struct EventFilters;

impl TypeLoader for EventFilters {
    fn load_from_binary(
        &self,
        id: &NodeId,
        stream: &mut dyn Read,
        context: &Context<'_>,
        _: Option<usize>,
    ) -> Option<EncodingResult<Box<dyn DynEncodable>>> {
        let is_filter = *id == ObjectId::EventFilter_Encoding_DefaultBinary || *id == DataTypeId::EventFilter;
        is_filter.then(|| {
            let mut filter = EventFilter::decode(stream, context)?;
            mend(&mut filter);
            Ok(Box::new(filter) as Box<dyn DynEncodable>)
        })
    }

    fn load_from_xml(
        &self,
        _: &NodeId,
        _: &mut XmlStreamReader<&mut dyn Read>,
        _: &Context<'_>,
        _: &str,
    ) -> Option<EncodingResult<Box<dyn DynEncodable>>> {
        None // clients speak binary
    }

    fn priority(&self) -> TypeLoaderPriority {
        TypeLoaderPriority::Core
    }
}

fn mend(filter: &mut EventFilter) {
    for clause in filter.select_clauses.iter_mut().flatten() {
        let is_empty = clause.browse_path.as_ref().is_none_or(Vec::is_empty);
        if is_empty && clause.attribute_id == AttributeId::NodeId as u32 {
            clause.type_definition_id = ObjectTypeId::BaseEventType.into();
            clause.browse_path = Some(vec![QualifiedName::new(0, CONDITION_ID)]);
        }
    }
    for element in filter.where_clause.elements.iter_mut().flatten() {
        if let Some(operands) = asked_otherwise(element) {
            element.filter_operands = Some(operands);
        }
    }
}

/// Operands for the same question in other words; `None` where the library understands it as it is.
fn asked_otherwise(element: &ContentFilterElement) -> Option<Vec<ExtensionObject>> {
    if !matches!(element.filter_operator, FilterOperator::Equals | FilterOperator::InList) {
        return None;
    }
    let operands = element.filter_operands.as_ref()?;
    let is_equals = element.filter_operator == FilterOperator::Equals;
    let field_at = operands.iter().position(|operand| operand.inner_is::<SimpleAttributeOperand>())?;
    if field_at > 0 && !is_equals {
        return None; // a list has its field first
    }
    let field = operands[field_at].inner_as::<SimpleAttributeOperand>()?;
    let others = operands.iter().enumerate().filter(|(at, _)| *at != field_at);
    let literals: Option<Vec<&Variant>> = others
        .map(|(_, operand)| operand.inner_as::<LiteralOperand>().map(|literal| &literal.value))
        .collect();
    let literals = literals.filter(|literals| literals.iter().any(|literal| !is_compared(literal)))?;
    let wanted: Option<Vec<String>> = literals.into_iter().map(as_hex).collect();
    let name = format!("{IS_ONE_OF}{}", wanted?.join(","));
    let mut path = field.browse_path.clone().unwrap_or_default();
    if path.is_empty() && field.attribute_id == AttributeId::NodeId as u32 {
        path.push(QualifiedName::new(0, CONDITION_ID));
    }
    path.push(QualifiedName::new(0, name));
    let comparison = SimpleAttributeOperand {
        type_definition_id: ObjectTypeId::BaseEventType.into(),
        browse_path: Some(path),
        attribute_id: field.attribute_id,
        index_range: field.index_range.clone(),
    };
    let mut asked = vec![ExtensionObject::from_message(comparison)];
    // As many operands as there were: the client gets a word for each.
    asked.resize_with(operands.len(), || ExtensionObject::from_message(LiteralOperand::from(true)));
    Some(asked)
}

/// What the library compares.
fn is_compared(value: &Variant) -> bool {
    use Variant::{Boolean, Byte, Double, Float, Int16, Int32, Int64, SByte, UInt16, UInt32, UInt64};
    matches!(
        value,
        Boolean(_)
            | SByte(_)
            | Byte(_)
            | Int16(_)
            | Int32(_)
            | Int64(_)
            | UInt16(_)
            | UInt32(_)
            | UInt64(_)
            | Float(_)
            | Double(_)
    )
}

/// A path that asks for a comparison: the field's own path, and the values that would be equal.
pub(super) fn comparison(path: &[QualifiedName]) -> Option<(&[QualifiedName], &str)> {
    let (last, field) = path.split_last()?;
    Some((field, last.name.as_ref().strip_prefix(IS_ONE_OF)?))
}

/// Whether `value` is one of those.
pub(super) fn is_one_of(value: &Variant, wanted: &str) -> bool {
    as_hex(value).is_some_and(|value| wanted.split(',').any(|one| one == value))
}

/// Whether this is the path that the `ConditionId` got.
pub(super) fn is_condition_id(path: &[QualifiedName]) -> bool {
    matches!(path, [only] if only.name.as_ref() == CONDITION_ID)
}

/// A value's bytes on the wire: equal for equal values of one type.
fn as_hex(value: &Variant) -> Option<String> {
    let value = match value {
        // A node of this server may be written either way.
        Variant::ExpandedNodeId(id) if id.namespace_uri.is_empty() && id.server_index == 0 => {
            Variant::from(id.node_id.clone())
        }
        value => value.clone(),
    };
    let context = ContextOwned::default();
    let mut bytes = Vec::new();
    value.encode(&mut bytes, &context.context()).ok()?;
    Some(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine_vision::{event::VisionEvent, ids::Ids};
    use opcua::{
        nodes::{DefaultTypeTree, Event, ParsedEventFilter},
        types::{ContentFilter, NumericRange},
    };

    fn event() -> VisionEvent {
        let ids = Ids { vision: 2, result: 3, own: 4 };
        VisionEvent::new(&ids, 1024, (NodeId::new(4, "VisionSystem"), "VisionSystem"), "a result", 100)
            .of_condition(NodeId::new(4, "c"))
    }

    fn field(name: &str) -> ExtensionObject {
        ExtensionObject::from_message(SimpleAttributeOperand {
            type_definition_id: ObjectTypeId::BaseEventType.into(),
            browse_path: Some(vec![name.into()]),
            attribute_id: AttributeId::Value as u32,
            index_range: NumericRange::None,
        })
    }

    fn literal(value: impl Into<Variant>) -> ExtensionObject {
        ExtensionObject::from_message(LiteralOperand::from(value.into()))
    }

    /// Sent and read as a server reads it; whether the event passes.
    fn passes(operator: FilterOperator, operands: Vec<ExtensionObject>) -> bool {
        let element = ContentFilterElement { filter_operator: operator, filter_operands: Some(operands) };
        let filter = EventFilter {
            select_clauses: None,
            where_clause: ContentFilter { elements: Some(vec![element]) },
        };
        let context = ContextOwned::default();
        let bytes = filter.encode_to_vec(&context.context());
        let id: NodeId = ObjectId::EventFilter_Encoding_DefaultBinary.into();
        let read = EventFilters.load_from_binary(&id, &mut bytes.as_slice(), &context.context(), None);
        let read = read.unwrap().unwrap().as_dyn_any().downcast::<EventFilter>().unwrap();
        let (_, parsed) = ParsedEventFilter::new(*read, &DefaultTypeTree::new());
        parsed.unwrap().evaluate(&event() as &dyn Event, 1, &DefaultTypeTree::new()).is_some()
    }

    #[test]
    fn trap_a_filter_on_node_ids_and_texts_matches_what_it_says() {
        use FilterOperator::{Equals, GreaterThan, InList};
        let (yes, no) = (NodeId::new(2, 1024), NodeId::new(2, 1025));
        let text = |name: &str| literal(name);
        let rows = [
            (InList, vec![field("EventType"), literal(no.clone()), literal(yes.clone())], true),
            (InList, vec![field("EventType"), literal(no.clone())], false),
            (Equals, vec![field("EventType"), literal(yes.clone())], true),
            (Equals, vec![literal(yes), field("EventType")], true),
            (Equals, vec![field("EventType"), literal(no)], false),
            (Equals, vec![field("SourceName"), text("VisionSystem")], true),
            (Equals, vec![field("SourceName"), text("Other")], false),
            (InList, vec![field("NoSuchField"), text("VisionSystem")], false),
            // What the library can, it still does, with its own conversions.
            (Equals, vec![field("Severity"), literal(100_i32)], true),
            (InList, vec![field("Severity"), literal(7_i32), literal(100_u32)], true),
            (GreaterThan, vec![field("Severity"), literal(99_u16)], true),
        ];
        for (operator, operands, expected) in rows {
            let asked = format!("{operator:?} {operands:?}");
            assert_eq!(passes(operator, operands), expected, "{asked}");
        }
    }

    #[test]
    fn trap_the_condition_id_has_a_name_and_moves_no_other_field() {
        let clause = |path: Option<Vec<QualifiedName>>, attribute: AttributeId| SimpleAttributeOperand {
            type_definition_id: ObjectTypeId::ConditionType.into(),
            browse_path: path,
            attribute_id: attribute as u32,
            index_range: NumericRange::None,
        };
        for empty in [None, Some(Vec::new())] {
            let message = SimpleAttributeOperand {
                type_definition_id: ObjectTypeId::BaseEventType.into(),
                ..clause(Some(vec!["Severity".into()]), AttributeId::Value)
            };
            let mut filter = EventFilter {
                select_clauses: Some(vec![clause(empty, AttributeId::NodeId), message]),
                where_clause: ContentFilter::default(),
            };
            mend(&mut filter);
            let (result, parsed) = ParsedEventFilter::new(filter, &DefaultTypeTree::new());
            assert!(result.select_clause_results.unwrap().iter().all(|status| status.is_good()));
            let fields =
                parsed.unwrap().evaluate(&event() as &dyn Event, 1, &DefaultTypeTree::new()).unwrap();
            assert_eq!(
                fields.event_fields.unwrap(),
                [Variant::from(NodeId::new(4, "c")), Variant::from(100_u16)]
            );
        }
    }
}
