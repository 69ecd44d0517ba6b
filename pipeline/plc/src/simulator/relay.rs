//! The wire between a station and somebody else's PLC, which can go wrong in every way a wire can.
//!
//! It carries TCP and understands nothing of it, so it breaks every protocol alike.

use super::simulated_plc::{Fault, Shared};
use std::{io, net::SocketAddr, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    time::sleep,
};

/// As much as is carried at once: more than any protocol's message here.
const CHUNK: usize = 4096;

/// Carries whoever connects to `listener` to `server` and back, for ever.
pub(super) async fn carry(listener: std::net::TcpListener, server: SocketAddr, shared: &Arc<Shared>) {
    let Ok(address) = listener.local_addr() else { return };
    let mut listener = TcpListener::from_std(listener).ok();
    loop {
        shared.until_fault(|fault| *fault != Fault::Gone).await;
        let Some(listening) = listener.take() else {
            // Switched on again: the same port, as soon as the system gives it back.
            listener = TcpListener::bind(address).await.ok();
            sleep(Duration::from_millis(5)).await;
            continue;
        };
        loop {
            tokio::select! {
                accepted = listening.accept() => {
                    let Ok((station, _)) = accepted else { break };
                    let shared = Arc::clone(shared);
                    // Ends with either side, or when all connections are to be cut.
                    tokio::spawn(async move {
                        tokio::select! {
                            _ = between(station, server, &shared) => {}
                            () = shared.hung_up() => {}
                        }
                    });
                }
                () = shared.until_fault(|fault| *fault == Fault::Gone) => break,
            }
        }
    }
}

async fn between(station: TcpStream, server: SocketAddr, shared: &Shared) -> io::Result<()> {
    let plc = TcpStream::connect(server).await?;
    station.set_nodelay(true)?;
    plc.set_nodelay(true)?;
    let (mut from_station, mut to_station) = station.into_split();
    let (mut from_plc, mut to_plc) = plc.into_split();
    let asking = async {
        let mut bytes = [0; CHUNK];
        loop {
            match from_station.read(&mut bytes).await? {
                0 => return Ok(()),
                _ if matches!(shared.fault(), Fault::Deaf | Fault::HalfOpen) => {}
                count => to_plc.write_all(&bytes[..count]).await?,
            }
        }
    };
    let answering = async {
        let mut bytes = [0; CHUNK];
        let mut answers = 0_u32;
        loop {
            let count = from_plc.read(&mut bytes).await?;
            if count == 0 {
                return Ok(());
            }
            answers = answers.wrapping_add(1);
            match shared.fault() {
                Fault::Deaf | Fault::HalfOpen => {}
                Fault::Rude if answers % 5 == 4 => return Ok(()),
                Fault::CutMidAnswer if answers % 5 == 4 => {
                    to_station.write_all(&bytes[..count / 2]).await?;
                    return Ok(());
                }
                Fault::WrongAnswers => to_station.write_all(b"HTTP/1.0 400 Bad Request\r\n\r\n").await?,
                Fault::Slow(late) => {
                    sleep(late).await;
                    to_station.write_all(&bytes[..count]).await?;
                }
                _ => to_station.write_all(&bytes[..count]).await?,
            }
        }
    };
    tokio::select! {
        ended = asking => ended,
        ended = answering => ended,
    }
}
