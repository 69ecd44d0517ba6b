//! What systemd is told: when the station judges, that it lives, what state it is in, that it stops (`sd_notify`).
//!
//! The watchdog is fed by the heartbeat that the PLC sees and by nothing else. That one is made by the verdict task,
//! and only while preprocess, infer and ledger show life; so a station that would reject everything is started anew,
//! though its other threads may be well. Until it judges the first time, the same heartbeat prolongs the time that it
//! may take to start: a camera that is not there yet is no reason to start over, a model that never loads is.

use crate::state::Condition;
use std::{
    ffi::OsStr,
    io,
    os::{
        linux::net::SocketAddrExt,
        unix::{ffi::OsStrExt, net::SocketAddr, net::UnixDatagram},
    },
    time::{Duration, Instant},
};

/// How often it is told, at the most. systemd asks for less than half of `WatchdogSec`.
pub const TELL_EVERY: Duration = Duration::from_millis(500);
/// How long a station that does not judge yet may be silent.
const STARTING_SILENT_MAX: Duration = Duration::from_secs(60);
/// A status is one line of `systemctl status`.
const STATUS_CHARS_MAX: usize = 300;

/// The service manager's ear.
#[derive(Debug)]
pub struct ServiceManager {
    socket: UnixDatagram,
    is_ready: bool,
    beats: u64,
    told_at: Option<Instant>,
    status: String,
}

impl ServiceManager {
    /// The one that started this process, if one wants to hear of it (`NOTIFY_SOCKET`).
    ///
    /// # Errors
    /// When the address that it gave cannot be used.
    pub fn of_this_process() -> io::Result<Option<Self>> {
        std::env::var_os("NOTIFY_SOCKET").map(|address| Self::at(&address)).transpose()
    }

    /// At `address`, a path or, with `@` before it, a name in Linux's abstract namespace.
    ///
    /// # Errors
    /// When nobody is there.
    pub fn at(address: &OsStr) -> io::Result<Self> {
        let bytes = address.as_bytes();
        let at = match bytes.strip_prefix(b"@") {
            Some(name) => SocketAddr::from_abstract_name(name)?,
            None => SocketAddr::from_pathname(address)?,
        };
        let socket = UnixDatagram::unbound()?;
        socket.connect_addr(&at)?;
        // A manager that does not read must not hold up the station; what it misses then, it hears the next time.
        socket.set_nonblocking(true)?;
        Ok(Self { socket, is_ready: false, beats: 0, told_at: None, status: String::new() })
    }

    /// What the station is doing before it runs.
    pub fn starting(&mut self, doing: &str) {
        self.tell(&format!("STATUS={doing}"));
    }

    /// Tells what is new. To be called often; `beats` is [`crate::station::Station::heartbeats`].
    pub fn look(&mut self, now: Instant, beats: u64, condition: impl FnOnce() -> Condition) {
        if self.told_at.is_some_and(|told_at| now.saturating_duration_since(told_at) < TELL_EVERY) {
            return;
        }
        self.told_at = Some(now);
        let condition = condition();
        let mut news = Vec::new();
        if condition.is_ready() && !self.is_ready {
            self.is_ready = true;
            news.push("READY=1".to_owned());
        }
        if beats != self.beats {
            self.beats = beats;
            news.push(match self.is_ready {
                true => "WATCHDOG=1".to_owned(),
                false => format!("EXTEND_TIMEOUT_USEC={}", STARTING_SILENT_MAX.as_micros()),
            });
        }
        let status = one_line(&condition);
        if status != self.status {
            news.push(format!("STATUS={status}"));
            self.status = status;
        }
        if !news.is_empty() {
            self.tell(&news.join("\n"));
        }
    }

    /// The station was told to stop.
    pub fn stopping(&mut self) {
        self.tell("STOPPING=1\nSTATUS=answering the last parts");
    }

    fn tell(&self, news: &str) {
        if let Err(error) = self.socket.send(news.as_bytes()) {
            tracing::warn!(%error, "The service manager does not hear.");
        }
    }
}

/// `degraded: camera top is unplugged; …`, without what would end the line.
fn one_line(condition: &Condition) -> String {
    let reasons = condition.reasons.join("; ");
    let separator = if reasons.is_empty() { "" } else { ": " };
    format!("{}{separator}{reasons}", condition.state.as_str())
        .chars()
        .map(|char| if char.is_control() { ' ' } else { char })
        .take(STATUS_CHARS_MAX)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::State;

    #[test]
    fn a_status_is_one_line_that_says_the_state_and_why() {
        let degraded = Condition {
            state: State::Degraded,
            reasons: vec!["camera top\nis unplugged".into(), "x".repeat(999)],
        };
        let line = one_line(&degraded);
        assert!(line.starts_with("degraded: camera top is unplugged; xxx"), "{line}");
        assert_eq!(line.chars().count(), STATUS_CHARS_MAX);
        assert_eq!(one_line(&Condition { state: State::Running, reasons: vec![] }), "running");
    }

    #[test]
    fn nobody_at_the_address_is_an_error_and_an_abstract_name_is_heard() {
        assert!(ServiceManager::at(OsStr::new("/nowhere/at/all")).is_err());
        let name = format!("plumb-test-{}", std::process::id());
        let address = SocketAddr::from_abstract_name(&name).expect("a name");
        let ear = UnixDatagram::bind_addr(&address).expect("an ear");
        ServiceManager::at(OsStr::new(&format!("@{name}"))).expect("somebody is there").stopping();
        let mut heard = [0; 64];
        let length = ear.recv(&mut heard).expect("news");
        assert!(heard[..length].starts_with(b"STOPPING=1\n"));
    }
}
