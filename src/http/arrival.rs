//! What is known of a request before anybody reads it.

use std::{net::SocketAddr, sync::Arc};

use super::{rate_limit::Meter, timers::Timers};

/// How a request came in; one of its extensions. One value for all of it: each extension is an allocation.
#[derive(Debug, Clone, Default)]
pub struct Arrival {
    /// The other end of the connection; none for a request that came by none.
    pub(super) peer: Option<SocketAddr>,
    /// The timers of the connection.
    pub(super) timers: Timers,
    /// The id of the request; empty until the outermost layer has given it one.
    pub(super) id: Arc<str>,
    /// Where a limit of the caller's is noted for the answer, if they may have one.
    pub(super) meter: Option<Meter>,
}

impl Arrival {
    /// A request from this peer.
    #[must_use]
    pub fn from(peer: SocketAddr) -> Self {
        Self { peer: Some(peer), ..Self::default() }
    }

    /// The same on a connection with timers.
    pub(super) fn with(self, timers: Timers) -> Self {
        Self { timers, ..self }
    }

    /// The other end of the connection.
    #[must_use]
    pub fn peer(&self) -> Option<SocketAddr> {
        self.peer
    }
}
