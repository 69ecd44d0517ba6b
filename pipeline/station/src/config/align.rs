//! `[align]` of a recipe: the taught picture read, held against its camera, and learned.

use super::{
    document::Document,
    plan::CameraPlan,
    problem::{Problem, Problems},
    recipe::{RegionPlan, check_camera},
};
use plumb_camera::Picture;
use plumb_inspection::{CameraId, RectPx};
use plumb_preprocess::{AlignConfig, Aligner};
use serde::Deserialize;
use std::path::{Path, PathBuf};

/// `[align]` of a recipe; `[[align]]`, each with its `camera`, where several views are aligned.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct AlignSection {
    /// Not needed where the station has one camera only.
    #[serde(default)]
    camera: Option<CameraId>,
    /// The taught picture, relative to the recipe's file; regions and measures are drawn on it.
    reference: PathBuf,
    /// Around the part in it.
    part_px: RectPx,
    /// How far the part may lie from where it was taught, along x and y.
    #[serde(default = "twenty")]
    search_px: f32,
    /// How far it may be turned, either way; 0 for a round part.
    #[serde(default = "ten")]
    search_deg: f32,
    /// How much smaller or larger it may appear.
    #[serde(default)]
    search_percent: f32,
    /// Correlation with the taught picture from which it counts as found.
    #[serde(default = "seven_tenths")]
    score_min: f32,
}

fn twenty() -> f32 {
    20.0
}
fn ten() -> f32 {
    10.0
}
fn seven_tenths() -> f32 {
    0.7
}

/// One camera's view that is aligned.
#[derive(Clone, Debug)]
pub struct AlignPlan {
    /// Whose view.
    pub camera: CameraId,
    /// The taught picture's digest.
    pub digest: String,
    /// What finds the part.
    pub aligner: Aligner,
}

/// Reads every `[align]` of a recipe. What is wrong goes to `problems`.
pub(super) fn read(
    document: &Document,
    cameras: &[CameraPlan],
    regions: &[RegionPlan],
    problems: &mut Problems,
) -> Vec<AlignPlan> {
    let mut plans: Vec<AlignPlan> = Vec::new();
    let count = document.len_of(&["align"]);
    let indices: Vec<String> = (0..count).map(|index| index.to_string()).collect();
    let routes: Vec<Vec<&str>> = match count {
        0 if document.has(&["align"]) => vec![vec!["align"]],
        _ => indices.iter().map(|index| vec!["align", index]).collect(),
    };
    for route in routes {
        let at = |key| [route.as_slice(), &[key]].concat();
        let Some(section) = document.take::<AlignSection>(&route, problems) else { continue };
        check_camera(document, &route, section.camera.as_ref(), cameras, problems);
        let named = |camera: &&CameraPlan| section.camera.as_ref().is_none_or(|id| *id == camera.id);
        let Some(camera) = cameras.iter().find(named) else { continue };
        if plans.iter().any(|other| other.camera == camera.id) {
            let says = format!("camera \"{}\" has a second [align]; a part lies in one place", camera.id);
            problems.push(document.problem(&route, says).hint("keep one a camera"));
        }
        if regions.iter().all(|region| region.camera != camera.id) {
            problems.push(nobody_looks(document, &route, &camera.id));
        }
        let file = document.file().parent().unwrap_or(Path::new("")).join(&section.reference);
        let picture = match Picture::read(&file) {
            Ok(picture) => picture,
            Err(error) => {
                let problem = document.problem(&at("reference"), error.to_string());
                problems.push(problem.hint("`plumb align teach` writes it from a picture of a good part"));
                continue;
            }
        };
        check_size(document, &at("reference"), &picture, camera, problems);
        let config = AlignConfig {
            reference: picture.image,
            part_px: section.part_px,
            search_px: section.search_px,
            search_deg: section.search_deg,
            search_percent: section.search_percent,
            score_min: section.score_min,
        };
        let mut told = config.problems();
        let aligner = match told.is_empty() {
            true => Aligner::new(config).map_err(|error| told.push(error)).ok(),
            false => None,
        };
        for error in told {
            problems.push(document.problem(&at(error.key()), error.to_string()));
        }
        let (camera, digest) = (camera.id.clone(), picture.sha256);
        plans.extend(aligner.map(|aligner| AlignPlan { camera, digest, aligner }));
    }
    plans
}

/// Places in px mean something at one frame size alone. What a calibration of another size does to a scale is told frame by
/// frame; a lens of another size cannot be taken out at all.
fn check_size(
    document: &Document,
    route: &[&str],
    picture: &Picture,
    camera: &CameraPlan,
    problems: &mut Problems,
) {
    let [width, height] = picture.size_px();
    let of_lens = camera.optics.lens.map(|lens| lens.size_px);
    if let Some([w, h]) = of_lens.filter(|size_px| *size_px != [width, height]) {
        let says = format!(
            "the reference is {width}x{height} px, the lens of camera \"{}\" is of {w}x{h}",
            camera.id
        );
        problems.push(document.problem(route, says).hint("teach the part in a frame of the camera as it is"));
    }
}

/// A view nobody looks at makes no part, so nothing of it can be aligned or measured.
pub(super) fn nobody_looks(document: &Document, route: &[&str], camera: &CameraId) -> Problem {
    let problem = document.problem(route, format!("no [[region]] looks at camera \"{camera}\""));
    problem.hint("add one, or name a camera that a region looks at")
}
