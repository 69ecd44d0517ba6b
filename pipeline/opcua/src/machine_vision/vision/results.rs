//! Methods of `ResultManagement`, over the last results.

use super::Vision;
use crate::machine_vision::{
    arguments::{Arguments, NotDone},
    commands::Refusal,
    fields::{fields, structure, structures},
    results::Wanted,
    types::{
        ConfigurationIdDataType, JobIdDataType, MeasIdDataType, PartIdDataType, ProductIdDataType,
        RecipeIdExternalDataType, RecipeIdInternalDataType, ResultDataType, ResultIdDataType,
    },
};
use opcua::types::Variant;

impl Vision {
    pub(super) fn get_result_by_id(&self, arguments: &mut Arguments<'_>) -> Result<Vec<Variant>, NotDone> {
        let (result, handle) = self.result_of(arguments)?;
        Ok(vec![handle.into(), structure(result)])
    }

    pub(super) fn get_result_components_by_id(
        &self,
        arguments: &mut Arguments<'_>,
    ) -> Result<Vec<Variant>, NotDone> {
        let (result, handle) = self.result_of(arguments)?;
        let mut outputs: Vec<Variant> =
            fields(&result).into_iter().skip(1).map(|field| field.value).collect(); // the id is known
        outputs.insert(1, handle.into());
        Ok(outputs)
    }

    pub(super) fn get_result_list_filtered(
        &self,
        arguments: &mut Arguments<'_>,
    ) -> Result<Vec<Variant>, NotDone> {
        let wanted = Wanted {
            state: arguments.int32()?,
            meas: arguments.name::<MeasIdDataType>()?,
            part: arguments.name::<PartIdDataType>()?,
            external_recipe: arguments.name::<RecipeIdExternalDataType>()?,
            internal_recipe: arguments.name::<RecipeIdInternalDataType>()?,
            external_configuration: arguments.name::<ConfigurationIdDataType>()?,
            internal_configuration: arguments.name::<ConfigurationIdDataType>()?,
            product: arguments.name::<ProductIdDataType>()?,
            job: arguments.name::<JobIdDataType>()?,
        };
        let (max, start) = (arguments.uint32()? as usize, arguments.uint32()? as usize);
        let _timeout = arguments.int32()?; // nothing is kept for a client
        let mut inside = self.inside();
        let (found, is_complete) = inside.results.find(&wanted, start, max);
        let (count, handle) = (found.len() as u32, inside.handles.open());
        Ok(vec![is_complete.into(), count.into(), handle.into(), structures(found)])
    }

    /// `ReleaseResultHandle`, and those of recipes and configurations.
    pub(super) fn release_handle(&self, arguments: &mut Arguments<'_>) -> Result<Vec<Variant>, NotDone> {
        let handle = arguments.uint32()?;
        match self.inside().handles.release(handle) {
            true => Ok(Vec::new()),
            false => Err(Refusal::UnknownHandle(format!("handle {handle} is not open")).into()),
        }
    }

    fn result_of(&self, arguments: &mut Arguments<'_>) -> Result<(ResultDataType, u32), NotDone> {
        let id = arguments.name::<ResultIdDataType>()?;
        let _timeout = arguments.int32()?; // nothing is kept for a client
        let mut inside = self.inside();
        let result = inside.results.by_id(id.as_ref()).cloned();
        let result = result.ok_or_else(|| {
            Refusal::UnknownResult(format!(
                "there is no result {id} among the last ones; the station's ledger has all"
            ))
        })?;
        Ok((result, inside.handles.open()))
    }
}
