//! `plumb teach`: good pictures of one region become a model, its card and a limit.

mod pictures;
mod say;
mod source;
mod write;

use super::{Exit, fail, print, say, station_file};
use crate::config::{self, RecipeError, ViewPlan};
use pictures::{Folder, Prepared};
use plumb_inference::{Card, Device, Extractor, LoadOptions, Model, Runtime};
use plumb_quality::Confidence;
use plumb_teach::{
    FeatureMap, FitOptions, GoodPart, Kind, Lesson, Wish,
    compose::{FeatureGraph, taught},
    image_score, learn,
    pictures::{Alike, Doubt, Judged, Shortcut, Sight, alike, doubts, shortcut},
};
use source::Source;
use std::{path::PathBuf, time::Instant};
use write::Place;

/// Arguments of `plumb teach`.
#[derive(Debug, clap::Args)]
pub(super) struct Teach {
    /// The recipe whose region is to be looked at, by name or number.
    recipe: String,
    /// A folder of pictures of good parts, as the camera gives them: 20 or more, each of another part.
    #[arg(long, value_name = "FOLDER")]
    good: PathBuf,
    /// A folder of pictures of bad parts, to see what the model makes of them. Nothing is learned from these.
    #[arg(long, value_name = "FOLDER")]
    bad: Option<PathBuf>,
    /// Which region, where the recipe has several.
    #[arg(long, value_name = "NAME")]
    region: Option<String>,
    /// The station's config.
    #[arg(long, value_name = "STATION.toml")]
    station: Option<PathBuf>,
    /// The card to write, with the model beside it; by default where the recipe says that its model's card is.
    #[arg(long, value_name = "CARD.toml")]
    out: Option<PathBuf>,
    /// An ONNX file whose features are taken, a classifier or an embedding; by default Plumb's own filters.
    #[arg(long, value_name = "FILE.onnx")]
    backbone: Option<PathBuf>,
    /// The picture that the model is given, in px; by default half the region each way, or what the backbone takes.
    #[arg(long, value_name = "WIDTHxHEIGHT", value_parser = size)]
    size: Option<(u32, u32)>,
    /// `in_place` for parts that lie as they were taught, `anywhere` for textures and what lies freely; by default the parts
    /// themselves decide.
    #[arg(long, value_name = "KIND", value_parser = kind)]
    memory: Option<Kind>,
    /// The share of good parts that may be rejected, on the average.
    #[arg(long, value_name = "SHARE", default_value_t = 0.02)]
    false_reject: f64,
    /// What becomes of good pictures that look bad: `ask` writes nothing and names them, `keep` learns from them, `leave-out`
    /// does not.
    #[arg(long, value_name = "WHAT", value_enum, default_value_t)]
    odd: Odd,
    /// Write over a card that no lesson wrote.
    #[arg(long)]
    force: bool,
    /// One JSON document on stdout, schema plumb.teach/1.
    #[arg(long)]
    json: bool,
}

/// What becomes of odd pictures.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
enum Odd {
    #[default]
    Ask,
    Keep,
    LeaveOut,
}

/// How it ended before its time.
struct Stop(Exit, String);

impl Stop {
    fn new(exit: Exit, says: impl std::fmt::Display) -> Self {
        Self(exit, says.to_string())
    }
}

fn size(text: &str) -> Result<(u32, u32), String> {
    let side = |text: &str| text.trim().parse().ok().filter(|side| (16..=2048).contains(side));
    text.split_once('x')
        .and_then(|(width, height)| Some((side(width)?, side(height)?)))
        .ok_or_else(|| "it is two sides of 16 to 2048 px like 275x190".to_owned())
}

fn kind(text: &str) -> Result<Kind, String> {
    match text {
        "in_place" => Ok(Kind::InPlace),
        "anywhere" => Ok(Kind::Anywhere),
        _ => Err("it is in_place or anywhere".to_owned()),
    }
}

/// Everything that was found out, for whoever is told.
struct Told<'t> {
    view: &'t ViewPlan,
    source: &'t Source,
    graph: &'t FeatureGraph,
    good: &'t [Prepared],
    alike: &'t Alike,
    /// Pictures that were learned from, as indices into `good`.
    learned: Vec<usize>,
    lesson: &'t Lesson,
    /// Doubts, by index into `good`.
    doubts: Vec<(usize, Doubt)>,
    bad: Option<Bad>,
    place: &'t Place,
    seconds: f64,
}

/// What the model makes of bad parts.
struct Bad {
    names: Vec<String>,
    /// In units of the limit.
    scores: Vec<f32>,
    shortcut: Option<Shortcut>,
}

impl Teach {
    pub(super) fn run(self) -> Exit {
        self.teach().unwrap_or_else(|Stop(exit, says)| fail(exit, says))
    }

    fn teach(&self) -> Result<Exit, Stop> {
        let started = Instant::now();
        let station = station_file(self.station.clone());
        let view = config::read_view(&station, &self.recipe, self.region.as_deref()).map_err(|error| {
            let exit = if matches!(error, RecipeError::Unknown { .. }) { Exit::Usage } else { Exit::Config };
            Stop::new(exit, error)
        })?;
        let place = Place::of(self.out.as_deref(), &view).map_err(|says| Stop(Exit::Usage, says))?;
        place.may_be_written(self.force).map_err(|says| Stop(Exit::Config, says))?;
        let folder = Folder::read(&self.good)?;
        let bad = self.bad.as_deref().map(|bad| Folder::read(bad)?.as_large_as(&folder)).transpose()?;

        let runtime = Runtime::load(None).map_err(|error| Stop::new(Exit::Model, error))?;
        let region_px = folder.region_px(view.rect_px);
        let source = Source::of(self.backbone.as_deref(), self.size, region_px, &runtime)?;
        source.says.iter().for_each(|line| say(&format!("   {line}")));
        let graph = source.graph()?;
        let mut eye = pictures::Eye::new(&view, &graph.spec)?;
        let good = eye.look(&folder)?;
        let sights: Vec<_> = good.iter().map(|prepared| prepared.sight.clone()).collect();
        let alike = alike(&sights);
        let distinct: Vec<usize> = (0..good.len()).filter(|i| alike.first[*i] == *i).collect();
        say(&format!("features of {} pictures", distinct.len()));
        let mut extractor = source.extractor(&runtime, &graph)?;
        let seen = distinct
            .iter()
            .map(|i| Ok(GoodPart { seen: features(&mut extractor, &good[*i])?, copies: vec![] }))
            .collect::<Result<Vec<_>, Stop>>()?;

        let wish =
            Wish { kind: self.memory, fit: FitOptions::default(), false_reject_max: self.false_reject };
        let wrong = |error: plumb_teach::LessonError| {
            let copies = good.len() - distinct.len();
            let of = match copies {
                0 => String::new(),
                _ => format!(" ({copies} of the {} pictures show the same as another)", good.len()),
            };
            Stop(Exit::Finding, format!("{error}{of}"))
        };
        let first = learn(&seen, &wish).map_err(wrong)?;
        let of_distinct: Vec<_> = distinct.iter().map(|i| sights[*i].clone()).collect();
        let found: Vec<(usize, Doubt)> = doubts(&of_distinct, &first.oddities())
            .into_iter()
            .map(|(i, doubt)| (distinct[i], doubt))
            .collect();
        let is_odd =
            |i: usize| found.iter().any(|(of, doubt)| *of == i && matches!(doubt, Doubt::Odd { .. }));
        let odd: Vec<usize> = distinct.iter().copied().filter(|i| is_odd(*i)).collect();
        let (lesson, learned) = match (self.odd, &odd[..]) {
            (_, []) | (Odd::Keep, _) => (first, distinct),
            (Odd::Ask, odd) => return Err(self.asked(odd, &found, &good)),
            (Odd::LeaveOut, odd) => {
                let kept = distinct.iter().zip(seen).filter(|(i, _)| !odd.contains(i));
                let (learned, seen): (Vec<usize>, Vec<GoodPart>) = kept.map(|(i, part)| (*i, part)).unzip();
                (learn(&seen, &wish).map_err(wrong)?, learned)
            }
        };

        let notes = say::note(&view, &source, &lesson, learned.len());
        let (file, outputs) = taught(&graph, &lesson.fit, lesson.unit(), &[("plumb.teach", &notes)]);
        let card = say::CardText {
            place: &place,
            view: &view,
            source: &source,
            graph: &graph,
            lesson: &lesson,
            outputs: &outputs,
        };
        let pictures: Vec<&Prepared> = learned.iter().map(|i| &good[*i]).collect();
        place.write(
            &file.encode(),
            |model, sha256| card.text(model, sha256, &pictures),
            |card| try_out(&runtime, card),
        )?;

        let bad = match bad {
            None => None,
            Some(folder) => {
                Some(self.hold_against(&mut eye, &mut extractor, &lesson, (&sights, &learned), &folder)?)
            }
        };
        let told = Told {
            view: &view,
            source: &source,
            graph: &graph,
            good: &good,
            alike: &alike,
            learned,
            lesson: &lesson,
            doubts: found,
            bad,
            place: &place,
            seconds: started.elapsed().as_secs_f64(),
        };
        Ok(print(if self.json { say::document(&told) } else { say::words(&told) }.as_bytes()))
    }

    /// Names the good pictures that look bad.
    fn asked(&self, odd: &[usize], found: &[(usize, Doubt)], good: &[Prepared]) -> Stop {
        let mut says = format!(
            "{} of {} good pictures look{} bad among the others, and nothing was written; look at {}:\n",
            odd.len(),
            good.len(),
            if odd.len() == 1 { "s" } else { "" },
            if odd.len() == 1 { "it" } else { "them" }
        );
        for (i, doubt) in found {
            says += &format!("  {}  {}\n", good[*i].name, say::doubt(doubt));
        }
        says += "take bad ones out of the folder; --odd leave-out learns without them, --odd keep from all of them";
        Stop(Exit::Finding, says)
    }

    /// What the lesson makes of bad parts, and whether it is the part that it looks at.
    fn hold_against(
        &self,
        eye: &mut pictures::Eye,
        extractor: &mut Extractor,
        lesson: &Lesson,
        (sights, learned): (&[Sight], &[usize]),
        folder: &Folder,
    ) -> Result<Bad, Stop> {
        let bad = eye.look(folder)?;
        let maps =
            bad.iter().map(|prepared| features(extractor, prepared)).collect::<Result<Vec<_>, Stop>>()?;
        let of_bad: Vec<Vec<f32>> = maps.iter().map(|map| lesson.fit.distances(map)).collect();
        let good: Vec<Judged<'_>> = lesson
            .unseen
            .iter()
            .zip(learned)
            .map(|(unseen, i)| Judged { distances: &unseen.distances, brightness: sights[*i].brightness })
            .collect();
        let judged: Vec<Judged<'_>> = of_bad
            .iter()
            .zip(&bad)
            .map(|(distances, prepared)| Judged { distances, brightness: prepared.sight.brightness })
            .collect();
        let unit = lesson.unit().score;
        Ok(Bad {
            names: bad.iter().map(|prepared| prepared.name.clone()).collect(),
            scores: of_bad.iter().map(|distances| image_score(distances) / unit).collect(),
            shortcut: shortcut(lesson.fit.memory.grid(), &good, &judged, Confidence::NINETY_FIVE),
        })
    }
}

fn features(extractor: &mut Extractor, picture: &Prepared) -> Result<FeatureMap, Stop> {
    let wrong = |says: String| Stop(Exit::Model, format!("{}: {says}", picture.name));
    let given = extractor.run(&picture.values).map_err(|error| wrong(error.to_string()))?;
    let features = given.first().ok_or_else(|| wrong("the feature graph gives nothing".to_owned()))?;
    FeatureMap::from_nchw(&features.shape, &features.values).map_err(|error| wrong(error.to_string()))
}

/// Loads the model as the station will, and runs it once.
fn try_out(runtime: &Runtime, card: &Card) -> Result<(), String> {
    let options = LoadOptions { device: Device::Cpu, ..LoadOptions::default() };
    Model::load(runtime, card, &options).map(drop).map_err(|error| error.to_string())
}
