//! The outermost layer: request id, problem bodies, and the one log line and the one count of a request.

use std::{net::SocketAddr, sync::Arc};

use axum::{
    extract::{ConnectInfo, Request, State},
    http::{HeaderMap, HeaderName, HeaderValue},
    middleware::Next,
    response::Response,
};

use super::{headers, record::Record};
use crate::{
    base::RequestId,
    http::{
        extract::{RequestTag, is_trusted},
        problem::Problem,
        state::AppState,
    },
};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// What the envelope of a listener knows.
#[derive(Debug, Clone)]
pub(super) struct Envelope {
    pub(super) app: AppState,
    /// Whether context headers are not believed.
    pub(super) is_public: bool,
    /// Whether callers come by HTTPS.
    pub(super) is_https: bool,
}

/// Wraps a request: see the module.
pub(super) async fn envelope(State(of): State<Envelope>, mut request: Request, next: Next) -> Response {
    let app = &of.app;
    let trusted = is_from_trusted_peer(app, &request);
    let id = request_id(app, &request, trusted);
    request.extensions_mut().insert(RequestTag(Arc::clone(&id)));
    if of.is_public {
        headers::strip_context(request.headers_mut());
    }
    let record = Record::begin(&request, &id);
    #[cfg(feature = "otel")]
    if trusted {
        crate::telemetry::continue_trace(record.span(), request.headers());
    }

    let mut response = record.inside(next.run(request)).await;
    let problem = response.extensions_mut().remove::<Problem>();
    if let Some(problem) = &problem {
        let extra = std::mem::take(response.headers_mut());
        response = problem.render(record.path(), &id);
        keep(response.headers_mut(), extra);
    }
    headers::secure(response.headers_mut(), of.is_https);
    if let Ok(value) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    record.end(app, response.status(), problem.as_ref());
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
