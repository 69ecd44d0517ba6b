//! Which GStreamer elements and libraries Plumb uses, and the Debian package that has each.

use crate::{error::CaptureError, source::libaravis_is_there};
use gstreamer as gst;
use plumb_inspection::CameraId;

/// One element or library, for `plumb doctor`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ElementCheck {
    /// Name as `gst-inspect-1.0` knows it, or a library's file name.
    pub element: &'static str,
    /// Debian package that has it.
    pub package: &'static str,
    /// What it is wanted for.
    pub wanted_for: &'static str,
    /// True if it is installed.
    pub present: bool,
}

const BASE: &str = "gstreamer1.0-plugins-base";
const GOOD: &str = "gstreamer1.0-plugins-good";
const BAD: &str = "gstreamer1.0-plugins-bad";
const LIBAV: &str = "gstreamer1.0-libav";

/// The library behind `gige`.
pub(crate) const LIBARAVIS: &str = "libaravis-0.8.so.0";
pub(crate) const LIBARAVIS_PACKAGE: &str = "libaravis-0.8-0";

const ELEMENTS: [(&str, &str, &str); 22] = [
    ("appsink", BASE, "every source"),
    ("videoconvert", BASE, "every source that decodes"),
    ("decodebin", BASE, "video files, rtsp, v4l2"),
    ("filesrc", "libgstreamer1.0-0", "video files"),
    ("matroskademux", GOOD, "video files: .mkv"),
    ("qtdemux", GOOD, "video files: .mp4"),
    ("avidemux", GOOD, "video files: .avi"),
    ("jpegdec", GOOD, "JPEG pictures, MJPEG cameras and videos"),
    ("pngdec", GOOD, "PNG pictures"),
    ("gdkpixbufdec", GOOD, "BMP and TIFF pictures"),
    ("jpegparse", BAD, "MJPEG videos"),
    ("h264parse", BAD, "H.264 videos and cameras"),
    ("h265parse", BAD, "H.265 videos and cameras"),
    ("avdec_h264", LIBAV, "H.264 videos and cameras"),
    ("avdec_h265", LIBAV, "H.265 videos and cameras"),
    ("v4l2src", GOOD, "v4l2"),
    ("rtspsrc", GOOD, "rtsp"),
    ("rtpbin", GOOD, "rtsp"),
    ("udpsrc", GOOD, "rtsp"),
    ("rtpjpegdepay", GOOD, "rtsp with MJPEG"),
    ("rtph264depay", GOOD, "rtsp with H.264"),
    ("videotestsrc", BASE, "trying out `pipeline`"),
];

/// `GStreamer 1.22.0`, or `None` where it cannot be started.
pub fn gstreamer_version() -> Option<String> {
    gst::init().ok().map(|()| gst::version_string().to_string())
}

/// Looks for everything that any source may need. Touches no device.
pub fn doctor_elements() -> Vec<ElementCheck> {
    let started = gst::init().is_ok();
    let mut checks: Vec<ElementCheck> = ELEMENTS
        .iter()
        .map(|&(element, package, wanted_for)| ElementCheck {
            element,
            package,
            wanted_for,
            present: started && gst::ElementFactory::find(element).is_some(),
        })
        .collect();
    checks.push(ElementCheck {
        element: LIBARAVIS,
        package: LIBARAVIS_PACKAGE,
        wanted_for: "gige",
        present: libaravis_is_there(),
    });
    checks
}

/// The Debian package most likely to hold `element`.
pub(crate) fn package_of(element: &str) -> &'static str {
    ELEMENTS.iter().find(|(name, ..)| *name == element).map_or(
        "gstreamer1.0-plugins-good gstreamer1.0-plugins-bad gstreamer1.0-libav (or whichever package has it)",
        |&(_, package, _)| package,
    )
}

/// Starts GStreamer and makes sure that it has `elements`.
pub(crate) fn require(camera: &CameraId, elements: &[&str]) -> Result<(), CaptureError> {
    gst::init().map_err(|error| CaptureError::GStreamer { says: error.to_string() })?;
    match elements.iter().find(|element| gst::ElementFactory::find(element).is_none()) {
        None => Ok(()),
        Some(element) => Err(CaptureError::Missing {
            camera: camera.clone(),
            element: format!("the GStreamer element `{element}`"),
            package: package_of(element),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gst::prelude::PluginFeatureExt;

    #[test]
    fn a_missing_element_is_named_with_the_package_that_has_it() {
        let error = require(&"top".into(), &["appsink", "nosuchelement"]).expect_err("no such element");
        assert!(
            error.to_string().contains("camera top needs the GStreamer element `nosuchelement`"),
            "{error}"
        );
        assert_eq!(package_of("v4l2src"), "gstreamer1.0-plugins-good");
    }

    #[test]
    fn every_package_named_is_the_one_dpkg_names() {
        let Ok(found) = std::process::Command::new("dpkg").arg("--version").output() else {
            return println!("skipped: no dpkg here");
        };
        assert!(found.status.success());
        gst::init().expect("GStreamer starts");
        for (element, package, _) in ELEMENTS {
            let Some(file) =
                gst::ElementFactory::find(element).and_then(|f| f.plugin()).and_then(|p| p.filename())
            else {
                println!("skipped: no {element} here");
                continue;
            };
            let name = format!("*/{}", file.file_name().expect("a plugin is a file").to_string_lossy());
            let owner = std::process::Command::new("dpkg").args(["-S", &name]).output().expect("dpkg runs");
            let owner = String::from_utf8_lossy(&owner.stdout).into_owned();
            assert!(owner.starts_with(package), "{element} is in {owner}");
        }
    }
}
