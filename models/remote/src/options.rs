//! How patient a client is, and how much it takes on.

use std::{num::NonZeroUsize, time::Duration};

/// How patient a client is, and how much it takes on. The defaults suit servers in the same hall.
#[derive(Clone, Debug)]
pub struct Options {
    /// The model's version; empty leaves the choice to the server.
    pub version: String,
    /// How long [`Remote::connect`](crate::Remote::connect) waits for the first server.
    pub connect_within: Duration,
    /// Requests under way at once; one more is refused as [`Busy`](crate::RemoteError::Busy).
    pub in_flight_max: NonZeroUsize,
    /// How often a server that is not being asked anything is looked at.
    pub look_every: Duration,
    /// How long a look may take, connecting included, before the server is set aside.
    pub look_within: Duration,
    /// Wait after the first failed look at a server that was set aside; it doubles up to `retry_max`.
    pub retry_min: Duration,
    /// Longest wait between looks at a server that was set aside.
    pub retry_max: Duration,
    /// How long a connection with a request on it may be silent before it is pinged. No shorter than a quarter of the
    /// longest request: servers built on gRPC's own library hang up on a client that pings a few times during one.
    pub ping_after: Duration,
    /// How long a ping may take before the connection counts as broken.
    pub ping_within: Duration,
    /// Largest answer, where the model's metadata does not tell.
    pub answer_bytes_max: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            version: String::new(),
            connect_within: Duration::from_secs(10),
            in_flight_max: NonZeroUsize::new(8).expect("8 is not 0"),
            look_every: Duration::from_secs(1),
            look_within: Duration::from_secs(1),
            retry_min: Duration::from_millis(250),
            retry_max: Duration::from_secs(2),
            ping_after: Duration::from_secs(20),
            ping_within: Duration::from_secs(2),
            answer_bytes_max: 64 << 20,
        }
    }
}
