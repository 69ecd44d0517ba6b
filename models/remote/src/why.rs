//! Why a server does not serve: what gRPC's statuses mean for the person who can mend it.

use std::{error::Error as _, fmt, time::Duration};
use tonic::{Code, Status, TimeoutExpired};

/// Why a server was of no use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Why {
    /// Nothing was heard of it yet.
    Unheard,
    /// No connection, or one that broke.
    Unreachable {
        /// What the network said.
        says: String,
    },
    /// A connection, and silence on it.
    Silent {
        /// How long we listened.
        within: Duration,
    },
    /// It speaks gRPC, but not this protocol.
    Foreign,
    /// It has all its models loaded, and this is none of them.
    UnknownModel,
    /// It is still loading, or has unloaded the model.
    NotReady,
    /// A model of the same name that takes or gives something else than that of the other servers.
    OtherModel {
        /// Its inputs and outputs.
        it: String,
        /// Those of the model in use.
        ours: String,
    },
    /// The server's own words.
    Said {
        /// gRPC's word for the kind of error.
        code: Code,
        /// The words.
        says: String,
    },
    /// What it says cannot be read as the protocol wants it.
    Malformed {
        /// What is wrong.
        says: String,
    },
}

impl Why {
    /// Sorts what a call ended with.
    pub(crate) fn of(status: &Status, within: Duration) -> Self {
        if status.code() == Code::DeadlineExceeded || caused_by::<TimeoutExpired>(status) {
            return Self::Silent { within };
        }
        if status.source().is_some() {
            return Self::Unreachable { says: innermost(status) };
        }
        let says = status.message().to_owned();
        // These two are made on our side of the wire, though they look like a server's words.
        if says.starts_with("Error, decoded message length too large") {
            return Self::Malformed { says: format!("larger than its metadata allows ({says})") };
        }
        if says.starts_with("failed to decode Protobuf message") {
            return Self::Malformed { says };
        }
        match status.code() {
            Code::Unimplemented => Self::Foreign,
            code => Self::Said { code, says },
        }
    }

    /// True for what the input is to blame for, as far as a server can tell.
    pub(crate) fn is_refusal(&self) -> bool {
        use Code::{FailedPrecondition, InvalidArgument, OutOfRange};
        matches!(self, Self::Said { code: InvalidArgument | FailedPrecondition | OutOfRange, .. })
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unheard => f.write_str("has not been heard of yet"),
            Self::Unreachable { says } => write!(f, "cannot be reached ({says})"),
            Self::Silent { within } => write!(f, "did not answer within {} ms", within.as_millis()),
            Self::Foreign => f.write_str("does not speak the open inference protocol v2"),
            Self::UnknownModel => f.write_str("does not have the model"),
            Self::NotReady => f.write_str("has the model, but not ready"),
            Self::OtherModel { it, ours } => {
                write!(f, "has another model of this name ({it}; the one in use is {ours})")
            }
            Self::Said { code, says } => write!(f, "said {code:?}: {says}"),
            Self::Malformed { says } => write!(f, "gave a malformed answer: {says}"),
        }
    }
}

/// The last of the causes: `Connection refused (os error 111)`.
fn innermost(status: &Status) -> String {
    let mut cause = status.source();
    let mut says = status.message().to_owned();
    while let Some(error) = cause {
        says = error.to_string();
        cause = error.source();
    }
    says
}

fn caused_by<E: std::error::Error + 'static>(status: &Status) -> bool {
    let mut cause = status.source();
    while let Some(error) = cause {
        if error.is::<E>() {
            return true;
        }
        cause = error.source();
    }
    false
}
