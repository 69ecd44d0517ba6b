//! From a call to its answer: who may, what is done, and what the client gets when nothing was.

use super::{Caller, Vision};
use crate::machine_vision::{
    arguments::{Arguments, NotDone},
    condition::Kind,
    fields::structures,
    machine::Call,
    methods::Method,
    types::ResultDataType,
};
use opcua::types::{DateTime, ExtensionObject, StatusCode, Variant};
use std::sync::Arc;

impl Vision {
    /// Calls `method`; `kind` is the condition that it belongs to, where it does to one.
    ///
    /// # Errors
    /// The call was wrong in itself. What a method refuses is in its `Error` output.
    pub(in crate::machine_vision) async fn call(
        self: &Arc<Self>,
        method: Method,
        kind: Option<Kind>,
        arguments: &[Variant],
        caller: &Caller,
    ) -> Result<Vec<Variant>, StatusCode> {
        let mut arguments = Arguments::new(arguments);
        let done = match method {
            Method::Acknowledge | Method::Confirm | Method::ConfirmAll => {
                return self.answer(method, kind, &mut arguments, caller);
            }
            _ => self.done(method, &mut arguments, caller).await,
        };
        match done {
            Ok(mut outputs) => {
                outputs.push(0.into());
                Ok(outputs)
            }
            Err(NotDone::Refused(refusal)) => {
                tracing::info!(user = caller.name, method = method.as_str(), %refusal, "An OPC UA call was refused.");
                let mut outputs = blank(method);
                outputs.push(refusal.code().into());
                Ok(outputs)
            }
            Err(NotDone::Status(status)) => Err(status),
        }
    }

    async fn done(
        self: &Arc<Self>,
        method: Method,
        arguments: &mut Arguments<'_>,
        caller: &Caller,
    ) -> Result<Vec<Variant>, NotDone> {
        match method {
            Method::GetRecipeListFiltered => return self.get_recipe_list_filtered(arguments).await,
            Method::GetResultById => return self.get_result_by_id(arguments),
            Method::GetResultComponentsById => return self.get_result_components_by_id(arguments),
            Method::GetResultListFiltered => return self.get_result_list_filtered(arguments),
            Method::GetConfigurationById => return self.get_configuration_by_id(arguments),
            Method::GetConfigurationList => return self.get_configuration_list(arguments),
            Method::ReleaseRecipeHandle
            | Method::ReleaseResultHandle
            | Method::ReleaseConfigurationHandle => {
                return self.release_handle(arguments);
            }
            _ => {}
        }
        let _one = self.calls.lock().await;
        match method {
            Method::Reset => self.take_out_of_work(Call::Reset, arguments, caller),
            Method::Halt => self.take_out_of_work(Call::Halt, arguments, caller),
            Method::SelectModeAutomatic => self.select_mode_automatic(),
            Method::StartSingleJob => self.start(Call::StartSingleJob, arguments),
            Method::StartContinuous => self.start(Call::StartContinuous, arguments),
            Method::Stop => self.end(Call::Stop, arguments, caller),
            Method::Abort => self.end(Call::Abort, arguments, caller),
            Method::PrepareRecipe => self.prepare_recipe(arguments, caller).await,
            Method::UnprepareRecipe => self.unprepare_recipe(arguments),
            Method::ActivateConfiguration => self.activate_configuration(arguments),
            _ => Err(StatusCode::BadMethodInvalid.into()),
        }
    }

    /// Methods without an `Error`.
    fn answer(
        &self,
        method: Method,
        kind: Option<Kind>,
        arguments: &mut Arguments<'_>,
        caller: &Caller,
    ) -> Result<Vec<Variant>, StatusCode> {
        let answered = match (method, kind) {
            (Method::Acknowledge, Some(kind)) => self.acknowledge(kind, arguments, caller),
            (Method::Confirm, Some(kind)) => self.confirm(kind, arguments, caller),
            (Method::ConfirmAll, _) => self.confirm_all(arguments, caller),
            _ => Err(StatusCode::BadMethodInvalid.into()),
        };
        match answered {
            Ok(()) => Ok(Vec::new()),
            Err(NotDone::Status(status)) => Err(status),
            Err(NotDone::Refused(_)) => Err(StatusCode::BadInvalidArgument),
        }
    }
}

/// The outputs before `Error` of a method that did nothing.
fn blank(method: Method) -> Vec<Variant> {
    let null = || Variant::from(ExtensionObject::null());
    let none = || structures(Vec::<ResultDataType>::new());
    match method {
        Method::StartSingleJob | Method::StartContinuous | Method::UnprepareRecipe => vec![null()],
        Method::PrepareRecipe => vec![null(), false.into()],
        Method::GetResultById | Method::GetConfigurationById => vec![0_u32.into(), null()],
        Method::GetRecipeListFiltered | Method::GetResultListFiltered | Method::GetConfigurationList => {
            vec![true.into(), 0_u32.into(), 0_u32.into(), none()]
        }
        Method::GetResultComponentsById => {
            let mut outputs = vec![false.into(), 0_u32.into(), false.into(), false.into(), 0_i32.into()];
            outputs.extend((0..8).map(|_| null()));
            outputs.extend([DateTime::null().into(), null(), Variant::Empty]);
            outputs
        }
        _ => Vec::new(),
    }
}
