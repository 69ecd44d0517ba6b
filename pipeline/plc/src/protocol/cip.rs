//! CIP, the Common Industrial Protocol, and EtherNet/IP, which carries it: what the station as a module of a PLC and the
//! station as a client of a Logix controller both speak. Frames of our own, each way; all little-endian.

pub(crate) mod encapsulation;
mod message;

pub(crate) use message::{Refusal, Request, Response, Segment, path, reply, request};

/// Bytes that are read from the front; `None` where there are too few.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bytes<'a>(pub(crate) &'a [u8]);

impl<'a> Bytes<'a> {
    pub(crate) fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    pub(crate) fn byte(&mut self) -> Option<u8> {
        self.take(1).map(|bytes| bytes[0])
    }

    pub(crate) fn word(&mut self) -> Option<u16> {
        self.take(2).map(|bytes| u16::from_le_bytes([bytes[0], bytes[1]]))
    }

    pub(crate) fn double(&mut self) -> Option<u32> {
        self.take(4).map(|bytes| u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
    }
}
