//! The one door through which a camera's events leave: numbered, in order, nothing from a stream already given up.

use crate::{
    event::{CameraEvent, Failure},
    frame_id::FrameIds,
};
use crossbeam_channel::Sender;
use plumb_inspection::{CameraId, Frame, Image, Stamp};
use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

/// What a stream tells the supervisor of its camera.
#[derive(Debug)]
pub(crate) enum Report {
    /// The first good frame of this opening: from now on a stall counts from the last frame.
    FirstFrame,
    /// It broke off.
    Failed(Failure),
    /// It came to its end and is to be played again.
    Again,
    /// It came to its end for good.
    Ended,
}

/// A camera's sink and what must be remembered from frame to frame. Lives as long as the camera.
pub(crate) struct Outlet {
    camera: CameraId,
    began: Instant,
    /// Nanoseconds since `began`, 0 for none in this opening: read by the supervisor without waiting for the sink.
    last_frame_ns: AtomicU64,
    /// Damaged pictures since the last good one.
    corrupt_since: AtomicU64,
    inner: Mutex<Inner>,
}

struct Inner {
    sink: Box<dyn FnMut(CameraEvent) + Send>,
    /// Which opening may speak; a stream of an earlier one is not heard.
    opening: u64,
    /// This opening gave no good frame yet.
    fresh: bool,
    up: bool,
    seq: u64,
    ids: FrameIds,
}

impl Outlet {
    pub(crate) fn new(camera: CameraId, sink: impl FnMut(CameraEvent) + Send + 'static) -> Arc<Self> {
        let inner = Inner {
            sink: Box::new(sink),
            opening: 0,
            fresh: true,
            up: false,
            seq: 0,
            ids: FrameIds::default(),
        };
        Arc::new(Self {
            camera,
            began: Instant::now(),
            last_frame_ns: AtomicU64::new(0),
            corrupt_since: AtomicU64::new(0),
            inner: Mutex::new(inner),
        })
    }

    /// A feed for a new opening; feeds handed out before fall silent.
    pub(crate) fn open(self: &Arc<Self>, reports: Sender<(u64, Report)>) -> Feed {
        let mut inner = self.lock();
        self.next_opening(&mut inner);
        Feed { outlet: self.clone(), opening: inner.opening, reports }
    }

    /// Says that the camera is down; whatever its stream still gives is not heard.
    pub(crate) fn down(&self, failure: Failure, retry_in: Duration) {
        let mut inner = self.lock();
        self.next_opening(&mut inner);
        inner.up = false;
        let Failure { why, says } = failure;
        (inner.sink)(CameraEvent::Down { why, says, retry_in });
    }

    /// Says that nothing more will come.
    pub(crate) fn ended(&self) {
        let mut inner = self.lock();
        self.next_opening(&mut inner);
        inner.up = false;
        (inner.sink)(CameraEvent::Ended);
    }

    /// When the latest good frame of this opening arrived.
    pub(crate) fn last_frame_at(&self) -> Option<Instant> {
        match self.last_frame_ns.load(Relaxed) {
            0 => None,
            ns => Some(self.began + Duration::from_nanos(ns)),
        }
    }

    /// Damaged pictures since the last good one.
    pub(crate) fn corrupt_since_good(&self) -> u64 {
        self.corrupt_since.load(Relaxed)
    }

    fn next_opening(&self, inner: &mut Inner) {
        inner.opening += 1;
        inner.fresh = true;
        inner.ids = FrameIds::default();
        self.last_frame_ns.store(0, Relaxed);
        self.corrupt_since.store(0, Relaxed);
    }

    // A sink that panicked has been told of nothing it must undo, so its camera goes on.
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a source is given at each opening: where its frames go. Clones speak for the same opening.
#[derive(Clone)]
pub(crate) struct Feed {
    outlet: Arc<Outlet>,
    opening: u64,
    reports: Sender<(u64, Report)>,
}

impl Feed {
    /// Whose.
    pub(crate) fn camera(&self) -> &CameraId {
        &self.outlet.camera
    }

    /// Which opening, counted from 1.
    pub(crate) fn opening(&self) -> u64 {
        self.opening
    }

    /// Hands a frame to the sink, on the calling thread. False if nobody listens any more and the stream may stop.
    pub(crate) fn frame(&self, image: Image, camera_frame_id: Option<u64>, at: Stamp) -> bool {
        let Some(mut inner) = self.heard() else { return false };
        let ns = at.mono.saturating_duration_since(self.outlet.began).as_nanos() as u64;
        self.outlet.last_frame_ns.store(ns.max(1), Relaxed);
        self.outlet.corrupt_since.store(0, Relaxed);
        if std::mem::take(&mut inner.fresh) {
            self.report(Report::FirstFrame);
        }
        inner.say_up();
        if let Some(count) = camera_frame_id.map(|id| inner.ids.missing_before(id)).filter(|&count| count > 0)
        {
            (inner.sink)(CameraEvent::FramesLost { count });
        }
        inner.seq += 1;
        let frame = Frame { camera: self.camera().clone(), seq: inner.seq, camera_frame_id, at, image };
        (inner.sink)(CameraEvent::Frame(frame));
        true
    }

    /// Says that the camera is ready, before any frame: for cameras that wait for triggers.
    pub(crate) fn ready(&self) {
        if let Some(mut inner) = self.heard() {
            inner.say_up();
        }
    }

    /// One picture was damaged and thrown away. `id` is its camera frame id, so that it is not also counted as lost;
    /// unknown, it is taken for the next.
    pub(crate) fn corrupt(&self, id: Option<u64>, says: impl Into<String>) {
        let Some(mut inner) = self.heard() else { return };
        self.outlet.corrupt_since.fetch_add(1, Relaxed);
        match id.map(|id| inner.ids.missing_before(id)) {
            None => inner.ids.one_without_number(),
            Some(0) => {}
            Some(count) => (inner.sink)(CameraEvent::FramesLost { count }),
        }
        (inner.sink)(CameraEvent::Corrupt { says: says.into() });
    }

    /// True once this opening gave a good frame.
    pub(crate) fn gave_frames(&self) -> bool {
        self.outlet.last_frame_at().is_some()
    }

    /// The stream broke off.
    pub(crate) fn failed(&self, failure: Failure) {
        self.report(Report::Failed(failure));
    }

    /// The stream came to its end; `again` plays it from the start.
    pub(crate) fn ended(&self, again: bool) {
        self.report(if again { Report::Again } else { Report::Ended });
    }

    // The channel holds more reports than one opening can make before its first is acted upon; what does not fit
    // would not have been heard.
    fn report(&self, report: Report) {
        let _ = self.reports.try_send((self.opening, report));
    }

    fn heard(&self) -> Option<MutexGuard<'_, Inner>> {
        Some(self.outlet.lock()).filter(|inner| inner.opening == self.opening)
    }
}

impl Inner {
    fn say_up(&mut self) {
        if !self.up {
            self.up = true;
            (self.sink)(CameraEvent::Up);
        }
    }
}
