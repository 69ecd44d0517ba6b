//! The devices in use: for each one its inbox and the threads that own its models. A device gets its threads with its
//! first model and loses them with its last.

mod mender;
mod opening;
mod thread;

pub use mender::Mender;
pub use opening::Opening;

use crate::{
    config::InferSection,
    ear::Ear,
    edition::ModelId,
    hot_path::{self, Desk, Examined, Prepared, Pulse},
    priority,
    state::Health,
    threads,
};
use crossbeam_channel::{Sender, bounded};
use plumb_inference::Model;
use plumb_inspection::Trip;
use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    sync::Arc,
    thread::JoinHandle,
    time::Duration,
};
use thread::{DeviceThread, Order};
use tokio::sync::mpsc;

/// How long a device may take to notice a model that is handed to it: longer than any run of another one.
const PATIENCE: Duration = Duration::from_secs(10);

/// Every device that a model runs on.
pub struct Devices {
    in_use: BTreeMap<String, Owners>,
    /// Threads whose device lost its last model.
    ended: Vec<JoinHandle<()>>,
    wires: Wires,
}

/// What every device thread is wired to.
#[derive(Clone)]
pub struct Wires {
    /// `[infer]`: batches, and what to do when a device fails.
    pub infer: InferSection,
    /// Takes what was looked at.
    pub examined: mpsc::Sender<Trip<Examined>>,
    /// Hears what was lost.
    pub desk: Arc<Desk>,
    /// Hears that threads are alive.
    pub pulse: Arc<Pulse>,
    /// Hears which models do not run.
    pub health: Arc<Health>,
    /// Opens models again, and drops those that are done with.
    pub mender: Mender,
    /// Hears a batch be taken up.
    pub ear: Ear,
}

/// The threads of one device, with one inbox for all.
struct Owners {
    inbox: Sender<Trip<Prepared>>,
    orders: Vec<Sender<Order>>,
    threads: Vec<JoinHandle<()>>,
    models: BTreeSet<ModelId>,
}

impl Devices {
    /// No device yet.
    pub fn new(wires: Wires) -> Self {
        Self { in_use: BTreeMap::new(), ended: Vec::new(), wires }
    }

    /// Hands a model to `device`, a session to each of its threads, and waits until they have it.
    ///
    /// # Errors
    /// When no thread can be had, or one does not take it: it hangs in another model.
    pub fn seat(
        &mut self,
        device: &str,
        id: ModelId,
        sessions: Vec<Model>,
        opening: &Arc<Opening>,
    ) -> io::Result<()> {
        if !self.in_use.contains_key(device) {
            let owners = self.start(device, sessions.len())?;
            self.in_use.insert(device.to_owned(), owners);
        }
        let owners = self.in_use.get_mut(device).expect("it was just started");
        owners.models.insert(id);
        let (done, all_done) = bounded(sessions.len());
        for (orders, model) in owners.orders.iter().zip(sessions) {
            let (model, opening, done) = (Box::new(model), opening.clone(), done.clone());
            // If it is not taken up, nobody says that it is done.
            let _ = orders.send_timeout(Order::Seat { id, model, opening, done }, PATIENCE);
        }
        drop(done);
        for _ in &owners.orders {
            all_done.recv_timeout(PATIENCE).map_err(|_| {
                io::Error::other(format!(
                    "{device} does not take up a model; it hangs in another, or has ended"
                ))
            })?;
        }
        Ok(())
    }

    /// Takes a model off its device; the mender drops it. A device without a model lets its threads end.
    pub fn unseat(&mut self, device: &str, id: ModelId) {
        let Some(owners) = self.in_use.get_mut(device) else { return };
        for orders in &owners.orders {
            let _ = orders.send_timeout(Order::Unseat { id }, PATIENCE); // one that has ended has let go of it
        }
        owners.models.remove(&id);
        if owners.models.is_empty()
            && let Some(owners) = self.in_use.remove(device)
        {
            self.ended.retain(|thread| !thread.is_finished());
            self.ended.extend(owners.threads);
        }
    }

    /// Where trips for `device` go.
    ///
    /// # Panics
    /// When no model was seated there.
    pub fn inbox(&self, device: &str) -> Sender<Trip<Prepared>> {
        self.in_use
            .get(device)
            .map(|owners| owners.inbox.clone())
            .expect("a model of the route is seated there")
    }

    /// Lets go of every inbox: each thread ends when its last trip is through.
    pub fn close(self) -> Vec<JoinHandle<()>> {
        self.ended.into_iter().chain(self.in_use.into_values().flat_map(|owners| owners.threads)).collect()
    }

    fn start(&self, device: &str, count: usize) -> io::Result<Owners> {
        let (inbox, trips) = bounded(hot_path::to_infer(self.wires.infer.batch_max));
        let mut owners = Owners { inbox, orders: Vec::new(), threads: Vec::new(), models: BTreeSet::new() };
        for number in 1..=count {
            // Orders are rare. One that finds no room means that the thread hangs; who gives it loses patience.
            let (orders_in, orders) = bounded(16);
            let device = device.to_lowercase();
            let name =
                if number == 1 { format!("infer-{device}") } else { format!("infer-{device}-{number}") };
            let thread =
                DeviceThread::new(trips.clone(), orders, orders_in.clone(), number, self.wires.clone());
            owners.threads.push(threads::spawn(name, move || {
                priority::come_soon();
                thread.run()
            })?);
            owners.orders.push(orders_in);
        }
        Ok(owners)
    }
}
