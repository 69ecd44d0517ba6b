//! `plumb run`: the station, until Ctrl-C or the end of its pictures.

use super::{Exit, fail, log, say, station_file};
use crate::{
    config,
    demo::LineEye,
    service_manager::ServiceManager,
    station::{StartError, Station, Wiring},
};
use plumb_capture::LineCamera;
use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

/// Arguments of `plumb run`.
#[derive(Debug, clap::Args)]
pub(super) struct Run {
    /// The station's config; recipes are read from the folder `recipes` beside it.
    file: Option<PathBuf>,
    /// Stop when every camera has come to the end of its pictures.
    #[arg(long)]
    until_end: bool,
    /// Stop after so many seconds.
    #[arg(long)]
    seconds: Option<f64>,
    /// The built-in line has been moving since the machine's monotonic clock showed so many ns: one belt for a station
    /// and a PLC in two processes.
    #[arg(long, hide = true, value_name = "NS")]
    line_since: Option<u64>,
}

impl Run {
    pub(super) fn run(self) -> Exit {
        let plan = match config::read(&station_file(self.file)) {
            Ok(plan) => plan,
            Err(problems) => return fail(Exit::Config, format!("the config has problems\n{problems}")),
        };
        let turning = |line| match self.line_since {
            Some(since_ns) => LineEye::turning_since(line, since_ns),
            None => LineEye::turning(line, Instant::now()),
        };
        let line = match plan.line.clone().map(turning).transpose() {
            Ok(line) => line.map(|eye| Arc::new(eye) as Arc<dyn LineCamera>),
            Err(error) => return fail(Exit::Config, error),
        };
        let mut manager = ServiceManager::of_this_process().unwrap_or_else(|error| {
            tracing::warn!(%error, "The service manager at NOTIFY_SOCKET is not there; nobody is told when the station judges.");
            None
        });
        if let Some(manager) = &mut manager {
            manager.starting("loading and warming models");
        }
        let station = match Station::start(plan, Wiring { line, ..Wiring::default() }) {
            Ok(station) => station,
            Err(error) => return fail(exit_of(&error), error),
        };
        if let Some(address) = station.address {
            let scheme = if station.fingerprint.is_some() { "https" } else { "http" };
            let at = format!("{scheme}://{address}");
            say(&format!("console {at}/   metrics {at}/metrics   state {at}/readyz"));
        }
        if let Some(fingerprint) = &station.fingerprint {
            say(&format!("certificate SHA-256 {fingerprint}"));
        }
        if let Some(line) = first_login(&station) {
            say(&line);
        }
        if let Some(address) = station.opc_ua_address {
            say(&format!("OPC UA opc.tcp://{address}"));
        }
        let stop = stop_on_signal();
        let end =
            self.seconds.map(|seconds| Instant::now() + Duration::from_secs_f64(seconds.clamp(0.0, 1e9)));
        while !stop.load(Ordering::Relaxed)
            && end.is_none_or(|end| Instant::now() < end)
            && !(self.until_end && station.has_ended())
        {
            if let Some(manager) = &mut manager {
                manager.look(Instant::now(), station.heartbeats(), || station.condition());
            }
            log::tell_held_back(false);
            std::thread::park_timeout(Duration::from_millis(50));
        }
        log::tell_held_back(true);
        if let Some(manager) = &mut manager {
            manager.stopping();
        }
        let metrics = station.metrics.clone();
        let stopped = station.stop();
        say(&format!(
            "{} triggers, {} answers, {} records",
            metrics.triggers(),
            metrics.answers.get(),
            metrics.records.get()
        ));
        match stopped {
            Ok(()) => Exit::Ok,
            Err(error) => fail(exit_of(&error), error),
        }
    }
}

/// How to log in at the console for the first time, where nobody has yet.
pub(super) fn first_login(station: &Station) -> Option<String> {
    let password = station.first_password.as_ref()?;
    Some(format!("first login: admin with {password} (shown this once; you choose your own then)"))
}

pub(super) fn exit_of(error: &StartError) -> Exit {
    match error {
        StartError::Config(_) => Exit::Config,
        StartError::Model(_) => Exit::Model,
        StartError::Device(_) => Exit::Device,
    }
}

/// True once Ctrl-C or SIGTERM came.
pub(super) fn stop_on_signal() -> Arc<AtomicBool> {
    let stop = Arc::new(AtomicBool::new(false));
    let told = stop.clone();
    let wait = move || {
        let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else { return };
        runtime.block_on(async {
            let terminated = async {
                match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
                    Ok(mut signal) => signal.recv().await,
                    Err(_) => std::future::pending().await,
                }
            };
            tokio::select! {
                _ = tokio::signal::ctrl_c() => {}
                _ = terminated => {}
            }
        });
        told.store(true, Ordering::Relaxed);
    };
    if let Err(error) = crate::threads::spawn("signals".to_owned(), wait) {
        tracing::warn!(%error, "Signals are not heard; stop the station with SIGKILL.");
    }
    stop
}
