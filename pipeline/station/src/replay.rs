//! A recipe over stored pictures: the station's own hot path with its camera exchanged for a file, without a PLC.
//!
//! Deadlines do not count, because nobody waits; pictures are taken as fast as the models look at them.

use crate::config::{Plan, TriggerSection};
use plumb_capture::{FilesConfig, Pace, SourceConfig};
use plumb_inspection::RecipeName;
use plumb_plc::PlcConfig;
use std::{
    path::{Path, PathBuf},
    time::Duration,
};

/// A day: longer than any replay waits for one picture.
const NO_DEADLINE: Duration = Duration::from_secs(86_400);

/// Why a recipe cannot be replayed over a source.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// No such recipe.
    #[error("there is no recipe \"{recipe}\"; the station has {known}")]
    NoRecipe {
        /// As asked for.
        recipe: String,
        /// What there is.
        known: String,
    },
    /// Stored pictures show one view.
    #[error(
        "recipe \"{recipe}\" joins {views} views into one verdict; stored pictures are replayed for one view only"
    )]
    SeveralViews {
        /// As asked for.
        recipe: RecipeName,
        /// How many cameras.
        views: usize,
    },
    /// Nothing there.
    #[error("{source} is neither a folder of pictures, a picture, a video nor a ledger: {why}", source = path.display())]
    NoSource {
        /// As asked for.
        path: PathBuf,
        /// What the system says.
        why: std::io::Error,
    },
}

/// `plan` turned into a replay of `recipe` over `source`. A folder that holds a ledger means its kept pictures.
/// `data` takes the replay's own ledger.
///
/// A video is looked at through the station's photo-eye if it has one; otherwise each picture is a part.
///
/// # Errors
/// When recipe and source cannot go together.
pub fn plan(
    mut plan: Plan,
    recipe: &str,
    source: &Path,
    paced_fps: Option<f64>,
    data: &Path,
) -> Result<Plan, ReplayError> {
    let known = || plan.recipes.values().map(|recipe| recipe.name.as_str()).collect::<Vec<_>>().join(", ");
    let number = match plan.recipes.values().find(|known| known.name.as_str() == recipe) {
        Some(recipe) => recipe.number,
        None => return Err(ReplayError::NoRecipe { recipe: recipe.to_owned(), known: known() }),
    };
    let no_source = |why| ReplayError::NoSource { path: source.to_owned(), why };
    std::fs::metadata(source).map_err(no_source)?;
    plan.recipes.retain(|other, _| *other == number);
    let cameras = plan.recipes[&number].cameras();
    if cameras.len() != 1 {
        let recipe = plan.recipes[&number].name.clone();
        return Err(ReplayError::SeveralViews { recipe, views: cameras.len() });
    }
    plan.cameras.retain(|camera| camera.id == cameras[0]);
    let path = match source.join("ledger.sqlite").exists() {
        true => kept_pictures(source, &data.join("kept")).map_err(no_source)?,
        false => source.to_owned(),
    };
    let files = FilesConfig { path, pace: paced_fps.map_or(Pace::Free, Pace::Fps), repeat: false };
    let through_eye = files.is_video() && matches!(plan.trigger, TriggerSection::PhotoEye { .. });
    if !through_eye {
        plan.trigger = TriggerSection::Frame { camera: None };
    }
    for camera in &mut plan.cameras {
        camera.source = SourceConfig::Files(files.clone());
    }
    if let Some(recipe) = plan.recipes.get_mut(&number) {
        recipe.deadline = NO_DEADLINE;
    }
    plan.first_recipe = number;
    plan.plc = PlcConfig::None;
    (plan.mirrors, plan.gate, plan.pair_within) = (Vec::new(), None, None);
    plan.ledger.reserve_mb = 0; // it is thrown away
    plan.challenge = None; // as nobody acts upon a replay
    plan.infer.require_approval = false; // nobody acts upon a replay, and its own ledger knows of no approval
    plan.station.data = data.to_owned();
    Ok(plan)
}

/// As many pictures side by side as the processor has room for; a recipe on another device is left as it is.
pub fn on_all_cores(plan: &mut Plan) {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    plan.infer.workers = (cores / plan.infer.threads.max(1)).clamp(1, 64).max(plan.infer.workers);
}

/// Every picture a ledger kept, day after day, in one folder of links: sources do not look into subfolders.
fn kept_pictures(ledger: &Path, links: &Path) -> std::io::Result<PathBuf> {
    std::fs::create_dir_all(links)?;
    for day in std::fs::read_dir(ledger.join("pictures"))?.flatten().filter(|entry| entry.path().is_dir()) {
        for picture in std::fs::read_dir(day.path())?.flatten() {
            let name =
                format!("{}-{}", day.file_name().to_string_lossy(), picture.file_name().to_string_lossy());
            std::os::unix::fs::symlink(std::fs::canonicalize(picture.path())?, links.join(name))?;
        }
    }
    Ok(links.to_owned())
}
