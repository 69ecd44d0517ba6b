//! The vision system behind the nodes: what it knows, what follows from a call or from the station's news.
//!
//! One lock holds all that changes. What takes time (a recipe from disk) is done outside of it; everything that is
//! told to clients is told under it, so that they hear it in the order it happened.

mod conditions;
mod configurations;
mod dispatch;
mod news;
mod recipes;
mod results;
mod states;
mod told;

use super::{
    commands::{Commands, Recipe},
    condition::{Kind, VisionCondition},
    event::VisionEvent,
    ids::Ids,
    job::Job,
    machine::Machine,
    outlet::Outlet,
    result::hash,
    results::{Handles, Results},
    types::{ConfigurationIdDataType, RecipeIdExternalDataType, SystemStateDescriptionDataType},
};
use std::{
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    time::SystemTime,
};

/// The station as clients see it in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Of the station, and so of its one configuration.
    pub name: String,
    /// Of the program.
    pub version: String,
    /// SHA-256 of its configuration file, as hexadecimal digits; empty where there is none.
    pub configuration_digest: String,
    /// When that file was last changed.
    pub configured_at: SystemTime,
}

/// Everything the methods and the news work on.
pub(super) struct Vision {
    pub(super) ids: Ids,
    identity: Identity,
    station: Arc<dyn Commands>,
    inside: Mutex<Inside>,
    outlet: OnceLock<Outlet>,
    /// Calls that change something come one after the other.
    calls: tokio::sync::Mutex<()>,
}

/// Who calls.
#[derive(Clone, Debug)]
pub(super) struct Caller {
    pub(super) name: String,
}

struct Inside {
    machine: Machine,
    job: Option<Job>,
    jobs: u64,
    results: Results,
    handles: Handles,
    conditions: [VisionCondition; 3],
    /// The last event of each.
    told_last: [Option<VisionEvent>; 3],
    /// The one that judges.
    recipe: Option<Recipe>,
    preparing: Option<Preparing>,
    /// As it was last told.
    system_state: Option<SystemStateDescriptionDataType>,
    dropped: u64,
}

/// A recipe on its way.
struct Preparing {
    recipe: Recipe,
    external: Option<RecipeIdExternalDataType>,
}

impl Vision {
    pub(super) fn new(ids: Ids, identity: Identity, station: Arc<dyn Commands>) -> Self {
        let inside = Inside {
            machine: Machine::default(),
            job: None,
            jobs: 0,
            results: Results::default(),
            handles: Handles::default(),
            conditions: Kind::ALL.map(VisionCondition::new),
            told_last: [None, None, None],
            recipe: None,
            preparing: None,
            system_state: None,
            dropped: 0,
        };
        let calls = tokio::sync::Mutex::default();
        Self { ids, identity, station, inside: Mutex::new(inside), outlet: OnceLock::new(), calls }
    }

    /// From now on there is somebody to tell.
    pub(super) fn speaks_through(&self, outlet: Outlet) {
        let first = self.outlet.set(outlet).is_ok();
        debug_assert!(first, "a server is started once");
        self.begin();
    }

    /// The station's one configuration.
    fn configuration_id(&self) -> ConfigurationIdDataType {
        let (hash, hash_algorithm) = hash(&self.identity.configuration_digest);
        ConfigurationIdDataType {
            id: self.identity.name.as_str().into(),
            version: Some(self.identity.version.as_str().into()),
            hash,
            hash_algorithm,
            description: None,
        }
    }

    fn inside(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
