//! One region of a recipe as its pictures are cut, read without the recipe's models and rules: a model that is yet to be
//! taught has no card, and nothing can be judged by it.

use super::{
    align,
    document::Document,
    file::RegionSection,
    plan::{CameraPlan, cameras_of},
    problem::{Problems, suggest},
    recipe::{RecipeError, RegionPlan, check_camera, recipe_files},
};
use plumb_inspection::{ModelName, RecipeName, RectPx, RegionName};
use plumb_preprocess::Aligner;
use std::path::{Path, PathBuf};

/// One region, and the way to it.
#[derive(Clone, Debug)]
pub struct ViewPlan {
    /// Whose it is.
    pub recipe: RecipeName,
    /// Whose pictures.
    pub camera: CameraPlan,
    /// Its name.
    pub region: RegionName,
    /// Where; `None` is the whole frame.
    pub rect_px: Option<RectPx>,
    /// Finds the part first, where the recipe has it searched.
    pub aligner: Option<Aligner>,
    /// The model that is to look at it, as the recipe calls it.
    pub model: ModelName,
    /// That model's card, which need not be there; `None` where the recipe does not name it.
    pub card: Option<PathBuf>,
}

/// Reads the region `region` of recipe `recipe`, a name or a number; of its only region where none is named.
///
/// # Errors
/// Every problem of the cameras, of the region and of what finds the part, at once.
pub fn read_view(station_toml: &Path, recipe: &str, region: Option<&str>) -> Result<ViewPlan, RecipeError> {
    let mut problems = Problems::default();
    let cameras = cameras_of(station_toml, &mut problems);
    let Some((cameras, folder)) = cameras else { return Err(problems.sorted().into()) };
    let document = find(&folder, recipe, &mut problems)?;
    let view = view(&document, &cameras, region, &mut problems);
    match view {
        Some(view) if problems.is_empty() => Ok(view),
        _ => Err(problems.sorted().into()),
    }
}

fn find(folder: &Path, wanted: &str, problems: &mut Problems) -> Result<Document, RecipeError> {
    let mut unreadable = Problems::default();
    let mut names = Vec::new();
    for file in recipe_files(folder) {
        let Some(document) = Document::read(&file, &mut unreadable) else { continue };
        let (name, number) = (document.text_at(&["recipe", "name"]), document.text_at(&["recipe", "number"]));
        if [&name, &number].into_iter().flatten().any(|is| is == wanted) {
            return Ok(document);
        }
        names.extend(name);
    }
    if !unreadable.is_empty() {
        unreadable.iter().for_each(|problem| problems.push(problem.clone()));
        return Err(std::mem::take(problems).sorted().into()); // one of them may be the one asked for
    }
    let hint = suggest(wanted, names.iter().map(String::as_str));
    Err(RecipeError::Unknown { wanted: wanted.to_owned(), folder: folder.to_owned(), hint })
}

fn view(
    document: &Document,
    cameras: &[CameraPlan],
    wanted: Option<&str>,
    problems: &mut Problems,
) -> Option<ViewPlan> {
    let indices: Vec<String> = (0..document.len_of(&["region"])).map(|index| index.to_string()).collect();
    let named: Vec<(String, &String)> = indices
        .iter()
        .map(|index| (document.text_at(&["region", index, "name"]).unwrap_or_default(), index))
        .collect();
    let names = || named.iter().map(|(name, _)| name.as_str());
    let index = match (wanted, &named[..]) {
        (_, []) => {
            let problem = document.problem(&[], "the recipe has no [[region]], so there is nothing to teach");
            problems.push(
                problem.hint("add [[region]] with name and model; without rect_px it is the whole frame"),
            );
            return None;
        }
        (None, [(_, only)]) => only,
        (None, _) => {
            let known = names().collect::<Vec<_>>().join(", ");
            let problem =
                document.problem(&["region"], "the recipe has several regions, and one model learns one");
            problems.push(problem.hint(format!("--region names one of {known}")));
            return None;
        }
        (Some(wanted), _) => match named.iter().find(|(name, _)| name == wanted) {
            Some((_, index)) => index,
            None => {
                let says = format!("the recipe has no region \"{wanted}\"");
                problems.push(document.problem(&["region"], says).hint(suggest(wanted, names())));
                return None;
            }
        },
    };
    let route = ["region", index];
    let section: RegionSection = document.take(&route, problems)?;
    check_camera(document, &route, section.camera.as_ref(), cameras, problems);
    let is_its = |camera: &&CameraPlan| section.camera.as_ref().is_none_or(|id| *id == camera.id);
    let camera = cameras.iter().find(is_its)?.clone();
    // `align` asks which cameras regions look at, and nothing else of them.
    let regions = indices.iter().filter_map(|index| {
        let id = document.text_at(&["region", index, "camera"]);
        let named = |camera: &&CameraPlan| id.as_deref().is_none_or(|id| id == camera.id.as_str());
        let camera = cameras.iter().find(named)?.id.clone();
        Some(RegionPlan { name: index.as_str().into(), camera, rect_px: None, model: 0 })
    });
    let aligns = align::read(document, cameras, &regions.collect::<Vec<_>>(), problems);
    let aligner = aligns.into_iter().find(|align| align.camera == camera.id).map(|align| align.aligner);
    let folder = document.file().parent().unwrap_or(Path::new(""));
    let card = (0..document.len_of(&["model"])).map(|index| index.to_string()).find_map(|index| {
        let name = document.text_at(&["model", &index, "name"])?;
        let card = document.text_at(&["model", &index, "card"])?;
        (name == section.model.as_str()).then(|| folder.join(card))
    });
    Some(ViewPlan {
        recipe: document.text_at(&["recipe", "name"]).unwrap_or_default().as_str().into(),
        camera,
        region: section.name,
        rect_px: section.rect_px,
        aligner,
        model: section.model,
        card,
    })
}
