//! Export of traces: every span of the process, as OpenTelemetry knows them, to a collector over OTLP/HTTP.
//!
//! Spans are gathered and sent in batches by a thread of their own; a collector that is away costs traces and
//! nothing else. The client is the one that the command line has already: plain HTTP, so the collector stands
//! beside the server and speaks TLS to the world itself.
//!
//! SECURITY: what is exported is what is logged, under the same invariant: no secret is ever a field.

use std::time::Duration;

use async_trait::async_trait;
use http::{HeaderMap, Request, Response};
use opentelemetry::{
    Context, KeyValue,
    propagation::TextMapPropagator,
    trace::{TraceContextExt, TracerProvider},
};
use opentelemetry_http::{Bytes, HeaderExtractor, HttpClient, HttpError};
use opentelemetry_otlp::{ExporterBuildError, Protocol, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::{
    Resource,
    propagation::TraceContextPropagator,
    trace::{SdkTracer, SdkTracerProvider},
};
use tracing::{Span, Subscriber};
use tracing_opentelemetry::{OpenTelemetryLayer, OpenTelemetrySpanExt};
use tracing_subscriber::registry::LookupSpan;

/// How long one batch may take.
const SEND_TIMEOUT: Duration = Duration::from_secs(5);
/// How long the end of the process waits for the last batch.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(5);

/// The export of one process. What is still to be sent is sent when it is dropped, within five seconds.
#[derive(Debug)]
pub(super) struct Export(SdkTracerProvider);

impl Export {
    /// An export to the collector at `endpoint`, as in `http://127.0.0.1:4318`.
    ///
    /// Errors: the endpoint is not an address.
    /// Source: OTLP 1.x, "OTLP/HTTP Request": traces go to `/v1/traces`.
    pub(super) fn to(endpoint: &str) -> Result<Self, ExporterBuildError> {
        let exporter = SpanExporter::builder()
            .with_http()
            .with_http_client(Collector::new())
            .with_protocol(Protocol::HttpBinary)
            .with_timeout(SEND_TIMEOUT)
            .with_endpoint(format!("{endpoint}/v1/traces"))
            .build()?;
        let resource = Resource::builder()
            .with_service_name(env!("CARGO_PKG_NAME"))
            .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
            .build();
        Ok(Self(SdkTracerProvider::builder().with_resource(resource).with_batch_exporter(exporter).build()))
    }

    /// What gives it the spans.
    pub(super) fn layer<S: Subscriber + for<'a> LookupSpan<'a>>(&self) -> OpenTelemetryLayer<S, SdkTracer> {
        // No code locations and threads: they are many times the rest, and the route says where.
        let tracer = self.0.tracer(env!("CARGO_PKG_NAME"));
        tracing_opentelemetry::layer().with_tracer(tracer).with_location(false).with_threads(false)
    }
}

impl Drop for Export {
    fn drop(&mut self) {
        if let Err(error) = self.0.shutdown_with_timeout(FLUSH_TIMEOUT) {
            tracing::warn!(%error, "the last traces were not sent");
        }
    }
}

/// Makes `span`, which has not begun, a part of the trace that `headers` name, if they name one.
///
/// Only for peers that are trusted: who names a trace also decides whether it is kept.
/// Source: W3C Trace Context §3.2 (`traceparent`).
pub fn continue_trace(span: &Span, headers: &HeaderMap) {
    let extractor = HeaderExtractor(headers);
    let parent = TraceContextPropagator::new().extract_with_context(&Context::new(), &extractor);
    if parent.span().span_context().is_valid() {
        let _ = span.set_parent(parent); // fails when the span is filtered out: then nobody misses it
    }
}

/// Sends batches. Blocks, which is right: it is called by the exporter's own thread only.
#[derive(Debug)]
struct Collector(ureq::Agent);

impl Collector {
    fn new() -> Self {
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .timeout_global(Some(SEND_TIMEOUT))
            .build();
        Self(config.into())
    }
}

#[async_trait]
impl HttpClient for Collector {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let (parts, body) = request.into_parts();
        let (parts, mut body) = self.0.run(Request::from_parts(parts, &body[..]))?.into_parts();
        Ok(Response::from_parts(parts, body.read_to_vec()?.into()))
    }
}
