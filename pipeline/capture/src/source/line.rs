//! The camera over the built-in line: every trigger is an exposure.

use super::{NotTriggered, Open, SoftwareTrigger, Stream};
use crate::{
    error::CaptureError,
    event::{DownCause, Failure},
    feed::Feed,
    stream_thread::StreamThread,
};
use crossbeam_channel::{Sender, TrySendError, bounded, select};
use plumb_inspection::{CameraId, Image, Stamp};
use serde::{Deserialize, Serialize};
use std::{sync::Arc, time::Duration};

/// Nothing to say: the line is handed over at the start.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LineSourceConfig {}

/// What a simulated line must offer to be looked at.
pub trait LineCamera: Send + Sync {
    /// Takes a picture of what is under the camera now. Called on thread `stream-<camera>`; may take as long as
    /// rendering takes. `None`: it was taken, and lost on its way; the next one's number shows it.
    fn expose(&self) -> Option<LineExposure>;

    /// False while the camera over the line is unplugged: it is down then, and sought until it is back.
    fn is_there(&self) -> bool {
        true
    }
}

/// One picture of the line.
#[derive(Clone, Debug)]
pub struct LineExposure {
    /// The picture.
    pub image: Image,
    /// The camera's counter: the next exposure has the next number, unless a picture was lost.
    pub frame_id: u64,
}

pub(super) struct Line {
    camera: CameraId,
    line: Arc<dyn LineCamera>,
}

impl Line {
    pub(super) fn prepare(
        camera: &CameraId,
        line: Option<Arc<dyn LineCamera>>,
    ) -> Result<Self, CaptureError> {
        let line = line.ok_or_else(|| CaptureError::NoLine { camera: camera.clone() })?;
        Ok(Self { camera: camera.clone(), line })
    }
}

/// Exposures ordered and not yet taken. More means that rendering cannot follow the belt, and the trigger says so.
const ORDERS: usize = 8;

/// How often a camera without orders is asked whether it is still there, as a real one is by its heartbeat.
const LOOK_EVERY: Duration = Duration::from_millis(50);

impl Open for Line {
    fn camera(&self) -> &CameraId {
        &self.camera
    }

    fn open(&mut self, feed: Feed) -> Result<Box<dyn Stream>, Failure> {
        let line = self.line.clone();
        if !line.is_there() {
            return Err(unplugged());
        }
        let (order, orders) = bounded(ORDERS);
        let thread = StreamThread::spawn(feed, move |feed, stopped| {
            loop {
                select! {
                    recv(stopped) -> _ => return,
                    recv(orders) -> order => if order.is_err() { return },
                    default(LOOK_EVERY) => if line.is_there() { continue },
                }
                if !line.is_there() {
                    feed.failed(unplugged());
                    return;
                }
                let Some(LineExposure { image, frame_id }) = line.expose() else { continue };
                if !feed.frame(image, Some(frame_id), Stamp::now()) {
                    return;
                }
            }
        })?;
        Ok(Box::new(LineStream { shutter: Arc::new(Shutter(order)), _thread: thread }))
    }
}

fn unplugged() -> Failure {
    Failure::new(DownCause::Unplugged, "the camera over the line is not there; is it plugged in?")
}

struct LineStream {
    shutter: Arc<Shutter>,
    _thread: StreamThread,
}

impl Stream for LineStream {
    fn trigger(&self) -> Option<Arc<dyn SoftwareTrigger>> {
        Some(self.shutter.clone())
    }
}

struct Shutter(Sender<()>);

impl SoftwareTrigger for Shutter {
    fn trigger(&self) -> Result<(), NotTriggered> {
        self.0.try_send(()).map_err(|error| match error {
            TrySendError::Full(()) => {
                NotTriggered::Refused(format!("{ORDERS} exposures are still waiting to be taken"))
            }
            TrySendError::Disconnected(()) => NotTriggered::Refused("it is stopping".into()),
        })
    }
}
