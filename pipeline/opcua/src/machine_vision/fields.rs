//! A result taken apart: the same names and values serve the `ResultReady` event, the variable `Latest` and
//! `GetResultComponentsById`.

use super::types::{
    ConfigurationIdDataType, JobIdDataType, MeasIdDataType, PartIdDataType, ProcessingTimesDataType,
    ProductIdDataType, RecipeIdExternalDataType, RecipeIdInternalDataType, ResultDataType, ResultIdDataType,
};
use opcua::types::{Array, DynEncodable, ExpandedMessageInfo, ExtensionObject, Variant, VariantScalarTypeId};

/// One field of a result.
pub(super) struct Field {
    /// As the node set calls it.
    pub(super) name: &'static str,
    /// Its data type: a number in the Machine Vision node set, or in the base one.
    pub(super) data_type: DataType,
    /// `Empty` where the result has none.
    pub(super) value: Variant,
}

/// A data type by number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DataType {
    Vision(u32),
    Base(u32),
}

const BOOLEAN: DataType = DataType::Base(1);
const UTC_TIME: DataType = DataType::Base(294);
const ANY: DataType = DataType::Base(24);
const RESULT_STATE: DataType = DataType::Vision(3009);

/// Every field, in the order of the node set.
pub(super) fn fields(result: &ResultDataType) -> Vec<Field> {
    use DataType::Vision;
    let field = |name, data_type, value| Field { name, data_type, value };
    let result = result.clone();
    vec![
        field("ResultId", Vision(ResultIdDataType::DATA_TYPE), structure(result.result_id)),
        field("HasTransferableDataOnFile", BOOLEAN, or_empty(result.has_transferable_data_on_file)),
        field("IsPartial", BOOLEAN, result.is_partial.into()),
        field("IsSimulated", BOOLEAN, or_empty(result.is_simulated)),
        field("ResultState", RESULT_STATE, result.result_state.into()),
        field("MeasId", Vision(MeasIdDataType::DATA_TYPE), optional(result.meas_id)),
        field("PartId", Vision(PartIdDataType::DATA_TYPE), optional(result.part_id)),
        field(
            "ExternalRecipeId",
            Vision(RecipeIdExternalDataType::DATA_TYPE),
            optional(result.external_recipe_id),
        ),
        field(
            "InternalRecipeId",
            Vision(RecipeIdInternalDataType::DATA_TYPE),
            structure(result.internal_recipe_id),
        ),
        field("ProductId", Vision(ProductIdDataType::DATA_TYPE), optional(result.product_id)),
        field(
            "ExternalConfigurationId",
            Vision(ConfigurationIdDataType::DATA_TYPE),
            optional(result.external_configuration_id),
        ),
        field(
            "InternalConfigurationId",
            Vision(ConfigurationIdDataType::DATA_TYPE),
            structure(result.internal_configuration_id),
        ),
        field("JobId", Vision(JobIdDataType::DATA_TYPE), structure(result.job_id)),
        field("CreationTime", UTC_TIME, result.creation_time.into()),
        field(
            "ProcessingTimes",
            Vision(ProcessingTimesDataType::DATA_TYPE),
            optional(result.processing_times),
        ),
        field("ResultContent", ANY, anything(result.result_content.flatten().unwrap_or_default())),
    ]
}

/// A structure as a value.
pub(super) fn structure<T: DynEncodable + ExpandedMessageInfo>(value: T) -> Variant {
    Variant::from(ExtensionObject::new(value))
}

/// Structures as a value.
pub(super) fn structures<T: DynEncodable + ExpandedMessageInfo>(
    values: impl IntoIterator<Item = T>,
) -> Variant {
    let values: Vec<Variant> = values.into_iter().map(structure).collect();
    Variant::from(Array::new(VariantScalarTypeId::ExtensionObject, values).expect("they are all structures"))
}

/// Values of any type as one: each needs a wrapping of its own.
fn anything(values: Vec<Variant>) -> Variant {
    let wrapped: Vec<Variant> = values.into_iter().map(|value| Variant::Variant(Box::new(value))).collect();
    Variant::from(Array::new(VariantScalarTypeId::Variant, wrapped).expect("they are all wrapped"))
}

fn optional<T: DynEncodable + ExpandedMessageInfo>(value: Option<T>) -> Variant {
    value.map_or(Variant::Empty, structure)
}

fn or_empty(value: Option<bool>) -> Variant {
    value.map_or(Variant::Empty, Variant::from)
}
