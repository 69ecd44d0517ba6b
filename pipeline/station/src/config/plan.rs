//! Everything the config says, read, checked against each other and resolved. Past a [`Plan`] nothing validates again.

use super::{
    calibration::{self, CalibrationPlan},
    challenge::{self, ChallengePlan},
    document::Document,
    file::{CameraSection, InferSection, StationSection, TriggerSection},
    gate::Gate,
    line_side::{LineSide, MirrorSection},
    problem::{Problem, Problems, suggest},
    recipe::{RecipePlan, RecipeReader, check_camera},
};
use crate::background::tls;
use plumb_capture::{SourceConfig, WatchConfig, trigger::PhotoEye};
use plumb_console::ConsoleConfig;
use plumb_inspection::{CameraId, FlatField, Lens, MmPerPx, RecipeNumber};
use plumb_ledger::LedgerConfig;
use plumb_line::LineConfig;
use plumb_opcua::security::OpcUaServerConfig;
use plumb_plc::PlcConfig;
use plumb_preprocess::Optics;
use plumb_verdict::TrendConfig;
use sha2::{Digest, Sha256};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

/// A station that can be built: every name in it resolves.
#[derive(Debug)]
pub struct Plan {
    /// `[station]`.
    pub station: StationSection,
    /// In the order of the file.
    pub cameras: Vec<CameraPlan>,
    /// What begins a part; its lead camera is one of `cameras`.
    pub trigger: TriggerSection,
    /// How the gate's PLC is reached; its confirmation counts.
    pub plc: PlcConfig,
    /// Links beside it, each with a name of its own.
    pub mirrors: Vec<MirrorSection>,
    /// Where the gate is, if it is known.
    pub gate: Option<Gate>,
    /// The PLC counts parts while a wire triggers the camera: how far a count and its picture may be apart.
    pub pair_within: Option<Duration>,
    /// How records are kept.
    pub ledger: LedgerConfig,
    /// Who may see what in a browser.
    pub console: ConsoleConfig,
    /// Known parts that must be told right before the station may judge.
    pub challenge: Option<ChallengePlan>,
    /// The built-in line, where a camera of kind `line` or `plumb demo` wants it.
    pub line: Option<LineConfig>,
    /// What the models run on.
    pub infer: InferSection,
    /// When the line had better stop.
    pub trend: TrendConfig,
    /// The OPC UA server, where there is one.
    pub opcua: Option<OpcUaServerConfig>,
    /// `station.toml`, to be read again.
    pub file: PathBuf,
    /// SHA-256 of `station.toml`, in hex.
    pub digest: String,
    /// When `station.toml` was last changed; when it was read, where the disk does not say.
    pub changed_at: SystemTime,
    /// Where its recipes lie, to be read again.
    pub recipes_folder: PathBuf,
    /// By the number the PLC knows.
    pub recipes: BTreeMap<RecipeNumber, RecipePlan>,
    /// The recipe to start with; a key of `recipes`.
    pub first_recipe: RecipeNumber,
}

impl Plan {
    /// How many models there are, each counted once, whoever uses it.
    pub fn models(&self) -> usize {
        let models = self.recipes.values().flat_map(|recipe| &recipe.models);
        models.map(|model| &model.card.path).collect::<BTreeSet<_>>().len()
    }
}

/// One camera, ready to be opened.
#[derive(Clone, Debug)]
pub struct CameraPlan {
    /// Its name.
    pub id: CameraId,
    /// What it is.
    pub source: SourceConfig,
    /// When it is down.
    pub watch: WatchConfig,
    /// What its calibration says.
    pub optics: Optics,
    /// Scale of the part's plane.
    pub mm_per_px: Option<MmPerPx>,
    /// Relative standard uncertainty of that, where it comes from a calibration: 0.001 is 0.1 %.
    pub mm_per_px_u: Option<f64>,
    /// Its serial number, where the config tells it.
    pub serial: Option<String>,
    /// The calibration that `optics` and `mm_per_px` come from, where one was given.
    pub calibration: Option<CalibrationPlan>,
    /// How long a triggered frame may take.
    pub frame_wait: Duration,
}

/// Reads `station.toml` and every `recipes/*.toml` beside it. Touches no device.
///
/// # Errors
/// Every problem of every file, at once.
pub fn read(station_toml: &Path) -> Result<Plan, Problems> {
    let mut problems = Problems::default();
    let plan = Reader { problems: &mut problems }.station(station_toml);
    match plan {
        Some(plan) if problems.is_empty() => Ok(plan),
        _ => Err(problems.sorted()),
    }
}

/// The cameras of `station_toml`, and the folder of its recipes. What else stands in the file is not looked at.
pub(super) fn cameras_of(station_toml: &Path, problems: &mut Problems) -> Option<(Vec<CameraPlan>, PathBuf)> {
    let folder = station_toml.parent().unwrap_or(Path::new("")).to_owned();
    let document = Document::read(station_toml, problems)?;
    let cameras = Reader { problems }.cameras(&document, &folder, document.has(&["line"]));
    Some((cameras, folder.join("recipes")))
}

/// Collects problems while it reads.
struct Reader<'p> {
    problems: &'p mut Problems,
}

const SECTIONS: [&str; 14] = [
    "station",
    "camera",
    "trigger",
    "plc",
    "mirror",
    "gate",
    "tracking",
    "ledger",
    "console",
    "challenge",
    "line",
    "infer",
    "trend",
    "opcua",
];

impl Reader<'_> {
    fn station(mut self, file: &Path) -> Option<Plan> {
        let folder = file.parent().unwrap_or(Path::new("")).to_owned();
        let document = Document::read(file, self.problems)?;
        document.refuse_unknown_sections(&SECTIONS, self.problems);
        let station: Option<StationSection> = document.take(&["station"], self.problems);
        let trigger: Option<TriggerSection> = document.take(&["trigger"], self.problems);
        let mut infer: InferSection = self.optional(&document, "infer").unwrap_or_default();
        for (key, says) in infer.problems() {
            self.problems.push(document.problem(&["infer", key], says));
        }
        let trend = self.optional(&document, "trend").unwrap_or_default();
        let ledger: LedgerConfig = self.optional(&document, "ledger").unwrap_or_default();
        for (key, says) in ledger.problems() {
            let route: Vec<&str> = ["ledger"].into_iter().chain(key.split('.')).collect();
            self.problems.push(document.problem(&route, format!("{key} {says}")));
        }
        let mut console: ConsoleConfig = self.optional(&document, "console").unwrap_or_default();
        for (key, says) in console.problems() {
            self.problems.push(document.problem(&["console", key], format!("{key} {says}")));
        }
        console.tls = console.tls.map(|tls| tls.relative_to(&folder));
        for says in console.tls.iter().flat_map(tls::file_problems) {
            self.problems.push(document.problem(&["console", "tls"], says));
        }
        let LineSide { plc, mirrors, gate, pair_within } =
            LineSide::read(&document, &folder, trigger.as_ref(), self.problems);
        let line: Option<LineConfig> = self.optional(&document, "line");
        for problem in line.iter().flat_map(LineConfig::problems) {
            self.problems.push(document.problem(&["line", problem.field], problem.to_string()));
        }
        let opcua: Option<OpcUaServerConfig> = self.optional(&document, "opcua");
        for says in opcua.iter().flat_map(OpcUaServerConfig::problems) {
            self.problems.push(document.problem(&["opcua"], says));
        }
        let cameras = self.cameras(&document, &folder, line.is_some());
        if let Some(trigger) = &trigger {
            self.check_trigger(&document, trigger, &cameras, &plc);
        }
        let recipes_folder = folder.join("recipes");
        let recipes = RecipeReader::new(self.problems, &cameras, gate).folder(&recipes_folder);
        let challenge = challenge::read(&document, &recipes, self.problems);
        let mut station = station?;
        station.data = folder.join(&station.data);
        // Resolved here: a replay has a data folder of its own, but nobody wants to build engines for it anew.
        let cache = infer.cache.take().map(|cache| folder.join(cache));
        infer.cache = Some(cache.unwrap_or_else(|| station.data.join("model-cache")));
        let first = recipes.values().find(|recipe| recipe.name == station.recipe).map(|recipe| recipe.number);
        if first.is_none() && !recipes.is_empty() {
            let says = format!("there is no recipe \"{}\"", station.recipe);
            let names = recipes.values().map(|recipe| recipe.name.as_str());
            let hint = suggest(station.recipe.as_str(), names);
            self.problems.push(document.problem(&["station", "recipe"], says).hint(hint));
        }
        let (trigger, first_recipe) = (trigger?, first?);
        Some(Plan {
            station,
            cameras,
            trigger,
            plc,
            mirrors,
            gate,
            pair_within,
            ledger,
            console,
            challenge,
            line,
            infer,
            trend,
            opcua,
            file: file.to_owned(),
            digest: Sha256::digest(document.text()).iter().map(|byte| format!("{byte:02x}")).collect(),
            changed_at: file
                .metadata()
                .and_then(|file| file.modified())
                .unwrap_or_else(|_| SystemTime::now()),
            recipes_folder,
            recipes,
            first_recipe,
        })
    }

    fn optional<T: serde::de::DeserializeOwned>(&mut self, document: &Document, section: &str) -> Option<T> {
        document.has(&[section]).then(|| document.take(&[section], self.problems)).flatten()
    }

    fn cameras(&mut self, document: &Document, folder: &Path, has_line: bool) -> Vec<CameraPlan> {
        let count = document.len_of(&["camera"]);
        if count == 0 {
            let problem = document.problem(&[], "there is no [[camera]]");
            self.problems.push(problem.hint("add one, e.g. from deploy/examples/camera"));
        }
        let mut cameras: Vec<CameraPlan> = Vec::new();
        for index in (0..count).map(|index| index.to_string()) {
            let route = ["camera", &index];
            let Some(section) = document.take::<CameraSection>(&route, self.problems) else { continue };
            if cameras.iter().any(|other| other.id == section.id) {
                let says = format!("a second camera is called \"{}\"", section.id);
                self.problems.push(document.problem(&["camera", &index, "id"], says));
            }
            if matches!(section.source, SourceConfig::Line(_)) && !has_line {
                let problem = document.problem(
                    &["camera", &index, "source"],
                    "a camera of kind \"line\" needs the built-in line",
                );
                self.problems.push(problem.hint("add a [line] section"));
            }
            let calibrated = calibration::read(document, &index, &section, folder, self.problems);
            let flat_field = section.flat_field.as_ref().map(|file| folder.join(file));
            let flat_field = flat_field.or(calibrated.flat_field);
            let lens = section.lens.as_ref().and_then(|file| self.lens(&folder.join(file)));
            let optics = Optics {
                lens: lens.or(calibrated.lens),
                flat_field: flat_field.and_then(|file| self.flat_field(&file)),
            };
            cameras.push(CameraPlan {
                serial: calibration::known(&section).0.map(str::to_owned),
                id: section.id,
                source: section.source.relative_to(folder),
                watch: section.watch,
                optics,
                mm_per_px: section.mm_per_px.or(calibrated.mm_per_px),
                mm_per_px_u: calibrated.mm_per_px_u.filter(|_| section.mm_per_px.is_none()),
                calibration: calibrated.plan,
                frame_wait: Duration::from_millis(section.frame_wait_ms),
            });
        }
        cameras
    }

    fn lens(&mut self, file: &Path) -> Option<Lens> {
        Document::read(file, self.problems)?.take(&[], self.problems)
    }

    fn flat_field(&mut self, file: &Path) -> Option<FlatField> {
        let picture = match image::open(file) {
            Ok(picture) => picture.to_luma32f(),
            Err(error) => {
                self.problems.push(Problem::of_file(file, format!("is no picture of a flat field: {error}")));
                return None;
            }
        };
        let mean = picture.iter().sum::<f32>() / picture.len() as f32;
        let darkest = picture.iter().copied().fold(f32::MAX, f32::min);
        if darkest < 0.02 {
            let says = "has black pixels; a flat field is a picture of an even, bright target";
            self.problems.push(Problem::of_file(file, says));
            return None;
        }
        let gain = picture.iter().map(|white| mean / white).collect();
        Some(FlatField { width: picture.width(), height: picture.height(), gain })
    }

    fn check_trigger(
        &mut self,
        document: &Document,
        trigger: &TriggerSection,
        cameras: &[CameraPlan],
        plc: &PlcConfig,
    ) {
        match trigger {
            TriggerSection::Frame { camera } => {
                check_camera(document, &["trigger"], camera.as_ref(), cameras, self.problems)
            }
            TriggerSection::PhotoEye { camera, eye } => {
                check_camera(document, &["trigger"], camera.as_ref(), cameras, self.problems);
                if let Err(error) = PhotoEye::new(eye.clone()) {
                    self.problems.push(document.problem(&["trigger", "eye"], error.to_string()));
                }
            }
            TriggerSection::Plc {} if matches!(plc, PlcConfig::None) => {
                let problem = document.problem(&["trigger"], "the PLC is to trigger, but there is no PLC");
                self.problems.push(problem.hint("add a [plc] section, e.g. from deploy/examples/plc"));
            }
            TriggerSection::Plc {} | TriggerSection::Api {} => {}
        }
    }
}
