//! Answer to wire: what the line's PLC reads, when, and what happens when one of the two falls silent.
//!
//! [`register_map`] says which word means what, [`handshake`] (pure, time passed in) says which words are shown when,
//! [`protocol`] carries them, [`PlcLink`] is the handle the station holds, [`simulator`] is a PLC to try it all on.
//! Whatever is not clearly an answer in time reads as "reject": a zeroed block, a torn read, a frozen heartbeat.

mod answer;
mod backoff;
mod event;
pub mod handshake;
mod link;
pub mod pem;
mod port;
pub mod probe;
pub mod protocol;
pub mod register_map;
pub mod simulator;

pub use answer::{Answer, VerdictCode};
pub use event::{DropCause, LinkFaultKind, PlcEvent, Wait};
pub use handshake::{Seen, StationState, Timing};
pub use link::{AnswerError, PlcError, PlcLink};
pub use protocol::{
    AdsConfig, Device, DigitalIoConfig, EthernetIpConfig, LogixConfig, ModbusTcpConfig, OpcUaConfig, Place,
    PlcConfig, Role, S7Config, Single, SlmpConfig, TlsConfig, digital_io, ethernet_ip,
};
pub use register_map::{FromPlc, GateStatus, ToPlc};
