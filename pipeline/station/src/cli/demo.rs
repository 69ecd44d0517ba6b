//! `plumb demo`: the built-in line in the terminal, until Ctrl-C, a time or a number of parts.

use super::{
    Exit, fail, print,
    replay::line,
    run::{exit_of, first_login, stop_on_signal},
    say,
};
use crate::{
    demo::{Demo as Running, DemoError, Summary, Wish},
    edition::LoadedModel,
};
use clap::ValueEnum;
use plumb_ledger::RecordVerdict;
use plumb_line::Product;
use std::{
    net::SocketAddr,
    path::PathBuf,
    sync::atomic::Ordering,
    time::{Duration, Instant},
};

/// Arguments of `plumb demo`.
#[derive(Debug, clap::Args)]
pub(super) struct Demo {
    /// End after so many seconds.
    #[arg(long)]
    seconds: Option<f64>,
    /// End after so many parts.
    #[arg(long)]
    parts: Option<u64>,
    /// Where the console, /metrics, /readyz and /api/v1 are served.
    #[arg(long, default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    /// What is on the belt.
    #[arg(long, value_enum, default_value_t = OnBelt::Washer)]
    product: OnBelt,
    /// Parts a minute; by default what this machine sustains.
    #[arg(long)]
    rate: Option<f64>,
    /// Same seed, same parts.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Keep config, ledger and pictures here; by default they go when the demo ends.
    #[arg(long)]
    data: Option<PathBuf>,
    /// The summary as one JSON document on stdout, schema plumb.demo/1.
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum OnBelt {
    Washer,
    BlisterPack,
}

impl Demo {
    pub(super) fn run(self) -> Exit {
        let temporary = match tempfile::tempdir() {
            Ok(folder) => folder,
            Err(error) => return fail(Exit::Device, format!("there is no room for a demo: {error}")),
        };
        let wish = Wish {
            product: match self.product {
                OnBelt::Washer => Product::Washer,
                OnBelt::BlisterPack => Product::BlisterPack,
            },
            seed: self.seed,
            parts_per_minute: self.rate,
            parts: self.parts,
            listen: self.listen,
            data: self.data.clone().unwrap_or_else(|| temporary.path().to_owned()),
        };
        let demo = match Running::start(wish) {
            Ok(demo) => demo,
            Err(error) => return fail(exit_code(&error), error),
        };
        self.introduce(&demo);
        match self.watch(demo) {
            Ok(summary) => {
                if self.json {
                    return print(summary.json().as_bytes());
                }
                say(&sentences(&summary));
                Exit::Ok
            }
            Err(error) => fail(exit_code(&error), error),
        }
    }

    fn introduce(&self, demo: &Running) {
        let product = match self.product {
            OnBelt::Washer => "washers",
            OnBelt::BlisterPack => "blister packs",
        };
        let recipe = demo.station().current();
        let told = |model: &LoadedModel| format!("; model {} on {}", model.info.name, model.info.provider);
        let model = recipe.judging().next().map_or_else(String::new, told);
        say(&format!("{product}, {} a minute, seed {}{model}", demo.parts_per_minute, self.seed));
        if let Some(address) = demo.address() {
            say(&format!("console http://{address}/   metrics http://{address}/metrics"));
        }
        if let Some(line) = first_login(demo.station()) {
            say(&line);
        }
        if let Some(data) = &self.data {
            say(&format!("config, ledger and pictures in {}", data.display()));
        }
    }

    fn watch(&self, mut demo: Running) -> Result<Summary, DemoError> {
        let stop = stop_on_signal();
        let end =
            self.seconds.map(|seconds| Instant::now() + Duration::from_secs_f64(seconds.clamp(0.0, 1e9)));
        let mut next_count = Instant::now() + Duration::from_secs(1);
        let mut rejects_shown = 0;
        while !stop.load(Ordering::Relaxed) && end.is_none_or(|end| Instant::now() < end) && !demo.has_ended()
        {
            for record in demo.answered(Duration::from_millis(50)) {
                // A person reads a few lines a second; the counts tell of the rest.
                if record.verdict != RecordVerdict::Pass && rejects_shown < 3 {
                    rejects_shown += 1;
                    say(line(&record).trim_end());
                }
            }
            if Instant::now() >= next_count {
                next_count += Duration::from_secs(1);
                rejects_shown = 0;
                say(&count(&demo.summary()));
            }
        }
        demo.stop()
    }
}

fn exit_code(error: &DemoError) -> Exit {
    match error {
        DemoError::Config(_) | DemoError::Line(_) => Exit::Config,
        DemoError::Start(error) => exit_of(error),
        DemoError::Io { .. } => Exit::Device,
    }
}

fn count(summary: &Summary) -> String {
    format!(
        "{:>6} parts  {:>6} pass  {:>5} fail  {:>3} missed   p50 {:.1} ms  p99 {:.1} ms",
        summary.records,
        summary.pass,
        summary.fail,
        summary.missed,
        summary.latency_ms.p50,
        summary.latency_ms.p99
    )
}

fn sentences(summary: &Summary) -> String {
    let Summary { triggers, answers, records, pass, fail, missed, parts, not_announced, .. } = summary;
    let Summary { escapes, false_rejects, misrouted, parts_per_minute, latency_ms, .. } = summary;
    let unaccounted = triggers.abs_diff(*answers) + answers.abs_diff(*records);
    format!(
        "\n{triggers} triggers = {answers} answers = {records} records ({unaccounted} unaccounted)\n\
         {pass} pass, {fail} fail, {missed} missed\n\
         at the gate: {parts} parts, {escapes} escapes, {false_rejects} false rejects, {misrouted} misrouted, \
         {not_announced} not announced\n\
         {parts_per_minute} parts a minute; trigger to PLC p50 {:.1} ms, p99 {:.1} ms, max {:.1} ms",
        latency_ms.p50, latency_ms.p99, latency_ms.max
    )
}
