//! How far a long piece of work is, on stderr: rewritten in place on a terminal, a line now and then elsewhere.

use std::{
    io::{IsTerminal as _, Write as _, stderr},
    time::{Duration, Instant},
};

pub(super) struct Progress {
    of: usize,
    done: usize,
    began: Instant,
    said: Instant,
    in_place: bool,
}

impl Progress {
    pub(super) fn new(of: usize) -> Self {
        let now = Instant::now();
        Self { of, done: 0, began: now, said: now, in_place: stderr().is_terminal() }
    }

    pub(super) fn one_more(&mut self) {
        self.done += 1;
        let now = Instant::now();
        let patience = if self.in_place { Duration::from_millis(200) } else { Duration::from_secs(10) };
        if now - self.said < patience || self.done == self.of {
            return;
        }
        self.said = now;
        let line = words(self.done, self.of, now - self.began);
        let _ = match self.in_place {
            true => write!(stderr(), "\r{line}\x1b[K"),
            false => writeln!(stderr(), "{line}"),
        };
    }

    /// Leaves the terminal's line free.
    pub(super) fn end(self) -> Duration {
        if self.in_place {
            let _ = write!(stderr(), "\r\x1b[K");
        }
        self.began.elapsed()
    }
}

/// `120 of 2000 pictures, 38.4/s, 49 s left`.
fn words(done: usize, of: usize, elapsed: Duration) -> String {
    let rate = done as f64 / elapsed.as_secs_f64().max(1e-3);
    let left = ((of - done) as f64 / rate).ceil() as u64;
    let left = if left < 120 { format!("{left} s") } else { format!("{} min", left.div_ceil(60)) };
    format!("{done} of {of} pictures, {rate:.1}/s, {left} left")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_left_follows_from_the_rate() {
        assert_eq!(words(120, 2000, Duration::from_secs(3)), "120 of 2000 pictures, 40.0/s, 47 s left");
        assert_eq!(words(1, 1000, Duration::from_secs(1)), "1 of 1000 pictures, 1.0/s, 17 min left");
    }
}
