//! The command line: data on stdout, talk on stderr, and an exit code that says whose turn it is.

mod align;
mod audit;
mod calibrate;
mod charts;
mod check;
mod demo;
mod doctor;
mod ledger;
mod log;
mod model;
mod opcua;
mod parts;
mod people;
mod plc;
mod replay;
mod run;
mod study;
mod support;
mod teach;
mod threshold;

use clap::{CommandFactory, Parser, Subcommand};
use std::{
    io::{self, Write},
    path::PathBuf,
    process::ExitCode,
};

/// The software of a vision inspection station: one trigger, one answer, in time, and never pass by default.
#[derive(Debug, Parser)]
#[command(name = "plumb", version = concat!(env!("CARGO_PKG_VERSION"), " (", env!("PLUMB_REVISION"), ")"))]
struct Cli {
    /// Say more (-v: each part, -vv: everything).
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    verbose: u8,
    /// Say less: only what went wrong.
    #[arg(short, long, global = true)]
    quiet: bool,
    /// What the log on stderr looks like; the level may be set in PLUMB_LOG, as warn or plumb_plc=debug.
    #[arg(long, global = true, value_enum, value_name = "FORMAT", env = "PLUMB_LOG_FORMAT", default_value_t)]
    log: log::LogFormat,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run a whole inspection line on this machine: no camera, GPU or PLC needed.
    Demo(demo::Demo),
    /// Read the config and every file it names, and tell every problem. Touches no device.
    Check(check::Check),
    /// Look at this machine: cameras' GStreamer elements, ONNX Runtime, clock, disk, PLC.
    Doctor(doctor::Doctor),
    /// Run the station.
    Run(run::Run),
    /// Run a recipe over stored pictures, a video or the ledger's parts, without a PLC.
    Replay(replay::Replay),
    /// Models: look at one, make its card, check what it finds, time it, say what it is trusted with.
    #[command(subcommand)]
    Model(model::Model),
    /// Parts in the ledger: find, show, export them, and say what they really were.
    #[command(subcommand)]
    Parts(parts::Parts),
    /// The ledger as a whole: check it, back it up, what is kept how long, how long the disk lasts.
    #[command(subcommand)]
    Ledger(ledger::Ledger),
    /// Who did what at the console: prove that the log is what was written, take it away.
    #[command(subcommand)]
    Audit(audit::Audit),
    /// Who may log in at the console; a new password for whoever has lost theirs.
    #[command(subcommand)]
    People(people::People),
    /// For whoever programs the PLC: look at the block, try the handshake.
    #[command(subcommand)]
    Plc(plc::Plc),
    /// Control charts of a recipe's parts: rejects, what for, a rule's score, drift. Exit 1 if something signals.
    Charts(charts::Charts),
    /// Thresholds with a guarantee that can be signed.
    #[command(subcommand)]
    Threshold(threshold::Threshold),
    /// Gauge studies: plan one, take it, put it on paper.
    #[command(subcommand)]
    Study(study::StudyCommand),
    /// Cameras: lens, scale of the part's plane, light, focus, from pictures of a target or a live camera.
    #[command(subcommand)]
    Calibrate(calibrate::Calibrate),
    /// A defect model from pictures of good parts: one ONNX file, its limit, and what that is worth.
    Teach(teach::Teach),
    /// Where a part lies: teach it, and try it on pictures.
    #[command(subcommand)]
    Align(align::Align),
    /// OPC UA: the station's certificate, who is trusted, who knocked, users.
    #[command(subcommand, name = "opcua")]
    OpcUa(opcua::OpcUa),
    /// Pack what somebody needs who is to help from afar: config without secrets, logs, versions, metrics.
    SupportBundle(support::SupportBundle),
    /// Print completions for a shell.
    Completions {
        /// bash, zsh, fish, elvish or powershell.
        shell: clap_complete::Shell,
    },
    /// Print the manual page.
    Man,
}

/// Exit codes, as scripts rely on them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// All is well.
    Ok = 0,
    /// The command worked and found something wrong.
    Finding = 1,
    /// The command cannot be carried out as it was written.
    Usage = 2,
    /// The config is wrong.
    Config = 3,
    /// A camera, the PLC, the network or the disk.
    Device = 4,
    /// ONNX Runtime or a model.
    Model = 5,
    /// Our bug.
    Bug = 70,
}

/// Parses the arguments, runs the command, and says how it ended.
pub fn main() -> ExitCode {
    crate::memory::give_frames_back();
    let cli = Cli::parse(); // exits with 2 by itself when the words are off
    // These tell their own story; the log would drown it.
    let tells_itself = matches!(
        cli.command,
        Command::Demo(_)
            | Command::Doctor(_)
            | Command::Model(_)
            | Command::Calibrate(_)
            | Command::Align(_)
            | Command::Teach(_)
            | Command::Plc(_)
    );
    let level = match (cli.quiet, cli.verbose) {
        (true, _) => "error",
        (_, 0) if tells_itself => "warn",
        (_, 0) => "info",
        (_, 1) => "debug",
        _ => "trace",
    };
    log::start(level, cli.log);
    let exit = match cli.command {
        Command::Demo(demo) => demo.run(),
        Command::Check(check) => check.run(),
        Command::Doctor(doctor) => doctor.run(),
        Command::Run(run) => run.run(),
        Command::Replay(replay) => replay.run(),
        Command::Model(model) => model.run(),
        Command::Parts(parts) => parts.run(),
        Command::Ledger(ledger) => ledger.run(),
        Command::Audit(audit) => audit.run(),
        Command::People(people) => people.run(),
        Command::Plc(plc) => plc.run(),
        Command::Charts(charts) => charts.run(),
        Command::Threshold(threshold) => threshold.run(),
        Command::Study(study) => study.run(),
        Command::Calibrate(calibrate) => calibrate.run(),
        Command::Teach(teach) => teach.run(),
        Command::Align(align) => align.run(),
        Command::OpcUa(opcua) => opcua.run(),
        Command::SupportBundle(bundle) => bundle.run(),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "plumb", &mut script);
            print(&script)
        }
        Command::Man => {
            let mut page = Vec::new();
            match clap_mangen::Man::new(Cli::command()).render(&mut page) {
                Ok(()) => print(&page),
                Err(error) => fail(Exit::Bug, error),
            }
        }
    };
    ExitCode::from(exit as u8)
}

/// Writes data to stdout. A reader that went away (`| head`) is no error of ours.
fn print(data: &[u8]) -> Exit {
    match io::stdout().write_all(data).and_then(|()| io::stdout().flush()) {
        Ok(()) => Exit::Ok,
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Exit::Ok,
        Err(error) => fail(Exit::Device, format!("cannot write to stdout: {error}")),
    }
}

/// Says what went wrong on stderr.
fn fail(exit: Exit, says: impl std::fmt::Display) -> Exit {
    say(&format!("plumb: {says}"));
    exit
}

/// Talk: one line on stderr.
fn say(line: &str) {
    let _ = writeln!(io::stderr(), "{line}");
}

/// `station.toml` in the current folder unless another file is named.
fn station_file(file: Option<PathBuf>) -> PathBuf {
    file.unwrap_or_else(|| PathBuf::from("station.toml"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }
}
