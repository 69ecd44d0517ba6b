//! A GStreamer pipeline at work: frames from its appsink, and sentences from its bus.

use crate::{
    appsink::{CAPS, Shape},
    cut_off::is_cut_off,
    event::{DownCause, Failure},
    feed::Feed,
    source::Stream,
    stream_thread::Stopped,
};
use crossbeam_channel::{Sender, bounded};
use gstreamer::{self as gst, prelude::*};
use gstreamer_app as gst_app;
use plumb_inspection::Stamp;
use std::{
    convert::Infallible,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

/// What is appended to every launch line.
pub(crate) const SINK: &str = "appsink name=plumb";

/// GStreamer's `GST_BUFFER_OFFSET_NONE`.
const NO_OFFSET: u64 = u64::MAX;

/// Builds `launch ! appsink`, without starting it.
pub(crate) fn build(launch: &str) -> Result<gst::Pipeline, gst::glib::Error> {
    gst::parse::launch(&format!("{launch} ! {SINK}"))?.downcast().map_err(|_| {
        gst::glib::Error::new(gst::ParseError::Link, "a launch line with two elements is always a pipeline")
    })
}

/// How a pipeline is played.
pub(crate) struct Play {
    /// What is played, for sentences about it: a file, an address.
    pub(crate) what: String,
    /// Where `buffer.offset` comes from that counts the camera's frames: an element's name, or the appsink itself.
    pub(crate) frame_ids: FrameIdsFrom,
    /// What the end of the stream means.
    pub(crate) at_end: AtEnd,
    /// When stored frames are due; a live camera's are due when they come.
    pub(crate) pace: Option<Pace>,
    /// True if buffers that reach a JPEG decoder are whole pictures, so that a missing end is a truncated picture.
    pub(crate) whole_jpegs: bool,
}

/// Called before each frame with its time in the stream; returns when it is due, false to stop.
pub(crate) type Pace = Box<dyn FnMut(Option<gst::ClockTime>, &Stopped) -> bool + Send>;

/// Where a camera's frame counter can be read.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum FrameIdsFrom {
    Nowhere,
    /// The offset of the buffers that arrive.
    Arriving,
    /// The offset of the buffers that leave the element `light`; between it and the appsink no frame overtakes another.
    Light,
}

/// What the end of the stream means.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum AtEnd {
    /// A live camera never ends; something ended it.
    Down,
    /// All pictures were played.
    Ended,
    /// All pictures were played and are to be played again.
    Again,
}

/// A playing pipeline. Dropping it stops it and waits for its streaming threads.
pub(crate) struct Playing {
    pipeline: gst::Pipeline,
    /// Wakes a streaming thread that waits for its pace.
    stop: Option<Sender<Infallible>>,
}

impl Stream for Playing {}

impl Drop for Playing {
    fn drop(&mut self) {
        self.stop = None;
        if let Err(error) = self.pipeline.set_state(gst::State::Null) {
            tracing::warn!(%error, "A camera's pipeline did not stop cleanly.");
        }
        // The sync handler holds the feed, and the bus outlives the pipeline in messages under way.
        if let Some(bus) = self.pipeline.bus() {
            bus.unset_sync_handler();
        }
    }
}

/// Starts `pipeline`, which was made by [`build`].
pub(crate) fn play(pipeline: gst::Pipeline, feed: Feed, play: Play) -> Result<Playing, Failure> {
    let sink: gst_app::AppSink =
        pipeline.by_name("plumb").and_then(|sink| sink.downcast().ok()).expect("`build` appended it");
    let caps: gst::Caps = CAPS.parse().expect("constant caps are well written");
    sink.set_caps(Some(&caps));
    // Frames are handed on in the callback and never queue here; no clock decides when.
    sink.set_sync(false);
    sink.set_max_buffers(1);
    sink.set_property("enable-last-sample", false);
    let (stop, stopped) = bounded(0);
    let light_id = (play.frame_ids == FrameIdsFrom::Light).then(|| count_at_light(&pipeline)).flatten();
    sink.set_callbacks(frames(feed.clone(), play.frame_ids, light_id, play.pace, stopped));
    watch_decoders(&pipeline, &feed, play.whole_jpegs);
    let why = watch_bus(&pipeline, feed, play.what, play.at_end);
    let playing = Playing { pipeline, stop: Some(stop) };
    match playing.pipeline.set_state(gst::State::Playing) {
        Ok(_) => Ok(playing),
        Err(_) => {
            let why = why.lock().unwrap_or_else(PoisonError::into_inner).take();
            Err(why.unwrap_or_else(|| Failure::new(DownCause::Failed, "its pipeline does not start")))
        }
    }
}

fn frames(
    feed: Feed,
    ids: FrameIdsFrom,
    light_id: Option<Arc<AtomicU64>>,
    mut pace: Option<Pace>,
    stopped: Stopped,
) -> gst_app::AppSinkCallbacks {
    let mut shape: Option<Shape> = None;
    gst_app::AppSinkCallbacks::builder()
        .new_sample(move |sink| {
            let mut at = Stamp::now();
            let sample = sink.pull_sample().map_err(|_| gst::FlowError::Eos)?;
            let (Some(caps), Some(buffer)) = (sample.caps(), sample.buffer_owned()) else {
                return Ok(gst::FlowSuccess::Ok);
            };
            drop_caps_unless_of(&mut shape, caps);
            let shape = match &shape {
                Some(shape) => shape,
                None => match Shape::read(caps) {
                    Ok(read) => shape.insert(read),
                    Err(failure) => {
                        feed.failed(failure);
                        return Err(gst::FlowError::NotNegotiated);
                    }
                },
            };
            let id = match ids {
                FrameIdsFrom::Nowhere => None,
                FrameIdsFrom::Arriving => Some(buffer.offset()).filter(|&id| id != NO_OFFSET),
                FrameIdsFrom::Light => {
                    light_id.as_ref().map(|id| id.load(Relaxed)).filter(|&id| id != NO_OFFSET)
                }
            };
            let pts = buffer.pts();
            let image = match shape.image(buffer) {
                Ok(image) => image,
                Err(says) => {
                    feed.corrupt(id, says);
                    return Ok(gst::FlowSuccess::Ok);
                }
            };
            if let Some(pace) = &mut pace {
                if !pace(pts, &stopped) {
                    return Err(gst::FlowError::Flushing);
                }
                at = Stamp::now(); // a stored picture is taken when its time has come, not when it is decoded
            }
            if feed.frame(image, id, at) { Ok(gst::FlowSuccess::Ok) } else { Err(gst::FlowError::Flushing) }
        })
        .build()
}

fn drop_caps_unless_of(shape: &mut Option<Shape>, caps: &gst::CapsRef) {
    if shape.as_ref().is_some_and(|shape| !shape.is_of(caps)) {
        *shape = None;
    }
}

/// Notes the offset of each buffer that leaves the element named `light`.
fn count_at_light(pipeline: &gst::Pipeline) -> Option<Arc<AtomicU64>> {
    let latest = Arc::new(AtomicU64::new(NO_OFFSET));
    let seen = latest.clone();
    pipeline.by_name("light")?.static_pad("src")?.add_probe(gst::PadProbeType::BUFFER, move |_, info| {
        if let Some(buffer) = info.buffer() {
            seen.store(buffer.offset(), Relaxed);
        }
        gst::PadProbeReturn::Ok
    });
    Some(latest)
}

/// Teaches decoders, as they appear, not to hand on what is damaged.
fn watch_decoders(pipeline: &gst::Pipeline, feed: &Feed, whole_jpegs: bool) {
    let feed = feed.clone();
    let watch = move |element: &gst::Element| {
        let Some(factory) = element.factory() else { return };
        if whole_jpegs
            && factory.name() == "jpegdec"
            && let Some(pad) = element.static_pad("sink")
        {
            let feed = feed.clone();
            pad.add_probe(gst::PadProbeType::BUFFER, move |_, info| match info.buffer() {
                Some(buffer) if jpeg_is_cut(buffer) => {
                    feed.corrupt(None, "a JPEG picture of the stream is cut off before its end");
                    gst::PadProbeReturn::Handled // it goes no further; `Drop` would free it twice in GStreamer 1.22
                }
                _ => gst::PadProbeReturn::Ok,
            });
        }
        // libav's decoders paint over what they missed and hand it on; half a part must not be judged.
        if element.has_property("output-corrupt") {
            element.set_property("output-corrupt", false);
        }
    };
    pipeline.iterate_recurse().into_iter().flatten().for_each(|element| watch(&element));
    pipeline.connect_deep_element_added(move |_, _, element| watch(element));
}

fn jpeg_is_cut(buffer: &gst::BufferRef) -> bool {
    buffer.map_readable().is_ok_and(|map| is_cut_off(map.as_slice()))
}

/// Listens to the pipeline on the threads that speak. The cell holds the first failure, for a start that fails.
fn watch_bus(
    pipeline: &gst::Pipeline,
    feed: Feed,
    what: String,
    at_end: AtEnd,
) -> Arc<Mutex<Option<Failure>>> {
    let first = Arc::new(Mutex::new(None));
    let cell = first.clone();
    let bus = pipeline.bus().expect("a pipeline has a bus");
    bus.set_sync_handler(move |_, message| {
        match message.view() {
            gst::MessageView::Error(error) => {
                let failure = read_error(&what, &error.error(), error.debug().as_deref());
                tracing::debug!(camera = %feed.camera(), debug = ?error.debug(), "GStreamer error.");
                cell.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert_with(|| failure.clone());
                feed.broke_off(failure, at_end);
            }
            gst::MessageView::Warning(warning) if warning.error().is::<gst::StreamError>() => {
                feed.corrupt(None, format!("{what}: {}", warning.error().message()));
            }
            gst::MessageView::Eos(_) => match at_end {
                AtEnd::Down => {
                    feed.failed(Failure::new(DownCause::Ended, format!("{what} was ended by its sender")))
                }
                AtEnd::Ended => feed.ended(false),
                AtEnd::Again => feed.ended(true),
            },
            _ => {}
        }
        gst::BusSyncReply::Drop
    });
    first
}

impl Feed {
    /// A stored stream that breaks off after its first frame cannot be opened anew where it broke: it is damaged, and
    /// ends there. Anything else is down.
    fn broke_off(&self, failure: Failure, at_end: AtEnd) {
        if at_end == AtEnd::Down || !self.gave_frames() {
            return self.failed(failure);
        }
        self.corrupt(None, failure.says);
        self.ended(at_end == AtEnd::Again);
    }
}

/// Sorts GStreamer's errors into ours.
fn read_error(what: &str, error: &gst::glib::Error, debug: Option<&str>) -> Failure {
    use gst::{ResourceError as R, StreamError as S};
    if debug.is_some_and(|debug| debug.contains("not-negotiated")) {
        let advice = "end `launch` with `! videoconvert`, or set another `format`";
        return Failure::new(
            DownCause::Failed,
            format!("{what} gives no GRAY8, BGR or 8-bit Bayer picture; {advice}"),
        );
    }
    let why = if let Some(resource) = error.kind::<R>() {
        match resource {
            R::NotAuthorized | R::Busy | R::Settings => DownCause::Refused,
            _ => DownCause::Unplugged,
        }
    } else if let Some(stream) = error.kind::<S>() {
        match stream {
            S::TypeNotFound | S::WrongType | S::CodecNotFound | S::Decode | S::Demux | S::Format => {
                DownCause::Corrupt
            }
            _ => DownCause::Failed,
        }
    } else {
        DownCause::Failed
    };
    // The debug text's last line is often the only one that names the cause ("Connection refused").
    let detail = debug.and_then(|debug| debug.lines().last()).map(str::trim).filter(|line| !line.is_empty());
    match detail {
        Some(detail) if !error.message().contains(detail) => {
            Failure::new(why, format!("{what}: {} ({detail})", error.message()))
        }
        _ => Failure::new(why, format!("{what}: {}", error.message())),
    }
}

/// Waits for `time`; false if stopped meanwhile.
pub(crate) fn wait(time: Duration, stopped: &Stopped) -> bool {
    matches!(stopped.recv_timeout(time), Err(crossbeam_channel::RecvTimeoutError::Timeout))
}
