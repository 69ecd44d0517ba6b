//! One caller's connection to the station as server: plain or inside TLS, counted, and ended when it has been silent.

use super::tls::{refusal, role_of};
use crate::port::Port;
use std::{
    future::Future as _,
    io,
    net::SocketAddr,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    time::{Sleep, sleep},
};
use tokio_rustls::{Accept, TlsAcceptor, server::TlsStream};

/// A PLC, its double, an HMI and a laptop. A fifth is turned away.
const CONNECTIONS_MAX: usize = 4;

/// A connection silent for this long is closed: a PLC that was switched off never says goodbye.
const SILENT_CONNECTION: Duration = Duration::from_secs(30);

/// A caller that does not come to the end of the TLS handshake takes nobody's place for longer than this.
const HANDSHAKE: Duration = Duration::from_secs(5);

/// Who is let in, by which door.
#[derive(Clone)]
pub(super) struct Door {
    /// Where a caller who is turned away is told of.
    pub(super) port: Arc<Port>,
    /// Connections that are open.
    pub(super) open: Arc<AtomicUsize>,
    /// `None`: plain Modbus.
    pub(super) tls: Option<TlsAcceptor>,
    /// Roles that may come in; empty: all.
    pub(super) roles: Arc<[String]>,
}

/// Bytes from and to one caller. The TLS handshake happens in the first reads, so that a slow caller keeps nobody waiting.
pub(super) struct Connection {
    stream: Stream,
    silent: Pin<Box<Sleep>>,
    peer: SocketAddr,
    door: Door,
    /// Set once the caller has shown a role that may use the registers, or needs none.
    may: Arc<AtomicBool>,
}

enum Stream {
    Plain(TcpStream),
    ShakingHands(Box<Accept<TcpStream>>),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Connection {
    /// `None` where too many are open. The flag says, from the first request on, whether the caller may use the registers.
    pub(super) fn accept(
        stream: TcpStream,
        peer: SocketAddr,
        door: &Door,
    ) -> Option<(Self, Arc<AtomicBool>)> {
        stream.set_nodelay(true).ok()?;
        let taken = door.open.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |open| {
            (open < CONNECTIONS_MAX).then_some(open + 1)
        });
        taken.ok()?;
        let (stream, patience) = match &door.tls {
            None => (Stream::Plain(stream), SILENT_CONNECTION),
            Some(tls) => (Stream::ShakingHands(Box::new(tls.accept(stream))), HANDSHAKE),
        };
        let may = Arc::new(AtomicBool::new(door.tls.is_none()));
        let silent = Box::pin(sleep(patience));
        Some((Self { stream, silent, peer, door: door.clone(), may: Arc::clone(&may) }, may))
    }

    /// Brings the TLS handshake to its end, where there is one.
    fn poll_handshake(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Stream::ShakingHands(accept) = &mut self.stream else { return Poll::Ready(Ok(())) };
        match ready!(Pin::new(accept).poll(cx)) {
            Ok(stream) => {
                self.look_at_role(&stream);
                self.stream = Stream::Tls(Box::new(stream));
                Poll::Ready(Ok(()))
            }
            Err(error) => {
                if let Some(error) = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
                    self.door.port.turned_away(format!("{} {}", self.peer.ip(), refusal(error)));
                }
                Poll::Ready(Err(error))
            }
        }
    }

    /// A role that is not listed may connect, and gets exception 1 for whatever it asks, as the specification wants.
    fn look_at_role(&self, stream: &TlsStream<TcpStream>) {
        let certificate = stream.get_ref().1.peer_certificates().and_then(<[_]>::first);
        let role = certificate.and_then(role_of);
        let roles = &self.door.roles;
        let may = roles.is_empty() || role.as_ref().is_some_and(|role| roles.contains(role));
        self.may.store(may, Ordering::Relaxed);
        if !may {
            let shown = role.map_or("no role".to_owned(), |role| format!("role \"{role}\""));
            let (ip, wanted) = (self.peer.ip(), roles.join("\" or \""));
            self.door.port.turned_away(format!(
                "{ip} has {shown} in its certificate, plc.tls.roles wants \"{wanted}\"; it gets exception 1"
            ));
        }
    }

    fn poll_read_stream(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_handshake(cx))?;
        match &mut self.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_read(cx, buf),
            Stream::Tls(stream) => Pin::new(stream).poll_read(cx, buf),
            Stream::ShakingHands(_) => Poll::Pending,
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.door.open.fetch_sub(1, Ordering::Relaxed);
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if let Poll::Ready(read) = self.poll_read_stream(cx, buf) {
            self.silent.as_mut().reset(tokio::time::Instant::now() + SILENT_CONNECTION);
            return Poll::Ready(read);
        }
        // Reading nothing is the end of the stream.
        self.silent.as_mut().poll(cx).map(Ok)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        ready!(self.poll_handshake(cx))?;
        match &mut self.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_write(cx, buf),
            Stream::Tls(stream) => Pin::new(stream).poll_write(cx, buf),
            Stream::ShakingHands(_) => Poll::Pending,
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Stream::Tls(stream) => Pin::new(stream).poll_flush(cx),
            Stream::ShakingHands(_) => Poll::Ready(Ok(())),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Stream::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
            Stream::ShakingHands(_) => Poll::Ready(Ok(())),
        }
    }
}
