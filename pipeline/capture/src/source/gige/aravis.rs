//! The few calls of libaravis 0.8 that we use, behind types that cannot be used wrongly. The only `unsafe` here.
//!
//! Loaded when first wanted, so that a station without such cameras need not have the library. A buffer popped from a
//! stream is ours until pushed back; it is lent onwards as [`Lent`], which pushes it back when the last frame that shows
//! it is dropped, or frees it if the stream is gone by then.
#![allow(unsafe_code)]

use crate::elements::LIBARAVIS;
use gstreamer::glib::{self, ffi::GError, gobject_ffi, object::ObjectExt, translate::from_glib_none};
use std::{
    ffi::{CStr, CString, c_char, c_double, c_int, c_uint, c_void},
    ptr::{NonNull, null_mut},
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
};

type Camera = *mut c_void;
type Stream = *mut c_void;
type Buffer = *mut c_void;
type Error = *mut *mut GError;

macro_rules! library {
    ($($name:ident: fn($($arg:ty),*) $(-> $ret:ty)?;)*) => {
        /// The loaded library.
        pub(super) struct Aravis {
            $($name: unsafe extern "C" fn($($arg),*) $(-> $ret)?,)*
            _library: libloading::Library,
        }

        impl Aravis {
            fn load() -> Result<Self, libloading::Error> {
                // SAFETY: libaravis runs no code at load time but GLib's type registration, which may run on any thread.
                // The signatures below are those of its headers, which 0.8 releases keep.
                unsafe {
                    let library = libloading::Library::new(LIBARAVIS)?;
                    Ok(Self { $($name: *library.get(concat!(stringify!($name), "\0").as_bytes())?,)* _library: library })
                }
            }
        }
    };
}

library! {
    arv_camera_new: fn(*const c_char, Error) -> Camera;
    arv_camera_get_device: fn(Camera) -> *mut gobject_ffi::GObject;
    arv_camera_is_gv_device: fn(Camera) -> c_int;
    arv_camera_set_pixel_format_from_string: fn(Camera, *const c_char, Error);
    arv_camera_get_pixel_format: fn(Camera, Error) -> u32;
    arv_camera_get_region: fn(Camera, *mut c_int, *mut c_int, *mut c_int, *mut c_int, Error);
    arv_camera_set_region: fn(Camera, c_int, c_int, c_int, c_int, Error);
    arv_camera_is_exposure_auto_available: fn(Camera, Error) -> c_int;
    arv_camera_set_exposure_time_auto: fn(Camera, c_int, Error);
    arv_camera_set_exposure_time: fn(Camera, c_double, Error);
    arv_camera_is_gain_auto_available: fn(Camera, Error) -> c_int;
    arv_camera_set_gain_auto: fn(Camera, c_int, Error);
    arv_camera_set_gain: fn(Camera, c_double, Error);
    arv_camera_gv_set_packet_size: fn(Camera, c_int, Error);
    arv_camera_gv_auto_packet_size: fn(Camera, Error) -> c_uint;
    arv_camera_set_frame_rate: fn(Camera, c_double, Error);
    arv_camera_set_acquisition_mode: fn(Camera, c_int, Error);
    arv_camera_clear_triggers: fn(Camera, Error);
    arv_camera_set_trigger: fn(Camera, *const c_char, Error);
    arv_camera_set_string: fn(Camera, *const c_char, *const c_char, Error);
    arv_camera_software_trigger: fn(Camera, Error);
    arv_camera_get_payload: fn(Camera, Error) -> c_uint;
    arv_camera_create_stream: fn(Camera, *const c_void, *mut c_void, Error) -> Stream;
    arv_camera_start_acquisition: fn(Camera, Error);
    arv_camera_stop_acquisition: fn(Camera, Error);
    arv_stream_push_buffer: fn(Stream, Buffer);
    arv_stream_timeout_pop_buffer: fn(Stream, u64) -> Buffer;
    arv_buffer_new: fn(usize, *mut c_void) -> Buffer;
    arv_buffer_get_status: fn(Buffer) -> c_int;
    arv_buffer_get_data: fn(Buffer, *mut usize) -> *mut u8;
    arv_buffer_get_frame_id: fn(Buffer) -> u64;
    arv_buffer_set_frame_id: fn(Buffer, u64);
    arv_buffer_get_image_pixel_format: fn(Buffer) -> u32;
    arv_buffer_get_image_region: fn(Buffer, *mut c_int, *mut c_int, *mut c_int, *mut c_int);
    arv_buffer_get_image_padding: fn(Buffer, *mut c_int, *mut c_int);
}

/// `ARV_AUTO_OFF`.
const AUTO_OFF: c_int = 0;
/// `ARV_ACQUISITION_MODE_CONTINUOUS`.
const CONTINUOUS: c_int = 0;
/// `ARV_BUFFER_STATUS_SUCCESS`.
const SUCCESS: c_int = 0;

impl Aravis {
    /// Loads the library, once.
    pub(super) fn get() -> Result<&'static Self, String> {
        static LOADED: OnceLock<Result<Aravis, String>> = OnceLock::new();
        LOADED.get_or_init(|| Self::load().map_err(|error| error.to_string())).as_ref().map_err(Clone::clone)
    }
}

/// A camera under our control. Its registers are read and written by one thread at a time.
pub(super) struct Device {
    aravis: &'static Aravis,
    /// An owned reference; the lock is held during every call with it.
    camera: Mutex<NonNull<c_void>>,
}

// SAFETY: a GObject may be used and dropped on any thread; calls are serialised by the lock.
unsafe impl Send for Device {}
// SAFETY: as above.
unsafe impl Sync for Device {}

impl Device {
    /// Finds and opens `name`, or the first camera there is.
    pub(super) fn open(aravis: &'static Aravis, name: Option<&str>) -> Result<Self, String> {
        let name = name.map(c_string).transpose()?;
        let name = name.as_ref().map_or(std::ptr::null(), |name| name.as_ptr());
        // SAFETY: `name` is NULL or a C string that outlives the call.
        let camera = checked(|error| unsafe { (aravis.arv_camera_new)(name, error) })?;
        let camera = NonNull::new(camera).ok_or("no camera answered")?;
        Ok(Self { aravis, camera: Mutex::new(camera) })
    }

    /// Sets the GenICam `PixelFormat`.
    pub(super) fn set_pixel_format(&self, name: &str) -> Result<(), String> {
        let value = c_string(name)?;
        // SAFETY: (this and every call of `with` below) the camera is alive and locked, C strings outlive the call.
        self.with(&format!("PixelFormat = {name}"), |a, camera, error| unsafe {
            (a.arv_camera_set_pixel_format_from_string)(camera, value.as_ptr(), error);
        })
    }

    /// Code of the current pixel format.
    pub(super) fn pixel_format(&self) -> Result<u32, String> {
        // SAFETY: see `set_pixel_format`.
        self.with("PixelFormat", |a, camera, error| unsafe { (a.arv_camera_get_pixel_format)(camera, error) })
    }

    /// Sets what is given of the region that is read, in px, and leaves the rest.
    pub(super) fn set_region(
        &self,
        x: Option<u32>,
        y: Option<u32>,
        width: Option<u32>,
        height: Option<u32>,
    ) -> Result<(), String> {
        let (mut at_x, mut at_y, mut w, mut h) = (0, 0, 0, 0);
        // SAFETY: see `set_pixel_format`; the four integers outlive the call.
        self.with("region", |a, camera, error| unsafe {
            (a.arv_camera_get_region)(camera, &mut at_x, &mut at_y, &mut w, &mut h, error);
        })?;
        let wanted = |wanted: Option<u32>, is: c_int| {
            wanted.map_or(is, |px| c_int::try_from(px).unwrap_or(c_int::MAX))
        };
        let region = [wanted(x, at_x), wanted(y, at_y), wanted(width, w), wanted(height, h)];
        if region == [at_x, at_y, w, h] {
            return Ok(());
        }
        let [x, y, width, height] = region;
        // SAFETY: see `set_pixel_format`.
        self.with(&format!("region {width}x{height} at {x},{y}"), |a, camera, error| unsafe {
            (a.arv_camera_set_region)(camera, x, y, width, height, error);
        })
    }

    /// Sets the exposure time, automatic exposure off.
    pub(super) fn set_exposure_us(&self, us: f64) -> Result<(), String> {
        // SAFETY: see `set_pixel_format`. Whether there is an automatic is asked without wanting to know why not.
        self.with(&format!("exposure of {us} µs"), |a, camera, error| unsafe {
            if (a.arv_camera_is_exposure_auto_available)(camera, null_mut()) != 0 {
                (a.arv_camera_set_exposure_time_auto)(camera, AUTO_OFF, error);
            }
            if (*error).is_null() {
                (a.arv_camera_set_exposure_time)(camera, us, error);
            }
        })
    }

    /// Sets the gain, automatic gain off.
    pub(super) fn set_gain_db(&self, db: f64) -> Result<(), String> {
        // SAFETY: see `set_exposure_us`.
        self.with(&format!("gain of {db} dB"), |a, camera, error| unsafe {
            if (a.arv_camera_is_gain_auto_available)(camera, null_mut()) != 0 {
                (a.arv_camera_set_gain_auto)(camera, AUTO_OFF, error);
            }
            if (*error).is_null() {
                (a.arv_camera_set_gain)(camera, db, error);
            }
        })
    }

    /// Sets the packet size of a GigE Vision camera in bytes; `None` tries out what the network lets through.
    pub(super) fn set_packet_size(&self, bytes: Option<u32>) -> Result<(), String> {
        // SAFETY: see `set_pixel_format`. A camera without test packets keeps the size it has, which is no failure.
        self.with(&format!("packet size {bytes:?}"), |a, camera, error| unsafe {
            match bytes {
                _ if (a.arv_camera_is_gv_device)(camera) == 0 => {}
                Some(bytes) => {
                    (a.arv_camera_gv_set_packet_size)(
                        camera,
                        c_int::try_from(bytes).unwrap_or(c_int::MAX),
                        error,
                    );
                }
                None => {
                    (a.arv_camera_gv_auto_packet_size)(camera, null_mut());
                }
            }
        })
    }

    /// Sets the frame rate; switches triggers off.
    pub(super) fn set_fps(&self, fps: f64) -> Result<(), String> {
        // SAFETY: see `set_pixel_format`.
        self.with(&format!("{fps} frames a second"), |a, camera, error| unsafe {
            (a.arv_camera_set_frame_rate)(camera, fps, error);
        })
    }

    /// Lets it run free.
    pub(super) fn clear_triggers(&self) -> Result<(), String> {
        // SAFETY: see `set_pixel_format`.
        self.with("trigger off", |a, camera, error| unsafe { (a.arv_camera_clear_triggers)(camera, error) })
    }

    /// Lets it wait for `source`: `Software`, `Line1`, …
    pub(super) fn set_trigger(&self, source: &str) -> Result<(), String> {
        let value = c_string(source)?;
        // SAFETY: see `set_pixel_format`.
        self.with(&format!("trigger source {source}"), |a, camera, error| unsafe {
            (a.arv_camera_set_trigger)(camera, value.as_ptr(), error);
        })
    }

    /// Sets any GenICam feature that takes text.
    pub(super) fn set_string(&self, feature: &str, value: &str) -> Result<(), String> {
        let (name, text) = (c_string(feature)?, c_string(value)?);
        // SAFETY: see `set_pixel_format`.
        self.with(&format!("{feature} = {value}"), |a, camera, error| unsafe {
            (a.arv_camera_set_string)(camera, name.as_ptr(), text.as_ptr(), error);
        })
    }

    /// Asks for one picture; returns when the camera has acknowledged.
    pub(super) fn software_trigger(&self) -> Result<(), String> {
        // SAFETY: see `set_pixel_format`.
        self.with("software trigger", |a, camera, error| unsafe {
            (a.arv_camera_software_trigger)(camera, error)
        })
    }

    /// Lets pictures come.
    pub(super) fn start(&self) -> Result<(), String> {
        // SAFETY: see `set_pixel_format`.
        self.with("start", |a, camera, error| unsafe { (a.arv_camera_start_acquisition)(camera, error) })
    }

    /// Lets no more pictures come. A camera that is gone cannot be stopped, which is no matter.
    pub(super) fn stop(&self) {
        // SAFETY: see `set_pixel_format`.
        let _ =
            self.with("stop", |a, camera, error| unsafe { (a.arv_camera_stop_acquisition)(camera, error) });
    }

    /// Calls `lost` when the camera stops answering its heartbeat or is unplugged. On a thread of Aravis.
    pub(super) fn when_lost(&self, lost: impl Fn() + Send + Sync + 'static) {
        let camera = self.lock();
        // SAFETY: the camera is alive and locked; its device is a GObject it owns, to which `from_glib_none` adds a
        // reference of its own.
        let device: glib::Object =
            unsafe { from_glib_none((self.aravis.arv_camera_get_device)(camera.as_ptr())) };
        device.connect("control-lost", false, move |_| {
            lost();
            None
        });
    }

    /// Makes a stream with `buffers` empty buffers.
    pub(super) fn exposures(&self, buffers: u32) -> Result<Exposures, String> {
        let a = self.aravis;
        // SAFETY: see `set_pixel_format`; no callback is given.
        let (stream, payload) = self.with("stream", |a, camera, error| unsafe {
            (a.arv_camera_set_acquisition_mode)(camera, CONTINUOUS, error);
            let payload = if (*error).is_null() { (a.arv_camera_get_payload)(camera, error) } else { 0 };
            let stream = if (*error).is_null() {
                (a.arv_camera_create_stream)(camera, std::ptr::null(), null_mut(), error)
            } else {
                null_mut()
            };
            (stream, payload as usize)
        })?;
        let stream = NonNull::new(stream).ok_or("stream: none was made")?;
        for _ in 0..buffers {
            // SAFETY: a new buffer of `payload` bytes is ours alone. It is zeroed, so that no byte is ever read that
            // nobody wrote, and given to the stream, which takes over our reference.
            unsafe {
                let buffer = (a.arv_buffer_new)(payload, null_mut());
                let mut len = 0;
                let data = (a.arv_buffer_get_data)(buffer, &mut len);
                if !data.is_null() {
                    data.write_bytes(0, len);
                }
                (a.arv_stream_push_buffer)(stream.as_ptr(), buffer);
            }
        }
        let own = StreamPtr(stream);
        let stream = OpenStream { aravis: a, stream: Mutex::new(Some(own)), buffers, out: AtomicU32::new(0) };
        Ok(Exposures { stream: Arc::new(stream), own })
    }

    /// Runs `call` with the camera locked; an error it leaves is told as what `what` got for an answer.
    fn with<T>(&self, what: &str, call: impl FnOnce(&Aravis, Camera, Error) -> T) -> Result<T, String> {
        let camera = self.lock();
        checked(|error| call(self.aravis, camera.as_ptr(), error)).map_err(|says| format!("{what}: {says}"))
    }

    fn lock(&self) -> MutexGuard<'_, NonNull<c_void>> {
        self.camera.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        let camera = self.lock().as_ptr();
        // SAFETY: the reference is ours and not used again.
        unsafe { gobject_ffi::g_object_unref(camera.cast()) }
    }
}

/// The pictures of one camera, as they arrive. Dropping it ends the stream; lent buffers live on until they come home.
pub(super) struct Exposures {
    stream: Arc<OpenStream>,
    /// The same stream, for waiting without holding the lock that buffers need to come home.
    own: StreamPtr,
}

struct OpenStream {
    aravis: &'static Aravis,
    stream: Mutex<Option<StreamPtr>>,
    /// Buffers given to the stream, and how many of them are out.
    buffers: u32,
    out: AtomicU32,
}

#[derive(Clone, Copy)]
struct StreamPtr(NonNull<c_void>);

// SAFETY: an ArvStream's buffer queues are thread-safe; it is unreferenced once, by `Exposures`.
unsafe impl Send for StreamPtr {}

/// One arrival, complete or not.
pub(super) struct Arrival {
    pub(super) lent: Lent,
    /// 0 where the packet that tells it was lost.
    pub(super) frame_id: u64,
    /// Why it is not a whole picture.
    pub(super) incomplete: Option<&'static str>,
    /// Pixel format on the wire.
    pub(super) code: u32,
    pub(super) width: u32,
    pub(super) height: u32,
    /// Bytes after each row.
    pub(super) padding: usize,
}

impl Exposures {
    /// The next arrival, complete or not; `None` after `wait_us` µs without one.
    pub(super) fn next(&self, wait_us: u64) -> Option<Arrival> {
        let a = self.stream.aravis;
        // SAFETY: the stream lives as long as `self`; a popped buffer is ours until it is pushed back, which `Lent` does.
        unsafe {
            let buffer = NonNull::new((a.arv_stream_timeout_pop_buffer)(self.own.0.as_ptr(), wait_us))?;
            let mut len = 0;
            let data = NonNull::new((a.arv_buffer_get_data)(buffer.as_ptr(), &mut len));
            let (data, len) = data.map_or((NonNull::dangling(), 0), |data| (data, len));
            self.stream.out.fetch_add(1, Relaxed);
            let lent = Lent { home: self.stream.clone(), buffer, data, len };
            let (mut x, mut y, mut width, mut height, mut x_padding, mut y_padding) = (0, 0, 0, 0, 0, 0);
            let incomplete = why_incomplete((a.arv_buffer_get_status)(buffer.as_ptr()));
            let mut code = 0;
            if incomplete.is_none() {
                code = (a.arv_buffer_get_image_pixel_format)(buffer.as_ptr());
                (a.arv_buffer_get_image_region)(buffer.as_ptr(), &mut x, &mut y, &mut width, &mut height);
                (a.arv_buffer_get_image_padding)(buffer.as_ptr(), &mut x_padding, &mut y_padding);
            }
            Some(Arrival {
                lent,
                frame_id: (a.arv_buffer_get_frame_id)(buffer.as_ptr()),
                incomplete,
                code,
                width: u32::try_from(width).unwrap_or(0),
                height: u32::try_from(height).unwrap_or(0),
                padding: usize::try_from(x_padding).unwrap_or(0),
            })
        }
    }
}

impl Exposures {
    /// True if every buffer is lent, so that the camera's next picture has nowhere to go.
    pub(super) fn is_starved(&self) -> bool {
        self.stream.out.load(Relaxed) >= self.stream.buffers
    }
}

impl Drop for Exposures {
    fn drop(&mut self) {
        let stream = self.stream.stream.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(StreamPtr(stream)) = stream {
            // SAFETY: the reference is ours; whoever comes home from now on finds no stream.
            unsafe { gobject_ffi::g_object_unref(stream.as_ptr().cast()) }
        }
    }
}

fn why_incomplete(status: c_int) -> Option<&'static str> {
    match status {
        SUCCESS => None,
        3 => Some("its last packets did not come in time"),
        4 => Some("packets are missing"),
        5 => Some("packets came out of place"),
        6 => Some("it is larger than the camera said; was its region changed?"),
        8 => Some("it was broken off"),
        _ => Some("the camera sent something else than a picture"),
    }
}

/// A buffer the camera filled, lent until dropped.
pub(super) struct Lent {
    home: Arc<OpenStream>,
    buffer: NonNull<c_void>,
    data: NonNull<u8>,
    len: usize,
}

// SAFETY: while it is ours, nobody writes to the buffer; references to GObjects may be given up on any thread.
unsafe impl Send for Lent {}
// SAFETY: as above; it is only read.
unsafe impl Sync for Lent {}

impl AsRef<[u8]> for Lent {
    fn as_ref(&self) -> &[u8] {
        // SAFETY: `data` is `len` bytes that the buffer owns, written to (zeros, then the picture) before it became
        // ours and not again until it is pushed back, which takes `&mut self`.
        unsafe { std::slice::from_raw_parts(self.data.as_ptr(), self.len) }
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        let stream = self.home.stream.lock().unwrap_or_else(PoisonError::into_inner);
        self.home.out.fetch_sub(1, Relaxed);
        // SAFETY: the reference is ours; a stream takes it over, without one we give it up. The lock keeps the stream.
        unsafe {
            match *stream {
                Some(StreamPtr(stream)) => {
                    // A frame whose first packet is lost leaves the number of the frame before it in the buffer.
                    (self.home.aravis.arv_buffer_set_frame_id)(self.buffer.as_ptr(), 0);
                    (self.home.aravis.arv_stream_push_buffer)(stream.as_ptr(), self.buffer.as_ptr());
                }
                None => gobject_ffi::g_object_unref(self.buffer.as_ptr().cast()),
            }
        }
    }
}

fn c_string(text: &str) -> Result<CString, String> {
    CString::new(text).map_err(|_| format!("{text:?} has a NUL in it"))
}

/// Runs a call that may leave a GError, and makes a sentence of it.
fn checked<T>(call: impl FnOnce(Error) -> T) -> Result<T, String> {
    let mut error: *mut GError = null_mut();
    let value = call(&mut error);
    if error.is_null() {
        return Ok(value);
    }
    // SAFETY: a GError that was set has a message, and is ours to free.
    unsafe {
        let says = CStr::from_ptr((*error).message).to_string_lossy().into_owned();
        glib::ffi::g_error_free(error);
        Err(says)
    }
}
