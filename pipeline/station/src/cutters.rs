//! The threads `preprocess-<camera>`: each cuts its camera's frames, and learns what another edition wants cut between
//! two frames.

use crate::{
    config::CameraPlan,
    devices::Devices,
    ear::Ear,
    edition::LoadedRecipe,
    hot_path::{BEAT, Cutting, Desk, Heart, Leg, Prepared, Preparer, Pulse, Route},
    priority,
    scale::CameraScale,
    threads,
};
use crossbeam_channel::{Receiver, SendTimeoutError, Sender, bounded, select};
use plumb_inspection::{CameraId, Cause, Edition, Frame, Image, PixelFormat, Stamp, Trip};
use plumb_preprocess::{Cut, Optics, Preprocessor};
use std::{
    collections::BTreeMap,
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    thread::JoinHandle,
    time::Duration,
};

/// How long a camera's thread may take to notice an edition: longer than a full inbox of any device behind it.
const PATIENCE: Duration = Duration::from_secs(10);

/// Every camera's thread.
#[derive(Default)]
pub struct Cutters {
    by_camera: BTreeMap<CameraId, Cutter>,
}

struct Cutter {
    optics: Optics,
    scale: CameraScale,
    orders: Sender<Order>,
}

/// What a thread is told, between two frames.
enum Order {
    Learn {
        edition: Edition,
        cutting: Box<Cutting>,
        done: Sender<()>,
    },
    /// What was learned goes back to be dropped where nobody waits.
    Forget {
        edition: Edition,
        back: Sender<Option<Cutting>>,
    },
}

impl Cutters {
    /// Starts a camera's thread.
    ///
    /// # Errors
    /// When there is no thread to be had.
    pub fn start(
        &mut self,
        camera: &CameraPlan,
        frames: Receiver<Trip<Frame>>,
        desk: Arc<Desk>,
        pulse: &Arc<Pulse>,
        ear: Ear,
    ) -> io::Result<JoinHandle<()>> {
        // Orders are rare, and whoever gives one waits for it.
        let (orders_in, orders) = bounded(2);
        let preparer = Preparer::new(camera.id.clone());
        let heart = pulse.listen("preprocess");
        let thread = CutterThread { preparer, frames, orders, desk, heart, ear };
        let thread = threads::spawn(format!("preprocess-{}", camera.id), move || {
            priority::come_soon();
            thread.run()
        })?;
        let (optics, scale) = (camera.optics.clone(), CameraScale::of(camera));
        self.by_camera.insert(camera.id.clone(), Cutter { optics, scale, orders: orders_in });
        Ok(thread)
    }

    /// Teaches each of the recipe's cameras what to cut for it and where to send the pieces, and waits until they know.
    ///
    /// # Errors
    /// In a sentence: a region that the model cannot be given, or that lies outside the camera's frames; a thread that
    /// does not listen.
    pub fn learn(&self, recipe: &LoadedRecipe, devices: &Devices, desk: &Desk) -> Result<(), String> {
        let mut told = Vec::new();
        for camera in &recipe.cameras {
            let cutter = self.by_camera.get(camera).expect("Plan admits regions of known cameras only");
            let cutting = cutting(recipe, camera, cutter, devices, desk)?;
            told.push((camera, cutter, Box::new(cutting)));
        }
        for (camera, cutter, cutting) in told {
            let (done, is_done) = bounded(1);
            let order = Order::Learn { edition: recipe.edition, cutting, done };
            let learned =
                cutter.orders.send_timeout(order, PATIENCE).is_ok() && is_done.recv_timeout(PATIENCE).is_ok();
            if !learned {
                return Err(format!(
                    "preprocessing of camera {camera} does not take up a new recipe; it hangs"
                ));
            }
        }
        Ok(())
    }

    /// Nobody sends trips of `edition` any more.
    pub fn forget(&self, edition: Edition) {
        for cutter in self.by_camera.values() {
            let (back, came_back) = bounded(1);
            // A thread that has ended, or hangs, keeps what it knows; it does no harm there.
            if cutter.orders.send_timeout(Order::Forget { edition, back }, PATIENCE).is_ok() {
                drop(came_back.recv_timeout(PATIENCE));
            }
        }
    }
}

fn cutting(
    recipe: &LoadedRecipe,
    camera: &CameraId,
    cutter: &Cutter,
    devices: &Devices,
    desk: &Desk,
) -> Result<Cutting, String> {
    let (mut cuts, mut by_device) = (Vec::new(), BTreeMap::<&str, Vec<_>>::new());
    let regions = recipe.plan.regions.iter().enumerate().filter(|(_, region)| region.camera == *camera);
    for (tensor, (index, region)) in regions.enumerate() {
        let model = recipe.model_of(index);
        let spec = model.info.input.clone();
        cuts.push(Cut { region: region.name.clone(), rect_px: region.rect_px, spec });
        by_device.entry(&model.device).or_default().push((tensor, model.id));
    }
    let leg = |(device, looks)| Leg { inbox: devices.inbox(device), looks };
    let route = Route { legs: by_device.into_iter().map(leg).collect() };
    let preprocessor = Preprocessor::new(cutter.optics.clone(), cuts)
        .and_then(|preprocessor| preprocessor.measuring(recipe.plan.gauges_of(camera)))
        .map_err(|error| error.to_string())?;
    let preprocessor = match recipe.plan.aligner_of(camera) {
        Some(aligner) => preprocessor.following(aligner.clone()),
        None => preprocessor,
    };
    let mut cutting = Cutting::new(preprocessor, cutter.scale.clone(), route);
    if let Some(shape) = desk.shape_of(camera) {
        let frame = blank(camera, shape);
        cutting.rehearse(&frame).map_err(|error| format!("recipe \"{}\": {error}", recipe.plan.name))?;
    }
    Ok(cutting)
}

/// A dark frame like those that the camera gives.
fn blank(camera: &CameraId, (width, height, format): (u32, u32, PixelFormat)) -> Frame {
    let pixels = vec![0; width as usize * height as usize * format.bytes_per_px()];
    let image = Image::packed(width, height, format, pixels).expect("the size is that of a real frame");
    Frame { camera: camera.clone(), seq: 0, camera_frame_id: None, at: Stamp::now(), image }
}

/// `preprocess-<camera>`.
struct CutterThread {
    preparer: Preparer,
    frames: Receiver<Trip<Frame>>,
    orders: Receiver<Order>,
    desk: Arc<Desk>,
    heart: Heart,
    ear: Ear,
}

impl CutterThread {
    /// Ends when the desk closes, or there is no device left to send to.
    fn run(mut self) {
        let mut orders = self.orders.clone();
        loop {
            self.heart.beat();
            select! {
                recv(self.frames) -> trip => match trip {
                    Ok(trip) => if !self.cut(trip) {
                        break;
                    },
                    Err(_) => break,
                },
                recv(orders) -> order => match order {
                    Ok(order) => self.obey(order),
                    Err(_) => orders = crossbeam_channel::never(),
                },
                default(BEAT) => {}
            }
        }
        self.heart.leave();
    }

    fn cut(&mut self, trip: Trip<Frame>) -> bool {
        let (part, camera) = (trip.part, trip.camera.clone());
        match catch_unwind(AssertUnwindSafe(|| {
            self.ear.hears("preprocess");
            self.preparer.prepare(trip)
        })) {
            Ok(Ok(trip)) => return self.hand_on(trip),
            Ok(Err(loss)) => self.desk.lost(loss.part, Some(&loss.camera), loss.cause),
            Err(_) => self.desk.lost(part, Some(&camera), Cause::Preprocess),
        }
        true
    }

    /// Waits for room: it is the device that is slow then, or hangs.
    fn hand_on(&self, trip: Trip<Prepared>) -> bool {
        let (inbox, mut trip) = (trip.cargo.leg().inbox.clone(), trip);
        loop {
            trip = match inbox.send_timeout(trip, BEAT) {
                Ok(()) => return true,
                Err(SendTimeoutError::Disconnected(_)) => return false,
                Err(SendTimeoutError::Timeout(trip)) => trip,
            };
            self.heart.beat();
        }
    }

    fn obey(&mut self, order: Order) {
        match order {
            Order::Learn { edition, cutting, done } => {
                self.preparer.learn(edition, *cutting);
                let _ = done.send(()); // who asked may have lost patience
            }
            Order::Forget { edition, back } => {
                let _ = back.send(self.preparer.forget(edition));
            }
        }
    }
}
