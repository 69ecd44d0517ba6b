//! A PLC to try everything on: [`PlcProgram`] is the program of a line's PLC, pure, time passed in;
//! [`SimulatedPlc`] runs it behind a real Modbus TCP socket, as server or as client, or on the memory of somebody else's
//! PLC ([`ForeignPlc`]), and can be slow, deaf, rude, frozen or gone. The belt it stands at is somebody else's: see
//! [`LineWiring`].

mod foreign;
mod line_stop;
mod modbus_tcp;
mod program;
mod relay;
mod simulated_plc;
mod tracking;

pub use foreign::ForeignPlc;
pub use line_stop::{BehindTheGate, GateEyes, LineStop};
pub use program::{LineInputs, PlcProgram, PlcProgramConfig, ScanOut};
pub use simulated_plc::{Fault, LineWiring, SimulatedPlc, SimulatedPlcConfig};
pub use tracking::{GateDecision, GateReason, Tally};
