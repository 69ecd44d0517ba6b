//! Somebody to be compared with, in a process of its own that takes turns with the bench.
//!
//! The same words for all: a number in, one JSON line out with what one of so many times took.

use super::{Outcome, root};
use serde::{Deserialize, Serialize};
use std::{
    io::{BufRead, BufReader, Write},
    path::PathBuf,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

/// What one time takes: a frame, a run of a model.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Taken {
    pub(crate) wall_ms: f64,
    /// Of all its threads.
    pub(crate) cpu_ms: f64,
}

/// The other process; it ends when this is dropped.
pub(crate) struct Peer {
    name: String,
    process: Child,
    orders: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl Peer {
    /// Starts `command`, which is called `name` in messages.
    pub(crate) fn start(name: &str, mut command: Command) -> Outcome<Self> {
        let mut process = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| format!("{name} does not start: {error}"))?;
        let orders = process.stdin.take();
        let answers = BufReader::new(process.stdout.take().ok_or("no pipe from a peer")?);
        Ok(Self { name: name.to_owned(), process, orders, answers })
    }

    /// A script of `benches/peers` with `args`; numpy keeps to the thread it is called on.
    pub(crate) fn python(script: &str, args: &[&str]) -> Outcome<Self> {
        let mut command = python()?;
        command.arg(root().join("benches/peers").join(script)).args(args).env("OPENBLAS_NUM_THREADS", "1");
        Self::start(script, command)
    }

    /// Does its work `times` times without a pause; the mean of one.
    pub(crate) fn run(&mut self, times: u32) -> Outcome<Taken> {
        writeln!(self.orders.as_mut().ok_or("the peer has ended")?, "{times}")?;
        let mut line = String::new();
        if self.answers.read_line(&mut line)? == 0 {
            return Err(format!("{} ended without an answer; what it said stands above", self.name).into());
        }
        Ok(serde_json::from_str(&line)?)
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.orders = None; // the closed pipe ends it
        let _ = self.process.wait();
    }
}

/// A Python that has what `benches/peers/requirements.txt` lists: PLUMB_BENCH_PYTHON, or that of `.plumb/bench/venv`.
///
/// # Errors
/// Where there is none, how to make it.
pub(crate) fn python() -> Outcome<Command> {
    let named = std::env::var_os("PLUMB_BENCH_PYTHON").filter(|named| !named.is_empty()).map(PathBuf::from);
    let python = named.unwrap_or_else(|| root().join(".plumb/bench/venv/bin/python"));
    if python.exists() {
        return Ok(Command::new(python));
    }
    let says = format!(
        "{} is not there; run `python3 -m venv .plumb/bench/venv && \
         .plumb/bench/venv/bin/pip install -r benches/peers/requirements.txt`, or name a Python in PLUMB_BENCH_PYTHON",
        python.display()
    );
    Err(says.into())
}
