//! `plumb model bench`: a model in every way this machine can run it: how fast, does it find the same, which to take.
//!
//! Each way is a process of its own, for a process can hold one ONNX Runtime library. They take turns, round by round.

mod apply;
mod crew;
mod grid;
mod libraries;
mod machine;
mod picture;
mod report;
mod words;
mod worker;

pub(in crate::cli) use worker::Worker;

use super::{Exit, fail, print, say};
use crew::Hand;
use grid::{Asked, WAYS_MAX, Way};
use libraries::{Library, Unusable};
use machine::Machine;
use plumb_inference::{
    Card, Device,
    trial::{self, Candidate, Comparison, Measured, Recommendation, Round},
};
use plumb_inspection::{Findings, RectPx};
use std::{path::PathBuf, str::FromStr};
use words::{Answer, Order};

/// Arguments of `plumb model bench`.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Bench {
    /// The model's card.
    card: PathBuf,
    /// Pictures as the station will see them. Without any, nothing is recommended: nobody would know whether the
    /// findings stay the same.
    #[arg(long, value_name = "FOLDER")]
    pictures: Option<PathBuf>,
    /// The part of each picture that the model looks at, in px, as `rect_px` of the recipe's region.
    #[arg(long, value_name = "X,Y,W,H")]
    region: Option<Region>,
    /// Where to try it; all that ONNX Runtime drives when not given.
    #[arg(long, value_delimiter = ',')]
    devices: Vec<Device>,
    /// Threads to try on the processor; 1, 2 and 4 as far as there are cores when not given.
    #[arg(long, value_delimiter = ',', value_parser = clap::value_parser!(u16).range(1..=512))]
    threads: Vec<u16>,
    /// Pictures a run to try.
    #[arg(long, value_delimiter = ',', default_value = "1", value_parser = clap::value_parser!(u16).range(1..=256))]
    batch: Vec<u16>,
    /// Runs of each way in a round.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    runs: u32,
    /// Rounds, in which all ways take turns. Fewer than six can tell nothing apart.
    #[arg(long, default_value_t = 11, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    rounds: u32,
    /// Thresholds of rules that the findings will meet; a score must not cross them either.
    #[arg(long, value_name = "SCORE", value_delimiter = ',')]
    score_min: Vec<f32>,
    /// Further folders with an ONNX Runtime library.
    #[arg(long, value_name = "DIR")]
    library: Vec<PathBuf>,
    /// One JSON document on stdout, schema plumb.bench/1.
    #[arg(long)]
    json: bool,
    /// Write what is recommended into the card.
    #[arg(long, requires = "pictures")]
    apply: bool,
}

/// All that was found out.
struct Report {
    card: Card,
    machine: Machine,
    libraries: Vec<Library>,
    unusable: Vec<Unusable>,
    pictures: usize,
    rows: Vec<Row>,
    /// With indices into the rows that were measured.
    recommendation: Option<Recommendation>,
}

/// One way, and what became of it.
struct Row {
    library: Option<usize>,
    candidate: Candidate,
    end: End,
}

/// What became of a way.
enum End {
    /// It does not work here; why.
    Absent(String),
    /// It was measured.
    Timed(Box<Timed>),
}

struct Timed {
    provider: String,
    load_ms: f64,
    /// What it found beside the reference; `None` without pictures.
    found: Option<Comparison>,
    measured: Measured,
}

impl Bench {
    pub(in crate::cli) fn run(self) -> Exit {
        let report = match self.report() {
            Ok(report) => report,
            Err((exit, says)) => return fail(exit, says),
        };
        let applied = match (&report.recommendation, self.apply) {
            (Some(_), true) => match apply::to_card(&self.card, &report) {
                Ok(applied) => Some(applied),
                Err(says) => return fail(Exit::Config, says),
            },
            _ => None,
        };
        let told = match self.json {
            true => format!("{:#}\n", report.json(self.rounds, self.runs, applied)),
            false => report.table(self.rounds, self.runs),
        };
        let exit = print(told.as_bytes());
        if exit == Exit::Ok && !self.json && applied == Some(true) {
            say(&format!("{} says so now", self.card.display()));
        }
        exit
    }

    fn report(&self) -> Result<Report, (Exit, String)> {
        let card = Card::read(&self.card).map_err(|error| (Exit::Config, error.to_string()))?;
        if self.devices.contains(&Device::Auto) {
            let says = "--devices auto: auto is a choice between devices; name those to choose from, or none";
            return Err((Exit::Config, says.to_owned()));
        }
        let pictures = match &self.pictures {
            Some(folder) => picture::list(folder).map_err(|says| (Exit::Config, says))?,
            None => Vec::new(),
        };
        let (libraries, unusable) = libraries::found(&self.library).map_err(|says| (Exit::Model, says))?;
        let machine = Machine::this();
        let wide = |counts: &[u16]| counts.iter().map(|count| usize::from(*count)).collect::<Vec<_>>();
        let devices = if self.devices.is_empty() { grid::every_device() } else { self.devices.clone() };
        let threads =
            if self.threads.is_empty() { grid::usual_threads(machine.cores) } else { wide(&self.threads) };
        let asked = Asked { devices: &devices, threads: &threads, batch: &wide(&self.batch) };
        let ways = grid::ways(&card, &libraries, &asked);
        if ways.len() > WAYS_MAX {
            let says = format!(
                "{} ways are too many at once, at most {WAYS_MAX}; name fewer --devices, --threads or --batch",
                ways.len()
            );
            return Err((Exit::Config, says));
        }
        let mut rows = self.rows(&card, ways, &libraries, &pictures)?;
        self.take_turns(&mut rows);
        let rows = rows.into_iter().map(Trying::ended).collect();
        let mut report = Report {
            card,
            machine,
            libraries,
            unusable,
            pictures: pictures.len(),
            rows,
            recommendation: None,
        };
        report.recommendation = trial::recommend(&report.measured(), report.present().unwrap_or(usize::MAX));
        Ok(report)
    }

    /// Starts each way and has it look at the pictures, the reference first.
    fn rows(
        &self,
        card: &Card,
        ways: Vec<Way>,
        libraries: &[Library],
        pictures: &[PathBuf],
    ) -> Result<Vec<Trying>, (Exit, String)> {
        let mut rows: Vec<Trying> = Vec::with_capacity(ways.len());
        let mut reference: Vec<Findings> = Vec::new();
        for (at, Way { candidate, library }) in ways.into_iter().enumerate() {
            say(&format!("looking at {candidate}"));
            let mut row = Trying {
                library: library.as_ref().ok().copied(),
                candidate,
                state: State::Absent(String::new()),
            };
            let begun = library.and_then(|library| {
                let mut hand = Hand::start(Some(&libraries[library].path))?;
                let ready = self.load(&mut hand, card, &row.candidate)?;
                let seen = look(&mut hand, pictures)?;
                Ok((hand, ready, seen))
            });
            match begun {
                // Everything is compared with the reference: without it there is no bench.
                Err(says) if at == 0 => return Err((Exit::Model, format!("{}: {says}", row.candidate))),
                Err(says) => row.state = State::Absent(says),
                Ok((hand, (provider, load_ms), seen)) => {
                    let found = (!pictures.is_empty()).then(|| {
                        let before = if at == 0 { &seen } else { &reference };
                        self.compared(pictures, before, &seen)
                    });
                    if at == 0 {
                        reference = seen;
                    }
                    row.state =
                        State::Here(Box::new(Here { hand, provider, load_ms, found, rounds: Vec::new() }));
                }
            }
            rows.push(row);
        }
        Ok(rows)
    }

    fn load(&self, hand: &mut Hand, card: &Card, candidate: &Candidate) -> Result<(String, f64), String> {
        let region_px = self.region.map(|region| region.0);
        let order = Order::Load { card: card.path.clone(), candidate: candidate.clone(), region_px };
        match hand.ask(&order)? {
            Answer::Ready { provider, load_ms } => Ok((provider, load_ms)),
            other => Err(format!("it was asked to load and said {other:?}")),
        }
    }

    fn compared(&self, pictures: &[PathBuf], before: &[Findings], now: &[Findings]) -> Comparison {
        let mut comparison = Comparison::default();
        for ((file, before), now) in pictures.iter().zip(before).zip(now) {
            let name = file.file_name().unwrap_or_default().to_string_lossy();
            comparison.add(&name, before, now, &self.score_min);
        }
        comparison
    }

    /// Round by round, each time beginning with another, so that none is always the one after the same other.
    fn take_turns(&self, rows: &mut [Trying]) {
        for round in 0..self.rounds as usize {
            say(&format!("round {} of {}", round + 1, self.rounds));
            for turn in 0..rows.len() {
                let row = &mut rows[(turn + round) % rows.len()];
                let State::Here(here) = &mut row.state else { continue };
                match here.hand.ask(&Order::Time { runs: self.runs as usize }) {
                    Ok(Answer::Timed { round }) => here.rounds.push(round),
                    Ok(other) => {
                        row.state = State::Absent(format!("it was asked for times and said {other:?}"))
                    }
                    Err(says) => row.state = State::Absent(says),
                }
            }
        }
    }
}

fn look(hand: &mut Hand, pictures: &[PathBuf]) -> Result<Vec<Findings>, String> {
    if pictures.is_empty() {
        hand.ask(&Order::Draw)?;
    }
    let mut seen = Vec::with_capacity(pictures.len());
    for picture in pictures {
        match hand.ask(&Order::Look { picture: picture.clone() })? {
            Answer::Saw { findings, raw } => seen.push(words::findings(findings, raw)),
            other => return Err(format!("it was shown a picture and said {other:?}")),
        }
    }
    Ok(seen)
}

/// A way while it is tried.
struct Trying {
    library: Option<usize>,
    candidate: Candidate,
    state: State,
}

enum State {
    Absent(String),
    Here(Box<Here>),
}

struct Here {
    hand: Hand,
    provider: String,
    load_ms: f64,
    found: Option<Comparison>,
    rounds: Vec<Round>,
}

impl Trying {
    fn ended(self) -> Row {
        let end = match self.state {
            State::Absent(says) => End::Absent(says),
            State::Here(here) => {
                let Here { provider, load_ms, found, rounds, .. } = *here;
                let same = found.as_ref().map(Comparison::same);
                let measured = Measured { candidate: self.candidate.clone(), rounds, same };
                End::Timed(Box::new(Timed { provider, load_ms, found, measured }))
            }
        };
        Row { library: self.library, candidate: self.candidate, end }
    }
}

impl Report {
    fn timed(&self) -> impl Iterator<Item = (&Row, &Timed)> {
        self.rows.iter().filter_map(|row| match &row.end {
            End::Timed(timed) => Some((row, &**timed)),
            End::Absent(_) => None,
        })
    }

    fn measured(&self) -> Vec<Measured> {
        self.timed().map(|(_, timed)| timed.measured.clone()).collect()
    }

    /// Which of the measured is what the card says now; the reference where it says nothing.
    fn present(&self) -> Option<usize> {
        let present = trial::present(&self.card);
        self.timed().position(|(row, _)| row.candidate == present && row.library.is_some())
    }

    fn recommended(&self) -> Option<(&Row, &Timed, &Recommendation)> {
        let recommendation = self.recommendation.as_ref()?;
        self.timed().nth(recommendation.take).map(|(row, timed)| (row, timed, recommendation))
    }
}

/// `x,y,w,h` in px.
#[derive(Clone, Copy, Debug)]
struct Region(RectPx);

impl FromStr for Region {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let numbers: Vec<f32> = text
            .split(',')
            .map(|number| number.trim().parse::<f32>().ok().filter(|number| number.is_finite()))
            .collect::<Option<_>>()
            .ok_or("write four numbers in px: x,y,w,h")?;
        match numbers[..] {
            [x, y, w, h] if w > 0.0 && h > 0.0 => Ok(Self(RectPx { x, y, w, h })),
            [_, _, _, _] => Err("a region of no size shows nothing; write x,y,w,h in px".to_owned()),
            _ => Err("write four numbers in px: x,y,w,h".to_owned()),
        }
    }
}
