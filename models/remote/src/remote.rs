//! A model on inference servers: asked by any thread, answered or refused by the deadline.

use crate::{
    Answer, Metadata, Options, RemoteError, Tensor, Why,
    board::{Board, Server, State},
    keeper::Keeper,
    proto::{ModelInferRequest, model_infer_request::InferInputTensor},
    request::{Request, Whereabouts},
    worker::{Undone, Worker},
};
use std::{
    sync::{Arc, OnceLock},
    time::Instant,
};
use tokio::sync::{Semaphore, watch};
use tonic::transport::Endpoint;

/// A model on one or several inference servers. All methods may be called from any thread at once.
///
/// The first server in the list that works is asked. One that fails is set aside, looked at again with growing patience
/// and used again when it is back, all by a thread of the client's own; a request that it failed goes to the next, if
/// there is time left. Dropping the client closes its connections and ends the thread.
#[derive(Debug)]
pub struct Remote {
    board: Arc<Board>,
    metadata: Metadata,
    options: Options,
    in_flight: Semaphore,
    worker: Worker,
}

impl Remote {
    /// Connects to the servers at `endpoints` (`host:port`, in the order in which they are to be asked) and waits until
    /// one of them has `model` ready: what goes in and comes out is known from then on.
    ///
    /// # Errors
    /// An address that is none; or no server that has the model ready within [`Options::connect_within`], with the
    /// reason for each.
    pub fn connect(endpoints: &[String], model: &str, options: Options) -> Result<Self, RemoteError> {
        if endpoints.is_empty() {
            return Err(RemoteError::NoAddress { model: model.to_owned() });
        }
        let addresses = endpoints.iter().map(|e| address(e, &options)).collect::<Result<Vec<_>, _>>()?;
        let by = Instant::now() + options.connect_within;
        let board = Arc::new(Board::new(model.to_owned(), endpoints));
        let worker = Worker::start(format!("remote-{model}"))
            .map_err(|source| RemoteError::Thread { model: model.to_owned(), source: Arc::new(source) })?;
        let metadata = Arc::new(OnceLock::new());
        for (at, endpoint) in addresses.into_iter().enumerate() {
            let (options, board) = (options.clone(), Arc::clone(&board));
            worker.keep(Keeper { at, endpoint, options, board, metadata: Arc::clone(&metadata) }.keep());
        }
        let _ = worker.wait(by, heard(board.watch())); // the board says what became of it
        let serves = board.servers().iter().any(|(_, why)| why.is_none());
        let Some(metadata) = metadata.get().filter(|_| serves).cloned() else {
            return Err(no_server(&board));
        };
        let in_flight = Semaphore::new(options.in_flight_max.get().min(Semaphore::MAX_PERMITS));
        Ok(Self { board, metadata, options, in_flight, worker })
    }

    /// What goes into the model and what comes out, as the first server that worked said.
    pub fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    /// Runs the model once. Returns by `by`, whatever the servers and the network do.
    ///
    /// Copies the inputs once, on the calling thread.
    ///
    /// # Errors
    /// Any but those of [`Remote::connect`].
    pub fn infer(&self, inputs: &[Tensor<'_>], by: Instant) -> Result<Answer, RemoteError> {
        let begun = Instant::now();
        let within = by.saturating_duration_since(begun);
        if let Some(says) = self.metadata.objection(inputs) {
            return Err(RemoteError::Input { model: self.model(), says });
        }
        let Ok(_permit) = self.in_flight.try_acquire() else {
            let in_flight_max = self.options.in_flight_max.get();
            return Err(RemoteError::Busy { model: self.model(), in_flight_max });
        };
        if within.is_zero() {
            return Err(RemoteError::Deadline { model: self.model(), asked: None, within });
        }
        let whereabouts = Whereabouts::default();
        let request = Request {
            board: Arc::clone(&self.board),
            message: self.message(inputs),
            by,
            within,
            whereabouts: whereabouts.clone(),
        };
        match self.worker.wait(by, request.answer()) {
            Ok(Ok((answer, endpoint))) => Answer::read(answer, Arc::clone(&endpoint), &self.metadata)
                .map_err(|says| RemoteError::Malformed { endpoint, model: self.model(), says }),
            Ok(Err(error)) => Err(error),
            Err(Undone::Ended) => Err(RemoteError::Ended { model: self.model() }),
            Err(Undone::Late) => {
                let asked = whereabouts.take().map(|turn| {
                    self.board.doubt(turn.at, turn.connection);
                    turn.endpoint
                });
                Err(RemoteError::Deadline { model: self.model(), asked, within })
            }
        }
    }

    /// Waits until a server works.
    ///
    /// # Errors
    /// None does by `by`; with the reason for each.
    pub fn wait_until_served(&self, by: Instant) -> Result<(), RemoteError> {
        self.worker.wait(by, served(self.board.watch())).map_err(|_| no_server(&self.board))
    }

    /// Each server, in the order in which they are asked, and why it does not serve; `None` for one that does.
    pub fn servers(&self) -> Vec<(Arc<str>, Option<Why>)> {
        self.board.servers()
    }

    fn model(&self) -> String {
        self.board.model.clone()
    }

    fn message(&self, inputs: &[Tensor<'_>]) -> ModelInferRequest {
        let described = |tensor: &Tensor<'_>| InferInputTensor {
            name: tensor.name.clone().into_owned(),
            datatype: tensor.values.datatype().as_str().to_owned(),
            shape: tensor.shape.iter().map(|side| i64::try_from(*side).unwrap_or(i64::MAX)).collect(),
            ..InferInputTensor::default()
        };
        ModelInferRequest {
            model_name: self.model(),
            model_version: self.options.version.clone(),
            inputs: inputs.iter().map(described).collect(),
            raw_input_contents: inputs.iter().map(|tensor| tensor.values.to_raw()).collect(),
            ..ModelInferRequest::default()
        }
    }
}

fn address(endpoint: &str, options: &Options) -> Result<Endpoint, RemoteError> {
    let wrong = |says: &str| RemoteError::Address { endpoint: endpoint.to_owned(), says: says.to_owned() };
    let address = Endpoint::from_shared(format!("http://{endpoint}")).map_err(|e| wrong(&innermost(&e)))?;
    if address.uri().port_u16().is_none_or(|port| port == 0) {
        return Err(wrong("it has no port"));
    }
    if address.uri().host().is_none_or(str::is_empty) {
        return Err(wrong("it has no host"));
    }
    if address.uri().path() != "/" || endpoint.contains(['/', '@', '?']) {
        return Err(wrong("there is more than a host and a port"));
    }
    Ok(address
        .connect_timeout(options.look_within)
        .tcp_nodelay(true)
        .http2_keep_alive_interval(options.ping_after)
        .keep_alive_timeout(options.ping_within)
        .keep_alive_while_idle(false))
}

fn innermost(error: &dyn std::error::Error) -> String {
    error.source().map_or_else(|| error.to_string(), innermost)
}

/// Waits for a server that works, or until it is certain that none will: each says for the second time that it does
/// not have the model or does not speak the protocol. Once is not enough, for a server that is just starting.
async fn heard(mut board: watch::Receiver<Vec<Server>>) {
    let is_hopeless = |server: &Server| {
        matches!(&server.state, State::Aside { why: Why::UnknownModel | Why::Foreign, failed: 2.. })
    };
    let decided = |servers: &Vec<Server>| servers.iter().any(serves) || servers.iter().all(is_hopeless);
    let _ = board.wait_for(decided).await; // an error is the board's end, and so ours
}

async fn served(mut board: watch::Receiver<Vec<Server>>) {
    let _ = board.wait_for(|servers| servers.iter().any(serves)).await; // as above
}

fn serves(server: &Server) -> bool {
    matches!(server.state, State::Serving(_))
}

fn no_server(board: &Board) -> RemoteError {
    let why = |(endpoint, why): (Arc<str>, Option<Why>)| (endpoint, why.unwrap_or(Why::Unheard));
    let servers = board.servers().into_iter().map(why).collect();
    RemoteError::NoServer { model: board.model.clone(), servers }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(endpoints: &[&str]) -> String {
        let endpoints: Vec<String> = endpoints.iter().map(|endpoint| (*endpoint).to_owned()).collect();
        Remote::connect(&endpoints, "m", Options::default()).unwrap_err().to_string()
    }

    #[test]
    fn what_is_no_address_is_refused_at_once() {
        for wrong in ["", "a", "a:", "a:0", "a:x", "a:70000", "a b:1", "http://a:1", "a:1/m", "u@a:1", ":1"] {
            let says = refusal(&[wrong]);
            assert!(says.contains(&format!("{wrong:?} is no address")), "{says}");
        }
        assert!(refusal(&[]).contains("no inference server is named"));
    }

    #[test]
    fn a_client_may_be_used_from_any_thread() {
        fn is_shared<T: Send + Sync>() {}
        is_shared::<Remote>();
        is_shared::<RemoteError>();
    }
}
