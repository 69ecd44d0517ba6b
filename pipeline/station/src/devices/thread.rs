//! `infer-<device>`: takes up what waits, lets the models look, passes on. Shows life when there is nothing to do.

use super::{Opening, Wires, mender::Broken};
use crate::{
    config::DeviceFailed,
    edition::ModelId,
    hot_path::{BEAT, Examiner, Heart, Looked, News, Prepared},
};
use crossbeam_channel::{Receiver, Sender, select};
use plumb_inference::Model;
use plumb_inspection::{Cause, Trip};
use std::{
    collections::BTreeMap,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::{Duration, Instant},
};

/// What a device thread is told, between two batches.
pub(super) enum Order {
    /// Here is a model.
    Seat { id: ModelId, model: Box<Model>, opening: Arc<Opening>, done: Sender<()> },
    /// Here is a model again whose device had failed.
    Reseat { id: ModelId, model: Box<Model> },
    /// Nobody looks with this model any more.
    Unseat { id: ModelId },
}

/// One owner of one device's models.
pub(super) struct DeviceThread {
    examiner: Examiner,
    openings: BTreeMap<ModelId, Arc<Opening>>,
    trips: Receiver<Trip<Prepared>>,
    orders: Receiver<Order>,
    /// For the mender to bring a model back by.
    orders_in: Sender<Order>,
    /// Which of the device's threads.
    number: usize,
    heart: Heart,
    wires: Wires,
    /// What the last batch took.
    last_run: Duration,
}

impl DeviceThread {
    pub(super) fn new(
        trips: Receiver<Trip<Prepared>>,
        orders: Receiver<Order>,
        orders_in: Sender<Order>,
        number: usize,
        wires: Wires,
    ) -> Self {
        let (examiner, heart) = (Examiner::new(wires.infer.batch_max), wires.pulse.listen("infer"));
        let (openings, last_run) = (BTreeMap::new(), Duration::ZERO);
        Self { examiner, openings, trips, orders, orders_in, number, heart, wires, last_run }
    }

    /// Ends when nobody can send a trip any more.
    pub(super) fn run(mut self) {
        loop {
            self.heart.beat();
            select! {
                recv(self.trips) -> trip => match trip {
                    Ok(trip) => if !self.take_up(trip) {
                        break;
                    },
                    Err(_) => break,
                },
                recv(self.orders) -> order => if let Ok(order) = order { // it holds a sender itself
                    self.obey(order);
                },
                default(BEAT) => {}
            }
        }
        self.heart.leave();
    }

    /// False when there is nobody left to pass it on to.
    fn take_up(&mut self, first: Trip<Prepared>) -> bool {
        let mut trips = self.collect(first);
        // Answered Missed already; looking at them would only make the next ones late.
        let now = Instant::now();
        trips.retain(|trip| now <= trip.deadline);
        if trips.is_empty() {
            return true;
        }
        let names: Vec<_> = trips.iter().map(|trip| (trip.part, trip.camera.clone())).collect();
        let looked = catch_unwind(AssertUnwindSafe(|| {
            self.wires.ear.hears("infer");
            self.examiner.examine(trips)
        }));
        self.last_run = now.elapsed();
        let mut goes_on = true;
        match looked {
            Ok(looked) => looked.into_iter().for_each(|looked| goes_on &= self.pass_on(looked)),
            Err(_) => {
                for (part, camera) in names {
                    self.wires.desk.lost(part, Some(&camera), Cause::Model);
                }
            }
        }
        for (id, news) in self.examiner.news() {
            self.tell(id, news);
        }
        goes_on
    }

    /// What waits already, and what comes while there is time: at most a batch.
    fn collect(&self, first: Trip<Prepared>) -> Vec<Trip<Prepared>> {
        let infer = &self.wires.infer;
        let looks = |trip: &Trip<Prepared>| trip.cargo.leg().looks.len();
        let (mut count, mut latest) = (looks(&first), first.deadline);
        let mut trips = vec![first];
        let patience = Instant::now() + Duration::from_micros(infer.batch_wait_us);
        while count < infer.batch_max {
            // Twice the last run: a batch that has filled up takes longer than one that has not.
            let until = latest.checked_sub(2 * self.last_run).map_or(patience, |latest| latest.min(patience));
            let next = match infer.batch_wait_us {
                0 => self.trips.try_recv().ok(),
                _ => self.trips.recv_deadline(until).ok(),
            };
            let Some(trip) = next else { break };
            count += looks(&trip);
            latest = latest.min(trip.deadline);
            trips.push(trip);
        }
        trips
    }

    fn pass_on(&self, looked: Looked) -> bool {
        match looked {
            Looked::Onward(trip) => {
                let next = trip.cargo.leg().inbox.clone();
                next.send(trip).is_ok()
            }
            Looked::Done(trip) => self.wires.examined.blocking_send(trip).is_ok(),
            Looked::Lost(loss) => {
                self.wires.desk.lost(loss.part, Some(&loss.camera), loss.cause);
                true
            }
        }
    }

    fn obey(&mut self, order: Order) {
        match order {
            Order::Seat { id, model, opening, done } => {
                self.examiner.seat(id, model);
                self.openings.insert(id, opening);
                let _ = done.send(()); // who asked may have lost patience
            }
            Order::Reseat { id, model } => {
                if let Some(model) = self.examiner.reseat(id, model) {
                    self.wires.mender.drop_model(model);
                }
                self.wires.health.model((id, self.number), None);
            }
            Order::Unseat { id } => {
                if let Some(model) = self.examiner.unseat(id) {
                    self.wires.mender.drop_model(model);
                }
                if let Some(opening) = self.openings.remove(&id) {
                    opening.not_wanted();
                }
                self.wires.health.model((id, self.number), None);
            }
        }
    }

    fn tell(&self, id: ModelId, news: News) {
        let health = &self.wires.health;
        match news {
            News::Silent(says) => health.model((id, self.number), Some(says)),
            News::Answers => health.model((id, self.number), None),
            News::Failed(model, says) if self.wires.infer.device_failed == DeviceFailed::Stop => {
                self.wires.mender.drop_model(model);
                health.fault(format!(
                    "{says}; [infer] says to stop when a device fails: mend it and start again"
                ));
            }
            News::Failed(model, says) => {
                let Some(opening) = self.openings.get(&id).cloned() else { return };
                let (thread, seat) = (self.number, self.orders_in.clone());
                self.wires.mender.reopen(Broken { id, thread, opening, seat, model, says });
            }
        }
    }
}
