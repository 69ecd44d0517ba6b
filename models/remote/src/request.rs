//! One request, taken to one server after the other until one answers or none is left.

use crate::{
    RemoteError, Why,
    been::{Been, Next, Turn},
    board::{Board, Server, State},
    proto::{ModelInferRequest, ModelInferResponse},
};
use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};
use tokio::sync::watch;

/// One request.
pub(crate) struct Request {
    pub(crate) board: Arc<Board>,
    pub(crate) message: ModelInferRequest,
    /// Its deadline.
    pub(crate) by: Instant,
    /// From the call to the deadline.
    pub(crate) within: Duration,
    pub(crate) whereabouts: Whereabouts,
}

/// The server at which a request is, for whoever gives it up.
#[derive(Clone, Default)]
pub(crate) struct Whereabouts(Arc<Mutex<Option<Turn>>>);

impl Request {
    /// Does not look at the clock: whoever waits for it does.
    pub(crate) async fn answer(self) -> Result<(ModelInferResponse, Arc<str>), RemoteError> {
        let mut board = self.board.watch();
        let mut been = Been::default();
        let mut last = None;
        while let Some(turn) = next(&been, &mut board).await {
            self.whereabouts.set(turn.clone());
            let why = match self.ask(&turn, &been, &mut board).await {
                Ok(answer) => return Ok((answer, turn.endpoint)),
                Err(why) => why,
            };
            tracing::debug!(server = %turn.endpoint, model = self.board.model, %why, "Request failed.");
            self.board.doubt(turn.at, turn.connection);
            last = self.told(&turn, &why).or(last);
            been.note(&turn, why);
        }
        Err(last.unwrap_or_else(|| self.nobody(&been)))
    }

    async fn ask(
        &self,
        turn: &Turn,
        been: &Been,
        board: &mut watch::Receiver<Vec<Server>>,
    ) -> Result<ModelInferResponse, Why> {
        let _under_way = self.board.under_way(turn.at);
        let mut request = tonic::Request::new(self.message.clone()); // its tensors are shared, not copied
        request.set_timeout(self.by.saturating_duration_since(Instant::now()));
        let mut client = turn.client.clone();
        tokio::select! {
            answer = client.model_infer(request) => match answer {
                Ok(answer) => Ok(answer.into_inner()),
                Err(status) => Err(Why::of(&status, self.within)),
            },
            why = given_up(turn, been, board) => Err(why),
        }
    }

    /// The error to give if no other server answers; `None` where the state of all servers says more.
    fn told(&self, turn: &Turn, why: &Why) -> Option<RemoteError> {
        let (endpoint, model) = (Arc::clone(&turn.endpoint), self.board.model.clone());
        Some(match why {
            Why::Unheard | Why::Unreachable { .. } => return None,
            Why::Silent { within } => RemoteError::Deadline { model, asked: Some(endpoint), within: *within },
            Why::Malformed { says } => RemoteError::Malformed { endpoint, model, says: says.clone() },
            Why::Said { says, .. } if why.is_refusal() => {
                RemoteError::Refused { endpoint, model, says: says.clone() }
            }
            _ => RemoteError::Failed { endpoint, model, why: why.clone() },
        })
    }

    fn nobody(&self, been: &Been) -> RemoteError {
        let why = |(at, (endpoint, why)): (usize, (Arc<str>, Option<Why>))| {
            (endpoint, why.or_else(|| been.why(at).cloned()).unwrap_or(Why::Unheard))
        };
        let servers = self.board.servers().into_iter().enumerate().map(why).collect();
        RemoteError::NoServer { model: self.board.model.clone(), servers }
    }
}

impl Whereabouts {
    fn set(&self, turn: Turn) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(turn);
    }

    /// Where it is, and takes it away from there.
    pub(crate) fn take(&self) -> Option<Turn> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// Waits for a server that is left; `None` if there is none.
async fn next(been: &Been, board: &mut watch::Receiver<Vec<Server>>) -> Option<Turn> {
    let is_decided = |servers: &Vec<Server>| !matches!(been.next(servers), Next::Wait);
    let servers = board.wait_for(is_decided).await.ok()?;
    match been.next(&servers) {
        Next::Ask(at) => Turn::to(&servers, at),
        Next::Wait | Next::Nobody => None,
    }
}

/// Waits until the server has been set aside and another is there to ask.
async fn given_up(turn: &Turn, been: &Been, board: &mut watch::Receiver<Vec<Server>>) -> Why {
    let mut why = Why::Unheard;
    let lost = |servers: &Vec<Server>| {
        why = match &servers[turn.at].state {
            State::Serving(serving) if serving.connection == turn.connection => return false,
            State::Aside { why, .. } => why.clone(),
            _ => Why::Unreachable { says: "its connection was given up".to_owned() },
        };
        matches!(been.next(servers), Next::Ask(other) if other != turn.at)
    };
    if board.wait_for(lost).await.is_err() {
        std::future::pending::<()>().await; // the board is gone, and so is all that runs on it
    }
    why
}
