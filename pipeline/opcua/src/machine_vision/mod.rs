//! The station as an OPC UA server after OPC 40100-1 (Machine Vision): states, jobs, recipes, results, conditions.
//!
//! [`MachineVisionServer::start`] serves; [`Publisher`] is where the hot path leaves its results, without ever waiting;
//! [`Commands`] is what a client may want of the station. What the nodes, codes and contents mean for a client's
//! programmer is in `deploy/examples/opc-ua/README.md`.

mod arguments;
mod commands;
mod condition;
mod condition_methods;
mod event;
mod fields;
mod filter;
mod ids;
mod instance;
mod job;
pub mod machine;
mod methods;
mod nodes;
mod nodeset;
mod outlet;
mod queue;
mod result;
mod results;
mod server;
pub mod types;
mod vision;

pub use commands::{Commands, Condition, Doing, InspectionResult, Preparation, Recipe, Refusal, Verdict};
pub use server::{MachineVisionServer, Publisher, StartError};
pub use vision::Identity;

/// Of OPC 40100-1.
pub const NAMESPACE: &str = "http://opcfoundation.org/UA/MachineVision";

/// Of OPC 40001-101, of which the server has `ResultEvaluationEnum` alone.
pub const RESULT_NAMESPACE: &str = "http://opcfoundation.org/UA/Machinery/Result/";

/// Of the nodes of a station. Their ids are paths: `s=VisionSystem/VisionStateMachine/Halt`.
pub const OWN_NAMESPACE: &str = "urn:plumb:vision-system";

const MACHINERY_RESULT_DATE: &str = "2025-07-01T00:00:00Z";
