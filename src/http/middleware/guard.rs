//! What a handler may not do: panic, and take too long.

use std::{convert::Infallible, panic::AssertUnwindSafe, time::Duration};

use axum::{
    extract::{MatchedPath, Request},
    http::Method,
    response::{IntoResponse, Response},
};
use futures_util::{
    FutureExt,
    future::{CatchUnwind, Map},
};
use tower::Service;

use crate::{
    config::ServerConfig,
    http::{
        codes::Code,
        problem::Problem,
        timers::{Timers, Within},
    },
};

/// What takes long bodies in piece by piece; it may take its time.
const LOADS: [(Method, &str); 2] =
    [(Method::PUT, "/v1/policy-stores/{store}/entities"), (Method::POST, "/v1/admin/users/import")];

/// An answer, a panic, or neither in time.
type Caught = std::thread::Result<Result<Response, Infallible>>;

/// An answer under way that is one for certain.
pub(super) type Settling<F> =
    Map<Within<CatchUnwind<AssertUnwindSafe<F>>>, fn(Option<Caught>) -> Result<Response, Infallible>>;

/// Answers a bug with a problem, and ends a request that takes longer than `server.request_timeout_secs`; one
/// that replaces all entities of a store or takes users over, longer than `server.entities_timeout_secs`. What it had begun in a
/// transaction is undone when its future is dropped.
#[derive(Debug, Clone, Copy)]
pub(super) struct Guard {
    usual: Duration,
    load: Duration,
}

impl Guard {
    pub(super) fn new(config: &ServerConfig) -> Self {
        Self {
            usual: Duration::from_secs(config.request_timeout_secs),
            load: Duration::from_secs(config.entities_timeout_secs),
        }
    }

    /// What `inner` answers, if it does.
    pub(super) fn answer<S>(self, inner: &mut S, request: Request) -> Settling<S::Future>
    where
        S: Service<Request, Response = Response, Error = Infallible>,
    {
        let limit = if is_load(&request) { self.load } else { self.usual };
        let timers = Timers::of(request.extensions());
        timers.within(limit, AssertUnwindSafe(inner.call(request)).catch_unwind()).map(settle as fn(_) -> _)
    }
}

fn settle(caught: Option<Caught>) -> Result<Response, Infallible> {
    let code = match caught {
        Some(Ok(response)) => return response,
        Some(Err(_panic)) => Code::InternalError, // the panic hook has said what it was
        None => Code::RequestDeadline,
    };
    Ok(Problem::new(code).into_response())
}

fn is_load(request: &Request) -> bool {
    let path = request.extensions().get::<MatchedPath>().map(MatchedPath::as_str);
    LOADS.iter().any(|(method, load)| request.method() == method && path == Some(load))
}
