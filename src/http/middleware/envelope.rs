//! The outermost layer: request id, problem bodies, and the one log line and the one count of a request.

use std::{
    convert::Infallible,
    net::SocketAddr,
    sync::Arc,
    task::{Context, Poll},
};

use axum::{
    extract::{ConnectInfo, Request},
    http::{HeaderMap, HeaderName, HeaderValue},
    response::Response,
};
use tower::{Layer, Service};

use super::{headers, record::Record, stack::Answering};
use crate::{
    base::RequestId,
    http::{
        extract::{RequestTag, is_trusted},
        problem::Problem,
        rate_limit::Meter,
        state::AppState,
    },
};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// What the envelope of a listener knows.
#[derive(Debug, Clone)]
pub(super) struct Listener {
    pub(super) app: AppState,
    /// Whether context headers are not believed.
    pub(super) is_public: bool,
    /// Whether callers come by HTTPS.
    pub(super) is_https: bool,
}

/// Wraps requests: see the module.
#[derive(Debug, Clone)]
pub(super) struct Envelope<S> {
    inner: S,
    of: Arc<Listener>,
}

/// Puts a service into an [`Envelope`].
#[derive(Debug, Clone)]
pub(super) struct EnvelopeLayer(Arc<Listener>);

impl EnvelopeLayer {
    pub(super) fn new(of: Listener) -> Self {
        Self(Arc::new(of))
    }
}

impl<S> Layer<S> for EnvelopeLayer {
    type Service = Envelope<S>;

    fn layer(&self, inner: S) -> Envelope<S> {
        Envelope { inner, of: Arc::clone(&self.0) }
    }
}

impl<S> Service<Request> for Envelope<S>
where
    S: Service<Request, Response = Response, Error = Infallible, Future: Send + 'static>,
{
    type Response = Response;
    type Error = Infallible;
    type Future = Answering;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request) -> Answering {
        let of = Arc::clone(&self.of);
        let trusted = is_from_trusted_peer(&of.app, &request);
        let id = request_id(&of.app, &request, trusted);
        request.extensions_mut().insert(RequestTag(Arc::clone(&id)));
        if of.is_public {
            headers::strip_context(request.headers_mut());
        }
        let meter = Meter::wanted(request.headers());
        if let Some(meter) = &meter {
            request.extensions_mut().insert(meter.clone());
        }
        let record = Record::begin(&request, &id);
        #[cfg(feature = "otel")]
        if trusted {
            crate::telemetry::continue_trace(record.span(), request.headers());
        }
        let answer = self.inner.call(request);
        Box::pin(async move {
            let response = record.inside(answer).await?;
            let mut response = finish(&of, response, record, &id);
            if let Some(meter) = meter {
                meter.write(response.headers_mut());
            }
            Ok(response)
        })
    }
}

/// What every answer gets: its problem as a body, security headers, the request's id, its line and its count.
fn finish(of: &Listener, mut response: Response, record: Record, id: &str) -> Response {
    let problem = response.extensions_mut().remove::<Problem>();
    if let Some(problem) = &problem {
        let extra = std::mem::take(response.headers_mut());
        response = problem.render(record.path(), id);
        keep(response.headers_mut(), extra);
    }
    headers::secure(response.headers_mut(), of.is_https);
    if let Ok(value) = HeaderValue::from_str(id) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    record.end(&of.app, response.status(), problem.as_ref());
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
