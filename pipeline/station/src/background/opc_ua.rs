//! The station as an OPC UA server: what clients may want of it, and what they hear.
//!
//! It has threads of its own: a handshake costs a processor milliseconds, and neither HTTP nor a part is to wait for it.

use crate::{
    changeover::{Changeover, Stage},
    config::{Plan, RecipeError},
    edition::Editions,
    hot_path::Desk,
    state::{Health, State},
};
use plumb_inspection::{PartId, TriggerSource};
use plumb_ledger::{Record, RecordVerdict};
use plumb_opcua::{
    machine_vision::{
        Commands, Condition, Doing, Identity, InspectionResult, MachineVisionServer, Preparation, Publisher,
        Recipe, Refusal, Verdict,
    },
    security::{OpcUaServerConfig, Pki, Wish},
};
use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::Arc,
    time::{Duration, SystemTime},
};
use tokio::runtime::{Builder, Runtime};

/// What clients may see and command.
pub struct Door {
    /// What the station was started from.
    pub plan: Arc<Plan>,
    /// For software triggers.
    pub desk: Arc<Desk>,
    /// What it is doing, and the hold.
    pub health: Arc<Health>,
    /// What is loaded.
    pub editions: Arc<Editions>,
    /// For other recipes.
    pub changeover: Changeover,
}

/// A running server.
pub struct OpcUa {
    server: MachineVisionServer,
    runtime: Runtime,
    certificate_ends: jiff::Timestamp,
}

impl OpcUa {
    /// Serves as `config` says; certificates are in the folder `opcua` of the station's data.
    ///
    /// # Errors
    /// What is wrong, in a sentence.
    pub fn start(config: &OpcUaServerConfig, door: Door, publisher: &Publisher) -> Result<Self, String> {
        let said = |error: &dyn std::fmt::Display| error.to_string();
        let plan = door.plan.clone();
        let pki = Pki::open(plan.station.data.join("opcua")).map_err(|error| said(&error))?;
        let own = pki.own_or_new(&wish(config)).map_err(|error| said(&error))?;
        let identity = Identity {
            name: plan.station.name.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            configuration_digest: plan.digest.clone(),
            configured_at: plan.changed_at,
        };
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .max_blocking_threads(4)
            .thread_name("opc-ua")
            .enable_all()
            .build()
            .map_err(|error| said(&error))?;
        let ends = (Arc::new(door) as Arc<dyn Commands>, publisher);
        let server = MachineVisionServer::start(config.clone(), &pki, &own, identity, ends, runtime.handle())
            .map_err(|error| said(&error))?;
        tracing::info!(address = %server.address(), "OPC UA is served.");
        Ok(Self { server, runtime, certificate_ends: own.certificate.not_after })
    }

    /// Where it is served.
    pub fn address(&self) -> SocketAddr {
        self.server.address()
    }

    /// Until when clients may trust its certificate.
    pub fn certificate_ends(&self) -> jiff::Timestamp {
        self.certificate_ends
    }

    /// Tells clients and ends.
    pub fn stop(self) {
        self.runtime.block_on(self.server.stop());
        self.runtime.shutdown_timeout(Duration::from_secs(1));
    }
}

/// A certificate for this machine, by the name that its clients are told too.
fn wish(config: &OpcUaServerConfig) -> Wish {
    let mut wish = Wish::of_this_machine();
    let listens_on = (!config.listen.ip().is_unspecified()).then(|| config.listen.ip().to_string());
    for host in config.host.iter().cloned().chain(listens_on) {
        if !wish.hosts.contains(&host) {
            wish.hosts.push(host);
        }
    }
    wish
}

impl Commands for Door {
    fn condition(&self) -> Condition {
        let condition = self.health.condition();
        let doing = match condition.state {
            State::NotReleased => Doing::NotReleased,
            State::Running => Doing::Running,
            State::Degraded => Doing::Degraded,
            State::Stopped => Doing::Stopped,
            State::Fault => Doing::Fault,
        };
        Condition { doing, reasons: condition.reasons }
    }

    fn trigger(&self) -> Result<PartId, Refusal> {
        self.must_judge()?;
        Ok(self.desk.ask(TriggerSource::OpcUa, None, None))
    }

    fn hold(&self, says: &str) -> Result<(), Refusal> {
        if self.health.condition().state == State::Stopped {
            return Err(Refusal::NotReady("the station is stopping".to_owned()));
        }
        tracing::warn!(says, "The station is held: every part is answered Missed.");
        self.health.held(Some(says.to_owned()));
        Ok(())
    }

    fn release(&self) -> Result<(), Refusal> {
        let before = self.health.held(None);
        let could = self.must_judge();
        match &could {
            Ok(()) => tracing::warn!("The station is held no more."),
            Err(_) => drop(self.health.held(before)),
        }
        could
    }

    fn recipes(&self) -> Vec<Recipe> {
        let planned =
            self.plan.recipes.values().map(|plan| recipe(plan.name.as_str(), plan.number.0, &plan.digest));
        let mut recipes: BTreeMap<String, Recipe> =
            planned.map(|recipe| (recipe.name.clone(), recipe)).collect();
        // Oldest first, so that the newest edition of each is told.
        for edition in self.editions.all() {
            let plan = &edition.plan;
            recipes.insert(plan.name.to_string(), recipe(plan.name.as_str(), plan.number.0, &plan.digest));
        }
        recipes.into_values().collect()
    }

    fn current_recipe(&self) -> Option<Recipe> {
        let plan = &self.desk.current().plan;
        Some(recipe(plan.name.as_str(), plan.number.0, &plan.digest))
    }

    fn prepare(&self, name: &str) -> Result<Recipe, Refusal> {
        match self.changeover.by_opc_ua(name) {
            Ok(plan) => Ok(recipe(plan.name.as_str(), plan.number.0, &plan.digest)),
            Err(error @ RecipeError::Unknown { .. }) => Err(Refusal::UnknownRecipe(error.to_string())),
            Err(error) => Err(Refusal::BadRecipe(error.to_string())),
        }
    }

    fn preparation(&self) -> Preparation {
        let (progress, waits) = self.changeover.progress();
        let Some(progress) = progress.filter(|_| waits.is_none()) else { return Preparation::Working };
        match progress.stage {
            Stage::Waiting | Stage::Loading | Stage::Warming => Preparation::Working,
            Stage::Live | Stage::Ready => Preparation::Done,
            Stage::Failed | Stage::Superseded => Preparation::Failed(progress.says.unwrap_or_default()),
        }
    }

    fn confirmed_all(&self, says: &str) {
        tracing::info!(says, "Every condition was confirmed.");
    }
}

impl Door {
    fn must_judge(&self) -> Result<(), Refusal> {
        let condition = self.health.condition();
        match condition.state {
            State::Running | State::Degraded => Ok(()),
            state => {
                let says = format!("the station is {}: {}", state.as_str(), condition.reasons.join("; "));
                Err(Refusal::NotReady(says))
            }
        }
    }
}

fn recipe(name: &str, number: u16, digest: &str) -> Recipe {
    Recipe { name: name.to_owned(), number: Some(number), digest: digest.to_owned() }
}

/// A record as clients hear of it. Runs on the hot path: a few small texts are copied, and nobody is waited for.
pub fn result(record: &Record, plan: &Plan) -> InspectionResult {
    let us = Duration::from_micros;
    let times = &record.timings_us;
    let total = times.total.unwrap_or_default().saturating_sub(times.plc.unwrap_or_default());
    let number =
        plan.recipes.values().find(|recipe| recipe.name == record.recipe).map(|recipe| recipe.number.0);
    InspectionResult {
        part: record.part_id,
        serial: record.serial.clone(),
        verdict: match record.verdict {
            RecordVerdict::Pass => Verdict::Pass,
            RecordVerdict::Fail => Verdict::Fail,
            RecordVerdict::Missed => Verdict::Missed,
            RecordVerdict::Late => Verdict::Late,
        },
        reasons: record.reasons.iter().map(|reason| reason.says.clone()).collect(),
        recipe: Recipe { name: record.recipe.to_string(), number, digest: record.recipe_digest.clone() },
        triggered_at: SystemTime::from(record.triggered_at),
        acquisition: times.capture.map(us),
        decision: us(total),
        simulated: plan.line.is_some(),
    }
}
