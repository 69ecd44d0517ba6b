//! `plumb align try`: where a recipe finds the part in pictures, how sure that is, and what it measures there.

use super::{Stop, picture_of, print, say};
use crate::{
    cli::{Exit, station_file},
    config::{self, CameraPlan, RecipePlan},
    scale::CameraScale,
};
use plumb_inspection::{Alignment, Frame, Measurement, Stamp};
use plumb_preprocess::{Pieces, Preprocessor};
use serde_json::json;
use std::path::{Path, PathBuf};

/// Arguments of `plumb align try`.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Try {
    /// Pictures, or folders of pictures.
    #[arg(required = true)]
    pictures: Vec<PathBuf>,
    /// The recipe; the one the station starts with by default.
    #[arg(long, value_name = "NAME")]
    recipe: Option<String>,
    /// Whose view the pictures are, where the recipe aligns several.
    #[arg(long, value_name = "ID")]
    camera: Option<String>,
    /// The station's config.
    #[arg(long, value_name = "STATION.toml")]
    station: Option<PathBuf>,
    /// One JSON line a picture on stdout, schema plumb.align.try/1.
    #[arg(long)]
    json: bool,
}

impl Try {
    pub(super) fn run(self) -> Result<Exit, Stop> {
        let plan = config::read(&station_file(self.station.clone()))
            .map_err(|problems| Stop(Exit::Config, format!("the config has problems\n{problems}")))?;
        let recipe = self.recipe_of(&plan)?;
        let camera = self.camera_of(&plan, recipe)?;
        let mut preprocessor = Preprocessor::new(camera.optics.clone(), Vec::new())
            .and_then(|preprocessor| preprocessor.measuring(recipe.gauges_of(&camera.id)))
            .map_err(|error| Stop::new(Exit::Config, error))?;
        if let Some(aligner) = recipe.aligner_of(&camera.id) {
            preprocessor = preprocessor.following(aligner.clone());
        }
        let scale = CameraScale::of(camera);
        let mut not_found = 0;
        let files = files(&self.pictures)?;
        for (seq, file) in files.iter().enumerate() {
            let picture = picture_of(file)?;
            let (camera, at) = (camera.id.clone(), Stamp::now());
            let frame = Frame { camera, seq: seq as u64, camera_frame_id: None, at, image: picture.image };
            let pieces = preprocessor
                .pieces(&frame, &scale.at(&frame))
                .map_err(|error| Stop(Exit::Finding, format!("{}: {error}", file.display())))?;
            not_found += usize::from(matches!(pieces.alignment, Some(Alignment::NotFound { .. })));
            let told = if self.json { line(file, &pieces) } else { shown(file, &pieces) };
            if print(told.as_bytes()) != Exit::Ok {
                return Ok(Exit::Device);
            }
        }
        say(&format!("found in {} of {} pictures", files.len() - not_found, files.len()));
        Ok(if not_found == 0 { Exit::Ok } else { Exit::Finding })
    }

    fn recipe_of<'p>(&self, plan: &'p config::Plan) -> Result<&'p RecipePlan, Stop> {
        let Some(name) = &self.recipe else { return Ok(&plan.recipes[&plan.first_recipe]) };
        plan.recipes.values().find(|recipe| recipe.name.as_str() == name).ok_or_else(|| {
            let known =
                plan.recipes.values().map(|recipe| recipe.name.as_str()).collect::<Vec<_>>().join(", ");
            Stop::new(Exit::Usage, format!("there is no recipe \"{name}\"; the station has {known}"))
        })
    }

    fn camera_of<'p>(&self, plan: &'p config::Plan, recipe: &RecipePlan) -> Result<&'p CameraPlan, Stop> {
        let aligned: Vec<&str> = recipe.aligns.iter().map(|align| align.camera.as_str()).collect();
        let wanted = match (&self.camera, aligned.as_slice()) {
            (Some(camera), aligned) if aligned.contains(&camera.as_str()) => camera.as_str(),
            (None, [only]) => only,
            (_, []) => {
                let says =
                    format!("recipe \"{}\" has no [align]; `plumb align teach` writes one", recipe.name);
                return Err(Stop(Exit::Usage, says));
            }
            (_, aligned) => {
                let says =
                    format!("recipe \"{}\" aligns {}; --camera names one", recipe.name, aligned.join(", "));
                return Err(Stop(Exit::Usage, says));
            }
        };
        let camera = plan.cameras.iter().find(|camera| camera.id.as_str() == wanted);
        camera.ok_or_else(|| Stop::new(Exit::Bug, format!("the plan has no camera \"{wanted}\"")))
    }
}

/// Each file named, and of each folder what is in it, by name.
fn files(named: &[PathBuf]) -> Result<Vec<PathBuf>, Stop> {
    let mut files = Vec::new();
    for path in named {
        if !path.is_dir() {
            files.push(path.clone());
            continue;
        }
        let unreadable =
            |error| Stop::new(Exit::Usage, format!("{} cannot be read: {error}", path.display()));
        let entries = std::fs::read_dir(path).map_err(unreadable)?.flatten().map(|entry| entry.path());
        let mut inside: Vec<PathBuf> = entries.filter(|entry| entry.is_file()).collect();
        inside.sort();
        files.append(&mut inside);
    }
    Ok(files)
}

fn line(file: &Path, Pieces { alignment, measurements, .. }: &Pieces) -> String {
    let document = json!({
        "schema": "plumb.align.try/1", "picture": file, "alignment": alignment, "measurements": measurements,
    });
    format!("{document}\n")
}

fn shown(file: &Path, Pieces { alignment, measurements, .. }: &Pieces) -> String {
    let mut out = match alignment {
        Some(Alignment::Found(pose)) => format!(
            "{}  at x {:.2} y {:.2}, turned {:.2}°, × {:.4}, score {:.3}\n",
            file.display(),
            pose.x,
            pose.y,
            pose.angle_deg,
            pose.scale,
            pose.score
        ),
        Some(Alignment::NotFound { score, score_min }) => {
            format!("{}  not found, best score {score:.3} of {score_min} wanted\n", file.display())
        }
        None => format!("{}\n", file.display()),
    };
    for Measurement { name, says, .. } in measurements {
        out += &format!("    {name} {says}\n");
    }
    out
}
