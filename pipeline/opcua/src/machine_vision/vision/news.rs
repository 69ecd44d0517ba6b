//! What the station tells, and what follows from it.

use super::{Inside, Vision, told::INFORMATION};
use crate::machine_vision::{
    commands::{Condition, Doing, InspectionResult, Preparation, Recipe},
    fields::{fields, structure},
    instance::{LATEST, SYSTEM_STATE},
    machine::{Call, Happens, State},
    methods::{MODE, RESULTS, SYSTEM},
    queue::News,
    result::result,
    types::{SystemState, SystemStateDescriptionDataType},
};
use plumb_inspection::PartId;

impl Vision {
    /// One piece of news.
    pub(in crate::machine_vision) fn hear(&self, news: News) {
        match news {
            News::Result(found) => self.judged(&found),
            News::Acquired(part) => self.acquired(part),
        }
    }

    fn judged(&self, found: &InspectionResult) {
        let mut inside = self.inside();
        let job = inside.job.clone().filter(|job| job.is_about(found.part));
        let result = result(found, &self.configuration_id(), job.as_ref());
        let fields = fields(&result);
        let mut values = vec![self.value(LATEST, structure(result.clone()))];
        values.extend(
            fields.iter().map(|field| self.value(&format!("{LATEST}/{}", field.name), field.value.clone())),
        );
        self.set(&values);
        let says = format!("Part {}: {}.", found.part, found.verdict.as_str());
        let mut event = self.event(1024, RESULTS, &says, INFORMATION); // ResultReadyEventType
        for field in fields {
            event = event.with_vision(&self.ids, field.name, field.value);
        }
        inside.results.push(result);
        self.raise(&[event]);
        if job.is_some_and(|job| job.part.is_some()) {
            self.job_done(&mut inside);
        }
    }

    /// The part may move on: its pictures are there.
    fn acquired(&self, part: PartId) {
        let inside = self.inside();
        if let Some(job) = inside.job.as_ref().filter(|job| job.is_about(part)) {
            let says = format!("Part {part}: the pictures are there.");
            let event = self.event(1025, MODE, &says, INFORMATION); // AcquisitionDoneEventType
            self.raise(&[event.with_vision(&self.ids, "JobId", structure(job.id.clone()))]);
        }
    }

    fn job_done(&self, inside: &mut Inside) {
        let steps = inside.machine.happens(Happens::JobDone);
        self.follow(inside, &steps);
    }

    /// Asks the station how it is. `dropped`: news that were lost, ever.
    pub(in crate::machine_vision) fn look(&self, dropped: u64) {
        let mut inside = self.inside();
        let condition = self.station.condition();
        self.conditions_are(&mut inside, &condition);
        let happens = match condition.doing {
            Doing::Running | Doing::Degraded => Happens::Released,
            Doing::NotReleased => Happens::Withdrawn,
            Doing::Stopped => Happens::Stopped,
            Doing::Fault => Happens::Broke,
        };
        let steps = inside.machine.happens(happens);
        self.follow(&mut inside, &steps);
        // In this order: one that is done by now is seen as the current one.
        let preparation = inside.preparing.is_some().then(|| self.station.preparation());
        self.recipe_is(&mut inside, self.station.current_recipe(), preparation);
        if inside.dropped != dropped {
            inside.dropped = dropped;
            tracing::error!(
                dropped,
                "Results came faster than OPC UA clients could be told; they are in the ledger only."
            );
            if inside.job.as_ref().is_some_and(|job| job.part.is_some()) {
                self.job_done(&mut inside); // its result may be among them: nobody is to wait for ever
            }
        }
        self.system_state_is(&mut inside, &condition);
    }

    /// Another recipe judges, by whoever's wish.
    fn recipe_is(&self, inside: &mut Inside, recipe: Option<Recipe>, preparation: Option<Preparation>) {
        let is_new = inside.recipe != recipe;
        let was_known = inside.recipe.is_some();
        inside.recipe = recipe;
        match (&inside.recipe, &inside.preparing) {
            (Some(now), Some(preparing))
                if now.name == preparing.recipe.name && now.digest == preparing.recipe.digest =>
            {
                self.prepared(inside);
                return;
            }
            (_, Some(preparing)) => match preparation {
                None | Some(Preparation::Working) => {}
                Some(Preparation::Failed(why)) => {
                    self.preparation_failed(&preparing.recipe.name, &why);
                    inside.preparing = None;
                }
                Some(Preparation::Done) => inside.preparing = None, // by now yet another one judges
            },
            (_, None) => {}
        }
        if is_new && was_known && inside.recipe.is_some() {
            self.raise(&[self.recipe_prepared(inside)]);
        }
        let happens = if inside.recipe.is_some() { Happens::RecipeThere } else { Happens::RecipeGone };
        let steps = inside.machine.happens(happens);
        self.follow(inside, &steps);
    }

    /// A recipe that a client wanted judges now.
    pub(super) fn prepared(&self, inside: &mut Inside) {
        let tells = inside.machine.mode() != Some(State::Initialized);
        if let Ok(steps) = inside.machine.call(Call::PrepareRecipe) {
            self.follow(inside, &steps);
        }
        if tells {
            self.raise(&[self.recipe_prepared(inside)]); // else the transition has told it
        }
        inside.preparing = None;
    }

    fn preparation_failed(&self, recipe: &str, why: &str) {
        let says = format!("Recipe {recipe} could not be prepared: {why}");
        self.raise(&[self.event(1038, SYSTEM, &says, INFORMATION)]); // VisionInformationEventType
    }

    /// The station's five states in SEMI E10's words:
    ///
    /// | station | SystemState | outer machine |
    /// |---|---|---|
    /// | running, degraded | PRD_1 | Operational |
    /// | not_released | SBY_2 | Preoperational; Halted where a client halted it |
    /// | stopped | SDT_4 | Halted |
    /// | fault | UDT_5 | Error |
    fn system_state_is(&self, inside: &mut Inside, condition: &Condition) {
        let state = match condition.doing {
            Doing::Running | Doing::Degraded => SystemState::Productive,
            Doing::NotReleased => SystemState::StandBy,
            Doing::Stopped => SystemState::ScheduledDowntime,
            Doing::Fault => SystemState::UnscheduledDowntime,
        };
        let why = (!condition.reasons.is_empty()).then(|| condition.reasons.join("; ").into());
        let now = SystemStateDescriptionDataType { state: state as i32, state_description: why };
        if inside.system_state.as_ref() != Some(&now) {
            self.set(&[self.value(SYSTEM_STATE, structure(now.clone()))]);
            inside.system_state = Some(now);
        }
    }
}
