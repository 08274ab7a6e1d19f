//! What is logged and counted of a request: one line, one count.
//!
//! A decision that was made is logged at `debug` only: its record is the decision itself, and a line would
//! cost more than deciding (design.md §6.8). One that failed, and any other request, is logged at `info`, or at
//! `warn` when it is our fault.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{
    extract::{MatchedPath, Request},
    http::{Method, StatusCode, Uri},
};
use tracing::{Instrument, Span, debug, info, info_span, instrument::Instrumented, warn};

use crate::{
    http::{problem::Problem, state::AppState},
    telemetry::metrics,
};

/// Where decisions are asked for.
const DECISIONS: &str = "/v1/authorize";

/// A request that is under way.
#[derive(Debug)]
pub(super) struct Record {
    id: Arc<str>,
    method: Method,
    uri: Uri,
    route: Option<MatchedPath>,
    span: Span,
    started: Instant,
}

impl Record {
    /// Begins with a request as it came.
    pub(super) fn begin(request: &Request, id: &Arc<str>) -> Self {
        let (method, uri) = (request.method().clone(), request.uri().clone());
        let route = request.extensions().get::<MatchedPath>().cloned();
        let (id, span) = (Arc::clone(id), Span::none());
        let mut record = Self { id, method, uri, route, span, started: Instant::now() };
        if !record.is_quiet() {
            record.span = record.new_span();
        }
        record
    }

    /// The path that was asked for.
    pub(super) fn path(&self) -> &str {
        self.uri.path()
    }

    /// The span of the request.
    #[cfg(feature = "otel")]
    pub(super) fn span(&self) -> &Span {
        &self.span
    }

    /// Runs what answers the request, within its span.
    pub(super) fn inside<F>(&self, answer: F) -> Instrumented<F> {
        answer.instrument(self.span.clone())
    }

    /// Ends with the answer.
    pub(super) fn end(self, app: &AppState, status: StatusCode, problem: Option<&Problem>) {
        let (status, took) = (status.as_u16(), self.started.elapsed());
        app.metrics.answered(self.route(), metrics::Method::from(self.method.as_str()), status, took);
        if self.is_quiet() && status < 400 {
            debug!(request_id = %self.id, status, latency_us = micros(took), "request answered");
            return;
        }
        let span = if self.span.is_none() { self.new_span() } else { self.span };
        let code = problem.map(|problem| problem.code().as_str());
        let cause = problem.and_then(Problem::cause_chain);
        span.in_scope(|| {
            if status >= 500 {
                warn!(status, latency_us = micros(took), code, cause, "request failed");
            } else {
                info!(status, latency_us = micros(took), code, cause, "request answered");
            }
        });
    }

    fn new_span(&self) -> Span {
        info_span!("request", request_id = %self.id, method = %self.method, route = self.route())
    }

    /// The route as the router knows it; what a caller made up is none.
    fn route(&self) -> &str {
        self.route.as_ref().map_or("unmatched", MatchedPath::as_str)
    }

    /// Whether nothing is logged when it goes well. Traces want every span.
    fn is_quiet(&self) -> bool {
        !cfg!(feature = "otel") && self.route().starts_with(DECISIONS)
    }
}

fn micros(took: Duration) -> u64 {
    u64::try_from(took.as_micros()).unwrap_or(u64::MAX)
}
