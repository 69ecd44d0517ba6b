//! What the whole-trip benches share: a clip, a station that looks at it, and the bare things it is compared with.

#![allow(dead_code, reason = "each bench uses its own part of the workshop")]

pub(crate) mod bare;
pub(crate) mod clip;
pub(crate) mod ours;
pub(crate) mod peer;
pub(crate) mod process;
pub(crate) mod trip;

use plumb_inference::Card;
use plumb_station::config::{self, Plan};
use std::{
    error::Error,
    fs,
    path::{Path, PathBuf},
};

/// What a bench ends with when it cannot measure.
pub(crate) type Outcome<T> = Result<T, Box<dyn Error>>;

/// The repository.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("benches/ lies in the repository")
}

/// The card of a model that `make_detector.py` writes.
///
/// # Errors
/// Where it is not there, what to run.
pub(crate) fn card(name: &str) -> Outcome<PathBuf> {
    let card = root().join(".plumb/bench").join(name).with_extension("toml");
    if card.exists() {
        return Ok(card);
    }
    let says = format!(
        "{} is not there; run `pip install onnx==1.23.2 numpy && python benches/models/make_detector.py` first",
        card.display()
    );
    Err(says.into())
}

/// Whether the answer matters is the caller's: this station's deadline is ten seconds and its rule always looks.
const RECIPE: &str = r#"
[recipe]
name = "bench"
number = 1
deadline_ms = 10_000

[[model]]
name = "detector"
card = "CARD"

[[region]]
name = "whole"
model = "detector"

[[rule]]
name = "not-too-many"
kind = "count"
region = "whole"
class = "CLASS"
score_min = 0.25
max = 5
"#;

/// Each frame is a part; no PLC. HTTP, where it is served at all, on a port of the system's choice.
const STATION: &str = r#"
[station]
name = "bench"
listen = "127.0.0.1:0"
recipe = "bench"

[[camera]]
id = "top"
source = { kind = "files", path = "CLIP", pace = "free", loop = true }

[trigger]
kind = "frame"

[infer]
device = "cpu"
threads = THREADS
"#;

/// A station in `folder` that shows `clip`, without end, to the model of `card`, which has `threads` threads.
pub(crate) fn plan(folder: &Path, card: &Path, clip: &Path, threads: u32) -> Outcome<Plan> {
    fs::create_dir_all(folder.join("recipes"))?;
    let class = read_card(card)?.labels.first().ok_or("a card has labels")?.to_string();
    let recipe = RECIPE.replace("CARD", &card.to_string_lossy()).replace("CLASS", &class);
    fs::write(folder.join("recipes/bench.toml"), recipe)?;
    let station = folder.join("station.toml");
    let text = STATION.replace("CLIP", &clip.to_string_lossy()).replace("THREADS", &threads.to_string());
    fs::write(&station, text)?;
    Ok(config::read(&station).map_err(|problems| problems.to_string())?)
}

/// The card itself.
pub(crate) fn read_card(card: &Path) -> Outcome<Card> {
    Ok(Card::read(card)?)
}

/// A number of the environment.
///
/// # Errors
/// Where it is no number.
pub(crate) fn number(variable: &str, default: u32) -> Outcome<u32> {
    let given = std::env::var(variable).ok().filter(|given| !given.is_empty());
    let wrong = |given: &str| format!("{variable} is \"{given}\", not a number");
    given.map_or(Ok(default), |given| given.parse().map_err(|_| wrong(&given).into()))
}

/// To a thousandth, for people.
pub(crate) fn rounded(value: f64) -> f64 {
    (value * 1e3).round() / 1e3
}

/// The middle one.
pub(crate) fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => f64::NAN,
        len if len % 2 == 0 => f64::midpoint(values[middle - 1], values[middle]),
        _ => values[middle],
    }
}

/// Least and greatest.
pub(crate) fn range(values: impl IntoIterator<Item = f64>) -> [f64; 2] {
    values.into_iter().fold([f64::INFINITY, f64::NEG_INFINITY], |[low, high], v| [low.min(v), high.max(v)])
}
