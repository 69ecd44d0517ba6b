//! Capture's end of the hot path: which frame belongs to which part.
//!
//! A trigger begins a part; the [`Desk`] gives it its number, tells the verdict stage that it is owed an answer, and
//! then finds the frame of each of its views. It runs on GStreamer's streaming threads, so it never waits: a stage
//! without room costs the part its verdict (`Missed(Overrun)`), never its answer.

use super::{
    Told, View,
    turns::{Turns, Waiting, Whose},
};
use crate::{
    challenge::Challenge,
    edition::LoadedRecipe,
    metrics::{Dropped, Metrics},
    state::Health,
};
use crossbeam_channel::{Sender, TrySendError};
use plumb_capture::{Camera, CameraEvent, CaptureError, trigger::PhotoEye};
use plumb_inspection::{
    CameraId, Cause, Frame, Lap, Laps, PartId, PixelFormat, Stamp, Trigger, TriggerSource, Trip,
};
use plumb_ledger::PartNumbers;
use plumb_verdict::{Began, Event, Mismatch};
use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::sync::mpsc;

/// What makes frames of the lead camera into parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lead {
    /// Each frame is a part.
    Frame,
    /// A part crosses the line in the picture.
    PhotoEye,
}

/// One camera's place at the desk.
pub struct Place {
    /// To `preprocess-<camera>`; two: one being cut, one waiting. A third means we are too slow, and a late answer is
    /// worse than an honest `Missed`.
    pub outbox: Sender<Trip<Frame>>,
    /// Recorded pictures played as fast as we take them: the desk may wait for room instead of losing a frame.
    pub patient: bool,
    /// How long the frame of a camera that exposes on our trigger may take to arrive.
    pub frame_wait: Duration,
}

/// Gives parts their number and their frames.
pub struct Desk {
    numbers: PartNumbers,
    lead: Option<(CameraId, Lead)>,
    metrics: Arc<Metrics>,
    health: Arc<Health>,
    challenge: Arc<Challenge>,
    /// What the gate allows from trigger to answer, in µs, where the wire is measured.
    allowed_us: AtomicU64,
    inside: Mutex<Inside>,
}

struct Inside {
    /// What new parts are stamped with.
    recipe: Arc<LoadedRecipe>,
    /// `None` once the desk is closed.
    begun: Option<mpsc::Sender<Told>>,
    fire: Option<Sender<CameraId>>,
    cameras: BTreeMap<CameraId, Seat>,
}

/// One camera as the desk knows it.
struct Seat {
    place: Place,
    camera: Option<Arc<Camera>>,
    up: bool,
    ended: bool,
    turns: Turns,
    /// Size and format of the last frame that went on its way.
    shape: Option<(u32, u32, PixelFormat)>,
}

impl Seat {
    fn exposes_on_trigger(&self) -> bool {
        self.camera.as_ref().is_some_and(|camera| camera.frames_on_trigger())
    }
}

/// How a part came to be known.
enum Came<'a> {
    /// Somebody asked, just now.
    Now,
    /// The PLC announced it, no earlier than then.
    Since(Instant),
    /// Its picture is there.
    Seen(&'a CameraId, Frame),
}

impl Desk {
    /// A desk with a place for each camera; cameras are seated by [`Desk::adopt`].
    #[expect(
        clippy::too_many_arguments,
        reason = "each is one wire of the diagram in HOUSE and has one caller"
    )]
    pub fn new(
        numbers: PartNumbers,
        lead: Option<(CameraId, Lead)>,
        recipe: Arc<LoadedRecipe>,
        places: BTreeMap<CameraId, Place>,
        begun: mpsc::Sender<Told>,
        fire: Sender<CameraId>,
        metrics: Arc<Metrics>,
        health: Arc<Health>,
        challenge: Arc<Challenge>,
    ) -> Self {
        let seat = |place: Place| {
            let turns = Turns::new(place.frame_wait);
            Seat { place, camera: None, up: false, ended: false, turns, shape: None }
        };
        let cameras = places.into_iter().map(|(id, place)| (id, seat(place))).collect();
        let inside = Mutex::new(Inside { recipe, begun: Some(begun), fire: Some(fire), cameras });
        let allowed_us = AtomicU64::new(u64::MAX);
        Self { numbers, lead, metrics, health, challenge, allowed_us, inside }
    }

    /// Hands over a running camera.
    pub fn adopt(&self, id: &CameraId, camera: Camera) {
        if let Some(seat) = self.inside().cameras.get_mut(id) {
            seat.camera = Some(Arc::new(camera));
        }
    }

    /// What `camera` tells, on its streaming thread. `eye` is its photo-eye, if it has one.
    pub fn hear(&self, camera: &CameraId, eye: Option<&mut PhotoEye>, event: CameraEvent) {
        match event {
            CameraEvent::Frame(frame) => {
                self.metrics.frame(camera);
                self.metrics.beat("capture");
                let crossed = eye.is_some_and(|eye| self.look_through(eye, &frame));
                self.frame(camera, frame, crossed);
            }
            CameraEvent::FramesLost { count } => self.frames_lost(camera, count),
            CameraEvent::Up => {
                tracing::info!(%camera, "Camera is up.");
                self.metrics.camera_is(camera, true);
                self.health.camera(camera, None);
                self.seat(camera, |seat| {
                    seat.up = true;
                    seat.turns.opened(Instant::now());
                });
            }
            CameraEvent::Down { why, says, retry_in } => {
                tracing::warn!(%camera, cause = why.as_str(), retry_ms = retry_in.as_millis() as u64, "{says}");
                self.metrics.camera_is(camera, false);
                self.metrics.camera_reconnects(camera);
                self.health.camera(camera, Some(format!("camera {camera}: {says}")));
                self.lose_all(camera, Cause::CameraDown);
            }
            CameraEvent::Corrupt { says } => {
                tracing::warn!(%camera, "{says}");
                self.metrics.dropped(camera, Dropped::Corrupt, 1);
                let is_part = matches!(&self.lead, Some((lead, Lead::Frame)) if lead == camera);
                if is_part {
                    let part = self.begin(TriggerSource::Frame, None, None, Came::Now);
                    self.lost(part, Some(camera), Cause::Preprocess);
                }
            }
            CameraEvent::Ended => {
                tracing::info!(%camera, "Camera has come to the end of its pictures.");
                self.seat(camera, |seat| seat.ended = true);
            }
        }
    }

    /// A part begins because somebody asked, just now. Every view is the next frame of its camera.
    pub fn ask(&self, source: TriggerSource, part: Option<PartId>, encoder: Option<u32>) -> PartId {
        self.begin(source, part, encoder, Came::Now)
    }

    /// A part begins because the PLC has announced it, no earlier than at `since`: its picture may come so much sooner
    /// too late, since the part has moved on meanwhile.
    pub fn announced(&self, part: Option<PartId>, encoder: u32, since: Instant) -> PartId {
        self.begin(TriggerSource::Plc, part, Some(encoder), Came::Since(since))
    }

    /// True if no camera still owes the frame of its last trigger, so that the next one cannot be mistaken for it.
    /// Gives up on frames that took too long.
    pub fn is_ready(&self, now: Instant) -> bool {
        let mut given_up = Vec::new();
        let mut ready = true;
        {
            let mut inside = self.inside();
            let recipe = inside.recipe.clone();
            for (id, seat) in &mut inside.cameras {
                let exposes = seat.exposes_on_trigger();
                let overdue = seat.turns.overdue(now, exposes);
                if !overdue.is_empty() {
                    given_up.push((id.clone(), overdue));
                }
                if recipe.cameras.contains(id) {
                    let owes = exposes && seat.turns.is_awaited();
                    ready &= seat.up && !owes && !seat.turns.is_settling(now) && !seat.place.outbox.is_full();
                }
            }
        }
        for (camera, overdue) in given_up {
            self.give_up(&camera, overdue);
        }
        ready
    }

    /// From the next part on, no answer is due later than this after its trigger, whatever its recipe says.
    pub fn allow(&self, from_trigger_to_answer: Duration) {
        let us = u64::try_from(from_trigger_to_answer.as_micros()).unwrap_or(u64::MAX);
        self.allowed_us.store(us, Ordering::Relaxed);
    }

    /// What new parts are stamped with.
    pub fn current(&self) -> Arc<LoadedRecipe> {
        self.inside().recipe.clone()
    }

    /// From the next part on, `recipe` counts. Its models must be seated and its cuts learned.
    pub fn change_to(&self, recipe: Arc<LoadedRecipe>) {
        // Before the first part of it begins.
        self.challenge.changed_to(&recipe.plan);
        self.inside().recipe = recipe;
    }

    /// Known parts that must be told right before others are judged.
    pub(crate) fn challenge(&self) -> &Arc<Challenge> {
        &self.challenge
    }

    /// Size and format of the last frame of `camera` that went on its way.
    pub fn shape_of(&self, camera: &CameraId) -> Option<(u32, u32, PixelFormat)> {
        self.inside().cameras.get(camera).and_then(|seat| seat.shape)
    }

    /// True once every camera has come to the end of its pictures.
    pub fn has_ended(&self) -> bool {
        self.inside().cameras.values().all(|seat| seat.ended)
    }

    /// Frames waiting for each camera's preprocessing.
    pub fn queues(&self) -> Vec<(CameraId, usize)> {
        self.inside().cameras.iter().map(|(id, seat)| (id.clone(), seat.place.outbox.len())).collect()
    }

    /// Exposes `camera` now. Called from thread `trigger`, because a camera may take a millisecond to answer.
    pub fn fire(&self, camera: &CameraId) {
        let device = self.seat(camera, |seat| seat.camera.clone().filter(|_| seat.turns.is_to_fire()));
        let fired = match device.flatten() {
            Some(device) => device.trigger(),
            None => Err(CaptureError::Down { camera: camera.clone() }),
        };
        let lost = self.seat(camera, |seat| match &fired {
            Ok(()) => {
                seat.turns.fired();
                Vec::new()
            }
            Err(CaptureError::Trigger { .. }) => seat.turns.fired_perhaps(Instant::now()),
            Err(_) => seat.turns.refused().into_iter().collect(),
        });
        if let Err(error) = fired {
            tracing::warn!(%camera, %error, "Camera could not be triggered.");
        }
        for part in lost.into_iter().flatten() {
            self.lost(part, Some(camera), Cause::CameraDown);
        }
    }

    /// Exposes `camera` now, though no part asks for it: what its wire does in the plant.
    pub fn signal(&self, camera: &CameraId) {
        let device = self.inside().cameras.get(camera).and_then(|seat| seat.camera.clone());
        if let Some(Err(error)) = device.map(|device| device.trigger()) {
            tracing::warn!(%camera, %error, "The signal on its wire has not triggered the camera.");
        }
    }

    /// Cameras stop and every sender drops; the stages behind drain and end.
    pub fn close(&self) {
        let cameras: Vec<Option<Arc<Camera>>> = {
            let mut inside = self.inside();
            inside.fire = None;
            inside.cameras.values_mut().map(|seat| seat.camera.take()).collect()
        };
        drop(cameras); // joins their threads, which may be in `hear` just now: the desk must not be locked
        let mut inside = self.inside();
        inside.begun = None;
        inside.cameras.clear();
    }

    /// A line outside the picture would never see a part, and nobody would miss it.
    fn look_through(&self, eye: &mut PhotoEye, frame: &Frame) -> bool {
        if frame.seq == 1
            && let Err(error) = eye.fits(frame.image.width(), frame.image.height())
        {
            self.health.fault(format!("camera {}: {error}", frame.camera));
        }
        eye.see(frame)
    }

    fn frame(&self, camera: &CameraId, frame: Frame, crossed: bool) {
        match &self.lead {
            Some((lead, Lead::Frame)) if lead == camera => {
                self.begin(TriggerSource::Frame, None, None, Came::Seen(camera, frame));
                return;
            }
            Some((lead, Lead::PhotoEye)) if lead == camera => {
                if crossed {
                    self.begin(TriggerSource::PhotoEye, None, None, Came::Seen(camera, frame));
                }
                return;
            }
            _ => {}
        }
        let at = frame.at.mono;
        let looked = self.seat(camera, |seat| {
            let exposes = seat.exposes_on_trigger();
            let given_up = seat.turns.overdue(at, exposes);
            (given_up, seat.turns.frame(frame.camera_frame_id, at, exposes), exposes)
        });
        let Some((overdue, whose, exposes)) = looked else { return };
        self.give_up(camera, overdue);
        match whose {
            Whose::Part(waiting) => self.send(camera, frame, &waiting),
            Whose::Stale => self.metrics.dropped(camera, Dropped::Stale, 1),
            Whose::Unasked => {
                self.metrics.dropped(camera, Dropped::Stale, 1);
                self.out_of_step(Mismatch::FrameUnasked { camera: camera.clone() });
            }
            Whose::Skipped => {
                self.metrics.dropped(camera, Dropped::Stale, 1);
                self.out_of_step(Mismatch::FrameOwed { camera: camera.clone() });
            }
            Whose::Nobodys => {}
        }
        if exposes {
            self.exposed();
        }
    }

    /// Pictures that took too long are lost to their parts.
    fn give_up(&self, camera: &CameraId, overdue: Vec<PartId>) {
        for part in overdue {
            self.lost(part, Some(camera), Cause::FrameLost);
        }
    }

    /// Somebody says that the belt is clear: the verdict stage begins the count anew.
    pub fn ask_rezero(&self) {
        self.notify(Told::Rezero);
    }

    /// The count begins anew, at once: each camera owes what is waited for and no more.
    pub fn rezero(&self) {
        self.inside().cameras.values_mut().for_each(|seat| seat.turns.rezero());
    }

    /// The count begins anew at `until`: until then no part is looked at, and what comes is old.
    pub fn settle(&self, until: Instant) {
        // Who waited is rejected already, with everything that was open.
        self.inside().cameras.values_mut().for_each(|seat| drop(seat.turns.settle(until)));
    }

    fn begin(
        &self,
        source: TriggerSource,
        part: Option<PartId>,
        encoder: Option<u32>,
        came: Came<'_>,
    ) -> PartId {
        let at = if let Came::Seen(_, frame) = &came { frame.at } else { Stamp::now() };
        let earliest = if let Came::Since(since) = came { since.min(at.mono) } else { at.mono };
        let part = part.unwrap_or_else(|| self.numbers.next());
        self.metrics.triggered(source);
        // Stamped and counted in one step: an edition that nobody can be stamped with any more has no uncounted part.
        let recipe = {
            let inside = self.inside();
            inside.recipe.begun(part);
            inside.recipe.clone()
        };
        let allowed = Duration::from_micros(self.allowed_us.load(Ordering::Relaxed));
        let (edition, deadline) = (recipe.edition, at.mono + recipe.plan.deadline.min(allowed));
        let trigger = Trigger { part, source, at, encoder };
        let began = Began { trigger, edition, deadline, cameras: recipe.cameras.clone() };
        if !self.tell(Event::Began(began)) {
            recipe.judged(); // it never will be
        }
        // Asked last: a part that is not looked at is no known one.
        if recipe.is_withheld() || self.health.is_held() || !self.challenge.admits(part, &recipe.plan.name) {
            self.lost(part, None, Cause::NotReleased);
        }
        let waiting = || Waiting { part, edition, since: at.mono, earliest, deadline };
        let has_seen = |id: &CameraId| matches!(&came, Came::Seen(lead, _) if *lead == id);
        for camera in recipe.cameras.iter().filter(|id| !has_seen(id)) {
            self.queue(camera, waiting());
        }
        if let Came::Seen(camera, frame) = came
            && recipe.cameras.contains(camera)
        {
            self.send(camera, frame, &waiting());
        }
        part
    }

    /// The part waits for `camera`'s next frame, which is asked for if the camera exposes on our word.
    fn queue(&self, camera: &CameraId, waiting: Waiting) {
        let part = waiting.part;
        let mut inside = self.inside();
        let fire = inside.fire.clone();
        let refused = match inside.cameras.get_mut(camera) {
            Some(seat) if seat.turns.is_settling(waiting.since) => Some(Cause::LostSync),
            Some(seat) if seat.up && seat.exposes_on_trigger() => {
                seat.turns.wait(waiting, true);
                // 8 is the depth of the thread `trigger`'s inbox; it is full only if a camera's control channel hangs.
                let sent = fire.is_some_and(|fire| fire.try_send(camera.clone()).is_ok());
                (!sent).then(|| {
                    seat.turns.unasked();
                    Cause::Overrun
                })
            }
            Some(seat) if seat.up => {
                seat.turns.wait(waiting, false);
                None
            }
            _ => Some(Cause::CameraDown),
        };
        drop(inside);
        if let Some(cause) = refused {
            self.lost(part, Some(camera), cause);
        }
    }

    fn send(&self, camera: &CameraId, frame: Frame, waiting: &Waiting) {
        let mut laps = Laps::default();
        laps.add(Lap::Capture, Instant::now().saturating_duration_since(waiting.since));
        let shape = (frame.image.width(), frame.image.height(), frame.image.format());
        let trip = Trip {
            part: waiting.part,
            camera: camera.clone(),
            edition: waiting.edition,
            deadline: waiting.deadline,
            laps,
            cargo: frame,
        };
        let outbox = self.seat(camera, |seat| {
            seat.shape = Some(shape);
            (seat.place.outbox.clone(), seat.place.patient)
        });
        let sent = match outbox {
            Some((outbox, true)) => outbox.send(trip).map_err(|_| Cause::Shutdown),
            Some((outbox, false)) => outbox.try_send(trip).map_err(|error| match error {
                TrySendError::Full(_) => Cause::Overrun,
                TrySendError::Disconnected(_) => Cause::Shutdown,
            }),
            None => Err(Cause::Shutdown),
        };
        if let Err(cause) = sent {
            self.metrics.dropped(camera, Dropped::Overrun, 1);
            self.lost(waiting.part, Some(camera), cause);
        }
    }

    fn frames_lost(&self, camera: &CameraId, count: u64) {
        tracing::warn!(%camera, count, "The camera's frame id jumped: frames were lost.");
        self.metrics.dropped(camera, Dropped::Lost, count);
        if matches!(&self.lead, Some((lead, Lead::Frame)) if lead == camera) {
            // Each lost frame was a part that went by unseen. It is owed an answer like any other. A jump by more
            // than a table of open parts is a counter that was reset, not a thousand parts.
            for _ in 0..count.min(64) {
                let part = self.begin(TriggerSource::Frame, None, None, Came::Now);
                self.lost(part, Some(camera), Cause::FrameLost);
            }
            return;
        }
        let gone = self.seat(camera, |seat| seat.turns.lost(count, seat.exposes_on_trigger()));
        for part in gone.into_iter().flatten() {
            self.lost(part, Some(camera), Cause::FrameLost);
        }
    }

    fn lose_all(&self, camera: &CameraId, cause: Cause) {
        self.seat(camera, |seat| seat.up = false);
        self.lose_all_waiting(camera, cause);
    }

    fn lose_all_waiting(&self, camera: &CameraId, cause: Cause) {
        let parts = self.seat(camera, |seat| seat.turns.clear());
        for part in parts.into_iter().flatten() {
            self.lost(part, Some(camera), cause);
        }
    }

    /// Tells the verdict stage that a view will not come.
    pub fn lost(&self, part: PartId, camera: Option<&CameraId>, cause: Cause) {
        self.tell(Event::Lost { part, camera: camera.cloned(), cause });
    }

    /// If the inbox is full the verdict task hangs. A part whose beginning cannot be told would go unanswered, so the
    /// station is in fault; the PLC sees its heartbeat stop, and rejects.
    fn tell(&self, event: Event<View>) -> bool {
        let Some(begun) = self.inside().begun.clone() else { return false };
        let is_begin = matches!(event, Event::Began(_));
        let told = begun.try_send(Told::Part(event));
        if let Err(error) = &told {
            if is_begin {
                self.metrics.unaccounted.inc();
            }
            self.health.fault("the verdict stage does not take up new parts");
            tracing::error!(%error, "A part's beginning or loss could not be told to the verdict stage.");
        }
        told.is_ok()
    }

    /// Lets the verdict stage tell the PLC that the part may move on. If there is no room it looks by itself, in 20 ms.
    fn exposed(&self) {
        if let Some(begun) = &self.inside().begun {
            let _ = begun.try_send(Told::Exposed);
        }
    }

    fn out_of_step(&self, why: Mismatch) {
        self.notify(Told::OutOfStep(why));
    }

    /// What must not be lost: if there is no room for it the station is in fault, as in [`Desk::tell`].
    fn notify(&self, told: Told) {
        if let Some(begun) = &self.inside().begun
            && begun.try_send(told).is_err()
        {
            self.health.fault("the verdict stage does not take up what it is told");
        }
    }

    fn seat<T>(&self, camera: &CameraId, look: impl FnOnce(&mut Seat) -> T) -> Option<T> {
        self.inside().cameras.get_mut(camera).map(look)
    }

    fn inside(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
