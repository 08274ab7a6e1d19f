//! The outermost layer: request id, problem bodies, and the one log line and the one count of a request.

use std::sync::Arc;

use axum::{
    extract::Request,
    http::{HeaderMap, HeaderName, HeaderValue},
    response::Response,
};
use tracing::instrument::Instrumented;

use super::{headers, record::Record, stack::Audience};
use crate::{
    base::RequestId,
    http::{arrival::Arrival, extract::is_trusted, problem::Problem, rate_limit::Meter, state::AppState},
};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Wraps the requests of a listener: see the module.
#[derive(Debug)]
pub(super) struct Envelope {
    app: AppState,
    /// Whether context headers are not believed.
    is_public: bool,
    /// What every answer gets.
    usual: HeaderMap,
}

/// A request that is under way.
#[derive(Debug)]
pub(super) struct Opened {
    id: Arc<str>,
    meter: Option<Meter>,
    record: Record,
}

impl Opened {
    /// Runs what answers the request, within its span.
    pub(super) fn inside<F>(&self, answer: F) -> Instrumented<F> {
        self.record.inside(answer)
    }
}

impl Envelope {
    pub(super) fn new(app: &AppState, audience: Audience) -> Self {
        let mut usual = headers::secure(app.config.public_url().starts_with("https://"));
        usual.insert(REQUEST_ID, HeaderValue::from_static("req_unknown")); // takes the place
        Self { app: app.clone(), is_public: audience == Audience::Public, usual }
    }

    /// Takes a request in.
    pub(super) fn open(&self, request: &mut Request) -> Opened {
        let peer = request.extensions().get::<Arrival>().and_then(Arrival::peer);
        let trusted = peer.is_some_and(|peer| is_trusted(peer.ip(), &self.app.config.server.trusted_proxies));
        let id = request_id(&self.app, request, trusted);
        if self.is_public {
            headers::strip_context(request.headers_mut());
        }
        let meter = Meter::wanted(request.headers());
        let arrival = request.extensions_mut().get_or_insert_with(Arrival::default);
        (arrival.id, arrival.meter) = (Arc::clone(&id), meter.clone());
        let record = Record::begin(request, &id);
        #[cfg(feature = "otel")]
        if trusted {
            crate::telemetry::continue_trace(record.span(), request.headers());
        }
        Opened { id, meter, record }
    }

    /// What every answer gets: its problem as a body, security headers, the request's id, its line and its count.
    pub(super) fn close(&self, opened: Opened, mut response: Response) -> Response {
        let Opened { id, meter, record } = opened;
        let problem = response.extensions_mut().remove::<Problem>();
        if let Some(problem) = &problem {
            let extra = std::mem::take(response.headers_mut());
            response = problem.render(record.path(), &id);
            keep(response.headers_mut(), extra);
        }
        // What an answer says itself takes the place of what is usual.
        let own = std::mem::replace(response.headers_mut(), self.usual.clone());
        let headers = response.headers_mut();
        headers.extend(own);
        if let Ok(value) = HeaderValue::from_str(&id) {
            headers.insert(REQUEST_ID, value);
        }
        if let Some(meter) = meter {
            meter.write(headers);
        }
        record.end(&self.app, response.status(), problem.as_ref());
        response
    }
}

/// A caller's own id is kept when a trusted proxy forwards it and it is harmless (R83).
fn request_id(app: &AppState, request: &Request, trusted: bool) -> Arc<str> {
    let sent = request.headers().get(REQUEST_ID).and_then(|value| value.to_str().ok());
    match sent {
        Some(id) if trusted && is_harmless(id) => id.into(),
        _ => RequestId::new(app.clock.now(), &*app.entropy)
            .map_or_else(|_| "req_unknown".into(), |id| id.to_shared()),
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
