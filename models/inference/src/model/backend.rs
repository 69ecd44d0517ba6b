//! Who runs a model's graph: ONNX Runtime in this process, or a server.

use crate::output::Output;
use crate::served::Served;
use crate::session::{RunError, Session};
use plumb_inspection::{Element, TensorSpec, Values};
use std::collections::BTreeMap;
use std::time::Instant;

/// Whoever runs the graph.
#[derive(Debug)]
pub(super) enum Backend {
    /// This process.
    Here(Box<Session>),
    /// A server.
    There(Served),
}

impl Backend {
    /// Names of all inputs.
    pub(super) fn inputs(&self) -> Vec<String> {
        match self {
            Self::Here(session) => session.inputs(),
            Self::There(served) => served.inputs(),
        }
    }

    /// Number type and shape of the first input, −1 for a side that may vary; `None` where a picture cannot have it.
    pub(super) fn input(&self) -> Option<(Element, Vec<i64>)> {
        match self {
            Self::Here(session) => session.input(),
            Self::There(served) => served.input(),
        }
    }

    /// The first input, for messages.
    pub(super) fn input_type(&self) -> String {
        match self {
            Self::Here(session) => session.input_type(),
            Self::There(served) => served.input_type(),
        }
    }

    /// Nodes of the graph by the provider that runs them; a server does not say.
    pub(super) fn nodes(&self) -> BTreeMap<String, usize> {
        match self {
            Self::Here(session) => session.nodes.clone(),
            Self::There(_) => BTreeMap::new(),
        }
    }

    /// Runs the graph once on `pictures`, filled up to `batch` places, and hands its outputs to `read`. Only a server is
    /// waited for until `by`.
    pub(super) fn run<R>(
        &mut self,
        spec: &TensorSpec,
        pictures: &[&Values],
        batch: usize,
        by: Option<Instant>,
        read: impl FnOnce(&[Output<'_>]) -> R,
    ) -> Result<R, RunError> {
        match self {
            Self::Here(session) => session.run(spec, pictures, batch, read),
            Self::There(served) => served.run(spec, pictures, batch, by, read),
        }
    }
}
