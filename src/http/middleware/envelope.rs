//! The outermost layer: request id, problem bodies, and the one log line and the one count of a request.

use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{
    extract::{ConnectInfo, MatchedPath, Request, State},
    http::{HeaderMap, HeaderName, HeaderValue},
    middleware::Next,
    response::Response,
};
use tracing::{Instrument, info, info_span, warn};

use crate::{
    base::RequestId,
    http::{
        extract::{RequestTag, is_trusted},
        problem::Problem,
        state::AppState,
    },
    telemetry::metrics,
};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Wraps a request: see the module.
pub(super) async fn envelope(State(app): State<AppState>, mut request: Request, next: Next) -> Response {
    let trusted = is_from_trusted_peer(&app, &request);
    let id = request_id(&app, &request, trusted);
    request.extensions_mut().insert(RequestTag(Arc::clone(&id)));
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let route = request.extensions().get::<MatchedPath>().map_or("unmatched", MatchedPath::as_str).to_owned();
    let span = info_span!("request", request_id = %id, %method, route = &*route);
    let counted = metrics::Method::from(method.as_str());
    #[cfg(feature = "otel")]
    if trusted {
        crate::telemetry::continue_trace(&span, request.headers());
    }
    let started = Instant::now();

    let mut response = next.run(request).instrument(span.clone()).await;
    let problem = response.extensions_mut().remove::<Problem>();
    if let Some(problem) = &problem {
        let extra = std::mem::take(response.headers_mut());
        response = problem.render(&path, &id);
        keep(response.headers_mut(), extra);
    }
    if let Ok(value) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    let took = started.elapsed();
    app.metrics.answered(&route, counted, response.status().as_u16(), took);
    span.in_scope(|| log(&response, problem.as_ref(), took));
    response
}

fn is_from_trusted_peer(app: &AppState, request: &Request) -> bool {
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(peer)| peer.ip());
    peer.is_some_and(|peer| is_trusted(peer, &app.config.server.trusted_proxies))
}

/// A caller's own id is kept when a trusted proxy forwards it and it is harmless (R83).
fn request_id(app: &AppState, request: &Request, trusted: bool) -> Arc<str> {
    let sent = request.headers().get(REQUEST_ID).and_then(|value| value.to_str().ok());
    match sent {
        Some(id) if trusted && is_harmless(id) => id.into(),
        _ => RequestId::new(app.clock.now(), &*app.entropy)
            .map_or_else(|_| "req_unknown".into(), |id| id.to_string().into()),
    }
}

fn is_harmless(id: &str) -> bool {
    (8..=128).contains(&id.len())
        && id.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
}

/// Headers that inner layers had set on the answer stay on the problem's, unless it has its own.
fn keep(headers: &mut HeaderMap, extra: HeaderMap) {
    for (name, value) in extra.into_iter().filter_map(|(name, value)| name.map(|name| (name, value))) {
        if name != axum::http::header::CONTENT_LENGTH {
            headers.entry(name).or_insert(value);
        }
    }
}

fn log(response: &Response, problem: Option<&Problem>, took: Duration) {
    let status = response.status().as_u16();
    let latency_us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
    let code = problem.map(|problem| problem.code().as_str());
    let cause = problem.and_then(Problem::cause_chain);
    if status >= 500 {
        warn!(status, latency_us, code, cause, "request failed");
    } else {
        info!(status, latency_us, code, cause, "request answered");
    }
}
