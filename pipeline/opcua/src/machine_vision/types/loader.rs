//! Lets the library read these structures, where a client sends one.

use super::{
    BinaryIdBaseDataType, ConfigurationDataType, ConfigurationIdDataType, ConfigurationTransferOptions,
    JobIdDataType, MeasIdDataType, PartIdDataType, ProcessingTimesDataType, ProductDataType,
    ProductIdDataType, RecipeIdExternalDataType, RecipeIdInternalDataType, RecipeTransferOptions,
    ResultDataType, ResultIdDataType, ResultTransferOptions, SystemStateDescriptionDataType,
};
use opcua::types::{
    Context, DynEncodable, EncodingResult, Error, NodeId, StaticTypeLoader, TypeLoader, TypeLoaderInstance,
    binary_decode_to_enc, xml::XmlStreamReader, xml_decode_to_enc,
};
use std::{
    io::{self, Read},
    sync::OnceLock,
};

/// Reads every structure of the node set, and never more of a message than is its.
#[derive(Clone, Copy, Debug, Default)]
pub struct MachineVisionTypes;

impl TypeLoader for MachineVisionTypes {
    /// node-opcua now and then writes the fields of a type that inherits twice. The library would go on reading in the
    /// middle of it, and take the rest for the next argument.
    fn load_from_binary(
        &self,
        id: &NodeId,
        stream: &mut dyn Read,
        context: &Context<'_>,
        length: Option<usize>,
    ) -> Option<EncodingResult<Box<dyn DynEncodable>>> {
        let Some(limit) = length else { return Known.load_from_binary(id, stream, context, length) };
        let mut body = stream.take(limit as u64);
        let loaded = Known.load_from_binary(id, &mut body, context, length)?;
        Some(loaded.and_then(|loaded| {
            io::copy(&mut body, &mut io::sink()).map_err(Error::decoding)?;
            Ok(loaded)
        }))
    }

    fn load_from_xml(
        &self,
        id: &NodeId,
        stream: &mut XmlStreamReader<&mut dyn Read>,
        context: &Context<'_>,
        name: &str,
    ) -> Option<EncodingResult<Box<dyn DynEncodable>>> {
        Known.load_from_xml(id, stream, context, name)
    }
}

struct Known;

impl StaticTypeLoader for Known {
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
