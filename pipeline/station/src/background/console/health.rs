//! Everything that can fail, as one list: from what was reported, what is planned, and a look at the disk.

use super::gathering::Sources;
use crate::{metrics::STAGES, state::Facts};
use plumb_console::{Condition, Kind};
use plumb_plc::PlcConfig;

/// Less free space than this share, or so many bytes, wants attention; a tenth of either is bad.
const FREE_SHARE: f64 = 0.10;
const FREE_BYTES: u64 = 5_000_000_000;

/// Kind, name, condition and what there is to say, for everything there is.
pub(super) type Item = (Kind, String, Condition, String);

/// `uncalibrated`: why the last part's lengths do not count.
pub(super) fn items(from: &Sources, uncalibrated: &[String]) -> Vec<Item> {
    let facts = from.health.known();
    let mut items = Vec::new();
    cameras(from, &facts, &mut items);
    models(from, &facts, &mut items);
    items.push(plc(from, &facts));
    items.push(disk(from));
    items.push(clock(from));
    let stats = from.ledger.stats();
    let writes = format!("writes; {} records wait", stats.queue_depth);
    items.push(known(Kind::Ledger, "", facts.ledger.clone(), writes));
    for mirror in &from.plan.mirrors {
        let down = facts.mirrors.get(&mirror.name).cloned();
        let is_up = from.metrics.plc_up.with_label_values(&[mirror.name.as_str()]).get() == 1;
        let item = match down {
            None if !is_up => {
                (Kind::Mirror, mirror.name.clone(), Condition::Warning, "is not connected".to_owned())
            }
            down => known(Kind::Mirror, &mirror.name, down, "is connected".into()),
        };
        items.push(item);
    }
    for stage in STAGES {
        let silent = facts.silent.contains(&stage);
        let says = silent.then(|| "has shown no life for a second".to_owned());
        items.push(known(Kind::Stage, stage, says, "shows life".into()));
    }
    items.push(known(Kind::Step, "", facts.out_of_step.clone(), "pictures and parts belong together".into()));
    if from.plan.gate.is_some() {
        items.push(known(
            Kind::Budget,
            "",
            facts.budget.clone(),
            "parts are answered in time for the gate".into(),
        ));
    }
    if from.plan.cameras.iter().any(|camera| camera.calibration.is_some()) {
        let (condition, says) = match uncalibrated.first() {
            None => (Condition::Good, "holds".to_owned()),
            Some(says) => (Condition::Warning, says.clone()),
        };
        items.push((Kind::Calibration, String::new(), condition, says));
    }
    let challenge = facts.challenge.as_ref().map(|(says, _)| says.clone());
    let withheld = facts.held.clone().or(facts.withheld.clone()).or(challenge);
    items.push(known(Kind::Recipe, from.desk.current().plan.name.as_str(), withheld, "may judge".into()));
    if let Some(fault) = &facts.fault {
        items.push((Kind::Station, String::new(), Condition::Bad, fault.clone()));
    }
    for says in &facts.line_stop {
        items.push((Kind::Station, "line stop".to_owned(), Condition::Warning, says.clone()));
    }
    items
}

fn known(kind: Kind, name: &str, down: Option<String>, else_says: String) -> Item {
    let condition = if down.is_some() { Condition::Bad } else { Condition::Good };
    (kind, name.to_owned(), condition, down.unwrap_or(else_says))
}

fn cameras(from: &Sources, facts: &Facts, items: &mut Vec<Item>) {
    for camera in &from.plan.cameras {
        let name = camera.id.as_str();
        items.push(if facts.awaited.contains(&camera.id) {
            (Kind::Camera, name.to_owned(), Condition::Unknown, "has not given a picture yet".to_owned())
        } else {
            known(
                Kind::Camera,
                name,
                facts.cameras.get(&camera.id).cloned().flatten(),
                "gives pictures".into(),
            )
        });
    }
}

fn models(from: &Sources, facts: &Facts, items: &mut Vec<Item>) {
    let recipe = from.desk.current();
    let mut told = std::collections::BTreeSet::new();
    for model in recipe.judging().filter(|model| told.insert(model.id)) {
        let down = facts.models.iter().find(|((id, _), _)| *id == model.id).map(|(_, says)| says.clone());
        let item = match (down, &model.degraded) {
            (None, Some(says)) => {
                (Kind::Model, model.info.name.to_string(), Condition::Warning, says.clone())
            }
            (down, _) => {
                known(Kind::Model, model.info.name.as_str(), down, format!("runs on {}", model.info.provider))
            }
        };
        items.push(item);
    }
}

fn plc(from: &Sources, facts: &Facts) -> Item {
    if from.plan.plc == PlcConfig::None {
        return (Kind::Plc, String::new(), Condition::Unknown, "no PLC is configured".to_owned());
    }
    known(Kind::Plc, from.plan.plc.kind(), facts.plc.clone(), "is connected".into())
}

fn disk(from: &Sources) -> Item {
    let (condition, says) = match rustix::fs::statvfs(&from.plan.station.data) {
        Ok(volume) => {
            let (free, all) = (volume.f_bavail * volume.f_frsize, volume.f_blocks * volume.f_frsize);
            let enough = FREE_BYTES.min((all as f64 * FREE_SHARE) as u64);
            let condition = match free {
                free if free < enough / 10 => Condition::Bad,
                free if free < enough => Condition::Warning,
                _ => Condition::Good,
            };
            let gb = |bytes: u64| bytes as f64 / 1e9;
            (condition, format!("{:.1} GB of {:.0} GB are free", gb(free), gb(all)))
        }
        Err(error) => (Condition::Unknown, format!("free space is not known: {error}")),
    };
    (Kind::Disk, String::new(), condition, says)
}

fn clock(from: &Sources) -> Item {
    let (condition, says) = match from.clock.get() {
        Some(true) => (Condition::Good, "is synchronised"),
        Some(false) => (Condition::Warning, "is not synchronised; times in records drift"),
        None => (Condition::Unknown, "whether it is synchronised is not known: timedatectl does not answer"),
    };
    (Kind::Clock, String::new(), condition, says.to_owned())
}
