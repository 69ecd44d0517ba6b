//! `plumb support-bundle`: one archive for somebody who is to help from afar, without a secret in it.

mod secrets;

use super::{Exit, fail, print, say, station_file};
use crate::config;
use flate2::{Compression, write::GzEncoder};
use secrets::Secrets;
use serde_json::json;
use std::{
    fs::{self, File},
    io::{self, Read as _, Seek as _, SeekFrom, Write as _},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

/// Of each log file, from its end.
const LOG_MAX: u64 = 8 << 20;
/// For a station that is to answer on this machine.
const PATIENCE: Duration = Duration::from_secs(3);

/// Arguments of `plumb support-bundle`.
#[derive(Debug, clap::Args)]
pub(super) struct SupportBundle {
    /// The station's config; recipes are taken from the folder `recipes` beside it.
    file: Option<PathBuf>,
    /// The archive to make; by default `plumb-support-<time>.tar.gz` here.
    #[arg(long, value_name = "FILE.tar.gz")]
    to: Option<PathBuf>,
    /// A log file to take along, where the log does not go to journald; may be given several times.
    #[arg(long, value_name = "FILE")]
    log_file: Vec<PathBuf>,
    /// Lines of the journal to take along.
    #[arg(long, value_name = "N", default_value_t = 5_000)]
    lines: u32,
    /// One document about what is in it, schema plumb.support/1.
    #[arg(long)]
    json: bool,
}

/// What is packed, text by text, and what could not be had.
#[derive(Default)]
struct Contents {
    secrets: Secrets,
    files: Vec<(String, String)>,
    missing: Vec<(String, String)>,
}

impl SupportBundle {
    pub(super) fn run(self) -> Exit {
        let station = station_file(self.file.clone());
        let at = jiff::Timestamp::now();
        let to = self.to.clone().unwrap_or_else(|| {
            PathBuf::from(format!("plumb-support-{}.tar.gz", at.strftime("%Y-%m-%dT%H%M%SZ")))
        });
        let mut contents = Contents::default();
        // Config first: its secrets are then known in all that follows.
        contents.config(&station);
        let place = Place::of(&station);
        contents.commands(&station, &place);
        contents.station(place.listen);
        contents.journal(self.lines);
        for log in &self.log_file {
            let name = log.file_name().unwrap_or_default().to_string_lossy().into_owned();
            contents.text(&format!("logs/{name}"), tail(log).map_err(|error| error.to_string()));
        }
        let about = contents.about(at);
        contents.files.insert(0, ("about.json".to_owned(), format!("{about:#}\n")));
        if let Err(error) = pack(&to, &contents.files, at) {
            return fail(Exit::Usage, format!("{} could not be written: {error}", to.display()));
        }
        if self.json {
            return print(format!("{about:#}\n").as_bytes());
        }
        for (what, why) in &contents.missing {
            say(&format!("not in it: {what}: {why}"));
        }
        say(&format!(
            "{} files in {}; secrets are taken out as far as they can be told: look through it before you send it",
            contents.files.len(),
            to.display()
        ));
        Exit::Ok
    }
}

impl Contents {
    /// Keeps a text without its secrets, or why there is none.
    fn text(&mut self, name: &str, text: Result<String, String>) {
        match text {
            Ok(text) => {
                let text = self.secrets.without(&text);
                self.files.push((name.to_owned(), text));
            }
            Err(why) => {
                let why = self.secrets.without(&why).trim_end().to_owned();
                self.missing.push((name.to_owned(), why));
            }
        }
    }

    fn config(&mut self, station: &Path) {
        let recipes = station.parent().unwrap_or(Path::new("")).join("recipes");
        let mut files = vec![("config/station.toml".to_owned(), station.to_owned())];
        let entries = fs::read_dir(&recipes).into_iter().flatten().flatten().map(|entry| entry.path());
        let mut entries: Vec<PathBuf> =
            entries.filter(|path| path.extension().is_some_and(|end| end == "toml")).collect();
        entries.sort();
        for path in entries {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            files.push((format!("config/recipes/{name}"), path.clone()));
        }
        for (name, path) in files {
            match fs::read_to_string(&path) {
                Ok(toml) => {
                    let shown = self.secrets.learn(&toml);
                    self.files.push((name, shown));
                }
                Err(error) => self.missing.push((name, error.to_string())),
            }
        }
    }

    /// What this program itself can tell. Each in a process of its own: what is broken may break it.
    fn commands(&mut self, station: &Path, place: &Place) {
        let file = station.display().to_string();
        let data = place.data.display().to_string();
        let doctor: &[&str] =
            if place.is_sound { &["doctor", &file, "--json"] } else { &["doctor", "--json"] };
        let commands: [(&str, &[&str]); 5] = [
            ("check.json", &["check", &file, "--json"]),
            ("doctor.json", doctor),
            ("ledger-disk.json", &["ledger", "disk", "--station", &file, "--json"]),
            ("ledger-check.json", &["ledger", "check", "--data", &data, "--json"]),
            ("audit-verify.json", &["audit", "verify", "--data", &data, "--json"]),
        ];
        for (name, args) in commands {
            let said = std::env::current_exe()
                .and_then(|plumb| Command::new(plumb).args(args).env("NO_COLOR", "1").output())
                .map_err(|error| error.to_string())
                .and_then(|output| match output.stdout.is_empty() {
                    true => Err(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
                    false => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
                });
            self.text(name, said);
        }
    }

    /// What a station that runs here shows without a login.
    fn station(&mut self, listen: SocketAddr) {
        for (name, path) in [("metrics.prom", "/metrics"), ("ready.json", "/readyz")] {
            self.text(name, get(listen, path).map_err(|error| format!("{listen} did not answer: {error}")));
        }
    }

    fn journal(&mut self, lines: u32) {
        let said = Command::new("journalctl")
            .args(["--unit", "plumb", "--no-pager", "--output", "short-iso-precise", "--lines"])
            .arg(lines.to_string())
            .output();
        let text = match said {
            Ok(output) if output.status.success() => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
            Ok(output) => Err(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
            Err(error) => Err(format!("journalctl: {error}")),
        };
        self.text("logs/journal.txt", text);
    }

    fn about(&self, at: jiff::Timestamp) -> serde_json::Value {
        let kernel = fs::read_to_string("/proc/version").unwrap_or_default();
        let system = fs::read_to_string("/etc/os-release").unwrap_or_default();
        let system = system.lines().find_map(|line| line.strip_prefix("PRETTY_NAME="));
        let missing = self.missing.iter().map(|(what, why)| json!({ "what": what, "why": why }));
        json!({
            "schema": "plumb.support/1",
            "at": at,
            "version": env!("CARGO_PKG_VERSION"),
            "revision": env!("PLUMB_REVISION"),
            "rustc": env!("PLUMB_RUSTC"),
            "kernel": kernel.trim(),
            "system": system.map(|name| name.trim_matches('"')),
            "processors": std::thread::available_parallelism().map_or(0, std::num::NonZero::get),
            "files": self.files.iter().map(|(name, _)| name).collect::<Vec<_>>(),
            "missing": missing.collect::<Vec<_>>(),
            "secrets_of_the_config_removed": self.secrets.len(),
        })
    }
}

/// Where the station is at home, as far as its config can be read: help is asked for when it is broken, too.
struct Place {
    is_sound: bool,
    listen: SocketAddr,
    data: PathBuf,
}

impl Place {
    fn of(station: &Path) -> Self {
        if let Ok(plan) = config::read(station) {
            return Self { is_sound: true, listen: plan.station.listen, data: plan.station.data };
        }
        let text = fs::read_to_string(station).unwrap_or_default();
        let document: toml::Table = text.parse().unwrap_or_default();
        let word = |key: &str| document.get("station")?.get(key)?.as_str();
        let listen = word("listen").and_then(|listen| listen.parse().ok());
        let folder = station.parent().unwrap_or(Path::new(""));
        Self {
            is_sound: false,
            listen: listen.unwrap_or(SocketAddr::from(([127, 0, 0, 1], 8080))),
            data: folder.join(word("data").unwrap_or("data")),
        }
    }
}

/// The end of a file that may be long.
fn tail(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(LOG_MAX)))?;
    let mut bytes = Vec::new();
    file.take(LOG_MAX).read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes).into_owned();
    // The first line is cut: what stands before the cut may have said that a secret follows.
    Ok(match length > LOG_MAX {
        true => text.split_once('\n').map_or(String::new(), |(_, rest)| rest.to_owned()),
        false => text,
    })
}

/// A plain GET of this machine's own station.
fn get(listen: SocketAddr, path: &str) -> io::Result<String> {
    let host = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    let mut stream = TcpStream::connect_timeout(&SocketAddr::new(host, listen.port()), PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    write!(stream, "GET {path} HTTP/1.0\r\nHost: {listen}\r\n\r\n")?;
    let mut answer = Vec::new();
    stream.take(LOG_MAX).read_to_end(&mut answer)?;
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    match body.is_empty() {
        true => Err(io::Error::other(head.lines().next().unwrap_or("nothing").to_owned())),
        false => Ok(body.to_owned()),
    }
}

/// Readable by its maker alone.
fn pack(to: &Path, files: &[(String, String)], at: jiff::Timestamp) -> io::Result<()> {
    let file = File::options().write(true).create_new(true).mode(0o600).open(to)?;
    let mut archive = tar::Builder::new(GzEncoder::new(file, Compression::default()));
    for (name, text) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(text.len() as u64);
        header.set_mode(0o600);
        header.set_mtime(at.as_second().max(0).unsigned_abs());
        archive.append_data(&mut header, Path::new("plumb-support").join(name), text.as_bytes())?;
    }
    archive.into_inner()?.finish()?.sync_all()
}
