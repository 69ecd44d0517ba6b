//! Everything that may be slow, kept away from the hot path: records and pictures, HTTP, OPC UA, looking after the disk.

mod challenge;
pub(crate) mod console;
mod http;
mod ledger;
pub mod opc_ua;
pub(crate) mod tls;
mod watchman;

pub(crate) use challenge::ChallengeKeeper;
pub(crate) use http::family_of;
pub use ledger::{LedgerKeeper, Tap};
pub use watchman::Watchman;

use crate::{priority, threads};
use plumb_console::{Console, Order};
use std::{io, net::SocketAddr, sync::Arc, thread::JoinHandle};
use tokio::sync::{mpsc, watch};

/// Runtime `background` on a thread of its own: HTTP and the watchman's rounds.
pub struct Background {
    /// Where HTTP is served, if it is.
    pub address: Option<SocketAddr>,
    /// SHA-256 of the certificate, where it is served over TLS.
    pub fingerprint: Option<String>,
    stop: watch::Sender<bool>,
    thread: JoinHandle<()>,
}

impl Background {
    /// Listens before it returns, so that a taken port is told at the start. Without a console nothing is served.
    ///
    /// # Errors
    /// When the address cannot be listened on, with the address; when there is no certificate to show.
    pub(crate) fn start(
        watchman: Watchman,
        challenge: ChallengeKeeper,
        console: Option<(Arc<Console>, mpsc::Receiver<Order>)>,
    ) -> io::Result<Self> {
        let listener = console.is_some().then(|| listen(watchman.plan.station.listen)).transpose()?;
        let address = listener.as_ref().map(std::net::TcpListener::local_addr).transpose()?;
        let station = &watchman.plan.station;
        let identity = match (&watchman.plan.console.tls, address) {
            (Some(tls), Some(address)) => Some(tls::identity(tls, &station.data, address)?),
            _ => None,
        };
        let fingerprint = identity.as_ref().map(|identity| identity.fingerprint.clone());
        let config = identity.map(|identity| identity.config);
        // What is asked of the disk, and passwords, give way to everything else; what answers a scrape does not.
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .on_thread_start(priority::stand_back)
            .build()?;
        let (stop, stopped) = watch::channel(false);
        let watchman = Arc::new(watchman);
        let work = move || {
            runtime.block_on(async {
                let serve = async {
                    if let (Some(listener), Some((console, orders))) = (listener, console) {
                        tokio::spawn(console::carry_out(watchman.clone(), orders));
                        tokio::spawn(console.clone().watch_audit_log());
                        http::serve(listener, config, watchman.clone(), &console, stopped.clone()).await;
                    }
                };
                tokio::join!(serve, watchman.walk(stopped.clone()), challenge.walk(stopped.clone()));
            });
        };
        let thread = threads::spawn("background".to_owned(), work)?;
        Ok(Self { address, fingerprint, stop, thread })
    }

    /// Ends HTTP and the rounds.
    pub fn stop(self) {
        let _ = self.stop.send(true);
        if self.thread.join().is_err() {
            tracing::error!(thread = "background", "Thread ended by a panic.");
        }
    }
}

fn listen(wanted: SocketAddr) -> io::Result<std::net::TcpListener> {
    let listener = std::net::TcpListener::bind(wanted).map_err(|error| {
        io::Error::new(
            error.kind(),
            format!("cannot listen on {wanted}: {error}; change `listen` in [station]"),
        )
    })?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}
