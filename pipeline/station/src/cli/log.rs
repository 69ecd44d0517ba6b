//! Where log lines go and in which form: words for a terminal, JSON for machines, fields for journald; and a flood of the
//! same line is held back, counted and told.

use std::{
    collections::HashMap,
    fmt,
    io::{self, IsTerminal as _},
    os::unix::fs::MetadataExt as _,
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::{Duration, Instant},
};
use tracing::{
    Event, Level, Subscriber,
    callsite::Identifier,
    field::{Field, Visit},
};
use tracing_subscriber::{
    EnvFilter, Layer,
    layer::{Context, SubscriberExt as _},
    util::SubscriberInitExt as _,
};

/// What a line of the log looks like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum LogFormat {
    /// `journal` where the service manager has put stderr there, otherwise `human`.
    #[default]
    Auto,
    /// Words on stderr.
    Human,
    /// A JSON document a line on stderr.
    Json,
    /// To journald itself: each value is a field, as in `journalctl PLUMB_PART=17`.
    Journal,
}

/// Lines of one place in the program that are written within a window; more are counted. Lines that name a lost or failed
/// part at level ERROR are never held back: they may be the last trace of it.
const LINES: u32 = 20;
const WINDOW: Duration = Duration::from_secs(10);

static HELD_BACK: OnceLock<Arc<Windows>> = OnceLock::new();

/// From here on the program logs. `level` is that of Plumb's own crates; `PLUMB_LOG` says otherwise where it is set.
pub(super) fn start(level: &str, format: LogFormat) {
    let filter = EnvFilter::try_from_env("PLUMB_LOG").unwrap_or_else(|_| {
        EnvFilter::new(format!("warn,plumb={level},plumb_station={level},plumb_capture={level},plumb_plc={level},plumb_opcua={level},plumb_ledger={level},plumb_console={level},plumb_inference={level}"))
    });
    let wants_journal = match format {
        LogFormat::Journal => true,
        LogFormat::Auto => stderr_is_the_journal(),
        LogFormat::Human | LogFormat::Json => false,
    };
    let journal = if wants_journal { journal() } else { None };
    let lines = tracing_subscriber::fmt::layer().with_writer(io::stderr).with_target(false);
    let json = (format == LogFormat::Json)
        .then(|| tracing_subscriber::fmt::layer().with_writer(io::stderr).json().flatten_event(true));
    let colour = io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let human = (journal.is_none() && json.is_none()).then(|| lines.with_ansi(colour));
    let windows = Arc::clone(HELD_BACK.get_or_init(Arc::default));
    // Fails only if there is a subscriber already.
    let _ = tracing_subscriber::registry()
        .with(filter)
        .with(HeldBack(windows))
        .with(journal)
        .with(json)
        .with(human)
        .try_init();
}

fn journal() -> Option<tracing_journald::Layer> {
    match tracing_journald::layer() {
        Ok(layer) => {
            Some(layer.with_field_prefix(Some("PLUMB".to_owned())).with_syslog_identifier("plumb".to_owned()))
        }
        Err(error) => {
            super::say(&format!("plumb: journald does not listen ({error}); the log goes to stderr"));
            None
        }
    }
}

/// systemd says in `JOURNAL_STREAM` which file the journal reads; stderr may have been sent elsewhere since.
fn stderr_is_the_journal() -> bool {
    let Ok(stream) = std::env::var("JOURNAL_STREAM") else { return false };
    let Ok(stderr) = std::fs::metadata("/proc/self/fd/2") else { return false };
    stream == format!("{}:{}", stderr.dev(), stderr.ino())
}

/// Says how many lines were held back, of windows that are over, or of `all`.
pub(super) fn tell_held_back(all: bool) {
    if let Some(windows) = HELD_BACK.get() {
        windows.tell(Instant::now(), all);
    }
}

/// Lets a few lines of each place through and counts the others.
struct HeldBack(Arc<Windows>);

#[derive(Debug, Default)]
struct Windows(Mutex<HashMap<Identifier, Window>>);

#[derive(Debug)]
struct Window {
    since: Instant,
    passed: u32,
    held: u64,
    /// The first line held back.
    like: String,
}

impl Windows {
    fn admits(&self, event: &Event<'_>, now: Instant) -> bool {
        let mut windows = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let fresh = || Window { since: now, passed: 0, held: 0, like: String::new() };
        let window = windows.entry(event.metadata().callsite()).or_insert_with(fresh);
        if window.held == 0 && now.duration_since(window.since) > WINDOW {
            *window = fresh();
        }
        if window.passed < LINES {
            window.passed += 1;
            return true;
        }
        if window.held == 0 {
            event.record(&mut Message(&mut window.like));
        }
        window.held += 1;
        false
    }

    fn tell(&self, now: Instant, all: bool) {
        let mut windows = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_over = |window: &Window| all || now.duration_since(window.since) > WINDOW;
        let over: Vec<(u64, String)> = windows
            .values_mut()
            .filter(|window| window.held > 0 && is_over(window))
            .map(|window| {
                let told = (window.held, std::mem::take(&mut window.like));
                *window = Window { since: now, passed: 0, held: 0, like: String::new() };
                told
            })
            .collect();
        drop(windows); // what follows is a log line itself
        for (lines, like) in over {
            tracing::warn!(lines, like, "Lines of the log were held back: too many of the same.");
        }
    }
}

impl<S: Subscriber> Layer<S> for HeldBack {
    fn event_enabled(&self, event: &Event<'_>, _: Context<'_, S>) -> bool {
        let about = event.metadata();
        let tells_of_a_part = *about.level() == Level::ERROR && about.fields().field("part").is_some();
        tells_of_a_part || self.0.admits(event, Instant::now())
    }
}

/// Takes the words of an event.
struct Message<'a>(&'a mut String);

impl Visit for Message<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            *self.0 = format!("{value:?}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[derive(Clone, Default)]
    struct Paper(Arc<Mutex<Vec<u8>>>);

    impl Write for Paper {
        fn write(&mut self, text: &[u8]) -> io::Result<usize> {
            self.0.lock().expect("nobody panics with it").extend_from_slice(text);
            Ok(text.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_flood_is_held_back_and_told_but_no_part_is() {
        let (paper, windows) = (Paper::default(), Arc::<Windows>::default());
        let writer = paper.clone();
        let subscriber = tracing_subscriber::registry().with(HeldBack(windows.clone())).with(
            tracing_subscriber::fmt::layer().json().flatten_event(true).with_writer(move || writer.clone()),
        );
        tracing::subscriber::with_default(subscriber, || {
            let slow = |part: u32| tracing::warn!(part, "The camera is slow.");
            for part in 1..=100 {
                slow(part);
                tracing::error!(part, "The record is lost.");
            }
            tracing::warn!("Something else.");
            windows.tell(Instant::now(), false);
            windows.tell(Instant::now() + 2 * WINDOW, false);
            windows.tell(Instant::now() + 2 * WINDOW, true);
            slow(101);
        });
        let text = String::from_utf8(paper.0.lock().expect("written").clone()).expect("text");
        let lines: Vec<serde_json::Value> =
            text.lines().map(|line| serde_json::from_str(line).expect("JSON a line")).collect();
        let count = |words: &str| lines.iter().filter(|line| line["message"] == words).count();
        assert_eq!(count("The record is lost."), 100);
        assert_eq!(count("The camera is slow."), 21, "twenty, and one of the next window");
        assert_eq!(count("Something else."), 1);
        let told: Vec<_> = lines.iter().filter(|line| line["lines"] == 80).collect();
        assert!(told.len() == 1 && told[0]["like"] == "The camera is slow.", "{told:?}");
        assert!(lines.iter().all(|line| line["level"].is_string() && line["timestamp"].is_string()));
    }
}
