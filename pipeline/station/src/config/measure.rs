//! `[[measure]]` of a recipe: what is measured in the picture itself, and where.

use super::{
    align::{AlignPlan, nobody_looks},
    document::Document,
    plan::CameraPlan,
    problem::{Problem, Problems, suggest},
    recipe::{RegionPlan, check_camera},
};
use plumb_inspection::{CameraId, Dimension};
use plumb_preprocess::{Gauge, Quantity};
use plumb_verdict::MeasurementRule;
use serde::Deserialize;

/// `[[measure]]`: its `kind` says what is measured and which keys say where.
#[derive(Clone, Debug, Deserialize)]
struct MeasureSection {
    /// Its name in rules and records.
    name: String,
    /// Not needed where the station has one camera only.
    #[serde(default)]
    camera: Option<CameraId>,
    /// In px of the reference where the view is aligned, else of the frame.
    #[serde(flatten)]
    quantity: Quantity,
}

/// One thing to measure in one camera's view.
#[derive(Clone, Debug, PartialEq)]
pub struct MeasurePlan {
    /// Whose view.
    pub camera: CameraId,
    /// What and where.
    pub gauge: Gauge,
}

/// Reads every `[[measure]]` of a recipe. What is wrong goes to `problems`.
pub(super) fn read(
    document: &Document,
    cameras: &[CameraPlan],
    regions: &[RegionPlan],
    aligns: &[AlignPlan],
    problems: &mut Problems,
) -> Vec<MeasurePlan> {
    let mut plans: Vec<MeasurePlan> = Vec::new();
    for index in (0..document.len_of(&["measure"])).map(|index| index.to_string()) {
        let route = ["measure", &index];
        let Some(section) = document.take::<MeasureSection>(&route, problems) else { continue };
        let MeasureSection { name, camera, quantity } = section;
        check_camera(document, &route, camera.as_ref(), cameras, problems);
        let named = |known: &&CameraPlan| camera.as_ref().is_none_or(|id| *id == known.id);
        let Some(camera) = cameras.iter().find(named) else { continue };
        let says_name = |says: String| document.problem(&["measure", &index, "name"], says);
        if name.trim().is_empty() {
            problems.push(says_name("a measure has no name; rules and records call it by that".to_owned()));
        }
        if plans.iter().any(|other| other.gauge.name == name) {
            problems.push(says_name(format!("a second measure is called \"{name}\"")));
        }
        if regions.iter().all(|region| region.camera != camera.id) {
            problems.push(nobody_looks(document, &route, &camera.id));
        }
        let gauge = Gauge { name, quantity };
        let told = gauge.problems();
        for says in &told {
            problems.push(document.problem(&route, format!("measure \"{}\": {says}", gauge.name)));
        }
        if told.is_empty() {
            let align = aligns.iter().find(|align| align.camera == camera.id);
            problems_beyond(document, &route, &gauge, align)
                .into_iter()
                .for_each(|found| problems.push(found));
        }
        plans.push(MeasurePlan { camera: camera.id.clone(), gauge });
    }
    plans
}

/// A place beyond the picture that it was drawn on is a slip of the pen.
fn problems_beyond(
    document: &Document,
    route: &[&str],
    gauge: &Gauge,
    align: Option<&AlignPlan>,
) -> Option<Problem> {
    let [width, height] = align?.aligner.size_px();
    let outside = |[x, y]: &[f64; 2]| *x < 0.0 || *y < 0.0 || *x > f64::from(width) || *y > f64::from(height);
    let [x, y] = gauge.places().into_iter().find(outside)?;
    let says = format!(
        "measure \"{}\" looks at ({x:.0}, {y:.0}) px, beyond its {width}x{height} reference",
        gauge.name
    );
    Some(document.problem(route, says).hint("places are in px of the reference picture"))
}

/// A rule that cannot be judged by any measurement of the recipe.
pub(super) fn check_rule(
    document: &Document,
    index: &str,
    rule: &MeasurementRule,
    measures: &[MeasurePlan],
    cameras: &[CameraPlan],
    problems: &mut Problems,
) {
    let MeasurementRule { name, measure, .. } = rule;
    let Some(plan) = measures.iter().find(|plan| plan.gauge.name == *measure) else {
        let says = format!("rule \"{name}\" is about measure \"{measure}\", which the recipe lacks");
        let hint = suggest(measure, measures.iter().map(|plan| plan.gauge.name.as_str()));
        problems.push(document.problem(&["rule", index, "measure"], says).hint(hint));
        return;
    };
    let is = plan.gauge.quantity.dimension();
    if rule.dimension() != is {
        let (what, keys) = match is {
            Dimension::Length => ("a length", "limits in mm or px"),
            Dimension::Angle => ("an angle", "min_deg or max_deg"),
            Dimension::Area => ("an area", "limits in mm2 or px2"),
        };
        let says = format!("rule \"{name}\" has limits of another unit: \"{measure}\" is {what}");
        problems.push(document.problem(&["rule", index], says).hint(format!("give it {keys}")));
    }
    let scale = cameras.iter().find(|camera| camera.id == plan.camera).and_then(|camera| camera.mm_per_px);
    if rule.wants_mm() && scale.is_none() {
        let camera = &plan.camera;
        let says = format!("rule \"{name}\" has a limit in mm, but camera \"{camera}\" has no scale");
        let hint = format!("give camera \"{camera}\" its calibration, or a limit in px");
        problems.push(document.problem(&["rule", index], says).hint(hint));
    }
}
