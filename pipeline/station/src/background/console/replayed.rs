//! A stored picture, looked at once more: a station of its own beside the running one, with no PLC, no console and a ledger
//! that is thrown away.

use crate::{
    config::{self, Preload},
    replay,
    station::{Station, Wiring},
};
use plumb_console::Refused;
use plumb_inference::Device;
use plumb_inspection::RecipeName;
use plumb_ledger::Record;
use std::{
    path::Path,
    sync::mpsc,
    time::{Duration, Instant},
};

/// A recipe loads and one picture is judged within this, or nobody waits for it.
const PATIENCE: Duration = Duration::from_secs(60);
const LOOK: Duration = Duration::from_millis(20);

/// Looks at `picture` by `recipe` of `station_toml`, as both are on disk now. The models run on the processor, whatever the
/// recipe says: a device that the line needs is not lent. Threads it starts stand back as the caller's does.
pub(super) fn replay(station_toml: &Path, recipe: &RecipeName, picture: &Path) -> Result<Record, Refused> {
    let refused = |error: &dyn std::fmt::Display| Refused(error.to_string());
    let mut plan = config::read(station_toml).map_err(|problems| refused(&problems))?;
    plan.infer.device = Device::Cpu;
    plan.infer.preload = Preload::First;
    (plan.infer.workers, plan.infer.threads) = (1, 1);
    for model in plan.recipes.values_mut().flat_map(|recipe| &mut recipe.models) {
        model.device = Some(Device::Cpu);
    }
    let data = tempfile::tempdir().map_err(|error| {
        Refused(format!("there is no room for what a replay keeps for a moment: {error}"))
    })?;
    let plan =
        replay::plan(plan, recipe.as_str(), picture, None, data.path()).map_err(|error| refused(&error))?;
    let (records_in, records) = mpsc::channel::<Record>();
    let tap = Box::new(move |record: &Record| drop(records_in.send(record.clone())));
    let wiring = Wiring { tap: Some(tap), replay: true, ..Wiring::default() };
    let station = Station::start(plan, wiring).map_err(|error| refused(&error))?;
    let end = Instant::now() + PATIENCE;
    let mut found = None;
    while found.is_none() && Instant::now() < end {
        found = records.recv_timeout(LOOK).ok();
        if found.is_none() && !station.cameras_down().is_empty() {
            break;
        }
    }
    let down = station.cameras_down().into_iter().next();
    station.stop().map_err(|error| refused(&error))?;
    found.or_else(|| records.try_recv().ok()).ok_or_else(|| {
        let why = down.unwrap_or_else(|| format!("it took longer than {} s", PATIENCE.as_secs()));
        Refused(format!("the picture could not be replayed: {why}"))
    })
}
