//! The structures and enumerations of Machine Vision, as they travel: written by hand after the official node set.
//!
//! Optional fields are `Option`, in the order of the node set: OPC UA binary writes a mask of them first, and each
//! type has a test against a foreign client's bytes (`tests/types_on_the_wire.rs`). `Id`s are `TrimmedString`s, which
//! on the wire are strings.

mod enums;
mod ids;
mod loader;
mod result;
mod transfer;

pub use enums::{ResultEvaluation, SystemState, TriState, result_state};
pub use ids::{
    BinaryIdBaseDataType, ConfigurationIdDataType, JobIdDataType, MeasIdDataType, PartIdDataType,
    ProductIdDataType, RecipeIdExternalDataType, RecipeIdInternalDataType, ResultIdDataType,
};
pub use loader::MachineVisionTypes;
pub use result::{
    ConfigurationDataType, ProcessingTimesDataType, ProductDataType, ResultDataType,
    SystemStateDescriptionDataType,
};
pub use transfer::{ConfigurationTransferOptions, RecipeTransferOptions, ResultTransferOptions};

/// Declares structures with their numbers in the node set: data type, binary encoding, XML encoding.
macro_rules! structures {
    ($($(#[$about:meta])* $name:ident = ($data_type:literal, $binary:literal, $xml:literal) {
        $($(#[$field_about:meta])* $field:ident: $type:ty,)*
    })*) => {$(
        $(#[$about])*
        #[derive(
            Clone, Debug, Default, PartialEq, opcua::types::BinaryEncodable, opcua::types::BinaryDecodable,
            opcua::types::UaNullable, opcua::types::XmlEncodable, opcua::types::XmlDecodable, opcua::types::XmlType,
        )]
        pub struct $name { $($(#[$field_about])* pub $field: $type,)* }

        impl opcua::types::ExpandedMessageInfo for $name {
            fn full_type_id(&self) -> opcua::types::ExpandedNodeId {
                super::in_node_set($binary)
            }
            fn full_json_type_id(&self) -> opcua::types::ExpandedNodeId {
                super::in_node_set(0) // the node set knows none
            }
            fn full_xml_type_id(&self) -> opcua::types::ExpandedNodeId {
                super::in_node_set($xml)
            }
            fn full_data_type_id(&self) -> opcua::types::ExpandedNodeId {
                super::in_node_set($data_type)
            }
        }

        impl $name {
            /// Number of its DataType in the node set.
            pub const DATA_TYPE: u32 = $data_type;
            /// Number of its `Default Binary` in the node set.
            pub const BINARY: u32 = $binary;
            /// Number of its `Default XML` in the node set.
            pub const XML: u32 = $xml;
        }
    )*};
}
use structures;

/// The node of this number, by name of its namespace: the index is the server's choice.
fn in_node_set(number: u32) -> opcua::types::ExpandedNodeId {
    opcua::types::ExpandedNodeId::from((opcua::types::NodeId::new(0, number), super::NAMESPACE))
}
