//! Links beside the gate's: they are shown what it is shown, and what becomes of them changes nothing at the gate.
//!
//! They live on a runtime and a thread of their own that stands back. The verdict stage hands over what is to be shown by
//! one queue without waiting; each link has another, so that a slow one costs itself alone.

use crate::{
    config::{MirrorSection, WhenDown},
    hot_path::Desk,
    metrics::Metrics,
    priority,
    state::Health,
    threads,
};
use plumb_inspection::PartId;
use plumb_plc::{Answer, PlcError, PlcEvent, PlcLink, StationState};
use prometheus::IntCounter;
use std::{io, sync::Arc, thread::JoinHandle};
use tokio::{sync::mpsc, task::JoinSet};

/// What the verdict stage hands over and is not shown yet. Full: every mirror misses it, and it is counted.
const TO_MIRRORS: usize = 256;
/// What one mirror is to be shown. Full: it misses it, and it is counted.
const TO_MIRROR: usize = 64;
/// What one mirror's link tells. Full: that link waits.
const FROM_MIRROR: usize = 64;

/// What a PLC is shown.
#[derive(Clone, Debug)]
pub enum Shown {
    /// A part's answer.
    Answer(Answer),
    /// One step of the heartbeat, made by the verdict path.
    Beat,
    /// Online, Fault, RecipeChanging, LineStopRequest, recipe.
    State(StationState),
    /// Whether a part could be begun.
    Ready(bool),
    /// A part was begun that the PLC did not number.
    Begun(PartId),
    /// The shutter opened.
    Exposing,
    /// The shutter closed.
    ExposureComplete,
}

/// Where the verdict stage hands over what is to be shown. Never waits.
#[derive(Clone, Default)]
pub struct MirrorDoor {
    inbox: Option<mpsc::Sender<Shown>>,
    /// Whether any of them is shown TriggerReady at all.
    triggers: bool,
    lost: Arc<[IntCounter]>,
}

impl MirrorDoor {
    /// Hands it over, or counts it as lost.
    pub fn show(&self, shown: Shown) {
        let Some(inbox) = &self.inbox else { return };
        if matches!(shown, Shown::Ready(_)) && !self.triggers {
            return;
        }
        if let Err(mpsc::error::TrySendError::Full(Shown::Answer(_))) = inbox.try_send(shown) {
            self.lost.iter().for_each(IntCounter::inc);
        }
    }
}

/// Why the mirrors do not start.
#[derive(Debug, thiserror::Error)]
pub enum MirrorError {
    /// A link cannot be started.
    #[error("mirror \"{name}\": {source}")]
    Link {
        /// Which.
        name: String,
        /// Why.
        source: PlcError,
    },
    /// No thread or runtime is to be had.
    #[error("the mirrors' thread cannot be had: {0}")]
    Thread(#[from] io::Error),
}

/// Starts thread `mirrors`, which ends when the door is dropped. No mirrors, no thread.
///
/// # Errors
/// A link cannot be started at all; one that merely is not there is sought.
pub fn start(
    mirrors: &[MirrorSection],
    desk: Arc<Desk>,
    metrics: Arc<Metrics>,
    health: Arc<Health>,
) -> Result<(MirrorDoor, Option<JoinHandle<()>>), MirrorError> {
    if mirrors.is_empty() {
        return Ok((MirrorDoor::default(), None));
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (inbox, mut outbox) = mpsc::channel::<Shown>(TO_MIRRORS);
    let mut attendants = Vec::new();
    let (mut lost, mut doors) = (Vec::new(), Vec::new());
    for mirror in mirrors {
        let (events, heard) = mpsc::channel(FROM_MIRROR);
        let link = {
            let _on = runtime.enter();
            PlcLink::start(mirror.link.clone(), events)
        };
        let link = link.map_err(|source| MirrorError::Link { name: mirror.name.clone(), source })?;
        let (door, to_show) = mpsc::channel::<Shown>(TO_MIRROR);
        let answers = metrics.line.mirror(&mirror.name);
        lost.push(answers[1].clone());
        doors.push((door, answers[1].clone()));
        let (desk, metrics, health) = (desk.clone(), metrics.clone(), health.clone());
        let mirror = Mirror { config: mirror.clone(), link, answers, is_down: false, desk, metrics, health };
        mirror.is(Some(format!("mirror \"{}\" has not answered yet", mirror.config.name)));
        attendants.push(mirror.attend(to_show, heard));
    }
    let work = move || {
        priority::stand_back();
        runtime.block_on(async move {
            let mut mirrors = JoinSet::new();
            attendants.into_iter().for_each(|attendant| drop(mirrors.spawn(attendant)));
            while let Some(shown) = outbox.recv().await {
                for (door, lost) in &doors {
                    if let Err(mpsc::error::TrySendError::Full(Shown::Answer(_))) =
                        door.try_send(shown.clone())
                    {
                        lost.inc();
                    }
                }
            }
            drop(doors);
            while mirrors.join_next().await.is_some() {}
        });
    };
    let thread = threads::spawn("mirrors".to_owned(), work)?;
    let triggers = mirrors.iter().any(|mirror| mirror.triggers);
    Ok((MirrorDoor { inbox: Some(inbox), triggers, lost: lost.into() }, Some(thread)))
}

/// One link and what is said of it.
struct Mirror {
    config: MirrorSection,
    link: PlcLink,
    /// Shown, lost.
    answers: [IntCounter; 2],
    is_down: bool,
    desk: Arc<Desk>,
    metrics: Arc<Metrics>,
    health: Arc<Health>,
}

impl Mirror {
    /// Shows what is handed over until the door closes, then takes leave: within two seconds.
    async fn attend(mut self, mut to_show: mpsc::Receiver<Shown>, mut heard: mpsc::Receiver<PlcEvent>) {
        loop {
            tokio::select! {
                shown = to_show.recv() => match shown {
                    Some(shown) => self.show(shown),
                    None => break,
                },
                Some(event) = heard.recv() => self.hear(event),
            }
        }
        self.link.stop().await;
    }

    fn show(&self, shown: Shown) {
        match shown {
            Shown::Answer(answer) => {
                if self.link.answer(answer).is_err() {
                    self.answers[1].inc();
                }
            }
            Shown::Beat => self.link.beat(),
            Shown::State(state) => self.link.set_state(state),
            Shown::Ready(ready) => self.link.set_ready(ready && self.config.triggers),
            Shown::Begun(part) => self.link.begun(part),
            Shown::Exposing => self.link.exposing(),
            Shown::ExposureComplete => self.link.exposure_complete(),
        }
    }

    fn hear(&mut self, event: PlcEvent) {
        let name = self.config.name.as_str();
        match event {
            PlcEvent::AnswerDelivered { .. } => self.answers[0].inc(),
            PlcEvent::AnswerOverrun { .. } => {
                self.answers[1].inc();
                self.metrics.plc_error(name, "answer_overrun");
            }
            PlcEvent::AnswerDropped { .. } => {
                self.answers[1].inc();
                self.metrics.plc_error(name, "answer_dropped");
            }
            PlcEvent::LinkUp { says } => {
                tracing::info!(mirror = name, "{says}");
                self.down(None);
            }
            PlcEvent::LinkDown { kind, says } => {
                self.metrics.plc_error(name, kind.as_str());
                self.down(Some(says));
            }
            PlcEvent::TurnedAway { says } => {
                self.metrics.plc_error(name, "turned_away");
                tracing::warn!(mirror = name, "{says}.");
            }
            PlcEvent::PlcLost { says } => {
                self.metrics.plc_error(name, "heartbeat_lost");
                self.down(Some(says));
            }
            PlcEvent::PlcBack => self.down(None),
            PlcEvent::TriggerRequested { part, encoder, since } if self.config.triggers => {
                let numbered_by_plc = part.is_some();
                let part = self.desk.announced(part, encoder, since);
                if !numbered_by_plc {
                    self.link.begun(part);
                }
                tracing::debug!(mirror = name, %part, encoder, "A mirror triggered.");
            }
            PlcEvent::MissedTrigger { .. } => self.metrics.plc_error(name, "missed_trigger"),
            PlcEvent::WaitEnded { wait, .. } => {
                self.metrics.plc_error(name, "wait_ended");
                tracing::debug!(mirror = name, "{wait}.");
            }
            // What only the gate's PLC may do.
            PlcEvent::TriggerRequested { .. } | PlcEvent::RecipeWanted(_) | PlcEvent::ClearErrors => {
                tracing::warn!(
                    mirror = name,
                    ?event,
                    "A mirror asked for what only the gate's PLC may ask for."
                );
            }
            PlcEvent::RoundTrip(_)
            | PlcEvent::LineRunning(_)
            | PlcEvent::PartSeen { .. }
            | PlcEvent::GateStatus(_) => {}
        }
    }

    /// Sixty-four mirrors that are sought anew every few seconds would drown the log: each outage is told once.
    fn down(&mut self, says: Option<String>) {
        if let (Some(says), false) = (&says, self.is_down) {
            tracing::warn!(mirror = self.config.name, "{says}");
        }
        self.is_down = says.is_some();
        self.is(says.map(|says| format!("mirror \"{}\": {says}", self.config.name)));
    }

    fn is(&self, down: Option<String>) {
        let name = self.config.name.as_str();
        self.metrics.plc_up.with_label_values(&[name]).set(i64::from(down.is_none()));
        if self.config.when_down == WhenDown::Degrade {
            self.health.mirror(name, down);
        }
    }
}
