//! A view's way across the devices: which model of which device looks at which of its regions, in what order.
//!
//! Every trip visits its devices in ascending order of their names. A full inbox makes the device before it wait, and
//! with one order for all, no two can wait for each other.

use super::Prepared;
use crate::edition::ModelId;
use crossbeam_channel::Sender;
use plumb_inspection::Trip;

/// The way of one camera's views under one edition.
pub struct Route {
    /// At least one; ascending by device.
    pub legs: Vec<Leg>,
}

/// One device on the way.
pub struct Leg {
    /// To the device's thread.
    pub inbox: Sender<Trip<Prepared>>,
    /// What is looked at there: the region's index among the view's tensors, and who looks.
    pub looks: Vec<(usize, ModelId)>,
}
