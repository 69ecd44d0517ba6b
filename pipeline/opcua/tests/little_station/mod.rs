//! A station of ten lines behind a real Machine Vision server: it judges a part when it is asked to, and says what it
//! was told to say.

#![allow(dead_code, clippy::unwrap_used, reason = "each test uses its own part")]

use crate::little_server::pki;
use plumb_inspection::PartId;
use plumb_opcua::{
    machine_vision::{
        Commands, Condition, Doing, Identity, InspectionResult, MachineVisionServer, Preparation, Publisher,
        Recipe, Refusal, Verdict,
    },
    security::{OpcUaServerConfig, Pki, Role, UserConfig, hash_password},
};
use std::{
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::{Duration, SystemTime},
};

pub(crate) const PASSWORD: &str = "korrekt pferd batterie";

/// What the station is made to say.
pub(crate) struct LittleStation {
    pub(crate) condition: Mutex<Condition>,
    pub(crate) held: Mutex<Option<String>>,
    pub(crate) recipe: Mutex<Recipe>,
    pub(crate) panics: AtomicBool,
    pub(crate) confirmed: Mutex<Vec<String>>,
    last: AtomicU32,
    publisher: Publisher,
}

pub(crate) fn recipe(name: &str, number: u16) -> Recipe {
    Recipe { name: name.into(), number: Some(number), digest: format!("{number:064x}") }
}

/// As `part` came out: every third is a reject, every fifth is missed.
pub(crate) fn result(part: u32) -> InspectionResult {
    let verdict = match part {
        part if part % 5 == 0 => Verdict::Missed,
        part if part % 3 == 0 => Verdict::Fail,
        _ => Verdict::Pass,
    };
    InspectionResult {
        part: PartId::new(part).unwrap(),
        serial: Some(format!("SN{part:04}")),
        verdict,
        reasons: vec![format!("part {part} is as it is")],
        recipe: recipe("washer", 7),
        triggered_at: SystemTime::UNIX_EPOCH
            + Duration::from_secs(1_700_000_000)
            + Duration::from_millis(part.into()),
        acquisition: Some(Duration::from_millis(3)),
        decision: Duration::from_millis(9),
        simulated: true,
    }
}

impl LittleStation {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            condition: Mutex::new(Condition { doing: Doing::Running, reasons: vec![] }),
            held: Mutex::default(),
            recipe: Mutex::new(recipe("washer", 7)),
            panics: AtomicBool::new(false),
            confirmed: Mutex::default(),
            last: AtomicU32::new(0),
            publisher: Publisher::default(),
        })
    }

    /// As if the line had seen a part.
    pub(crate) fn judge(&self) -> PartId {
        let part = self.last.fetch_add(1, Ordering::Relaxed) + 1;
        self.publisher.acquisition_done(PartId::new(part).unwrap());
        self.publisher.publish(result(part));
        PartId::new(part).unwrap()
    }

    pub(crate) fn is(&self, doing: Doing, reasons: &[&str]) {
        let reasons = reasons.iter().map(|says| (*says).to_owned()).collect();
        *self.condition.lock().unwrap() = Condition { doing, reasons };
    }
}

impl Commands for LittleStation {
    fn condition(&self) -> Condition {
        match &*self.held.lock().unwrap() {
            Some(says) => Condition { doing: Doing::NotReleased, reasons: vec![says.clone()] },
            None => self.condition.lock().unwrap().clone(),
        }
    }

    fn trigger(&self) -> Result<PartId, Refusal> {
        assert!(!self.panics.load(Ordering::Relaxed), "a bug");
        match self.condition().doing {
            Doing::Running | Doing::Degraded => Ok(self.judge()),
            _ => Err(Refusal::NotReady("not now".into())),
        }
    }

    fn hold(&self, says: &str) -> Result<(), Refusal> {
        *self.held.lock().unwrap() = Some(says.to_owned());
        Ok(())
    }

    fn release(&self) -> Result<(), Refusal> {
        *self.held.lock().unwrap() = None;
        Ok(())
    }

    fn recipes(&self) -> Vec<Recipe> {
        vec![recipe("washer", 7), recipe("bolt", 8), recipe("broken", 9), recipe("fuse", 10)]
    }

    fn current_recipe(&self) -> Option<Recipe> {
        Some(self.recipe.lock().unwrap().clone())
    }

    fn prepare(&self, name: &str) -> Result<Recipe, Refusal> {
        let wanted = self.recipes().into_iter().find(|recipe| recipe.name == name).unwrap();
        match name {
            "broken" => return Err(Refusal::BadRecipe("its model is missing".into())),
            // Nothing but a client can say when a client listens.
            "fuse" => self.is(Doing::Fault, &["the verdict stage ended by a panic"]),
            _ => {}
        }
        *self.recipe.lock().unwrap() = wanted.clone();
        Ok(wanted)
    }

    fn preparation(&self) -> Preparation {
        Preparation::Done
    }

    fn confirmed_all(&self, says: &str) {
        if says.ends_with("a hundred parts") {
            (0..100).for_each(|_| _ = self.judge()); // nothing but a client can say when a client listens
        }
        self.confirmed.lock().unwrap().push(says.to_owned());
    }
}

/// The station with its server and its certificates. Dropping it stops it.
pub(crate) struct Served {
    pub(crate) station: Arc<LittleStation>,
    pub(crate) pki: Pki,
    pub(crate) server: Option<MachineVisionServer>,
    runtime: Option<tokio::runtime::Runtime>,
}

/// olga looks, anna runs the line, emil may do everything.
pub(crate) fn users() -> OpcUaServerConfig {
    let hash = hash_password(PASSWORD).unwrap();
    let user = |name: &str, role| UserConfig {
        name: name.into(),
        role,
        password: Some(hash.clone()),
        certificate: None,
    };
    let users =
        vec![user("olga", Role::Observer), user("anna", Role::Operator), user("emil", Role::Engineer)];
    let listen = "127.0.0.1:0".parse().unwrap();
    OpcUaServerConfig { listen, users, ..OpcUaServerConfig::default() }
}

impl Served {
    pub(crate) fn start(folder: &Path, config: OpcUaServerConfig) -> Self {
        let pki = pki(folder, "station");
        let station = LittleStation::new();
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let identity = Identity {
            name: "little station".into(),
            version: "0.1.0".into(),
            configuration_digest: "ff".repeat(32),
            configured_at: SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000),
        };
        let own = pki.own().unwrap().unwrap();
        let ends = (station.clone() as Arc<dyn Commands>, &station.publisher);
        let server =
            MachineVisionServer::start(config, &pki, &own, identity, ends, runtime.handle()).unwrap();
        Self { station, pki, server: Some(server), runtime: Some(runtime) }
    }

    pub(crate) fn url(&self) -> String {
        format!("opc.tcp://{}", self.server.as_ref().unwrap().address())
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let runtime = self.runtime.take().unwrap();
        runtime.block_on(self.server.take().unwrap().stop());
        runtime.shutdown_background();
    }
}
