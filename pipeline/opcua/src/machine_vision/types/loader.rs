//! Lets the library read these structures, where a client sends one.

use super::{
    BinaryIdBaseDataType, ConfigurationDataType, ConfigurationIdDataType, ConfigurationTransferOptions,
    JobIdDataType, MeasIdDataType, PartIdDataType, ProcessingTimesDataType, ProductDataType,
    ProductIdDataType, RecipeIdExternalDataType, RecipeIdInternalDataType, RecipeTransferOptions,
    ResultDataType, ResultIdDataType, ResultTransferOptions, SystemStateDescriptionDataType,
};
use opcua::types::{StaticTypeLoader, TypeLoaderInstance, binary_decode_to_enc, xml_decode_to_enc};
use std::sync::OnceLock;

/// Reads every structure of the node set.
#[derive(Clone, Copy, Debug, Default)]
pub struct MachineVisionTypes;

impl StaticTypeLoader for MachineVisionTypes {
    fn instance() -> &'static TypeLoaderInstance {
        static INSTANCE: OnceLock<TypeLoaderInstance> = OnceLock::new();
        INSTANCE.get_or_init(|| {
            let mut known = TypeLoaderInstance::new();
            macro_rules! know {
                ($($name:ident)*) => {$(
                    known.add_binary_type($name::DATA_TYPE, $name::BINARY, binary_decode_to_enc::<$name>);
                    known.add_xml_type($name::DATA_TYPE, $name::XML, xml_decode_to_enc::<$name>);
                )*};
            }
            know!(
                BinaryIdBaseDataType ConfigurationDataType ConfigurationIdDataType ConfigurationTransferOptions
                JobIdDataType MeasIdDataType PartIdDataType ProcessingTimesDataType ProductDataType ProductIdDataType
                RecipeIdExternalDataType RecipeIdInternalDataType RecipeTransferOptions ResultDataType
                ResultIdDataType ResultTransferOptions SystemStateDescriptionDataType
            );
            known
        })
    }

    fn namespace() -> &'static str {
        crate::machine_vision::NAMESPACE
    }
}
