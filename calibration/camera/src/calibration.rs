//! One calibration: one TOML file that says what was found, from which pictures, for which camera, until when. Its digest
//! covers all of it, so what a record names can be shown years later, and a number changed by hand is noticed.

use crate::{
    CameraError,
    coverage::Pose,
    lens::{LensFit, LensUncertainty, ModelChoice},
    light::LightReport,
    picture::digest,
    plane::{PlaneFit, Residual},
    target::Target,
};
use jiff::Timestamp;
use plumb_inspection::{Lens, MmPerPx};
use serde::{Deserialize, Serialize};
use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
};

/// The version of the file's form; another is not read.
pub const SCHEMA: &str = "plumb.calibration/1";

/// A file larger than this is no calibration.
const BYTES_MAX: u64 = 16 << 20;

/// All that is known of one camera at one size.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Calibration {
    /// [`SCHEMA`].
    pub schema: String,
    /// Sha256 of everything else, lower-case hex; what records name.
    #[serde(default)]
    pub digest: String,
    /// The program that wrote it.
    pub made_by: String,
    /// When it was written.
    pub made_at: Timestamp,
    /// From when on it does not hold any more; never, where not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// Whose it is.
    pub camera: CameraEntry,
    /// The lens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lens: Option<LensEntry>,
    /// The part's plane.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plane: Option<PlaneEntry>,
    /// The light.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub light: Option<LightEntry>,
}

/// `[camera]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CameraEntry {
    /// Its serial number, where it was told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub serial: Option<String>,
    /// `[width, height]` of its frames in px.
    pub size_px: [u32; 2],
}

/// `[lens]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LensEntry {
    /// When it was found.
    pub made_at: Timestamp,
    /// RMS over all points, in px.
    pub rms_px: f64,
    /// What was looked at.
    pub target: Target,
    /// What the stages use.
    pub is: Lens,
    /// Standard uncertainty of its numbers.
    pub uncertainty: LensUncertainty,
    /// Which distortion model, and why.
    pub model: ModelChoice,
    /// What was not as it should be.
    #[serde(default)]
    pub warnings: Vec<String>,
    /// The pictures it rests on.
    #[serde(rename = "shot")]
    pub shots: Vec<ShotEntry>,
    /// The pictures that were not used, and why.
    #[serde(default)]
    pub unused: Vec<String>,
}

/// `[[lens.shot]]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShotEntry {
    /// The picture.
    pub picture: String,
    /// Its digest.
    pub sha256: String,
    /// Points it shows.
    pub points: usize,
    /// RMS of their residuals in px.
    pub rms_px: f64,
    /// How the target was held.
    pub pose: Pose,
}

/// `[plane]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlaneEntry {
    /// When it was found.
    pub made_at: Timestamp,
    /// Mm a px along x and y, in the middle of the target.
    pub mm_per_px: MmPerPx,
    /// Standard uncertainty of each, as a share of it.
    pub relative_u: [f64; 2],
    /// RMS of the residuals in mm.
    pub rms_mm: f64,
    /// Smallest and largest scale over the target, as shares of the one in its middle.
    pub scale_range: [f64; 2],
    /// Undistorted px to mm, row by row; absent where lengths were given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mm_from_px: Option<[[f64; 3]; 3]>,
    /// What was looked at; absent where lengths were given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<Target>,
    /// The pictures it rests on.
    #[serde(rename = "picture")]
    pub pictures: Vec<PictureEntry>,
    /// Residuals over the view.
    #[serde(default, rename = "residual")]
    pub residuals: Vec<Residual>,
}

/// A picture by name and digest.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PictureEntry {
    /// File name, or the camera's frame.
    pub picture: String,
    /// Its digest.
    pub sha256: String,
}

/// `[light]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LightEntry {
    /// When it was measured.
    pub made_at: Timestamp,
    /// White minus dark, a picture relative to this file.
    pub flat_field: PictureFile,
    /// Without light; absent where that was not taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dark_field: Option<PictureFile>,
    /// What was measured.
    pub report: LightReport,
}

/// A picture beside the calibration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PictureFile {
    /// Relative to the calibration.
    pub file: PathBuf,
    /// Its digest.
    pub sha256: String,
}

impl Calibration {
    /// An empty one for frames of `size_px`.
    pub fn new(serial: Option<String>, size_px: [u32; 2], now: Timestamp) -> Self {
        Self {
            schema: SCHEMA.to_owned(),
            digest: String::new(),
            made_by: concat!("plumb ", env!("CARGO_PKG_VERSION")).to_owned(),
            made_at: now,
            expires_at: None,
            camera: CameraEntry { serial, size_px },
            lens: None,
            plane: None,
            light: None,
        }
    }

    /// Reads a file and holds it against its digest.
    ///
    /// # Errors
    /// When it cannot be read, is no calibration, or is not any more what was written.
    pub fn read(file: &Path) -> Result<Self, CameraError> {
        let wrong = |says: String| CameraError::File { file: file.to_owned(), says };
        let long = fs::metadata(file).map_err(|error| wrong(format!("cannot be read: {error}")))?.len();
        if long > BYTES_MAX {
            return Err(wrong(format!("is {long} bytes long; no calibration is")));
        }
        let text = fs::read_to_string(file).map_err(|error| wrong(format!("cannot be read: {error}")))?;
        let calibration: Self = toml::from_str(&text).map_err(|error| {
            wrong(format!(
                "is no calibration: {}; plumb calibrate lens writes one",
                error.to_string().trim_end()
            ))
        })?;
        if calibration.schema != SCHEMA {
            let says = format!("is a {}, this program reads {SCHEMA}; calibrate again", calibration.schema);
            return Err(wrong(says));
        }
        let reckoned = calibration.reckoned_digest();
        if calibration.digest != reckoned {
            return Err(wrong(
                "was changed after it was written: its digest does not fit; put the original back, or calibrate again".to_owned(),
            ));
        }
        Ok(calibration)
    }

    /// Writes it with its digest, whole or not at all.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn write(&mut self, file: &Path) -> Result<(), CameraError> {
        self.digest = self.reckoned_digest();
        let wrong = |says: String| CameraError::File { file: file.to_owned(), says };
        let text = toml::to_string(self).map_err(|error| wrong(format!("cannot be written: {error}")))?;
        let part = file.with_extension("toml.part");
        let write = || {
            let mut out = fs::File::create(&part)?;
            out.write_all(text.as_bytes())?;
            out.sync_all()?;
            fs::rename(&part, file)
        };
        write().map_err(|error| wrong(format!("cannot be written: {error}")))
    }

    /// Of the values, not of the text: spaces and comments do not count.
    fn reckoned_digest(&self) -> String {
        let bare = Self { digest: String::new(), ..self.clone() };
        let json = serde_json::to_vec(&bare).expect("plain values with text keys are JSON");
        digest(&json)
    }

    /// The lens for the stages.
    pub fn lens(&self) -> Option<Lens> {
        self.lens.as_ref().map(|entry| entry.is)
    }

    /// The scale for the stages.
    pub fn mm_per_px(&self) -> Option<MmPerPx> {
        self.plane.as_ref().map(|entry| entry.mm_per_px)
    }
}

impl LensEntry {
    /// Of a fit of `target`, with the pictures that were not used.
    pub fn new(fit: &LensFit, target: &Target, unused: Vec<String>, now: Timestamp) -> Self {
        let shots = fit.shots.iter().map(|shot| ShotEntry {
            picture: shot.picture.clone(),
            sha256: shot.sha256.clone(),
            points: shot.points,
            rms_px: shot.rms_px,
            pose: shot.pose,
        });
        Self {
            made_at: now,
            rms_px: fit.rms_px,
            target: target.clone(),
            is: fit.lens,
            uncertainty: fit.uncertainty,
            model: fit.choice,
            warnings: fit.warnings.clone(),
            shots: shots.collect(),
            unused,
        }
    }
}

impl PlaneEntry {
    /// Of a fit.
    pub fn new(fit: &PlaneFit, target: Option<Target>, pictures: Vec<PictureEntry>, now: Timestamp) -> Self {
        Self {
            made_at: now,
            mm_per_px: fit.mm_per_px,
            relative_u: fit.relative_u,
            rms_mm: fit.rms_mm,
            scale_range: fit.scale_range,
            mm_from_px: fit.mm_from_px,
            target,
            pictures,
            residuals: fit.residuals.clone(),
        }
    }

    /// The fit it holds, to measure with.
    pub fn fit(&self) -> PlaneFit {
        PlaneFit {
            mm_from_px: self.mm_from_px,
            mm_per_px: self.mm_per_px,
            relative_u: self.relative_u,
            rms_mm: self.rms_mm,
            scale_range: self.scale_range,
            residuals: self.residuals.clone(),
        }
    }
}

impl PictureFile {
    /// Of a picture that was just written.
    ///
    /// # Errors
    /// When it cannot be read back.
    pub fn of(calibration: &Path, file: &Path) -> Result<Self, CameraError> {
        let bytes = fs::read(file).map_err(|error| CameraError::File {
            file: file.to_owned(),
            says: format!("cannot be read: {error}"),
        })?;
        let folder = calibration.parent().unwrap_or(Path::new(""));
        let relative = file.strip_prefix(folder).unwrap_or(file).to_owned();
        Ok(Self { file: relative, sha256: digest(&bytes) })
    }

    /// Where it is, held against its digest.
    ///
    /// # Errors
    /// When it is not there any more, or another one.
    pub fn checked(&self, calibration: &Path) -> Result<PathBuf, CameraError> {
        let file = calibration.parent().unwrap_or(Path::new("")).join(&self.file);
        let wrong = |says: String| CameraError::File { file: file.clone(), says };
        let bytes = fs::read(&file).map_err(|error| wrong(format!("cannot be read: {error}")))?;
        if digest(&bytes) != self.sha256 {
            let says = format!("is not the picture that {} was written with", calibration.display());
            return Err(wrong(says));
        }
        Ok(file)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fitness::{Circumstances, Unfit};

    fn calibration() -> Calibration {
        let now: Timestamp = "2026-03-01T12:00:00Z".parse().expect("a time");
        let plane = PlaneFit {
            mm_from_px: Some([[0.1, 0.0, -3.0], [1e-17, 0.1 + 0.2, 4.0], [1e-5, 0.0, 1.0]]),
            mm_per_px: MmPerPx { x: 0.1, y: 0.1 / 3.0 },
            relative_u: [0.001, 0.002],
            rms_mm: 0.01,
            scale_range: [0.99, 1.01],
            residuals: vec![Residual { at_px: [1.5, 2.0], off_mm: [0.01, -0.0] }],
        };
        let mut made = Calibration::new(Some("SN-7".to_owned()), [640, 480], now);
        made.expires_at = Some("2027-03-01T12:00:00Z".parse().expect("a time"));
        made.plane = Some(PlaneEntry::new(&plane, None, Vec::new(), now));
        made
    }

    #[test]
    fn a_calibration_comes_back_as_it_was_written_and_not_as_somebody_changed_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("calibration.toml");
        let mut written = calibration();
        written.write(&file).expect("written");
        assert_eq!(Calibration::read(&file).expect("read"), written);
        let text = fs::read_to_string(&file).expect("text");
        fs::write(&file, format!("# a note\n{text}")).expect("written");
        assert!(Calibration::read(&file).is_ok(), "a comment is no change");
        fs::write(&file, text.replace("SN-7", "SN-8")).expect("written");
        let told = Calibration::read(&file).expect_err("changed").to_string();
        assert!(told.contains("was changed after it was written"), "{told}");
        fs::write(&file, text.replace("calibration/1", "calibration/9")).expect("written");
        let told = Calibration::read(&file).expect_err("another schema").to_string();
        assert!(told.contains("is a plumb.calibration/9"), "{told}");
        fs::write(&file, "[lens]\nfx = 1").expect("written");
        assert!(
            Calibration::read(&file).expect_err("no calibration").to_string().contains("is no calibration")
        );
    }

    #[test]
    fn everything_that_speaks_against_a_calibration_is_told_at_once() {
        let made = calibration();
        let at = |time: &str| time.parse::<Timestamp>().expect("a time");
        let here = Circumstances {
            serial: Some("SN-7"),
            size_px: Some([640, 480]),
            now: at("2026-06-01T00:00:00Z"),
        };
        assert_eq!(made.unfit(&here), []);
        let late = Circumstances { now: at("2027-03-01T12:00:00Z"), ..here };
        assert!(matches!(made.unfit(&late)[..], [Unfit::Expired { .. }]));
        let other = Circumstances { serial: Some("SN-9"), size_px: Some([1280, 720]), now: late.now };
        assert_eq!(made.unfit(&other).len(), 3);
        let unknown = Circumstances { serial: None, ..here };
        let told = made.unfit(&unknown)[0].to_string();
        assert!(told.contains("add serial = \"SN-7\""), "{told}");
    }
}
