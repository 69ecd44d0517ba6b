//! What can go wrong with a model on a server, in sentences for the person beside the line.

use crate::Why;
use std::{fmt, io, sync::Arc, time::Duration};

/// Why there is no answer.
#[derive(Clone, Debug, thiserror::Error)]
pub enum RemoteError {
    /// A server's address.
    #[error(
        "{endpoint:?} is no address of an inference server ({says}); write host:port, with the port on which it speaks gRPC"
    )]
    Address {
        /// As written.
        endpoint: String,
        /// What is wrong.
        says: String,
    },
    /// No servers to ask.
    #[error("no inference server is named for model {model:?}; write host:port of at least one")]
    NoAddress {
        /// The model.
        model: String,
    },
    /// None of the servers has the model ready.
    #[error(
        "model {model:?} is on no inference server that works: {}; start the server, or correct the address (its gRPC port) or the model's name",
        EachServer(servers)
    )]
    NoServer {
        /// The model.
        model: String,
        /// Each server, in the order in which they are asked, and why it does not serve.
        servers: Vec<(Arc<str>, Why)>,
    },
    /// The deadline passed.
    #[error("model {model:?} on {} did not answer within {} ms; give it more time or a faster server, or look at its load and the network", Asked(asked), within.as_millis())]
    Deadline {
        /// The model.
        model: String,
        /// `host:port` of the server that was asked last; `None` if it came to none.
        asked: Option<Arc<str>>,
        /// From the call to its deadline.
        within: Duration,
    },
    /// Found here, before anything was sent.
    #[error(
        "model {model:?} is given what it cannot take: {says}; correct the card, or the model on the server"
    )]
    Input {
        /// The model.
        model: String,
        /// All that is wrong.
        says: String,
    },
    /// The server does not take the input.
    #[error(
        "inference server {endpoint} refused the input of model {model:?}: {says}; correct the card, or the model on the server"
    )]
    Refused {
        /// `host:port`.
        endpoint: Arc<str>,
        /// The model.
        model: String,
        /// The server's words.
        says: String,
    },
    /// The server tried and failed, and so did every other.
    #[error("model {model:?} failed: inference server {endpoint} {why}; the server's own log says more")]
    Failed {
        /// `host:port` of the last that was asked.
        endpoint: Arc<str>,
        /// The model.
        model: String,
        /// What it said.
        why: Why,
    },
    /// An answer that is none.
    #[error(
        "inference server {endpoint} gave a malformed answer for model {model:?}: {says}; correct the model's settings on the server"
    )]
    Malformed {
        /// `host:port`.
        endpoint: Arc<str>,
        /// The model.
        model: String,
        /// All that is wrong.
        says: String,
    },
    /// As many requests as may be are under way.
    #[error(
        "model {model:?} has {in_flight_max} requests under way at inference servers, which is all it may have; its servers are too slow for what is asked of them"
    )]
    Busy {
        /// The model.
        model: String,
        /// [`Options::in_flight_max`](crate::Options::in_flight_max).
        in_flight_max: usize,
    },
    /// The system has no thread left.
    #[error(
        "the thread that speaks to the inference servers of model {model:?} could not be started: {source}"
    )]
    Thread {
        /// The model.
        model: String,
        /// What the system said.
        source: Arc<io::Error>,
    },
    /// A bug of ours.
    #[error(
        "the thread that speaks to the inference servers of model {model:?} has ended by itself, which is a bug of Plumb; load the model anew"
    )]
    Ended {
        /// The model.
        model: String,
    },
}

/// `a:8001 cannot be reached (…), b:8001 does not have the model`.
struct EachServer<'a>(&'a [(Arc<str>, Why)]);

impl fmt::Display for EachServer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, (endpoint, why)) in self.0.iter().enumerate() {
            write!(f, "{}{endpoint} {why}", if at == 0 { "" } else { ", " })?;
        }
        Ok(())
    }
}

struct Asked<'a>(&'a Option<Arc<str>>);

impl fmt::Display for Asked<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(endpoint) => write!(f, "inference server {endpoint}"),
            None => f.write_str("its inference servers"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentence_names_the_server_the_model_what_happened_and_what_to_do() {
        let (model, endpoint) = ("caps".to_owned(), Arc::from("10.0.0.7:8001"));
        let says = "got 4 channels, wants 3".to_owned();
        let refused = Why::Unreachable { says: "Connection refused (os error 111)".to_owned() };
        let servers = vec![(Arc::clone(&endpoint), refused), ("b:8001".into(), Why::UnknownModel)];
        let failed = Why::Said { code: tonic::Code::Internal, says: "CUDA out of memory".to_owned() };
        let (asked, within) = (Some(Arc::clone(&endpoint)), Duration::from_millis(80));
        let rows = [
            (
                RemoteError::NoServer { model: model.clone(), servers },
                "model \"caps\" is on no inference server that works: 10.0.0.7:8001 cannot be reached (Connection \
                 refused (os error 111)), b:8001 does not have the model; start the server, or correct the address \
                 (its gRPC port) or the model's name",
            ),
            (
                RemoteError::Deadline { model: model.clone(), asked, within },
                "model \"caps\" on inference server 10.0.0.7:8001 did not answer within 80 ms; give it more time or a \
                 faster server, or look at its load and the network",
            ),
            (
                RemoteError::Deadline { model: model.clone(), asked: None, within },
                "model \"caps\" on its inference servers did not answer within 80 ms; give it more time or a faster \
                 server, or look at its load and the network",
            ),
            (
                RemoteError::Refused { endpoint: Arc::clone(&endpoint), model: model.clone(), says },
                "inference server 10.0.0.7:8001 refused the input of model \"caps\": got 4 channels, wants 3; correct \
                 the card, or the model on the server",
            ),
            (
                RemoteError::Failed { endpoint, model: model.clone(), why: failed },
                "model \"caps\" failed: inference server 10.0.0.7:8001 said Internal: CUDA out of memory; the server's \
                 own log says more",
            ),
            (
                RemoteError::Busy { model, in_flight_max: 8 },
                "model \"caps\" has 8 requests under way at inference servers, which is all it may have; its servers \
                 are too slow for what is asked of them",
            ),
        ];
        for (error, sentence) in rows {
            assert_eq!(error.to_string(), sentence);
        }
    }
}
