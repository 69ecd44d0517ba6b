//! What the tests break a station with that runs in their own process: its camera, and any stage, by the ear that hears
//! it take up its work.

use crate::belt::Belt;
use plumb_capture::{LineCamera, LineExposure};
use plumb_inspection::{Image, PixelFormat};
use plumb_station::ear::Ear;
use std::{
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

/// What is wrong with the camera.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum CameraFault {
    #[default]
    None,
    /// Its cable is out.
    Unplugged,
    /// Each picture arrives this much after it was taken.
    Late(Duration),
    /// Each second picture is lost on its way; the next one's number shows it.
    Lossy,
    /// It exposes twice for each word; the first of the two is lost.
    Bouncing,
    /// Pictures of another size than the recipe's region.
    Small,
    /// The light is off.
    Black,
    /// The light is far too strong.
    White,
}

/// What is wrong with a stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StageFault {
    /// It takes its work up and does not come back until the fault ends.
    Hangs,
    /// It panics at each piece of work.
    Panics,
}

/// The switches. Clones are the same.
#[derive(Clone, Default)]
pub(crate) struct Breaker(Arc<Inner>);

#[derive(Default)]
struct Inner {
    switches: Mutex<Switches>,
    changed: Condvar,
}

#[derive(Default)]
struct Switches {
    camera: CameraFault,
    stage: Option<(&'static str, StageFault)>,
}

impl Breaker {
    pub(crate) fn camera(&self, fault: CameraFault) {
        self.lock().camera = fault;
    }

    pub(crate) fn stage(&self, stage: &'static str, fault: StageFault) {
        self.lock().stage = Some((stage, fault));
    }

    /// All is well again; what hung goes on.
    pub(crate) fn mend(&self) {
        let mut switches = self.lock();
        (switches.camera, switches.stage) = (CameraFault::None, None);
        drop(switches);
        self.0.changed.notify_all();
    }

    /// For [`plumb_station::station::Wiring`].
    pub(crate) fn ear(&self) -> Ear {
        let breaker = self.clone();
        Ear::new(move |stage| breaker.hear(stage))
    }

    fn hear(&self, stage: &'static str) {
        let mut switches = self.lock();
        if switches.stage == Some((stage, StageFault::Panics)) {
            drop(switches);
            panic!("the test breaks stage {stage}");
        }
        while switches.stage == Some((stage, StageFault::Hangs)) {
            switches = self.0.changed.wait(switches).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Switches> {
        self.0.switches.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The camera over the belt, with its faults.
pub(crate) struct Eye {
    pub(crate) belt: Belt,
    pub(crate) breaker: Breaker,
}

impl LineCamera for Eye {
    fn expose(&self) -> Option<LineExposure> {
        let mut exposure = self.belt.line().expose(Instant::now());
        let fault = self.breaker.lock().camera;
        match fault {
            CameraFault::Late(late) => thread::sleep(late), // the fault itself, not a wait for something
            CameraFault::Lossy if exposure.frame_id.is_multiple_of(2) => return None,
            CameraFault::Bouncing => exposure = self.belt.line().expose(Instant::now()),
            CameraFault::Small => exposure.image = picture(16, 12, 128),
            CameraFault::Black => {
                exposure.image = picture(exposure.image.width(), exposure.image.height(), 0);
            }
            CameraFault::White => {
                exposure.image = picture(exposure.image.width(), exposure.image.height(), 255);
            }
            CameraFault::None | CameraFault::Lossy | CameraFault::Unplugged => {}
        }
        self.belt.gives(&exposure);
        Some(LineExposure { image: exposure.image, frame_id: exposure.frame_id })
    }

    fn is_there(&self) -> bool {
        self.breaker.lock().camera != CameraFault::Unplugged
    }
}

fn picture(width: u32, height: u32, grey: u8) -> Image {
    let pixels = vec![grey; width as usize * height as usize * 3];
    Image::packed(width, height, PixelFormat::Bgr8, pixels).expect("as many bytes as it has pixels")
}
