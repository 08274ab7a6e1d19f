//! What a handler may not do: panic, and take too long.

use std::{panic::AssertUnwindSafe, time::Duration};

use axum::{
    extract::{MatchedPath, Request, State},
    http::Method,
    middleware::Next,
    response::{IntoResponse, Response},
};
use futures_util::FutureExt;

use crate::http::{codes::Code, problem::Problem, state::AppState};

/// What replaces all entities of a store; it may take its time.
const LOAD: &str = "/v1/policy-stores/{store}/entities";

/// Answers a bug with a problem, and ends a request that takes longer than `server.request_timeout_secs`; one
/// that replaces all entities of a store, longer than `server.entities_timeout_secs`. What it had begun in a
/// transaction is undone when its future is dropped.
pub(super) async fn guard(State(app): State<AppState>, request: Request, next: Next) -> Response {
    let limit = Duration::from_secs(if is_load(&request) {
        app.config.server.entities_timeout_secs
    } else {
        app.config.server.request_timeout_secs
    });
    let answer = AssertUnwindSafe(next.run(request)).catch_unwind();
    let code = match tokio::time::timeout(limit, answer).await {
        Ok(Ok(response)) => return response,
        Ok(Err(_panic)) => Code::InternalError, // the panic hook has said what it was
        Err(_) => Code::RequestDeadline,
    };
    Problem::new(code).into_response()
}

fn is_load(request: &Request) -> bool {
    let path = request.extensions().get::<MatchedPath>().map(MatchedPath::as_str);
    request.method() == Method::PUT && path == Some(LOAD)
}
