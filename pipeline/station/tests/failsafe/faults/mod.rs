//! Every fault, one file a family. A new fault is a new [`Cell`] in one of them.

mod camera;
mod ledger;
mod plc;
mod queue;
mod stage;
mod whole;

use crate::cell::Cell;

/// In the order of the page.
pub(crate) fn all() -> Vec<Cell> {
    [camera::cells(), stage::cells(), queue::cells(), plc::cells(), ledger::cells(), whole::cells()].concat()
}
