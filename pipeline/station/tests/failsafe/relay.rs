//! The wire between station and PLC, which can be cut: nothing passes, both ends go on believing in it, and what was on
//! its way arrives when it is mended, as TCP sends it again.

use std::{
    io::{ErrorKind, Read, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread,
    time::Duration,
};

/// How often a cut wire looks whether it is mended, and a quiet one whether it is to end.
const LOOK_EVERY: Duration = Duration::from_millis(5);

#[derive(Default)]
struct Switches {
    cut: AtomicBool,
    over: AtomicBool,
}

/// A wire from [`Relay::address`] to one PLC.
pub(crate) struct Relay {
    pub(crate) address: SocketAddr,
    switches: Arc<Switches>,
}

impl Relay {
    pub(crate) fn to(plc: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("it listens");
        listener.set_nonblocking(true).expect("a socket");
        let switches = Arc::<Switches>::default();
        let on_thread = switches.clone();
        thread::spawn(move || {
            while !on_thread.over.load(Relaxed) {
                match listener.accept() {
                    Ok((station, _)) if !on_thread.cut.load(Relaxed) => carry(station, plc, &on_thread),
                    _ => thread::park_timeout(LOOK_EVERY),
                }
            }
        });
        Self { address, switches }
    }

    pub(crate) fn cut(&self, cut: bool) {
        self.switches.cut.store(cut, Relaxed);
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.switches.over.store(true, Relaxed);
    }
}

fn carry(station: TcpStream, plc: SocketAddr, switches: &Arc<Switches>) {
    let Ok(plc) = TcpStream::connect(plc) else { return };
    let there = (station.try_clone(), plc.try_clone());
    let (Ok(station_too), Ok(plc_too)) = there else { return };
    for (from, to) in [(station, plc_too), (plc, station_too)] {
        let switches = switches.clone();
        thread::spawn(move || {
            let _ = pump(&from, &to, &switches); // an end that is gone ends it
            let _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
        });
    }
}

fn pump(mut from: &TcpStream, mut to: &TcpStream, switches: &Switches) -> std::io::Result<()> {
    from.set_nonblocking(false)?;
    from.set_read_timeout(Some(LOOK_EVERY))?;
    to.set_nodelay(true)?;
    let mut bytes = [0; 4096];
    while !switches.over.load(Relaxed) {
        let count = match from.read(&mut bytes) {
            Ok(0) => return Ok(()),
            Ok(count) => count,
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => continue,
            Err(error) => return Err(error),
        };
        while switches.cut.load(Relaxed) && !switches.over.load(Relaxed) {
            thread::park_timeout(LOOK_EVERY);
        }
        to.write_all(&bytes[..count])?;
    }
    Ok(())
}
