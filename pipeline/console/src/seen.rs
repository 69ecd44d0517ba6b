//! What the console may see of the station: values, renewed by the station, never asked for.

use crate::{Calibrations, ChallengeSeen, Models, Order, Rules, live::LivePicture, live::Watchers};
use jiff::Timestamp;
use plumb_inspection::{PartId, RecipeName};
use plumb_ledger::RecordVerdict;
use serde::Serialize;
use std::{path::PathBuf, sync::Arc};
use tokio::sync::{mpsc, watch};

/// Everything that the station hands to the console.
#[derive(Clone, Debug)]
pub struct Seen {
    /// The station as it is now: renewed at least once a second, and with each part up to ten times a second.
    pub snapshot: watch::Receiver<Arc<Snapshot>>,
    /// The newest picture, as JPEG; renewed only while [`Watchers`] says that somebody looks.
    pub live: watch::Receiver<Option<Arc<LivePicture>>>,
    /// Where the console says how many look at live pictures.
    pub watchers: Watchers,
    /// The ledger's folder. It may be empty, or not be there yet.
    pub ledger: PathBuf,
    /// What people want done. Each order is answered; a full queue is told to whoever asked.
    pub orders: mpsc::Sender<Order>,
    /// The rules of the recipes, and who can judge by them.
    pub rules: Arc<dyn Rules>,
    /// The models of the recipes, and who can run them.
    pub models: Arc<dyn Models>,
    /// The calibrations of the cameras, and who can make others.
    pub calibrations: Arc<dyn Calibrations>,
}

/// The station at one moment, in plain values.
#[derive(Clone, Debug, Serialize)]
pub struct Snapshot {
    /// When this was so, by the station's clock.
    pub at: Timestamp,
    /// The station's name.
    pub station: String,
    /// Plumb's version.
    pub version: String,
    /// One of the five states.
    pub state: StationState,
    /// Why it is not running; empty while all is well. Sentences of the station, in English.
    pub reasons: Vec<String>,
    /// What the next part is checked by.
    pub recipe: RecipeSeen,
    /// Names of all recipes that may be asked for.
    pub recipes: Vec<RecipeName>,
    /// The last parts, newest first, 12 at most.
    pub last: Vec<PartSeen>,
    /// Counts since the shift began.
    pub shift: ShiftCount,
    /// How long the last parts took; none before the first part.
    pub latency: Option<Latency>,
    /// Everything that can fail, whether it does or not.
    pub health: Vec<HealthItem>,
    /// The known parts that must be told right before the station may judge; `None` where it has none.
    pub challenge: Option<ChallengeSeen>,
}

/// The five states, as everywhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum StationState {
    /// Not yet allowed to judge.
    NotReleased,
    /// Judging.
    Running,
    /// Judging what it can; the reasons name what is missing.
    Degraded,
    /// Told to stop.
    Stopped,
    /// Cannot judge, and will not recover by itself.
    Fault,
}

impl StationState {
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

    /// Whether parts are being judged.
    pub fn judges(self) -> bool {
        matches!(self, Self::Running | Self::Degraded)
    }
}

/// The recipe in use.
#[derive(Clone, Debug, Serialize)]
pub struct RecipeSeen {
    /// Its name.
    pub name: RecipeName,
    /// By which the PLC asks for it.
    pub number: u16,
    /// Digest of its file.
    pub digest: String,
    /// Which loading of it.
    pub edition: u64,
    /// From trigger to answer, in ms.
    pub deadline_ms: u64,
}

/// One part at a glance.
#[derive(Clone, Debug, Serialize)]
pub struct PartSeen {
    /// Which part.
    pub part: PartId,
    /// When it was triggered.
    pub at: Timestamp,
    /// What the PLC was told.
    pub verdict: RecordVerdict,
    /// The first reason; empty for a pass.
    pub says: String,
}

/// Parts since the shift began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ShiftCount {
    /// When it began.
    pub since: Timestamp,
    /// Good, in time.
    pub pass: u64,
    /// Bad.
    pub fail: u64,
    /// Could not be judged.
    pub missed: u64,
    /// Judged after the deadline.
    pub late: u64,
}

impl ShiftCount {
    /// All parts.
    pub fn parts(&self) -> u64 {
        self.pass + self.rejects()
    }

    /// Parts that the gate rejected, for whatever reason.
    pub fn rejects(&self) -> u64 {
        self.fail + self.missed + self.late
    }

    /// Counts one more.
    pub fn count(&mut self, verdict: RecordVerdict) {
        *match verdict {
            RecordVerdict::Pass => &mut self.pass,
            RecordVerdict::Fail => &mut self.fail,
            RecordVerdict::Missed => &mut self.missed,
            RecordVerdict::Late => &mut self.late,
        } += 1;
    }
}

/// Trigger to the PLC's acknowledgement, over the last parts.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Latency {
    /// Half of the parts are faster, ms.
    pub p50_ms: f64,
    /// 99 of 100 are faster, ms.
    pub p99_ms: f64,
    /// Of how many parts.
    pub parts: u64,
}

/// One thing that can fail.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct HealthItem {
    /// What sort of thing it is.
    pub kind: Kind,
    /// Which one; empty where there is one only.
    pub name: String,
    /// How it is.
    pub condition: Condition,
    /// What is the matter, or what is known of it: a sentence of the station, in English.
    pub says: String,
    /// Since when it is so.
    pub since: Timestamp,
}

/// Sorts of things that can fail. The first five make the strip on the live page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A camera.
    Camera,
    /// A model on its device.
    Model,
    /// The gate's PLC.
    Plc,
    /// The volume that holds the data folder.
    Disk,
    /// The machine's clock.
    Clock,
    /// The ledger's database and pictures.
    Ledger,
    /// A link beside the gate's.
    Mirror,
    /// A stage of the hot path.
    Stage,
    /// Parts and pictures belong together.
    Step,
    /// Time from trigger to gate.
    Budget,
    /// A calibration.
    Calibration,
    /// The recipe, its approval.
    Recipe,
    /// Something else that the station complains of.
    Station,
}

impl Kind {
    /// The spelling in JSON and in the catalogue.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Camera => "camera",
            Self::Model => "model",
            Self::Plc => "plc",
            Self::Disk => "disk",
            Self::Clock => "clock",
            Self::Ledger => "ledger",
            Self::Mirror => "mirror",
            Self::Stage => "stage",
            Self::Step => "step",
            Self::Budget => "budget",
            Self::Calibration => "calibration",
            Self::Recipe => "recipe",
            Self::Station => "station",
        }
    }
}

/// How a thing is. The order is by how bad.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Condition {
    /// Works.
    Good,
    /// Not known, which is not the same as good.
    Unknown,
    /// Works for now; somebody should look.
    Warning,
    /// Does not work.
    Bad,
}

impl Condition {
    /// The spelling in JSON, style sheet and catalogue.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Unknown => "unknown",
            Self::Warning => "warning",
            Self::Bad => "bad",
        }
    }
}

impl Snapshot {
    /// The worst condition of each of the five things on the live page's strip, with the sentence that goes with it.
    pub fn strip(&self) -> Vec<(Kind, Condition, &str)> {
        [Kind::Camera, Kind::Model, Kind::Plc, Kind::Disk, Kind::Clock]
            .into_iter()
            .map(|kind| {
                let worst =
                    self.health.iter().filter(|item| item.kind == kind).max_by_key(|item| item.condition);
                worst
                    .map_or((kind, Condition::Unknown, ""), |item| (kind, item.condition, item.says.as_str()))
            })
            .collect()
    }
}
