//! The end of the shadow records' queue.

use super::ShadowRecord;
use crate::{
    Full,
    gate::Gate,
    stats::{Counters, count},
};
use crossbeam_channel::Sender;
use std::sync::Arc;

/// Puts shadow records into the ledger's queue for them. Clones share it.
///
/// The queue is theirs alone, so that a shadow never takes a record's place; the thread `ledger` commits both together.
#[derive(Clone)]
pub struct ShadowSender {
    pub(crate) queue: Sender<ShadowRecord>,
    pub(crate) gate: Arc<Gate>,
    pub(crate) counters: Arc<Counters>,
}

impl ShadowSender {
    /// Never waits.
    ///
    /// # Errors
    /// The record, when 1024 are waiting or the ledger is closed. It is counted.
    #[allow(clippy::result_large_err)] // the caller gets his record back, as from any queue
    pub fn try_send(&self, record: ShadowRecord) -> Result<(), Full<ShadowRecord>> {
        let sent = match self.gate.enter() {
            Some(_inside) => self.queue.try_send(record).map_err(|refused| refused.into_inner()),
            None => Err(record),
        };
        sent.map_err(|record| {
            count(&self.counters.shadows_refused);
            Full(record)
        })
    }
}
