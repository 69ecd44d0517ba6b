//! The workers as `bench` sees them: started, asked, and never waited for without end.

use super::words::{Answer, Order};
use std::{
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Child, ChildStdin, Command, Stdio},
    sync::mpsc::{Receiver, RecvTimeoutError, sync_channel},
    thread,
    time::Duration,
};

/// An engine may be built for minutes; a worker that says nothing for longer hangs.
const PATIENCE: Duration = Duration::from_secs(900);

/// The words by which the program knows itself as a worker.
const WORDS: [&str; 2] = ["model", "bench-worker"];

/// A worker; its process ends with it.
pub(super) struct Hand {
    process: Child,
    orders: ChildStdin,
    answers: Receiver<String>,
}

impl Hand {
    /// Starts one with `library`, or with the library that a station here would find.
    pub(super) fn start(library: Option<&Path>) -> Result<Self, String> {
        let program =
            std::env::current_exe().map_err(|e| format!("this program does not find itself: {e}"))?;
        let mut command = Command::new(program);
        command.arg("--quiet").args(WORDS).stdin(Stdio::piped()).stdout(Stdio::piped());
        if let Some(library) = library {
            command.env("PLUMB_ORT_LIB", library);
        }
        let mut process =
            command.spawn().map_err(|e| format!("no process of its own can be started: {e}"))?;
        let (Some(orders), Some(stdout)) = (process.stdin.take(), process.stdout.take()) else {
            return Err("a process was started without pipes".to_owned());
        };
        // One answer an order, so one place is enough; the thread ends with the pipe.
        let (told, answers) = sync_channel(1);
        thread::Builder::new()
            .name("bench-answers".to_owned())
            .spawn(move || {
                for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                    if told.send(line).is_err() {
                        break;
                    }
                }
            })
            .map_err(|e| e.to_string())?;
        Ok(Self { process, orders, answers })
    }

    /// Gives `order` and waits for what comes of it.
    ///
    /// # Errors
    /// The worker's own words, or how its process ended.
    pub(super) fn ask(&mut self, order: &Order) -> Result<Answer, String> {
        let order = serde_json::to_string(order).map_err(|e| e.to_string())?;
        if writeln!(self.orders, "{order}").is_err() {
            return Err(self.how_it_ended());
        }
        let line = match self.answers.recv_timeout(PATIENCE) {
            Ok(line) => line,
            Err(RecvTimeoutError::Disconnected) => return Err(self.how_it_ended()),
            Err(RecvTimeoutError::Timeout) => {
                return Err(format!("it said nothing for {} s and was ended", PATIENCE.as_secs()));
            }
        };
        match serde_json::from_str(&line) {
            Ok(Answer::Failed { says }) => Err(says),
            Ok(answer) => Ok(answer),
            Err(error) => Err(format!("it gave no answer that can be read: {error}")),
        }
    }

    fn how_it_ended(&mut self) -> String {
        match self.process.wait() {
            Ok(status) => format!("its process ended ({status}); what it said stands above"),
            Err(error) => format!("its process ended, nobody knows how: {error}"),
        }
    }
}

impl Drop for Hand {
    fn drop(&mut self) {
        // It has nothing that could be lost, and may hang.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
