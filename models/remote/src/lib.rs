//! A model on an inference server, by the open inference protocol v2 over gRPC (Triton, KServe, MLServer): a client that
//! blocks its caller, and never past the caller's deadline. A slow, dead or half-dead server is an error in time.
//!
//! [`Remote`] is all there is to call. Inside, one thread speaks to the servers: a `keeper` for each, which knows
//! whether it works, and a `request` for each call, which goes to the servers that do. They meet at the `board`.

mod answer;
mod backoff;
mod been;
mod board;
mod datatype;
mod error;
mod keeper;
mod metadata;
mod options;
#[allow(missing_docs, unreachable_pub, clippy::all)] // generated
mod proto;
mod remote;
mod request;
mod tensor;
mod why;
mod worker;

pub use answer::Answer;
pub use datatype::Datatype;
pub use error::RemoteError;
pub use metadata::{Metadata, TensorInfo};
pub use options::Options;
pub use remote::Remote;
pub use tensor::{Tensor, Values};
pub use why::Why;
