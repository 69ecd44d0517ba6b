//! Methods of `ConfigurationManagement`. A station has one configuration: its files, as it was started from them.

use super::Vision;
use crate::machine_vision::{
    arguments::{Arguments, NotDone},
    commands::Refusal,
    fields::{structure, structures},
    types::{ConfigurationDataType, ConfigurationIdDataType},
};
use opcua::types::{DateTime, Variant};

impl Vision {
    /// The one that is active stays so; another would need a restart from other files.
    pub(super) fn activate_configuration(
        &self,
        arguments: &mut Arguments<'_>,
    ) -> Result<Vec<Variant>, NotDone> {
        self.must_be_ours(arguments.named::<ConfigurationIdDataType>()?)?;
        Ok(Vec::new())
    }

    pub(super) fn get_configuration_by_id(
        &self,
        arguments: &mut Arguments<'_>,
    ) -> Result<Vec<Variant>, NotDone> {
        let id = arguments.named::<ConfigurationIdDataType>()?;
        let _timeout = arguments.int32()?; // nothing is kept for a client
        self.must_be_ours(id)?;
        Ok(vec![self.inside().handles.open().into(), structure(self.configuration())])
    }

    pub(super) fn get_configuration_list(
        &self,
        arguments: &mut Arguments<'_>,
    ) -> Result<Vec<Variant>, NotDone> {
        let (_max, start) = (arguments.uint32()?, arguments.uint32()?); // there is one
        let _timeout = arguments.int32()?; // nothing is kept for a client
        let listed: Vec<_> = (start == 0).then(|| self.configuration()).into_iter().collect();
        let count = listed.len() as u32;
        Ok(vec![true.into(), count.into(), self.inside().handles.open().into(), structures(listed)])
    }

    pub(super) fn configuration(&self) -> ConfigurationDataType {
        ConfigurationDataType {
            has_transferable_data_on_file: Some(false),
            external_id: None,
            internal_id: self.configuration_id(),
            last_modified: DateTime::from(opcua::types::DateTimeUtc::from(self.identity.configured_at)),
        }
    }

    fn must_be_ours(&self, wanted: Option<ConfigurationIdDataType>) -> Result<(), Refusal> {
        let own = self.configuration_id();
        let wanted = wanted.unwrap_or_default();
        let has_hash = wanted.hash.as_ref().is_some_and(|hash| !hash.is_null_or_empty());
        if wanted.id == own.id && (!has_hash || wanted.hash == own.hash) {
            return Ok(());
        }
        let says = format!("there is no configuration {}; this station's is {}", wanted.id, own.id);
        Err(Refusal::UnknownConfiguration(says))
    }
}
