//! A PLC whose memory is somebody else's: an independent stack of its maker's protocol serves the block, and our PLC
//! program works on that memory by a side door.
//!
//! The door is a TCP connection on which each exchange is one byte and ten words there (`X` and words 0–9, or `Z` to
//! forget everything) and ten words back (10–19), big-endian.

use crate::register_map::{HALF_WORDS, Words};
use std::{io, net::SocketAddr, time::Duration};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};

/// Where somebody else's PLC is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ForeignPlc {
    /// Where it serves its protocol.
    pub server: SocketAddr,
    /// Its side door.
    pub memory: SocketAddr,
}

/// The door, opened again whenever it fell shut.
#[derive(Debug)]
pub(super) struct SideDoor {
    at: SocketAddr,
    stream: Option<TcpStream>,
}

impl SideDoor {
    pub(super) fn new(at: SocketAddr) -> Self {
        Self { at, stream: None }
    }

    /// Puts the PLC's words into the memory and takes the station's out.
    pub(super) async fn exchange(&mut self, mine: &Words) -> io::Result<Words> {
        let mut request = [0; 1 + 2 * HALF_WORDS];
        request[0] = b'X';
        for (bytes, word) in request[1..].chunks_exact_mut(2).zip(mine) {
            bytes.copy_from_slice(&word.to_be_bytes());
        }
        self.ask(&request).await
    }

    /// Zeroes the whole memory: the PLC has been switched off and on.
    pub(super) async fn forget(&mut self) -> io::Result<Words> {
        let mut request = [0; 1 + 2 * HALF_WORDS];
        request[0] = b'Z';
        self.ask(&request).await
    }

    async fn ask(&mut self, request: &[u8]) -> io::Result<Words> {
        let asked = timeout(Duration::from_millis(250), async {
            let mut stream = match self.stream.take() {
                Some(stream) => stream,
                None => {
                    let stream = TcpStream::connect(self.at).await?;
                    stream.set_nodelay(true)?;
                    stream
                }
            };
            stream.write_all(request).await?;
            let mut answer = [0; 2 * HALF_WORDS];
            stream.read_exact(&mut answer).await?;
            self.stream = Some(stream);
            let mut words = [0; HALF_WORDS];
            for (word, bytes) in words.iter_mut().zip(answer.chunks_exact(2)) {
                *word = u16::from_be_bytes([bytes[0], bytes[1]]);
            }
            Ok(words)
        });
        asked.await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
    }
}
