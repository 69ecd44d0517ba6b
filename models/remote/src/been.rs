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
    /// Go there.
    Ask(Turn),
    /// A server is being looked at, and may take it in a moment.
    Wait,
    /// No server is left.
    Nobody,
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
            servers.iter().enumerate().find_map(|(at, server)| match &server.state {
                State::Serving(serving) if serving.in_doubt == in_doubt && self.is_left(at, serving) => {
                    Some(Turn {
                        at,
                        endpoint: Arc::clone(&server.endpoint),
                        client: serving.client.clone(),
                        connection: serving.connection,
                        cleared: serving.cleared,
                    })
                }
                _ => None,
            })
        };
        let may_come = |(at, server): (usize, &Server)| match &server.state {
            State::New => true,
            State::Serving(serving) => serving.in_doubt && self.may_return(at),
            State::Aside { .. } => false,
        };
        match first(false).or_else(|| first(true)) {
            Some(turn) => Next::Ask(turn),
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
