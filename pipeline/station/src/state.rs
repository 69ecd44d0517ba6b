//! The five states of a station, one spelling everywhere, and the facts they follow from.

use crate::edition::ModelId;
use plumb_inspection::CameraId;
use serde::Serialize;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, MutexGuard, PoisonError},
};

/// What the station as a whole is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Not yet allowed to judge: models not warm, a challenge due.
    NotReleased,
    /// Judging.
    Running,
    /// Judging what it can; something named in the reasons is missing.
    Degraded,
    /// Told to stop.
    Stopped,
    /// Cannot judge, and will not recover by itself.
    Fault,
}

impl State {
    /// Every state, for the metric's labels.
    pub const ALL: [Self; 5] = [Self::NotReleased, Self::Running, Self::Degraded, Self::Stopped, Self::Fault];

    /// The one spelling.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NotReleased => "not_released",
            Self::Running => "running",
            Self::Degraded => "degraded",
            Self::Stopped => "stopped",
            Self::Fault => "fault",
        }
    }
}

/// What is known of the station's health. Everybody reports here; the state is derived, never set.
#[derive(Debug, Default)]
pub struct Health(Mutex<Facts>);

/// What is known, as everybody reported it last.
#[derive(Clone, Debug, Default)]
pub(crate) struct Facts {
    warm: bool,
    stopping: bool,
    pub(crate) fault: Option<String>,
    pub(crate) awaited: BTreeSet<CameraId>,
    pub(crate) cameras: BTreeMap<CameraId, Option<String>>,
    pub(crate) plc: Option<String>,
    pub(crate) ledger: Option<String>,
    pub(crate) withheld: Option<String>,
    pub(crate) held: Option<String>,
    /// Known parts must be told right first; true while they are being presented.
    pub(crate) challenge: Option<(String, bool)>,
    pub(crate) stand_ins: Vec<String>,
    pub(crate) models: BTreeMap<(ModelId, usize), String>,
    pub(crate) mirrors: BTreeMap<String, String>,
    pub(crate) out_of_step: Option<String>,
    pub(crate) budget: Option<String>,
    pub(crate) line_stop: Vec<String>,
    pub(crate) silent: Vec<&'static str>,
}

/// The state, and every sentence that explains it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Condition {
    /// One of the five.
    pub state: State,
    /// Empty while all is well.
    pub reasons: Vec<String>,
}

impl Condition {
    /// Would the next part be judged?
    pub fn is_ready(&self) -> bool {
        self.state == State::Running
    }
}

impl Health {
    /// Models are loaded, warm and within their deadline.
    pub fn warm(&self) {
        self.facts().warm = true;
    }

    /// The station was told to stop.
    pub fn stopping(&self) {
        self.facts().stopping = true;
    }

    /// Something broke for good. The first fault stays.
    pub fn fault(&self, says: impl Into<String>) {
        self.facts().fault.get_or_insert(says.into());
    }

    /// A camera was started and has told nothing yet.
    pub fn camera_awaited(&self, id: &CameraId) {
        self.facts().awaited.insert(id.clone());
    }

    /// A camera is up (`None`) or down, with the reason.
    pub fn camera(&self, id: &CameraId, down: Option<String>) {
        let mut facts = self.facts();
        facts.awaited.remove(id);
        facts.cameras.insert(id.clone(), down);
    }

    /// The reasons of the cameras that are down.
    pub fn cameras_down(&self) -> Vec<String> {
        self.facts().cameras.values().flatten().cloned().collect()
    }

    /// The PLC is up (`None`) or down, with the reason.
    pub fn plc(&self, down: Option<String>) {
        self.facts().plc = down;
    }

    /// The ledger writes (`None`) or cannot, with the reason.
    pub fn ledger(&self, down: Option<String>) {
        self.facts().ledger = down;
    }

    /// The recipe in use may judge (`None`) or not yet, with the reason.
    pub fn withheld(&self, says: Option<String>) {
        self.facts().withheld = says;
    }

    /// Somebody took the station out of work (with who and why), or no more (`None`). Gives what was so before.
    pub fn held(&self, says: Option<String>) -> Option<String> {
        std::mem::replace(&mut self.facts().held, says)
    }

    /// Whether parts that begin now are answered `Missed` because somebody wants it so.
    pub fn is_held(&self) -> bool {
        self.facts().held.is_some()
    }

    /// Known parts must be told right before anything is judged (with the reason, and whether they are being presented), or
    /// have been (`None`).
    pub fn challenge(&self, due: Option<(String, bool)>) {
        self.facts().challenge = due;
    }

    /// Whether a part that comes now is looked at: the station may judge, or known parts are being presented.
    pub fn takes_parts(&self) -> bool {
        let facts = self.facts();
        let may = facts.warm && facts.held.is_none() && facts.withheld.is_none();
        let is_over = facts.stopping || facts.fault.is_some();
        may && !is_over && facts.challenge.as_ref().is_none_or(|(_, under_way)| *under_way)
    }

    /// Models of the recipe in use that do not run where they were meant to, each with the reason.
    pub fn stands_in(&self, reasons: Vec<String>) {
        self.facts().stand_ins = reasons;
    }

    /// A model on one of its device's threads answers (`None`) or does not, with the reason.
    pub fn model(&self, place: (ModelId, usize), down: Option<String>) {
        let mut facts = self.facts();
        match down {
            Some(says) => drop(facts.models.insert(place, says)),
            None => drop(facts.models.remove(&place)),
        }
    }

    /// Models that run elsewhere than asked, and those that are down.
    pub fn models(&self) -> (usize, usize) {
        let facts = self.facts();
        (facts.stand_ins.len(), facts.models.len())
    }

    /// A mirror whose absence degrades is up (`None`) or down, with the reason.
    pub fn mirror(&self, name: &str, down: Option<String>) {
        let mut facts = self.facts();
        match down {
            Some(says) => drop(facts.mirrors.insert(name.to_owned(), says)),
            None => drop(facts.mirrors.remove(name)),
        }
    }

    /// Parts and pictures belong together (`None`) or do not, and what was noticed.
    pub fn in_step(&self, lost: Option<String>) {
        self.facts().out_of_step = lost;
    }

    /// There is time left before the gate (`None`) or there is none, and where it goes.
    pub fn budget(&self, says: Option<String>) {
        self.facts().budget = says;
    }

    /// The stages that show no life; none while all is well.
    pub fn silent(&self, stages: Vec<&'static str>) {
        self.facts().silent = stages;
    }

    /// Why the line had better stop; empty while nothing speaks for it.
    ///
    /// The station judges as well as ever, so this explains the state without changing it.
    pub fn line_stop(&self, reasons: Vec<String>) {
        self.facts().line_stop = reasons;
    }

    /// Why the line had better stop.
    pub fn line_stops(&self) -> Vec<String> {
        self.facts().line_stop.clone()
    }

    /// Why every part is rejected, if parts and pictures are out of step.
    pub fn out_of_step(&self) -> Option<String> {
        self.facts().out_of_step.clone()
    }

    /// What follows from all that.
    pub fn condition(&self) -> Condition {
        let facts = self.facts();
        let mut reasons: Vec<String> = facts.fault.iter().cloned().collect();
        reasons.extend(facts.awaited.iter().map(|id| format!("camera {id} has not given a picture yet")));
        reasons.extend(facts.cameras.values().flatten().cloned());
        reasons.extend(facts.plc.iter().chain(&facts.ledger).cloned());
        reasons.extend(facts.out_of_step.iter().chain(&facts.budget).chain(facts.mirrors.values()).cloned());
        reasons.extend(facts.silent.iter().map(|stage| {
            format!("stage {stage} has shown no life for a second; if it stays so, restart the station")
        }));
        reasons.extend(facts.models.values().chain(&facts.stand_ins).cloned());
        let state = if facts.stopping {
            State::Stopped
        } else if facts.fault.is_some() {
            State::Fault
        } else if !facts.warm {
            reasons.push("the models are not loaded and warm yet".to_owned());
            State::NotReleased
        } else if let Some(says) = facts.held.as_ref().or(facts.withheld.as_ref()) {
            reasons.insert(0, says.clone());
            State::NotReleased
        } else if let Some((says, _)) = &facts.challenge {
            reasons.insert(0, says.clone());
            State::NotReleased
        } else if reasons.is_empty() {
            State::Running
        } else {
            State::Degraded
        };
        reasons.extend(facts.line_stop.iter().cloned());
        Condition { state, reasons }
    }

    /// Everything that was reported last, thing by thing.
    pub(crate) fn known(&self) -> Facts {
        self.facts().clone()
    }

    fn facts(&self) -> MutexGuard<'_, Facts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_that_is_opened_again_and_one_on_another_device_degrade_as_long_as_it_is_so() {
        let health = Health::default();
        health.warm();
        health.stands_in(vec!["model \"dents\" runs on the processor".into()]);
        health.model((ModelId(1), 1), Some("no memory left".into()));
        let reasons = ["no memory left", "model \"dents\" runs on the processor"].map(str::to_owned);
        assert_eq!(health.condition(), Condition { state: State::Degraded, reasons: reasons.into() });
        health.model((ModelId(1), 1), None);
        health.stands_in(vec![]);
        assert!(health.condition().is_ready());
    }

    #[test]
    fn a_held_station_is_not_released_until_it_is_let_go() {
        let health = Health::default();
        health.warm();
        assert_eq!(health.held(Some("Halt by anna".into())), None);
        let reasons = vec!["Halt by anna".to_owned()];
        assert_eq!(health.condition(), Condition { state: State::NotReleased, reasons });
        assert!(health.is_held());
        assert_eq!(health.held(None).as_deref(), Some("Halt by anna"));
        assert!(health.condition().is_ready());
    }

    #[test]
    fn a_station_takes_parts_while_known_ones_are_presented_and_is_not_released_all_the_same() {
        let health = Health::default();
        health.warm();
        health.challenge(Some(("a challenge is due".into(), false)));
        assert!(!health.takes_parts());
        health.challenge(Some(("otto presents".into(), true)));
        assert_eq!((health.takes_parts(), health.condition().state), (true, State::NotReleased));
        health.held(Some("Halt by anna".into()));
        assert!(!health.takes_parts());
        health.held(None);
        health.challenge(None);
        assert!(health.takes_parts() && health.condition().is_ready());
    }

    #[test]
    fn a_station_is_not_released_until_its_models_are_warm() {
        let health = Health::default();
        assert_eq!(health.condition().state, State::NotReleased);
        health.warm();
        assert!(health.condition().is_ready());
    }

    #[test]
    fn a_dead_camera_degrades_with_its_reason_and_a_fault_outranks_it() {
        let health = Health::default();
        health.warm();
        health.camera(&"top".into(), Some("camera top is unplugged".into()));
        assert_eq!(
            health.condition(),
            Condition { state: State::Degraded, reasons: vec!["camera top is unplugged".into()] }
        );
        health.fault("the verdict task ended");
        assert_eq!(health.condition().state, State::Fault);
        health.camera(&"top".into(), None);
        assert_eq!(health.condition().reasons, ["the verdict task ended"]);
    }
}
