//! What a handler may not do: panic, and take too long.

use std::{
    convert::Infallible,
    panic::AssertUnwindSafe,
    task::{Context, Poll},
    time::Duration,
};

use axum::{
    extract::{MatchedPath, Request},
    http::Method,
    response::{IntoResponse, Response},
};
use futures_util::FutureExt;
use tower::{Layer, Service};

use super::stack::Answering;
use crate::{
    config::ServerConfig,
    http::{codes::Code, problem::Problem, timers::Timers},
};

/// What takes long bodies in piece by piece; it may take its time.
const LOADS: [(Method, &str); 2] =
    [(Method::PUT, "/v1/policy-stores/{store}/entities"), (Method::POST, "/v1/admin/users/import")];

/// Answers a bug with a problem, and ends a request that takes longer than `server.request_timeout_secs`; one
/// that replaces all entities of a store or takes users over, longer than `server.entities_timeout_secs`. What it had begun in a
/// transaction is undone when its future is dropped.
#[derive(Debug, Clone)]
pub(super) struct Guard<S> {
    inner: S,
    limits: GuardLayer,
}

/// The limits of a [`Guard`].
#[derive(Debug, Clone, Copy)]
pub(super) struct GuardLayer {
    usual: Duration,
    load: Duration,
}

impl GuardLayer {
    pub(super) fn new(config: &ServerConfig) -> Self {
        Self {
            usual: Duration::from_secs(config.request_timeout_secs),
            load: Duration::from_secs(config.entities_timeout_secs),
        }
    }
}

impl<S> Layer<S> for GuardLayer {
    type Service = Guard<S>;

    fn layer(&self, inner: S) -> Guard<S> {
        Guard { inner, limits: *self }
    }
}

impl<S> Service<Request> for Guard<S>
where
    S: Service<Request, Response = Response, Error = Infallible, Future: Send + 'static>,
{
    type Response = Response;
    type Error = Infallible;
    type Future = Answering;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request) -> Answering {
        let limit = if is_load(&request) { self.limits.load } else { self.limits.usual };
        let timers = Timers::of(request.extensions());
        let answer = AssertUnwindSafe(self.inner.call(request)).catch_unwind();
        Box::pin(async move {
            let code = match timers.within(limit, answer).await {
                Some(Ok(response)) => return response,
                Some(Err(_panic)) => Code::InternalError, // the panic hook has said what it was
                None => Code::RequestDeadline,
            };
            Ok(Problem::new(code).into_response())
        })
    }
}

fn is_load(request: &Request) -> bool {
    let path = request.extensions().get::<MatchedPath>().map(MatchedPath::as_str);
    LOADS.iter().any(|(method, load)| request.method() == method && path == Some(load))
}
