//! The state of every server, seen by all who ask and all who keep watch: the only thing they share.

use crate::{Why, proto::grpc_inference_service_client::GrpcInferenceServiceClient};
use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};
use tokio::sync::watch;
use tonic::transport::Channel;

/// A connection to one server.
pub(crate) type Client = GrpcInferenceServiceClient<Channel>;

/// All servers of a model, in the order in which they are asked.
#[derive(Debug)]
pub(crate) struct Board {
    pub(crate) model: String,
    servers: watch::Sender<Vec<Server>>,
}

/// One server.
#[derive(Debug)]
pub(crate) struct Server {
    /// `host:port`.
    pub(crate) endpoint: Arc<str>,
    pub(crate) state: State,
    /// Requests under way there.
    pub(crate) in_flight: Arc<AtomicUsize>,
}

/// What is known of a server.
#[derive(Debug)]
pub(crate) enum State {
    /// It is being looked at for the first time.
    New,
    /// It works, as far as is known.
    Serving(Serving),
    /// It does not; its keeper knocks from time to time.
    Aside {
        why: Why,
        /// Looks in a row that found it so.
        failed: u32,
    },
}

/// A server that works, as far as is known.
#[derive(Debug)]
pub(crate) struct Serving {
    pub(crate) client: Client,
    /// Which of the connections that were ever made to it.
    pub(crate) connection: u64,
    /// Which of the looks that ever went well was the last after a doubt.
    pub(crate) cleared: u64,
    /// A request went wrong: its keeper is looking whether it still works.
    pub(crate) in_doubt: bool,
}

impl Board {
    pub(crate) fn new(model: String, endpoints: &[String]) -> Self {
        let server = |endpoint: &String| Server {
            endpoint: Arc::from(endpoint.as_str()),
            state: State::New,
            in_flight: Arc::new(AtomicUsize::new(0)),
        };
        Self { model, servers: watch::Sender::new(endpoints.iter().map(server).collect()) }
    }

    /// Wakes at every change.
    pub(crate) fn watch(&self) -> watch::Receiver<Vec<Server>> {
        self.servers.subscribe()
    }

    pub(crate) fn set(&self, at: usize, state: State) {
        self.servers.send_modify(|servers| servers[at].state = state);
    }

    /// A request went wrong there. The server's keeper looks at once; until then others are preferred.
    pub(crate) fn doubt(&self, at: usize, connection: u64) {
        self.servers.send_if_modified(|servers| match &mut servers[at].state {
            State::Serving(serving) if serving.connection == connection => {
                !std::mem::replace(&mut serving.in_doubt, true)
            }
            _ => false,
        });
    }

    /// It works after all.
    pub(crate) fn clear(&self, at: usize, cleared: u64) {
        self.servers.send_if_modified(|servers| match &mut servers[at].state {
            State::Serving(serving) if serving.in_doubt => {
                (serving.cleared, serving.in_doubt) = (cleared, false);
                true
            }
            _ => false,
        });
    }

    pub(crate) fn is_idle(&self, at: usize) -> bool {
        self.servers.borrow()[at].in_flight.load(Ordering::Relaxed) == 0
    }

    /// Counts a request under way there until the guard is dropped.
    pub(crate) fn under_way(&self, at: usize) -> UnderWay {
        let in_flight = Arc::clone(&self.servers.borrow()[at].in_flight);
        in_flight.fetch_add(1, Ordering::Relaxed);
        UnderWay(in_flight)
    }

    /// Each server and why it does not serve; `None` for one that does.
    pub(crate) fn servers(&self) -> Vec<(Arc<str>, Option<Why>)> {
        let why = |state: &State| match state {
            State::New => Some(Why::Unheard),
            State::Serving(_) => None,
            State::Aside { why, .. } => Some(why.clone()),
        };
        self.servers.borrow().iter().map(|s| (Arc::clone(&s.endpoint), why(&s.state))).collect()
    }
}

/// See [`Board::under_way`].
pub(crate) struct UnderWay(Arc<AtomicUsize>);

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
