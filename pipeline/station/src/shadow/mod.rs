//! Shadow models: each sees the parts of its recipe after their answers are on their way, is judged by the same rules,
//! is recorded, and never acts.
//!
//! One thread, at a lower priority, with sessions of its own. It is handed frames by a queue that nobody waits for: a
//! part that finds it full is recorded as skipped. So a slow or broken shadow costs the line nothing.

mod looker;
mod opinion;

use crate::{
    config::Plan,
    devices::Mender,
    edition::{LoadedRecipe, ModelId},
    hot_path::{Judged, View},
    metrics::Metrics,
    priority, threads,
};
use crossbeam_channel::{Receiver, Sender, bounded};
use looker::Looker;
use opinion::{Recorder, Skipped};
use plumb_inference::Model;
use plumb_inspection::{CameraId, Edition, Findings, Frame, Trigger};
use plumb_ledger::{RecordVerdict, ShadowSender};
use plumb_verdict::Decision;
use std::{io, sync::Arc, thread::JoinHandle};

/// Parts that wait for the shadow, with their frames lent. Full: the part is skipped.
pub const TO_SHADOW: usize = 4;

/// A part as the shadow gets it.
pub struct Passed {
    /// What began it.
    pub trigger: Trigger,
    /// What judged it.
    pub recipe: Arc<LoadedRecipe>,
    /// What the machine says.
    pub machine: RecordVerdict,
    /// What the machine saw in each view.
    pub views: Vec<(Frame, Findings)>,
}

/// Where the verdict stage hands parts to the shadow. Never waits.
pub struct ShadowDoor {
    outbox: Sender<Passed>,
    recorder: Recorder,
}

impl ShadowDoor {
    /// The part's answer is on its way; the shadow may look at it.
    pub fn pass(&self, judged: &Judged) {
        if judged.recipe.shadows.is_empty() {
            return;
        }
        let machine = match judged.late {
            true => RecordVerdict::Late,
            false => judged.verdict.decision.into(),
        };
        let views =
            judged.views.iter().map(|(_, View { seen, .. })| (seen.frame.clone(), seen.findings.clone()));
        let (trigger, recipe, views) = (judged.trigger.clone(), judged.recipe.clone(), views.collect());
        let passed = Passed { trigger, recipe, machine, views };
        if matches!(judged.verdict.decision, Decision::Missed(_)) {
            self.recorder.skipped(&passed, Skipped::Missed);
        } else if let Err(refused) = self.outbox.try_send(passed) {
            self.recorder.skipped(&refused.into_inner(), Skipped::NoRoom);
        }
    }
}

/// What the thread is told, between two parts.
enum Order {
    Seat { id: ModelId, model: Box<Model> },
    Unseat { id: ModelId },
    Learn { recipe: Arc<LoadedRecipe> },
    Forget { edition: Edition },
}

/// The shadow's place in the crew.
pub struct ShadowSeat {
    orders: Sender<Order>,
    thread: JoinHandle<()>,
}

impl ShadowSeat {
    /// Starts the thread, idle.
    ///
    /// # Errors
    /// When there is no thread to be had.
    pub fn start(
        plan: Arc<Plan>,
        metrics: Arc<Metrics>,
        records: ShadowSender,
        mender: Mender,
    ) -> io::Result<(Self, ShadowDoor)> {
        let (outbox, parts) = bounded(TO_SHADOW);
        // Orders are rare; whoever gives one waits until the part before it has been looked at, and no part waits for him.
        let (orders, told) = bounded(16);
        let recorder = Recorder::new(metrics, records);
        let looker = Looker::new(plan, recorder.clone());
        let work = move || run(looker, &parts, told, &mender);
        let thread = threads::spawn("shadow".to_owned(), work)?;
        Ok((Self { orders, thread }, ShadowDoor { outbox, recorder }))
    }

    /// Here is a model.
    pub fn seat(&self, id: ModelId, sessions: Vec<Model>) {
        for model in sessions {
            self.tell(Order::Seat { id, model: Box::new(model) });
        }
    }

    /// Nobody looks with this model any more.
    pub fn unseat(&self, id: ModelId) {
        self.tell(Order::Unseat { id });
    }

    /// Parts of this edition will come.
    pub fn learn(&self, recipe: &Arc<LoadedRecipe>) {
        if !recipe.shadows.is_empty() {
            self.tell(Order::Learn { recipe: recipe.clone() });
        }
    }

    /// No part of this edition will come any more; those that wait are skipped.
    pub fn forget(&self, recipe: &LoadedRecipe) {
        if !recipe.shadows.is_empty() {
            self.tell(Order::Forget { edition: recipe.edition });
        }
    }

    /// What still waits is skipped, and the thread ends when nobody passes parts any more.
    pub fn close(self) -> JoinHandle<()> {
        self.thread
    }

    /// Only a thread that has ended does not hear it, and that one looks at nothing.
    fn tell(&self, order: Order) {
        let _ = self.orders.send(order);
    }
}

/// Thread `shadow`.
fn run(mut looker: Looker, parts: &Receiver<Passed>, told: Receiver<Order>, mender: &Mender) {
    priority::stand_back();
    let mut closing = false;
    let mut told = told;
    loop {
        crossbeam_channel::select! {
            recv(told) -> order => match order {
                Ok(Order::Seat { id, model }) => looker.seat(id, *model),
                Ok(Order::Unseat { id }) => looker.unseat(id).into_iter().for_each(|model| mender.drop_model(model)),
                Ok(Order::Learn { recipe }) => looker.learn(&recipe),
                Ok(Order::Forget { edition }) => looker.forget(edition),
                Err(_) => {
                    closing = true;
                    told = crossbeam_channel::never();
                }
            },
            recv(parts) -> passed => match passed {
                Ok(passed) if closing => looker.skip(&passed),
                Ok(passed) => looker.look(passed),
                Err(_) => return,
            },
        }
    }
}

/// One camera's frame and findings.
type Seen = (CameraId, Findings);
