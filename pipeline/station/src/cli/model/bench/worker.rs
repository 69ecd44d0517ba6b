//! One way of running a model, in a process of its own: another library, and a provider that brings its process down,
//! take nothing else with them.

use super::{
    super::{Exit, fail},
    picture,
    words::{Answer, Order},
};
use plumb_inference::{
    Card, Model, Runtime,
    trial::{self, Candidate},
};
use plumb_inspection::{RectPx, Tensor};
use plumb_preprocess::{Cut, Optics, Preprocessor};
use std::{
    io::{self, BufRead, Write},
    path::Path,
    time::Instant,
};

/// Prepared pictures kept for timing; more would only fill memory.
const KEPT: usize = 8;

/// Arguments of the worker: none, for all comes as orders on stdin.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Worker {}

impl Worker {
    pub(in crate::cli) fn run(self) -> Exit {
        let mut bench: Option<Loaded> = None;
        for line in io::stdin().lock().lines() {
            let answer = match line.map_err(|e| e.to_string()).and_then(|line| {
                serde_json::from_str::<Order>(&line).map_err(|error| format!("no order: {error}"))
            }) {
                Ok(order) => obey(order, &mut bench),
                Err(says) => return fail(Exit::Bug, says),
            };
            let told = serde_json::to_string(&answer).map_err(io::Error::other);
            if told.and_then(|told| writeln!(io::stdout(), "{told}")).is_err() {
                break; // nobody listens any more
            }
        }
        Exit::Ok
    }
}

struct Loaded {
    model: Model,
    preprocessor: Preprocessor,
    batch: usize,
    kept: Vec<Tensor>,
}

fn obey(order: Order, loaded: &mut Option<Loaded>) -> Answer {
    let done = match order {
        Order::Library => library(),
        Order::Load { card, candidate, region_px } => {
            load(&card, &candidate, region_px).map(|(model, answer)| {
                *loaded = Some(model);
                answer
            })
        }
        Order::Look { picture } => with(loaded, |loaded| loaded.look(&picture)),
        Order::Draw => with(loaded, Loaded::draw),
        Order::Time { runs } => with(loaded, |loaded| loaded.time(runs)),
    };
    done.unwrap_or_else(Answer::failed)
}

fn with(
    loaded: &mut Option<Loaded>,
    work: impl FnOnce(&mut Loaded) -> Result<Answer, String>,
) -> Result<Answer, String> {
    work(loaded.as_mut().ok_or("no model is loaded yet")?)
}

fn library() -> Result<Answer, String> {
    let runtime = Runtime::load(None).map_err(|e| e.to_string())?;
    Ok(Answer::Library {
        path: runtime.path().to_owned(),
        version: runtime.version().to_owned(),
        providers: runtime.providers(),
    })
}

fn load(card: &Path, candidate: &Candidate, region_px: Option<RectPx>) -> Result<(Loaded, Answer), String> {
    let runtime = Runtime::load(None).map_err(|e| e.to_string())?;
    let card = Card::read(card).map_err(|e| e.to_string())?;
    let start = Instant::now();
    let model = Model::load(&runtime, &card, &candidate.options()).map_err(|e| e.to_string())?;
    let load_ms = start.elapsed().as_secs_f64() * 1e3;
    candidate.check(model.info())?;
    let cut = Cut { region: "picture".into(), rect_px: region_px, spec: model.info().input.clone() };
    let preprocessor = Preprocessor::new(Optics::default(), vec![cut]).map_err(|e| e.to_string())?;
    let ready = Answer::Ready { provider: model.info().provider.clone(), load_ms };
    Ok((Loaded { model, preprocessor, batch: candidate.batch, kept: Vec::new() }, ready))
}

impl Loaded {
    fn look(&mut self, file: &Path) -> Result<Answer, String> {
        let frame = picture::read(file)?;
        let mut tensors =
            self.preprocessor.prepare(&frame).map_err(|error| format!("{}: {error}", file.display()))?;
        let tensor = tensors.pop().expect("one cut gives one tensor");
        let findings = self.model.examine(&tensor).map_err(|e| e.to_string())?;
        self.keep(tensor);
        Ok(Answer::saw(findings))
    }

    fn draw(&mut self) -> Result<Answer, String> {
        let spec = &self.model.info().input;
        let frame = picture::drawn(spec.width, spec.height);
        let mut tensors = self.preprocessor.prepare(&frame).map_err(|e| e.to_string())?;
        self.keep(tensors.pop().expect("one cut gives one tensor"));
        Ok(Answer::Drew)
    }

    fn keep(&mut self, tensor: Tensor) {
        if self.kept.len() < KEPT {
            self.kept.push(tensor);
        }
    }

    fn time(&mut self, runs: usize) -> Result<Answer, String> {
        if self.kept.is_empty() {
            return Err("it was shown no picture yet".to_owned());
        }
        let round = trial::round(&mut self.model, &self.kept, self.batch, runs).map_err(|e| e.to_string())?;
        Ok(Answer::Timed { round })
    }
}
