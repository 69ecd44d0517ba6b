//! The cameras' calibrations for the console, and guidance for finding them anew while the station runs: by the code that
//! `plumb calibrate` uses, on frames that pass by.

use super::frames::NextFrame;
use crate::{
    config::{CameraPlan, Plan},
    hot_path::Desk,
};
use jiff::{SignedDuration, Timestamp};
use plumb_camera::{
    Calibration, FocusNow, FocusTracker, Gathering, LensEntry, LightEntry, LightStudy, Model, Picture,
    PictureEntry, PictureFile, PlaneEntry, PlaneFit, Target, calibrate, unused_shots,
};
use plumb_console::{Aim, CalibrationSeen, Calibrations, Guidance, Refused, Task, WrittenCalibration};
use plumb_inspection::{CameraId, TriggerSource};
use std::{
    fmt, fs,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

/// A frame is waited for so long.
const PATIENCE: Duration = Duration::from_secs(3);
/// As `plumb calibrate lens --days` by itself.
const HOLDS: SignedDuration = SignedDuration::from_hours(24 * 365);
/// Shots that are enough once nothing is missing, as `plumb calibrate lens --shots`; and with how many an RMS says anything.
const LENS_SHOTS: usize = 20;
const RMS_FROM: usize = 8;
/// More make nothing better and the solver slow.
const SHOTS_MAX: usize = 60;
/// As `plumb calibrate light`: pictures, and what of clipping and flicker is too much, in percent.
const WHITES: usize = 16;
const CLIPPED_MAX: f64 = 0.1;
const FLICKER_MAX: f64 = 2.0;
/// As `plumb calibrate plane`: of the target's own mm, relative.
const TARGET_U: f64 = 0.0005;

pub(crate) struct StationCalibrations {
    plan: Arc<Plan>,
    desk: Arc<Desk>,
    frames: Mutex<NextFrame>,
    guided: Mutex<Option<Guided>>,
}

impl fmt::Debug for StationCalibrations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StationCalibrations").finish_non_exhaustive()
    }
}

/// Somebody is guided.
struct Guided {
    aim: Aim,
    camera: CameraId,
    work: Work,
    looked: usize,
    told: Guidance,
}

enum Work {
    Lens { target: Target, gathering: Gathering },
    Plane { target: Target, gathering: Gathering },
    Light { study: LightStudy, size_px: Option<[u32; 2]>, taken: usize },
    Focus(FocusTracker),
}

impl StationCalibrations {
    pub(crate) fn new(plan: Arc<Plan>, desk: Arc<Desk>, frames: NextFrame) -> Self {
        Self { plan, desk, frames: Mutex::new(frames), guided: Mutex::default() }
    }

    fn camera(&self, id: &str) -> Result<&CameraPlan, Refused> {
        let found = self.plan.cameras.iter().find(|camera| camera.id.as_str() == id);
        found.ok_or_else(|| {
            let names: Vec<&str> = self.plan.cameras.iter().map(|camera| camera.id.as_str()).collect();
            Refused(format!("there is no camera \"{id}\"; there are {}", names.join(", ")))
        })
    }

    /// The file that the config names for the camera, or the one it would be in.
    fn file(&self, camera: &CameraPlan) -> PathBuf {
        let folder = self.plan.recipes_folder.parent().unwrap_or(Path::new(""));
        let named = camera.calibration.as_ref().map(|calibration| calibration.file.clone());
        named.unwrap_or_else(|| folder.join(format!("calibration-{}.toml", camera.id)))
    }

    /// Where pictures that count are kept, as `plumb calibrate --keep` keeps them.
    fn kept(&self, camera: &CameraId) -> PathBuf {
        self.plan.station.data.join("calibration").join(camera.as_str())
    }

    fn keep(&self, camera: &CameraId, name: &str, png: &[u8]) -> Result<(), Refused> {
        let folder = self.kept(camera);
        let write = fs::create_dir_all(&folder).and_then(|()| fs::write(folder.join(name), png));
        write.map_err(|error| Refused(format!("{} cannot be written: {error}", folder.join(name).display())))
    }
}

fn refused(error: impl fmt::Display) -> Refused {
    Refused(error.to_string())
}

impl Calibrations for StationCalibrations {
    fn cameras(&self) -> Vec<CalibrationSeen> {
        let seen = |camera: &CameraPlan| {
            let id = camera.id.to_string();
            let Some(loaded) = &camera.calibration else {
                return CalibrationSeen { camera: id, ..CalibrationSeen::default() };
            };
            let on_disk = Calibration::read(&loaded.file);
            let unreadable =
                on_disk.as_ref().err().map(|error| format!("the file is no calibration: {error}"));
            let is_loaded = |calibration: &&Calibration| calibration.digest == loaded.digest;
            let whole = on_disk.as_ref().ok().filter(is_loaded);
            CalibrationSeen {
                camera: id,
                file: Some(loaded.file.display().to_string()),
                digest: loaded.digest.clone(),
                digest_on_disk: on_disk
                    .as_ref()
                    .ok()
                    .filter(|calibration| !is_loaded(calibration))
                    .map(|calibration| calibration.digest.clone()),
                made_at: whole.map(|calibration| calibration.made_at),
                expires_at: loaded.expires_at,
                unfit: loaded.uncalibrated(Timestamp::now(), loaded.size_px).or(unreadable),
                size_px: loaded.size_px,
                lens: whole
                    .and_then(|calibration| calibration.lens.as_ref())
                    .map(|l| (l.rms_px, l.shots.len())),
                plane: whole
                    .and_then(|calibration| calibration.plane.as_ref())
                    .map(|plane| ([plane.mm_per_px.x, plane.mm_per_px.y], plane.relative_u)),
                evenness: whole.and_then(|calibration| calibration.light.as_ref()).map(|l| l.report.evenness),
            }
        };
        self.plan.cameras.iter().map(seen).collect()
    }

    fn begin(&self, aim: Aim) -> Result<(), Refused> {
        let camera = self.camera(&aim.camera)?.id.clone();
        let target = || aim.target.parse::<Target>().map_err(refused);
        let work = match aim.task {
            Task::Lens => Work::Lens { target: target()?, gathering: Gathering::new(target()?, None) },
            Task::Plane => Work::Plane { target: target()?, gathering: Gathering::new(target()?, None) },
            Task::Light => Work::Light { study: LightStudy::default(), size_px: None, taken: 0 },
            Task::Focus => Work::Focus(FocusTracker::default()),
        };
        let told = Guidance { camera: aim.camera.clone(), task: aim.task.as_str(), ..Guidance::default() };
        *self.guided.lock().unwrap_or_else(PoisonError::into_inner) =
            Some(Guided { aim, camera, work, looked: 0, told });
        Ok(())
    }

    fn look(&self) -> Result<Guidance, Refused> {
        // Whoever waits for a frame does not hold up who gives up.
        let (camera, asks) = {
            let guided = self.guided.lock().unwrap_or_else(PoisonError::into_inner);
            let guided =
                guided.as_ref().ok_or_else(|| Refused("nobody is guided; begin first".to_owned()))?;
            (guided.camera.clone(), guided.aim.asks)
        };
        let frame = {
            let frames = self.frames.lock().unwrap_or_else(PoisonError::into_inner);
            if asks {
                self.desk.ask(TriggerSource::Api, None, None);
            }
            frames.wait(&camera, PATIENCE)
        };
        let frame = frame.ok_or_else(|| {
            Refused(format!(
                "camera \"{camera}\" has given no picture for {} s; let a part come, or have each look begin one",
                PATIENCE.as_secs()
            ))
        })?;
        let name = format!("{camera}-{:06}.png", frame.seq);
        let picture = Picture::of_frame(&name, &frame.image);
        drop(frame);
        let mut guided = self.guided.lock().unwrap_or_else(PoisonError::into_inner);
        let guided = guided
            .as_mut()
            .filter(|guided| guided.camera == camera)
            .ok_or_else(|| Refused("nobody is guided; begin first".to_owned()))?;
        guided.looked += 1;
        if let Some(png) = guided.look(picture)? {
            self.keep(&camera, &name, &png)?;
        }
        guided.told.looked = guided.looked;
        Ok(guided.told.clone())
    }

    fn write(&self) -> Result<WrittenCalibration, Refused> {
        let guided = self.guided.lock().unwrap_or_else(PoisonError::into_inner);
        let guided = guided.as_ref().ok_or_else(|| Refused("nobody is guided; begin first".to_owned()))?;
        let camera = self.camera(&guided.aim.camera)?;
        let file = self.file(camera);
        let old = file.exists().then(|| Calibration::read(&file)).transpose().map_err(refused)?;
        let old_digest = old.as_ref().map(|calibration| calibration.digest.clone());
        let (mut calibration, mut warnings) = guided.found(old, camera.serial.clone(), &file)?;
        let now = Timestamp::now();
        calibration.made_at = now;
        calibration.expires_at = Some(now.checked_add(HOLDS).map_err(refused)?);
        if let Some(digest) = &old_digest {
            // Somebody may want it back.
            let beside = file.with_extension(format!("{}.toml", digest.get(..8).unwrap_or(digest)));
            fs::copy(&file, &beside)
                .map_err(|error| Refused(format!("{} cannot be kept: {error}", file.display())))?;
        }
        calibration.write(&file).map_err(refused)?;
        if camera.calibration.is_none() {
            warnings.push(format!(
                "the config does not name it yet: add calibration = \"{}\" to camera \"{}\"",
                file.file_name().unwrap_or_default().to_string_lossy(),
                camera.id
            ));
        }
        tracing::info!(camera = %camera.id, file = %file.display(), digest = calibration.digest, "A calibration was written at the console.");
        Ok(WrittenCalibration {
            file: file.display().to_string(),
            old_digest,
            digest: calibration.digest,
            warnings,
        })
    }

    fn give_up(&self) {
        *self.guided.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

impl Guided {
    /// Looks at a picture; gives it as PNG where it counts and is to be kept.
    fn look(&mut self, picture: Picture) -> Result<Option<Vec<u8>>, Refused> {
        let told = &mut self.told;
        match &mut self.work {
            Work::Focus(tracker) => {
                let FocusNow { percent, quadrants_percent, tilt, .. } =
                    tracker.look(&picture).map_err(refused)?;
                told.used = self.looked;
                told.focus = Some((percent, quadrants_percent));
                told.missing = tilt.into_iter().collect();
                Ok(None)
            }
            Work::Light { study, size_px, taken } => {
                if *taken < WHITES {
                    study.add_white(&picture).map_err(refused)?;
                    *size_px = Some(picture.size_px());
                    *taken += 1;
                }
                told.used = *taken;
                let more = WHITES.saturating_sub(*taken);
                match study.finish() {
                    Ok((report, _)) => {
                        told.last = None;
                        told.measured = vec![
                            ("white", format!("{:.1}", report.white_mean)),
                            ("evenness", format!("{:.0} %", report.evenness * 100.0)),
                            ("clipped", format!("{:.3} %", report.clipped_percent)),
                        ];
                        let flicker =
                            report.flicker_percent.map(|percent| ("flicker", format!("{percent:.2} %")));
                        told.measured.extend(flicker);
                        told.missing = report.findings(CLIPPED_MAX, FLICKER_MAX);
                    }
                    Err(error) => {
                        told.last = Some((false, vec![error.to_string()]));
                        told.missing = Vec::new();
                    }
                }
                if more > 0 {
                    told.missing.push(format!("{more} more pictures of the even white target"));
                }
                told.is_ready = told.missing.is_empty() && told.last.is_none();
                Ok(None)
            }
            Work::Lens { target, gathering } | Work::Plane { target, gathering } => {
                // The digest in the calibration is that of the file which is kept.
                let png = picture.png().map_err(refused)?;
                let picture = Picture::decode(picture.name.clone(), &png).map_err(Refused)?;
                let is_lens = self.aim.task == Task::Lens;
                let is_full = gathering.shots().len() >= if is_lens { SHOTS_MAX } else { 1 };
                if is_full {
                    told.last = Some((false, vec!["there are enough; write it, or begin anew".to_owned()]));
                    return Ok(None);
                }
                let (counts, says) = match gathering.look(&picture).map_err(refused)? {
                    Ok(shot) => {
                        let says = format!(
                            "{} points, edges {:.1} px wide, tilted {:.0} degrees",
                            shot.sighting.points.len(),
                            shot.quality.rise_px,
                            shot.pose.tilt_deg()
                        );
                        (true, vec![says])
                    }
                    Err(rejected) => (false, rejected.reasons.iter().map(ToString::to_string).collect()),
                };
                told.last = Some((counts, says));
                told.used = gathering.shots().len();
                if is_lens {
                    let coverage = gathering.coverage();
                    told.cells = coverage.cells.iter().map(|row| row.to_vec()).collect();
                    told.missing = coverage.advice();
                    let more = LENS_SHOTS.saturating_sub(told.used);
                    if more > 0 {
                        told.missing.push(format!("{more} more shots, each held differently"));
                    }
                    if let (true, Some(size_px)) = (counts && told.used >= RMS_FROM, gathering.size_px()) {
                        let fit =
                            calibrate(target, size_px, gathering.shots(), self.looked, Some(Model::Plain));
                        told.rms_px = fit.ok().map(|fit| fit.rms_px);
                    }
                } else {
                    told.missing = if told.used > 0 {
                        Vec::new()
                    } else {
                        vec!["lay the target into the part's plane, whole and sharp".to_owned()]
                    };
                }
                told.is_ready = told.missing.is_empty();
                Ok(counts.then_some(png))
            }
        }
    }

    /// What it comes to, in a calibration that goes on from `old`.
    fn found(
        &self,
        old: Option<Calibration>,
        serial: Option<String>,
        file: &Path,
    ) -> Result<(Calibration, Vec<String>), Refused> {
        if matches!(self.work, Work::Focus(_)) {
            return Err(Refused(
                "sharpness is for the ring on the lens; there is nothing to write".to_owned(),
            ));
        }
        if !self.told.is_ready {
            let missing = match &self.told.missing[..] {
                [] => "no picture has been looked at".to_owned(),
                missing => missing.join("; "),
            };
            return Err(Refused(format!("nothing was written, as something is missing still: {missing}")));
        }
        let now = Timestamp::now();
        let fitting = |size_px: [u32; 2]| match old.clone() {
            Some(old) if old.camera.size_px != size_px => {
                let [w, h] = old.camera.size_px;
                let [here_w, here_h] = size_px;
                Err(Refused(format!(
                    "{} is of frames of {w}x{h} px, the camera gives {here_w}x{here_h}; calibrate the lens first",
                    file.display()
                )))
            }
            Some(old) => Ok(old),
            None => Ok(Calibration::new(serial.clone(), size_px, now)),
        };
        let unseen = || Refused("no picture has been looked at".to_owned());
        match &self.work {
            Work::Focus(_) => Err(unseen()),
            Work::Lens { target, gathering } => {
                let size_px = gathering.size_px().ok_or_else(unseen)?;
                let given = gathering.shots().len() + gathering.rejected().len();
                let fit = calibrate(target, size_px, gathering.shots(), given, None).map_err(refused)?;
                let unused = unused_shots(gathering.rejected(), &fit);
                let lines = unused.iter().map(|one| format!("{}: {}", one.picture, one.says())).collect();
                // Another lens is another plane and another light: nothing of the old one goes on.
                let mut calibration = Calibration::new(serial, size_px, now);
                calibration.lens = Some(LensEntry::new(&fit, target, lines, now));
                let mut warnings = fit.warnings.clone();
                if old.is_some_and(|old| old.plane.is_some() || old.light.is_some()) {
                    warnings.push("plane and light are to be found anew with this lens".to_owned());
                }
                Ok((calibration, warnings))
            }
            Work::Plane { target, gathering } => {
                let (shot, size_px) =
                    gathering.shots().first().zip(gathering.size_px()).ok_or_else(unseen)?;
                let mut calibration = fitting(size_px)?;
                let lens = calibration.lens();
                let fit =
                    PlaneFit::of_target(target, &shot.sighting, lens.as_ref(), TARGET_U).map_err(refused)?;
                let picture = PictureEntry { picture: shot.picture.clone(), sha256: shot.sha256.clone() };
                calibration.plane = Some(PlaneEntry::new(&fit, Some(target.clone()), vec![picture], now));
                let mut warnings = Vec::new();
                if lens.is_none() {
                    warnings.push("the calibration has no lens; distortion is in the scale".to_owned());
                }
                let [low, high] = fit.scale_range.map(|share| (share - 1.0) * 100.0);
                if high - low > 2.0 {
                    warnings.push(format!(
                        "the camera looks aslant: over the target the scale goes from {low:+.2} to {high:+.2} %"
                    ));
                }
                Ok((calibration, warnings))
            }
            Work::Light { study, size_px, .. } => {
                let mut calibration = fitting(size_px.ok_or_else(unseen)?)?;
                let (report, _) = study.finish().map_err(refused)?;
                let flat = study.flat_picture().ok_or_else(unseen)?;
                let stem = file.file_stem().unwrap_or_default().to_string_lossy();
                // Another name each time: the calibration that is kept, and the station that runs, have the old one.
                let picture = file.with_file_name(format!("{stem}-flat-{}.png", now.as_second()));
                flat.save(&picture)
                    .map_err(|error| Refused(format!("{} cannot be written: {error}", picture.display())))?;
                let flat_field = PictureFile::of(file, &picture).map_err(refused)?;
                calibration.light = Some(LightEntry { made_at: now, flat_field, dark_field: None, report });
                Ok((calibration, Vec::new()))
            }
        }
    }
}
