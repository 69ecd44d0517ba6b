//! Methods of the state machines: to work, out of work, one part, a run.
//!
//! The line's own parts are judged whenever the outer machine is `Operational`, whatever the automatic mode says. A run
//! (`StartContinuous`) gives the line's results a name; to stop it takes the name away, and never the judgement.

use super::{Caller, Inside, Vision};
use crate::machine_vision::{
    arguments::{Arguments, NotDone},
    commands::{Doing, Refusal},
    fields::structure,
    job::{self, Job},
    machine::{Call, Happens, WrongState},
    types::{MeasIdDataType, PartIdDataType, ProductIdDataType, RecipeIdExternalDataType},
};
use opcua::types::Variant;

impl From<WrongState> for Refusal {
    fn from(wrong: WrongState) -> Self {
        Self::WrongState(wrong.to_string())
    }
}

impl Vision {
    /// `Reset`, `Halt`: from now on every part is answered `Missed`.
    pub(super) fn take_out_of_work(
        &self,
        call: Call,
        arguments: &mut Arguments<'_>,
        caller: &Caller,
    ) -> Result<Vec<Variant>, NotDone> {
        let says = why(call, arguments, caller)?;
        let mut inside = self.inside();
        takes(&inside, call)?;
        let condition = self.station.condition();
        if call == Call::Reset && condition.doing == Doing::Fault {
            let reasons = condition.reasons.join("; ");
            return Err(
                Refusal::NotReady(format!("the station is broken and must be restarted: {reasons}")).into()
            );
        }
        self.station.hold(&says)?;
        self.go(&mut inside, call);
        Ok(Vec::new())
    }

    /// `SelectModeAutomatic`: to work.
    pub(super) fn select_mode_automatic(&self) -> Result<Vec<Variant>, NotDone> {
        let mut inside = self.inside();
        takes(&inside, Call::SelectModeAutomatic)?;
        self.station.release()?;
        self.go(&mut inside, Call::SelectModeAutomatic);
        inside.recipe = self.station.current_recipe();
        if inside.recipe.is_some() {
            let steps = inside.machine.happens(Happens::RecipeThere);
            self.follow(&mut inside, &steps);
        }
        Ok(Vec::new())
    }

    /// `StartSingleJob`, `StartContinuous`.
    pub(super) fn start(&self, call: Call, arguments: &mut Arguments<'_>) -> Result<Vec<Variant>, NotDone> {
        let meas_id = arguments.named::<MeasIdDataType>()?;
        let part_id = arguments.named::<PartIdDataType>()?;
        let recipe_id = arguments.named::<RecipeIdExternalDataType>()?;
        let product_id = arguments.named::<ProductIdDataType>()?;
        let parameters = arguments.count()?;
        let mut inside = self.inside();
        takes(&inside, call)?;
        if parameters > 0 {
            return Err(Refusal::BadArgument("no recipe of this station has parameters".to_owned()).into());
        }
        if let Some(product) = &product_id {
            let says =
                format!("no recipe was prepared for the product {}: this station knows none", product.id);
            return Err(Refusal::NotPrepared(says).into());
        }
        self.must_be_prepared(&inside, recipe_id.as_ref())?;
        let part = match call {
            Call::StartSingleJob => Some(self.station.trigger()?),
            _ => None,
        };
        inside.jobs += 1;
        let id = job::new_id(inside.jobs);
        inside.job = Some(Job { id: id.clone(), meas_id, part_id, recipe_id, product_id, part });
        self.go(&mut inside, call);
        Ok(vec![structure(id)])
    }

    fn must_be_prepared(
        &self,
        inside: &Inside,
        wanted: Option<&RecipeIdExternalDataType>,
    ) -> Result<(), Refusal> {
        let Some(wanted) = wanted.map(|wanted| wanted.id.as_ref()) else { return Ok(()) };
        match &inside.recipe {
            Some(now) if now.is_called(wanted) => Ok(()),
            Some(now) => {
                Err(Refusal::NotPrepared(format!("recipe {wanted} is not prepared; {} is", now.name)))
            }
            None => Err(Refusal::NotPrepared(format!("recipe {wanted} is not prepared; none is"))),
        }
    }

    /// `Stop`, `Abort`: the job ends. A part that was asked for is still judged and answered.
    pub(super) fn end(
        &self,
        call: Call,
        arguments: &mut Arguments<'_>,
        caller: &Caller,
    ) -> Result<Vec<Variant>, NotDone> {
        let says = why(call, arguments, caller)?;
        let mut inside = self.inside();
        takes(&inside, call)?;
        tracing::info!(says, "An OPC UA client ended its job.");
        self.go(&mut inside, call);
        Ok(Vec::new())
    }

    pub(super) fn go(&self, inside: &mut Inside, call: Call) {
        let steps =
            inside.machine.call(call).expect("it was asked under this lock whether the call is taken");
        self.follow(inside, &steps);
    }
}

pub(super) fn takes(inside: &Inside, call: Call) -> Result<(), Refusal> {
    match inside.machine.takes(call) {
        true => Ok(()),
        false => Err(WrongState { call, state: inside.machine.state() }.into()),
    }
}

/// `Halt by OPC UA client anna, cause 3: belt change`.
fn why(call: Call, arguments: &mut Arguments<'_>, caller: &Caller) -> Result<String, NotDone> {
    let (cause, description) = (arguments.int32()?, arguments.line()?);
    let says = format!("{} by OPC UA client {}, cause {cause}", call.as_str(), caller.name);
    Ok(if description.is_empty() { says } else { format!("{says}: {description}") })
}
