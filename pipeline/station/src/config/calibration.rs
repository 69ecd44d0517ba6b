//! A camera's calibration: read, held against the camera that wants to use it, and handed to the stages.

use super::{
    document::Document,
    file::{CalibrationUnfit, CameraSection},
    problem::{Problem, Problems},
};
use jiff::Timestamp;
use plumb_camera::{Calibration, Circumstances, PlaneEntry, Unfit};
use plumb_capture::SourceConfig;
use plumb_inspection::{Lens, MmPerPx};
use std::path::{Path, PathBuf};

/// Which calibration a camera's measurements rest on.
#[derive(Clone, Debug, PartialEq)]
pub struct CalibrationPlan {
    /// Its file.
    pub file: PathBuf,
    /// Its file's digest.
    pub digest: String,
    /// The size of the frames it is true of, in px.
    pub size_px: [u32; 2],
    /// From when on it does not hold any more.
    pub expires_at: Option<Timestamp>,
    /// Why it did not hold when it was read, where the config says to go on all the same.
    pub unfit: Option<String>,
}

impl CalibrationPlan {
    /// Why measurements in a frame of `size_px` at `now` do not count as calibrated; `None` if they do.
    pub fn uncalibrated(&self, now: Timestamp, size_px: [u32; 2]) -> Option<String> {
        let expired = || self.expires_at.filter(|at| *at <= now).map(|at| Unfit::Expired { at }.to_string());
        let of = self.size_px;
        let size = || (size_px != of).then(|| Unfit::Size { of, here: size_px }.to_string());
        self.unfit.clone().or_else(expired).or_else(size)
    }
}

/// What a calibration gives a camera; nothing where there is none.
#[derive(Default)]
pub(super) struct Calibrated {
    pub(super) plan: Option<CalibrationPlan>,
    pub(super) lens: Option<Lens>,
    pub(super) mm_per_px: Option<MmPerPx>,
    pub(super) mm_per_px_u: Option<f64>,
    pub(super) flat_field: Option<PathBuf>,
}

/// Reads the calibration of the camera at `index`. What is wrong with it goes to `problems`.
pub(super) fn read(
    document: &Document,
    index: &str,
    section: &CameraSection,
    folder: &Path,
    problems: &mut Problems,
) -> Calibrated {
    let Some(named) = &section.calibration else { return Calibrated::default() };
    let file = folder.join(named);
    let calibration = match Calibration::read(&file) {
        Ok(calibration) => calibration,
        Err(error) => {
            problems.push(Problem::of_file(&file, without_file(&error, &file)));
            return Calibrated::default();
        }
    };
    let twice = [
        ("lens", section.lens.is_some() && calibration.lens.is_some()),
        ("mm_per_px", section.mm_per_px.is_some() && calibration.plane.is_some()),
        ("flat_field", section.flat_field.is_some() && calibration.light.is_some()),
    ];
    for (key, _) in twice.into_iter().filter(|(_, twice)| *twice) {
        let says = format!("camera \"{}\" has {key}, and its calibration has one too", section.id);
        let hint = format!("take {key} out, or calibration");
        problems.push(document.problem(&["camera", index, key], says).hint(hint));
    }
    let flat_field = match calibration.light.as_ref().map(|light| light.flat_field.checked(&file)).transpose()
    {
        Ok(flat_field) => flat_field,
        Err(error) => {
            problems.push(Problem::of_file(&file, format!("names a flat field that {error}")));
            None
        }
    };
    let (serial, size_px) = known(section);
    let unfit = calibration.unfit(&Circumstances { serial, size_px, now: Timestamp::now() });
    let mut says = None;
    if !unfit.is_empty() {
        let all = unfit.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
        if section.calibration_unfit == CalibrationUnfit::Refuse {
            let problem =
                document.problem(&["camera", index, "calibration"], format!("{} {all}", file.display()));
            problems.push(problem.hint("calibration_unfit = \"mark\" goes on and marks what is measured"));
        } else {
            tracing::warn!(camera = %section.id, calibration = %file.display(), "The calibration {all}. Records say uncalibrated.");
            says = Some(all);
        }
    }
    let plan = CalibrationPlan {
        file: file.clone(),
        digest: calibration.digest.clone(),
        size_px: calibration.camera.size_px,
        expires_at: calibration.expires_at,
        unfit: says,
    };
    // Of frames of another size nothing in it is true of any pixel.
    if unfit.iter().any(|unfit| matches!(unfit, Unfit::Size { .. })) {
        return Calibrated { plan: Some(plan), ..Calibrated::default() };
    }
    let (lens, mm_per_px) = (calibration.lens(), calibration.mm_per_px());
    let mm_per_px_u = calibration.plane.as_ref().map(scale_u);
    Calibrated { plan: Some(plan), lens, mm_per_px, mm_per_px_u, flat_field }
}

/// Relative standard uncertainty of a scale, slant within the target included: the worse of its two axes.
fn scale_u(plane: &PlaneEntry) -> f64 {
    let [along_x, along_y] = plane.relative_u;
    along_x.max(along_y)
}

/// The serial number and the size of the frames, as far as the config tells.
pub(super) fn known(section: &CameraSection) -> (Option<&str>, Option<[u32; 2]>) {
    let size = |width: Option<u32>, height: Option<u32>| Some([width?, height?]);
    let (by_source, size_px) = match &section.source {
        SourceConfig::Gige(gige) => (gige.camera.as_deref(), size(gige.width, gige.height)),
        SourceConfig::V4l2(v4l2) => (None, size(v4l2.width, v4l2.height)),
        _ => (None, None),
    };
    (section.serial.as_deref().or(by_source), size_px)
}

/// A problem names its file itself.
fn without_file(error: &plumb_camera::CameraError, file: &Path) -> String {
    let says = error.to_string();
    says.strip_prefix(&format!("{}  ", file.display())).map(str::to_owned).unwrap_or(says)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_calibration_that_expires_while_the_station_runs_marks_what_comes_after() {
        let at = |time: &str| time.parse::<Timestamp>().expect("a time");
        let plan = CalibrationPlan {
            file: PathBuf::from("top.toml"),
            digest: "d".to_owned(),
            size_px: [640, 480],
            expires_at: Some(at("2027-01-01T00:00:00Z")),
            unfit: None,
        };
        assert_eq!(plan.uncalibrated(at("2026-12-31T23:59:59Z"), [640, 480]), None);
        let says = plan.uncalibrated(at("2027-01-01T00:00:00Z"), [640, 480]).expect("its time is over");
        assert!(says.starts_with("expired at 2027-01-01"), "{says}");
        let other = plan.uncalibrated(at("2026-12-31T23:59:59Z"), [320, 240]).expect("another size");
        assert!(other.contains("made at 640x480 px, the camera gives 320x240"), "{other}");
        let marked = CalibrationPlan { unfit: Some("is of camera A".to_owned()), ..plan };
        assert_eq!(
            marked.uncalibrated(at("2026-01-01T00:00:00Z"), [640, 480]).as_deref(),
            Some("is of camera A")
        );
    }
}
