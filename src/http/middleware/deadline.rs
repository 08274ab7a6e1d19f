//! The time an answer may take.

use std::time::Duration;

use axum::{
    extract::{Request, State},
    middleware::Next,
    response::{IntoResponse, Response},
};

use crate::http::{codes::Code, problem::Problem, state::AppState};

/// Ends a request that takes longer than `server.request_timeout_secs`. What it had begun in a
/// transaction is undone when its future is dropped.
pub(super) async fn limit(State(app): State<AppState>, request: Request, next: Next) -> Response {
    let limit = Duration::from_secs(app.config.server.request_timeout_secs);
    match tokio::time::timeout(limit, next.run(request)).await {
        Ok(response) => response,
        Err(_) => Problem::new(Code::RequestDeadline).into_response(),
    }
}
