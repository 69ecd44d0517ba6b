//! Industrial cameras: GigE Vision and USB3 Vision, through the Aravis library.
//!
//! Not through GStreamer's `aravissrc`: that element (0.8.26) hands out a buffer and gives it back to be filled again
//! in the same breath, knows no frame ids, breaks off after 2 s without a trigger, and drops incomplete frames unsaid.

mod aravis;

use super::{NotTriggered, Open, SoftwareTrigger, Stream};
use crate::{
    elements::{LIBARAVIS, LIBARAVIS_PACKAGE},
    error::CaptureError,
    event::{DownCause, Failure},
    feed::Feed,
    stream_thread::{Stopped, StreamThread},
};
use aravis::{Aravis, Arrival, Device, Exposures};
use plumb_inspection::{CameraId, Image, PixelFormat, Stamp};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// `kind = "gige"`. What is left out stays as the camera has it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct GigeConfig {
    /// Serial number, `vendor-serial` id, user-given name, IP or MAC address; left out, the first camera found.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub camera: Option<String>,
    /// What a pixel is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pixel_format: Option<GigePixelFormat>,
    /// Width in px of the part of the sensor that is read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub width: Option<u32>,
    /// Height in px.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub height: Option<u32>,
    /// Left edge on the sensor in px.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offset_x: Option<u32>,
    /// Top edge on the sensor in px.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offset_y: Option<u32>,
    /// Frames a second, for a free-running camera.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fps: Option<f64>,
    /// Exposure time in µs; switches automatic exposure off.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exposure_us: Option<f64>,
    /// Gain in dB; switches automatic gain off.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gain_db: Option<f64>,
    /// GigE Vision packet size in bytes, headers included; left out, the largest that the network lets through.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub packet_size: Option<u32>,
    /// Frames that may be lent at once, and be filled meanwhile. When all are out the camera has nowhere to put the
    /// next, which is then lost and said so.
    pub buffers: u32,
    /// What makes it take a picture.
    pub trigger: GigeTrigger,
}

impl Default for GigeConfig {
    fn default() -> Self {
        Self {
            camera: None,
            pixel_format: None,
            width: None,
            height: None,
            offset_x: None,
            offset_y: None,
            fps: None,
            exposure_us: None,
            gain_db: None,
            packet_size: None,
            buffers: 16,
            trigger: GigeTrigger::FreeRun,
        }
    }
}

/// A pixel, as GenICam names it. Eight bits a sample; what a camera must not be asked to send needs no conversion.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum GigePixelFormat {
    /// Grey.
    Mono8,
    /// Blue, green, red.
    BGR8,
    /// Mosaic, first row R G.
    BayerRG8,
    /// Mosaic, first row G R.
    BayerGR8,
    /// Mosaic, first row G B.
    BayerGB8,
    /// Mosaic, first row B G.
    BayerBG8,
}

impl GigePixelFormat {
    /// Name for the camera, code on the wire (Pixel Format Naming Convention), and what it is to us.
    const ALL: [(Self, &str, u32, PixelFormat); 6] = [
        (Self::Mono8, "Mono8", 0x0108_0001, PixelFormat::Gray8),
        (Self::BGR8, "BGR8", 0x0218_0015, PixelFormat::Bgr8),
        (Self::BayerRG8, "BayerRG8", 0x0108_0009, PixelFormat::BayerRggb),
        (Self::BayerGR8, "BayerGR8", 0x0108_0008, PixelFormat::BayerGrbg),
        (Self::BayerGB8, "BayerGB8", 0x0108_000A, PixelFormat::BayerGbrg),
        (Self::BayerBG8, "BayerBG8", 0x0108_000B, PixelFormat::BayerBggr),
    ];

    fn name(self) -> &'static str {
        Self::ALL.iter().find(|(format, ..)| *format == self).expect("ALL has all").1
    }

    fn of_code(code: u32) -> Option<PixelFormat> {
        Self::ALL.iter().find(|(.., on_wire, _)| *on_wire == code).map(|(.., format)| *format)
    }
}

/// What makes the camera take a picture.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum GigeTrigger {
    /// One picture after the other.
    #[default]
    FreeRun,
    /// [`Camera::trigger`](crate::Camera::trigger).
    Software,
    /// An electric signal at the camera: a photo-eye, the PLC.
    Hardware {
        /// The camera's input, e.g. `Line1`.
        source: String,
        /// Which change of the signal counts.
        #[serde(default)]
        activation: Activation,
    },
}

/// Which change of an electric signal counts, as GenICam names it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Activation {
    /// Low to high.
    #[default]
    RisingEdge,
    /// High to low.
    FallingEdge,
    /// Both.
    AnyEdge,
    /// As long as it is high.
    LevelHigh,
    /// As long as it is low.
    LevelLow,
}

impl Activation {
    fn name(self) -> &'static str {
        match self {
            Self::RisingEdge => "RisingEdge",
            Self::FallingEdge => "FallingEdge",
            Self::AnyEdge => "AnyEdge",
            Self::LevelHigh => "LevelHigh",
            Self::LevelLow => "LevelLow",
        }
    }
}

/// True if the Aravis library is installed.
pub(crate) fn libaravis_is_there() -> bool {
    Aravis::get().is_ok()
}

pub(super) struct Gige {
    camera: CameraId,
    config: GigeConfig,
    aravis: &'static Aravis,
}

impl Gige {
    pub(super) fn prepare(camera: &CameraId, config: GigeConfig) -> Result<Self, CaptureError> {
        let setting = |key, says: String| CaptureError::Setting { camera: camera.clone(), key, says };
        if config.buffers < 2 {
            return Err(setting(
                "buffers",
                "must be 2 at least: one being filled, one being looked at".into(),
            ));
        }
        if config.camera.as_ref().is_some_and(|name| name.contains('\0')) {
            return Err(setting("camera", "has a NUL in it".into()));
        }
        for (key, value) in [("fps", config.fps), ("exposure_us", config.exposure_us)] {
            if let Some(value) = value
                && !(value.is_finite() && value > 0.0)
            {
                return Err(setting(key, format!("is {value}, and must be above 0")));
            }
        }
        let aravis = Aravis::get().map_err(|_| CaptureError::Missing {
            camera: camera.clone(),
            element: format!("the library {LIBARAVIS}"),
            package: LIBARAVIS_PACKAGE,
        })?;
        Ok(Self { camera: camera.clone(), config, aravis })
    }

    fn configure(&self, device: &Device) -> Result<(), String> {
        let config = &self.config;
        if let Some(format) = config.pixel_format {
            device.set_pixel_format(format.name())?;
        }
        let code = device.pixel_format()?;
        if GigePixelFormat::of_code(code).is_none() {
            let names = GigePixelFormat::ALL.map(|(_, name, ..)| name).join(", ");
            return Err(format!("sends pixels of format 0x{code:08x}; set `pixel_format` to one of {names}"));
        }
        device.set_region(config.offset_x, config.offset_y, config.width, config.height)?;
        if let Some(us) = config.exposure_us {
            device.set_exposure_us(us)?;
        }
        if let Some(db) = config.gain_db {
            device.set_gain_db(db)?;
        }
        device.set_packet_size(config.packet_size)?;
        // Setting a rate switches triggers off, so triggers come last.
        if let Some(fps) = config.fps {
            device.set_fps(fps)?;
        }
        match &config.trigger {
            GigeTrigger::FreeRun => device.clear_triggers(),
            GigeTrigger::Software => device.set_trigger("Software"),
            GigeTrigger::Hardware { source, activation } => {
                device.set_trigger(source)?;
                device.set_string("TriggerActivation", activation.name())
            }
        }
    }
}

impl Open for Gige {
    fn camera(&self) -> &CameraId {
        &self.camera
    }

    fn open(&mut self, feed: Feed) -> Result<Box<dyn Stream>, Failure> {
        let name = self.config.camera.as_deref();
        let called =
            name.map_or("a GigE Vision or USB3 Vision camera".into(), |name| format!("camera {name}"));
        let device = Device::open(self.aravis, name)
            .map_err(|says| Failure::new(DownCause::Unplugged, format!("{called} was not found: {says}")))?;
        let refused = |says| Failure::new(DownCause::Refused, format!("{called} refused: {says}"));
        self.configure(&device).map_err(refused)?;
        let device = Arc::new(device);
        let gone = feed.clone();
        device.when_lost(move || gone.failed(Failure::new(DownCause::Unplugged, "does not answer any more")));
        let exposures = device.exposures(self.config.buffers).map_err(refused)?;
        device.start().map_err(refused)?;
        let thread = StreamThread::spawn(feed, move |feed, stopped| take_in(&exposures, feed, stopped))?;
        Ok(Box::new(GigeStream { _thread: thread, device }))
    }
}

/// How often a waiting thread looks whether it is to stop, in µs.
const LOOK_UP_US: u64 = 50_000;

/// The streaming thread of a camera. Aravis has another, which takes in packets and must not wait for our sink.
fn take_in(exposures: &Exposures, feed: &Feed, stopped: &Stopped) {
    let mut starved = false;
    while stopped.try_recv() == Err(crossbeam_channel::TryRecvError::Empty) {
        let Some(arrival) = exposures.next(LOOK_UP_US) else {
            if exposures.is_starved() && !std::mem::replace(&mut starved, true) {
                tracing::error!(camera = %feed.camera(), "All of the camera's buffers are lent; its pictures are lost \
                    until one comes back. Raise `buffers`, or find what keeps frames so long.");
            }
            continue;
        };
        starved = false;
        let at = Stamp::now();
        match picture(arrival) {
            Ok((image, id)) => {
                if !feed.frame(image, id, at) {
                    return;
                }
            }
            Err((id, says)) => feed.corrupt(id, says),
        }
    }
}

type FrameId = Option<u64>;

fn picture(arrival: Arrival) -> Result<(Image, FrameId), (FrameId, String)> {
    let Arrival { lent, frame_id, incomplete, code, width, height, padding } = arrival;
    let id = Some(frame_id).filter(|&id| id != 0); // no camera uses 0
    let bad = |says: String| match id {
        Some(number) => (id, format!("frame {number} {says}")),
        None => (id, format!("a frame that lost its number {says}")),
    };
    if let Some(why) = incomplete {
        return Err(bad(format!("arrived incomplete: {why}")));
    }
    let format =
        GigePixelFormat::of_code(code).ok_or_else(|| bad(format!("has pixels of format 0x{code:08x}")))?;
    let stride = width as usize * format.bytes_per_px() + padding;
    let image =
        Image::new(width, height, stride, format, Arc::new(lent)).map_err(|error| bad(error.to_string()))?;
    Ok((image, id))
}

struct GigeStream {
    // First the thread that takes frames in, then the camera: fields are dropped in this order.
    _thread: StreamThread,
    device: Arc<Device>,
}

impl Stream for GigeStream {
    fn trigger(&self) -> Option<Arc<dyn SoftwareTrigger>> {
        Some(self.device.clone())
    }
}

impl Drop for GigeStream {
    fn drop(&mut self) {
        self.device.stop();
    }
}

impl SoftwareTrigger for Device {
    fn trigger(&self) -> Result<(), NotTriggered> {
        self.software_trigger().map_err(NotTriggered::Unknown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn triggers_are_written_as_people_say_them() {
        let trigger = |toml: &str| toml::from_str::<GigeConfig>(toml).expect(toml).trigger;
        assert_eq!(trigger(""), GigeTrigger::FreeRun);
        assert_eq!(trigger("trigger = \"software\""), GigeTrigger::Software);
        let wired = GigeTrigger::Hardware { source: "Line1".into(), activation: Activation::RisingEdge };
        assert_eq!(trigger("trigger = { hardware = { source = \"Line1\" } }"), wired);
        let toml = "[trigger.hardware]\nsource = \"Line2\"\nactivation = \"FallingEdge\"";
        let wired = GigeTrigger::Hardware { source: "Line2".into(), activation: Activation::FallingEdge };
        assert_eq!(trigger(toml), wired);
        assert!(toml::from_str::<GigeConfig>("trigger = { hardware = { sauce = \"Line1\" } }").is_err());
    }

    #[test]
    fn settings_that_can_never_work_are_refused_before_any_camera_is_sought() {
        for (toml, key) in
            [("buffers = 1", "buffers"), ("exposure_us = -5.0", "exposure_us"), ("fps = 0.0", "fps")]
        {
            let config = toml::from_str(toml).expect(toml);
            let Err(error) = Gige::prepare(&"top".into(), config) else { panic!("{toml} was taken") };
            assert!(error.to_string().contains(key), "{error}");
        }
    }
}
