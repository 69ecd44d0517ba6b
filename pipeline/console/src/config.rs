//! What `station.toml` says about the console.

use jiff::civil::Time;
use serde::{Deserialize, Serialize};
use std::{
    net::IpAddr,
    path::{Path, PathBuf},
};

/// Section `[console]`. Every key may be left out.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct ConsoleConfig {
    /// True: the live page is shown to whoever opens it, without a login. It shows pictures of parts and counts.
    pub open_live_view: bool,
    /// When shifts begin, by the machine's local time. Counts on the live page start anew there.
    pub shifts: Vec<Time>,
    /// Live pictures a second, 1..=30.
    pub live_fps: u32,
    /// Longest side of a live picture in px, 320..=4096. Larger frames are scaled down.
    pub live_side_px: u32,
    /// A session ends after so many minutes without a click, 1..=1440.
    pub idle_minutes: u32,
    /// A session ends after so many hours whatever happens, 1..=168.
    pub session_hours: u32,
    /// Failed logins of one name, or from one address, before both must wait; 3..=100.
    pub failures: u32,
    /// For so many minutes, 1..=1440.
    pub lockout_minutes: u32,
    /// Reverse proxies whose word is taken for who somebody is. Nobody else's header is read.
    pub proxies: Vec<IpAddr>,
    /// The header in which they say it: a user name that has an account here.
    pub proxy_user_header: String,
    /// `[console.tls]`: pages, `/api/v1` and `/metrics` over HTTPS alone. Without it they are served in the clear.
    pub tls: Option<ConsoleTls>,
}

/// Which certificate the console shows. Without any key the station makes one of its own, and keeps it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct ConsoleTls {
    /// PEM file: the certificate, then those that vouch for it.
    pub certificate: Option<PathBuf>,
    /// PEM file of its private key, mode 0600.
    pub key: Option<PathBuf>,
    /// Host names and addresses that people type, for the station's own certificate. This machine's name and the address
    /// it listens on are in it anyway.
    pub names: Vec<String>,
}

impl ConsoleTls {
    /// Files are meant relative to the config's folder.
    pub fn relative_to(self, folder: &Path) -> Self {
        let join = |file: Option<PathBuf>| file.map(|file| folder.join(file));
        Self { certificate: join(self.certificate), key: join(self.key), names: self.names }
    }

    fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        match (&self.certificate, &self.key) {
            (Some(_), None) => problems.push("has a certificate without a key; give key = \"…\"".to_owned()),
            (None, Some(_)) => {
                problems.push("has a key without a certificate; give certificate = \"…\"".to_owned())
            }
            (Some(_), Some(_)) if !self.names.is_empty() => problems.push(
                "has names and a certificate; names are for the station's own certificate: leave one out"
                    .to_owned(),
            ),
            _ => {}
        }
        for name in &self.names {
            let is_name = !name.is_empty()
                && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-:".contains(&byte));
            if !is_name {
                problems.push(format!(
                    "has the name {name:?}; give a host name or an address, as \"station-7.plant\""
                ));
            }
        }
        problems
    }
}

impl Default for ConsoleConfig {
    fn default() -> Self {
        let shift = |hour| Time::constant(hour, 0, 0, 0);
        Self {
            open_live_view: false,
            shifts: vec![shift(6), shift(14), shift(22)],
            live_fps: 10,
            live_side_px: 1280,
            idle_minutes: 30,
            session_hours: 12,
            failures: 5,
            lockout_minutes: 15,
            proxies: Vec::new(),
            proxy_user_header: "x-forwarded-user".to_owned(),
            tls: None,
        }
    }
}

impl ConsoleConfig {
    /// Everything wrong with the values: the key below `console` and what is wrong with it. Empty is good.
    pub fn problems(&self) -> Vec<(&'static str, String)> {
        let ranges = [
            ("live_fps", self.live_fps, 1, 30),
            ("live_side_px", self.live_side_px, 320, 4096),
            ("idle_minutes", self.idle_minutes, 1, 1440),
            ("session_hours", self.session_hours, 1, 168),
            ("failures", self.failures, 3, 100),
            ("lockout_minutes", self.lockout_minutes, 1, 1440),
        ];
        let outside = ranges.into_iter().filter(|(_, value, min, max)| !(min..=max).contains(&value));
        let mut problems: Vec<_> =
            outside.map(|(key, value, min, max)| (key, format!("is {value}; give {min} to {max}"))).collect();
        if self.shifts.is_empty() {
            problems.push(("shifts", "is empty; give at least one time, as \"06:00\"".to_owned()));
        }
        if axum::http::HeaderName::from_bytes(self.proxy_user_header.as_bytes()).is_err() {
            let says = format!("is {:?}, which is no name of a header", self.proxy_user_header);
            problems.push(("proxy_user_header", says));
        }
        problems.extend(self.tls.iter().flat_map(ConsoleTls::problems).map(|says| ("tls", says)));
        problems
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_have_no_problems_and_show_nothing_without_a_login() {
        assert_eq!(ConsoleConfig::default().problems(), []);
        assert!(!ConsoleConfig::default().open_live_view);
    }

    #[test]
    fn every_wrong_value_is_told_at_once() {
        let wrong = ConsoleConfig {
            live_fps: 0,
            failures: 1,
            shifts: vec![],
            proxy_user_header: "x user".into(),
            tls: Some(ConsoleTls {
                key: Some("key.pem".into()),
                names: vec!["a b".into()],
                ..ConsoleTls::default()
            }),
            ..ConsoleConfig::default()
        };
        let keys: Vec<&str> = wrong.problems().into_iter().map(|(key, _)| key).collect();
        assert_eq!(keys, ["live_fps", "failures", "shifts", "proxy_user_header", "tls", "tls"]);
    }

    #[test]
    fn times_are_written_as_people_write_them() {
        let read: ConsoleConfig = toml::from_str("shifts = [\"05:30\", \"17:30\"]").expect("times");
        assert_eq!(read.shifts[1], Time::constant(17, 30, 0, 0));
        assert!(toml::from_str::<ConsoleConfig>("shifts = [\"25:00\"]").is_err());
        assert!(toml::from_str::<ConsoleConfig>("opn_live_view = true").is_err());
    }
}
