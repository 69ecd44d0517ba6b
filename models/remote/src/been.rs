//! Where a request goes next: the first server, in order, that has not failed it yet.

use crate::{
    Why,
    board::{Client, Server, Serving, State},
};
use std::sync::Arc;

/// A server may break this many connections under one request: then the request is what it cannot bear.
const BROKEN_MAX: usize = 3;

/// The servers at which a request has been, and what became of it there.
#[derive(Debug, Default)]
pub(crate) struct Been(Vec<Visit>);

#[derive(Debug)]
struct Visit {
    at: usize,
    cleared: u64,
    why: Why,
}

/// Where a request goes.
#[derive(Clone, Debug)]
pub(crate) struct Turn {
    pub(crate) at: usize,
    pub(crate) endpoint: Arc<str>,
    pub(crate) client: Client,
    pub(crate) connection: u64,
    cleared: u64,
}

/// What a request can do next.
#[derive(Debug)]
pub(crate) enum Next {
    /// Go to the server at this place.
    Ask(usize),
    /// A server is being looked at, and may take it in a moment.
    Wait,
    /// No server is left.
    Nobody,
}

impl Turn {
    /// To the server at this place; `None` if it does not serve.
    pub(crate) fn to(servers: &[Server], at: usize) -> Option<Self> {
        let server = servers.get(at)?;
        let State::Serving(serving) = &server.state else { return None };
        Some(Self {
            at,
            endpoint: Arc::clone(&server.endpoint),
            client: serving.client.clone(),
            connection: serving.connection,
            cleared: serving.cleared,
        })
    }
}

impl Been {
    pub(crate) fn note(&mut self, turn: &Turn, why: Why) {
        self.0.push(Visit { at: turn.at, cleared: turn.cleared, why });
    }

    /// What it last met at a server.
    pub(crate) fn why(&self, at: usize) -> Option<&Why> {
        self.0.iter().rev().find(|visit| visit.at == at).map(|visit| &visit.why)
    }

    /// One that is not in doubt, if there is one.
    pub(crate) fn next(&self, servers: &[Server]) -> Next {
        let first = |in_doubt: bool| {
            servers.iter().enumerate().position(|(at, server)| match &server.state {
                State::Serving(serving) => serving.in_doubt == in_doubt && self.is_left(at, serving),
                State::New | State::Aside { .. } => false,
            })
        };
        let may_come = |(at, server): (usize, &Server)| match &server.state {
            State::New => true,
            State::Serving(serving) => serving.in_doubt && self.may_return(at),
            State::Aside { .. } => false,
        };
        match first(false).or_else(|| first(true)) {
            Some(at) => Next::Ask(at),
            None if servers.iter().enumerate().any(may_come) => Next::Wait,
            None => Next::Nobody,
        }
    }

    fn is_left(&self, at: usize, serving: &Serving) -> bool {
        let has_been = |visit: &Visit| visit.at == at && visit.cleared >= serving.cleared;
        self.may_return(at) && !self.0.iter().any(has_been)
    }

    /// A broken connection is worth another try on a new one; words and silence are final.
    fn may_return(&self, at: usize) -> bool {
        let mut visits = self.0.iter().filter(|visit| visit.at == at);
        visits.clone().count() < BROKEN_MAX && visits.all(|v| matches!(v.why, Why::Unreachable { .. }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicUsize;
    use tonic::transport::Endpoint;

    fn broken() -> Why {
        Why::Unreachable { says: "broken".to_owned() }
    }

    fn said() -> Why {
        Why::Said { code: tonic::Code::Internal, says: "no".to_owned() }
    }

    fn serving(cleared: u64, in_doubt: bool) -> State {
        let client = Client::new(Endpoint::from_static("http://127.0.0.1:1").connect_lazy());
        State::Serving(Serving { client, connection: 0, cleared, in_doubt })
    }

    fn aside() -> State {
        State::Aside { why: broken(), failed: 1 }
    }

    fn servers(states: impl IntoIterator<Item = State>) -> Vec<Server> {
        let server =
            |state| Server { endpoint: "a:1".into(), state, in_flight: Arc::new(AtomicUsize::new(0)) };
        states.into_iter().map(server).collect()
    }

    /// A request that was at these places, when their connection was cleared this often, and met this.
    fn been(visits: &[(usize, u64, Why)]) -> Been {
        Been(
            visits
                .iter()
                .map(|(at, cleared, why)| Visit { at: *at, cleared: *cleared, why: why.clone() })
                .collect(),
        )
    }

    #[tokio::test] // connections want a runtime, though none is made
    async fn a_request_goes_to_the_first_server_that_may_still_answer_it() {
        let rows = [
            ("the first in order", been(&[]), vec![serving(1, false), serving(1, false)], "0"),
            ("past one set aside", been(&[]), vec![aside(), serving(1, false)], "1"),
            ("rather one without doubt", been(&[]), vec![serving(1, true), serving(1, false)], "1"),
            ("one in doubt before nobody", been(&[]), vec![aside(), serving(1, true)], "1"),
            ("one just being found", been(&[]), vec![aside(), State::New], "wait"),
            ("nobody", been(&[]), vec![aside(), aside()], "nobody"),
            ("on after a break", been(&[(0, 1, broken())]), vec![serving(1, true), serving(1, false)], "1"),
            ("waits for a look after a break", been(&[(0, 1, broken())]), vec![serving(1, true)], "wait"),
            ("back on a new connection", been(&[(0, 1, broken())]), vec![serving(2, false)], "0"),
            ("not back after words", been(&[(0, 1, said())]), vec![serving(2, false)], "nobody"),
            ("nor waits after words", been(&[(0, 1, said())]), vec![serving(1, true)], "nobody"),
            (
                "it breaks whatever it meets",
                been(&[(0, 1, broken()), (0, 2, broken()), (0, 3, broken())]),
                vec![serving(4, false)],
                "nobody",
            ),
        ];
        for (what, been, states, expected) in rows {
            let next = match been.next(&servers(states)) {
                Next::Ask(at) => at.to_string(),
                Next::Wait => "wait".to_owned(),
                Next::Nobody => "nobody".to_owned(),
            };
            assert_eq!(next, expected, "{what}");
        }
    }
}
