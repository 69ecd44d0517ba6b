//! A running camera, and the thread that keeps it running.

use crate::{
    LineCamera, SourceConfig, WatchConfig,
    error::CaptureError,
    event::{CameraEvent, DownCause, Failure},
    feed::{Outlet, Report},
    reconnect::{Action, Event, Reconnect},
    source::{NotTriggered, Open, SoftwareTrigger, Stream},
};
use crossbeam_channel::{Receiver, Sender, bounded, select};
use plumb_inspection::CameraId;
use std::{
    convert::Infallible,
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::{Duration, Instant},
};

/// A camera at work: opened, watched, reopened when it fails. Dropping it stops it and waits until it has stopped;
/// nothing reaches the sink afterwards.
///
/// One thread, `camera-<id>`, opens and watches. Frames come on the streaming thread: GStreamer's own, or `stream-<id>`
/// for sources without GStreamer (`gige`, `line`, pictures).
pub struct Camera {
    id: CameraId,
    frames_on_trigger: bool,
    not_triggerable: Option<&'static str>,
    trigger: TriggerSlot,
    stop: Option<Sender<Infallible>>,
    supervisor: Option<thread::JoinHandle<()>>,
}

/// Holds the open camera's trigger; empty while it is down.
type TriggerSlot = Arc<Mutex<Option<Arc<dyn SoftwareTrigger>>>>;

impl Camera {
    /// Starts `id`. `line` is wanted by a [`SourceConfig::Line`] alone.
    ///
    /// `sink` is told everything, in order. It is called on the streaming thread and should return at once: a live
    /// camera's frames have nowhere else to wait. With `files` it may block; playing then waits for it (backpressure).
    /// A frame's pixels are lent by the camera: `gige` lends [`GigeConfig::buffers`](crate::GigeConfig) at most.
    ///
    /// # Errors
    /// For what no retry heals: a missing package, a launch line or setting that can never work. A camera or file
    /// that is not there is no error: it is [`CameraEvent::Down`] and tried again.
    pub fn start(
        id: CameraId,
        source: SourceConfig,
        watch: WatchConfig,
        line: Option<Arc<dyn LineCamera>>,
        sink: impl FnMut(CameraEvent) + Send + 'static,
    ) -> Result<Self, CaptureError> {
        let frames_on_trigger = source.frames_on_trigger();
        let not_triggerable = source.not_triggerable();
        let silence_is_normal = source.silence_is_normal();
        let supervisor = Supervisor {
            source: source.prepare(&id, line)?,
            machine: Reconnect::new(watch, silence_is_normal, Instant::now()),
            outlet: Outlet::new(id.clone(), sink),
            trigger: TriggerSlot::default(),
            up_when_open: frames_on_trigger,
        };
        let trigger = supervisor.trigger.clone();
        let (stop, stopped) = bounded(0);
        let supervisor = thread::Builder::new()
            .name(format!("camera-{id}"))
            .spawn(move || supervisor.run(&stopped))
            .map_err(|source| CaptureError::Thread { camera: id.clone(), source })?;
        Ok(Self {
            id,
            frames_on_trigger,
            not_triggerable,
            trigger,
            stop: Some(stop),
            supervisor: Some(supervisor),
        })
    }

    /// Asks for one picture now. Returns when the camera has taken the order, not when the picture is there: a write
    /// over the network for `gige`, an entry in a queue for `line`.
    ///
    /// # Errors
    /// When the camera gives frames of its own accord or on an electric signal, is down, or refuses.
    pub fn trigger(&self) -> Result<(), CaptureError> {
        let camera = || self.id.clone();
        if let Some(says) = self.not_triggerable {
            return Err(CaptureError::NotTriggerable { camera: camera(), says });
        }
        let trigger = self.trigger.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let trigger = trigger.ok_or_else(|| CaptureError::Down { camera: camera() })?;
        trigger.trigger().map_err(|not| match not {
            NotTriggered::Refused(says) => CaptureError::Refused { camera: camera(), says },
            NotTriggered::Unknown(says) => CaptureError::Trigger { camera: camera(), says },
        })
    }

    /// True if a frame comes only for a trigger, by software or by wire; false if the camera runs free.
    pub fn frames_on_trigger(&self) -> bool {
        self.frames_on_trigger
    }
}

impl Drop for Camera {
    fn drop(&mut self) {
        self.stop = None; // the closed channel is the signal
        if let Some(supervisor) = self.supervisor.take() {
            let _ = supervisor.join(); // a panic in there was reported by the panic hook
        }
    }
}

/// Owns the camera's source, at most one open stream of it, and the state machine that says when to open which.
struct Supervisor {
    source: Box<dyn Open>,
    machine: Reconnect,
    outlet: Arc<Outlet>,
    trigger: TriggerSlot,
    up_when_open: bool,
}

impl Supervisor {
    /// More than one opening can say before its first word is acted upon.
    const REPORTS: usize = 16;

    fn run(mut self, stopped: &Receiver<Infallible>) {
        let (reports, inbox) = bounded(Self::REPORTS);
        let mut stream: Option<Box<dyn Stream>> = None;
        let mut opening = 0;
        let (mut event, mut failure) = (Event::Tick, None);
        loop {
            if let Some(at) = self.outlet.last_frame_at() {
                self.machine.on(Instant::now(), Event::Frame { at });
            }
            match self.machine.on(Instant::now(), event) {
                Action::Nothing => {}
                Action::Open => {
                    self.close(&mut stream);
                    let feed = self.outlet.open(reports.clone());
                    opening = feed.opening();
                    match self.source.open(feed.clone()) {
                        Ok(opened) => {
                            *self.slot() = opened.trigger();
                            stream = Some(opened);
                            if self.up_when_open {
                                feed.ready();
                            }
                            (event, failure) = (Event::Opened, None);
                        }
                        Err(why) => (event, failure) = (Event::Failed, Some(why)),
                    }
                    continue;
                }
                Action::GiveUp { retry_in, stalled } => {
                    let failure = match failure.take() {
                        Some(failure) if !stalled => failure,
                        _ => self.why_no_frames(),
                    };
                    *self.slot() = None;
                    tracing::warn!(camera = %self.source.camera(), why = failure.why.as_str(), says = %failure.says,
                        retry_ms = retry_in.as_millis() as u64, "Camera is down.");
                    self.outlet.down(failure, retry_in);
                    self.close(&mut stream);
                }
                Action::End => {
                    self.close(&mut stream);
                    self.outlet.ended();
                }
            }
            let wait = self
                .machine
                .wake_at()
                .map_or(Self::A_LONG_TIME, |at| at.saturating_duration_since(Instant::now()));
            (event, failure) = select! {
                recv(stopped) -> _ => break,
                recv(inbox) -> report => match report {
                    Ok((from, report)) if from == opening => Self::read(report),
                    _ => (Event::Tick, None), // said by a stream that is closed by now
                },
                default(wait) => (Event::Tick, None),
            };
        }
        self.close(&mut stream);
    }

    /// Nothing is due; only a report or the end of the camera changes anything.
    const A_LONG_TIME: Duration = Duration::from_secs(3600);

    fn read(report: Report) -> (Event, Option<Failure>) {
        match report {
            Report::FirstFrame => (Event::Tick, None), // when it was is asked of the outlet
            Report::Failed(failure) => (Event::Failed, Some(failure)),
            Report::Again => {
                let bare = Failure::new(DownCause::Corrupt, "came to its end without a single picture");
                (Event::Again, Some(bare))
            }
            Report::Ended => (Event::Ended, None),
        }
    }

    fn close(&self, stream: &mut Option<Box<dyn Stream>>) {
        *self.slot() = None;
        *stream = None;
    }

    fn why_no_frames(&self) -> Failure {
        match self.outlet.corrupt_since_good() {
            0 => {
                Failure::new(DownCause::Stalled, "no picture came in time; is it triggered, lit, connected?")
            }
            // A cable that is pulled cuts the picture it was sending in half.
            1 => Failure::new(
                DownCause::Stalled,
                "no picture came in time, and the last one was damaged; is it connected?",
            ),
            n => Failure::new(DownCause::Corrupt, format!("the last {n} pictures were all damaged")),
        }
    }

    fn slot(&self) -> std::sync::MutexGuard<'_, Option<Arc<dyn SoftwareTrigger>>> {
        self.trigger.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
