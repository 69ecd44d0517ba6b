//! `plumb plc probe`: the station's own link with a person in the verdict's place, to try a PLC program on.

use super::screen::{Screen, block_json};
use crate::cli::{Exit, fail, print, run::stop_on_signal, say, station_file};
use plumb_plc::{
    FromPlc, PlcConfig, PlcError, Seen, ToPlc,
    probe::{Onlooker, Outcome, Probe as Walk, Step, Watcher},
    register_map::{HALF_WORDS, Words},
};
use serde::Deserialize;
use serde_json::{Value, json};
use std::{
    io::{self, BufRead as _, IsTerminal as _},
    path::PathBuf,
    sync::atomic::Ordering,
    time::{Duration, Instant},
};

/// What must be typed before a part may be released.
const CONFIRMATION: &str = "release parts";

/// Arguments of `plumb plc probe`.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Probe {
    /// A file with a [plc] table: the station's config. The station itself must not run meanwhile.
    file: Option<PathBuf>,
    /// Only look: nothing is written, no step is walked. Not every protocol can.
    #[arg(long, conflicts_with_all = ["steps", "with_pass"])]
    watch: bool,
    /// Only these, as link,heartbeat,enable,trigger,fail,missed,late,not_ready,station_lost.
    #[arg(long, value_delimiter = ',')]
    steps: Vec<Step>,
    /// How long each move of yours may take.
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=3_600))]
    patience_s: u64,
    /// Ends by itself after so many seconds of --watch; 0 goes on until Ctrl-C.
    #[arg(long, default_value_t = 0, requires = "watch")]
    seconds: u64,
    /// One more step at the end: PASS for a part, which releases it. Must be confirmed in words.
    #[arg(long)]
    with_pass: bool,
    /// JSON lines on stdout, schema plumb.plc_probe/1.
    #[arg(long)]
    json: bool,
}

/// The one table of the file that matters here.
#[derive(Deserialize)]
struct Station {
    plc: PlcConfig,
}

impl Probe {
    pub(in crate::cli) fn run(self) -> Exit {
        let config = match self.config() {
            Ok(PlcConfig::None) => {
                return fail(Exit::Config, "[plc] has kind \"none\": there is nothing to probe");
            }
            Ok(config) => config,
            Err(says) => return fail(Exit::Config, says),
        };
        if self.with_pass && !confirmed() {
            return fail(
                Exit::Usage,
                format!("--with-pass was not confirmed by \"{CONFIRMATION}\"; no part was released"),
            );
        }
        let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
            Ok(runtime) => runtime,
            Err(error) => return fail(Exit::Device, format!("no runtime can be had ({error})")),
        };
        if self.watch { runtime.block_on(self.look_on(&config)) } else { runtime.block_on(self.walk(config)) }
    }

    fn config(&self) -> Result<PlcConfig, String> {
        let file = station_file(self.file.clone());
        let text = std::fs::read_to_string(&file).map_err(|error| format!("{}: {error}", file.display()))?;
        let Station { plc } =
            toml::from_str(&text).map_err(|error| format!("{}: {error}", file.display()))?;
        let plc = plc.relative_to(file.parent().unwrap_or_else(|| "".as_ref()));
        let problems: Vec<String> = plc.problems().into_iter().chain(plc.file_problems()).collect();
        if problems.is_empty() { Ok(plc) } else { Err(problems.join("\n  ")) }
    }

    async fn walk(&self, config: PlcConfig) -> Exit {
        let mut teller = Teller::new(self.json);
        let steps = if self.steps.is_empty() { Step::REJECTING.to_vec() } else { self.steps.clone() };
        let steps: Vec<Step> = steps.into_iter().chain(self.with_pass.then_some(Step::Pass)).collect();
        let patience = Duration::from_secs(self.patience_s);
        let started = teller.started(&config);
        let mut walk = match Walk::start(config, patience, &mut teller) {
            Ok(walk) => walk,
            Err(error @ PlcError::Config { .. }) => return fail(Exit::Config, error),
            Err(error) => return fail(Exit::Device, error),
        };
        let stop = stop_on_signal();
        let mut outcomes = Vec::new();
        for step in steps {
            let stopped = async {
                while !stop.load(Ordering::Relaxed) {
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            };
            let outcome = tokio::select! {
                outcome = walk.walk(step) => outcome,
                () = stopped => break,
            };
            let hopeless = step == Step::Link && !outcome.ok;
            outcomes.push(outcome);
            if hopeless {
                break;
            }
        }
        walk.end().await;
        let failed = outcomes.iter().filter(|outcome| !outcome.ok).count();
        teller.ended(&outcomes, started);
        if failed > 0 || outcomes.is_empty() { Exit::Finding } else { Exit::Ok }
    }

    async fn look_on(&self, config: &PlcConfig) -> Exit {
        let mut teller = Teller::new(self.json);
        let mut watcher = match Watcher::open(config) {
            Ok(Some(watcher)) => watcher,
            Ok(None) => return Exit::Config,
            Err(error) => return fail(Exit::Config, error),
        };
        let (stop, began) = (stop_on_signal(), Instant::now());
        let mut last_fault = None;
        while !stop.load(Ordering::Relaxed) && (self.seconds == 0 || began.elapsed().as_secs() < self.seconds)
        {
            match watcher.look().await {
                Ok(words) => {
                    last_fault = None;
                    teller.block(&seen(&words));
                }
                Err(says) if last_fault.as_ref() == Some(&says) => {}
                Err(says) if says.contains("cannot be watched") => return fail(Exit::Usage, says),
                Err(says) => {
                    teller.note(&says);
                    last_fault = Some(says);
                }
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        teller.screen.leave();
        if last_fault.is_some() { Exit::Device } else { Exit::Ok }
    }
}

/// Asked on the terminal; anything else than the words is a no.
fn confirmed() -> bool {
    say(
        "--with-pass lets the station say PASS: the gate will release a part. Is the line safe, and nobody at the gate?",
    );
    say(&format!("Type \"{CONFIRMATION}\" to go on:"));
    let mut typed = String::new();
    io::stdin().lock().read_line(&mut typed).is_ok() && typed.trim() == CONFIRMATION
}

fn seen(words: &[u16]) -> Seen {
    let half = |from: usize| -> Words {
        let mut half = [0; HALF_WORDS];
        half.copy_from_slice(&words[from..from + HALF_WORDS]);
        half
    };
    Seen {
        from_plc: Some(FromPlc::decode(&half(0))),
        heard_at: Some(Instant::now()),
        to_plc: ToPlc::decode(&half(HALF_WORDS)).unwrap_or_default(),
    }
}

/// Tells a person on stderr, or a program in JSON lines on stdout.
struct Teller {
    json: bool,
    began: Instant,
    screen: Screen,
    last: Option<Seen>,
}

impl Teller {
    fn new(json: bool) -> Self {
        let in_place = !json && io::stderr().is_terminal();
        let colour = in_place && std::env::var_os("NO_COLOR").is_none();
        Self { json, began: Instant::now(), screen: Screen::new(in_place, colour), last: None }
    }

    fn line(&self, mut document: Value) {
        document["schema"] = "plumb.plc_probe/1".into();
        document["at_ms"] = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX).into();
        let _ = print(format!("{document}\n").as_bytes()); // who reads has gone: the walk goes on
    }

    fn started(&self, config: &PlcConfig) -> String {
        let what = format!("{} {}", config.kind(), config.address().unwrap_or_default());
        if self.json {
            self.line(json!({ "event": "start", "kind": config.kind(), "address": config.address() }));
        } else {
            say(&format!("probe of {what}: no part is released; Ctrl-C ends it"));
        }
        what
    }

    fn ended(&mut self, outcomes: &[Outcome], what: String) {
        self.screen.leave();
        let failed: Vec<&str> = outcomes.iter().filter(|o| !o.ok).map(|o| o.step.as_str()).collect();
        if self.json {
            self.line(
                json!({ "event": "end", "ok": failed.is_empty() && !outcomes.is_empty(), "failed": failed }),
            );
        } else if failed.is_empty() {
            say(&format!("probe of {what}: {} steps, all as they should be", outcomes.len()));
        } else {
            say(&format!(
                "probe of {what}: {} steps, not as they should be: {}",
                outcomes.len(),
                failed.join(", ")
            ));
        }
    }
}

impl Onlooker for Teller {
    fn block(&mut self, seen: &Seen) {
        // A heartbeat alone is no news to whoever reads lines.
        let still = |seen: &Seen| {
            let mut seen = *seen;
            seen.heard_at = None;
            seen.to_plc.heartbeat = 0;
            seen.from_plc = seen.from_plc.map(|said| FromPlc { heartbeat: 0, ..said });
            seen
        };
        let news = self.last.as_ref().map(still) != Some(still(seen));
        if self.json && news {
            self.line(json!({ "event": "block", "block": block_json(seen) }));
        } else if !self.json {
            self.screen.block(seen, news);
        }
        self.last = Some(*seen);
    }

    fn asks(&mut self, step: Step, says: &str) {
        if self.json {
            self.line(json!({ "event": "asks", "step": step.as_str(), "says": says }));
        } else {
            self.screen.line(&format!("{step:>12}  {says} ..."));
        }
    }

    fn note(&mut self, says: &str) {
        if self.json {
            self.line(json!({ "event": "note", "says": says }));
        } else {
            self.screen.line(&format!("{:>12}  {says}", ""));
        }
    }

    fn outcome(&mut self, outcome: &Outcome) {
        let Outcome { step, ok, took, says, change } = outcome;
        if self.json {
            let took_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
            self.line(json!({
                "event": "step", "step": step.as_str(), "ok": ok, "took_ms": took_ms, "says": says, "change": change,
            }));
        } else {
            self.screen.outcome(*ok, &format!("{step:>12}  {says}"));
            if let Some(change) = change {
                self.screen.line(&format!("{:>12}  -> {change}", ""));
            }
        }
    }
}
