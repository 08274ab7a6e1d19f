//! The log output of the process.

use std::io::{IsTerminal, stderr};

use tracing::Subscriber;
use tracing_subscriber::{
    EnvFilter,
    filter::ParseError,
    fmt::MakeWriter,
    registry::LookupSpan,
    util::{SubscriberInitExt, TryInitError},
};

use crate::config::{LogConfig, LogFormat};

/// Log output cannot be set up. Only at start-up.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The configured filter is not one.
    #[error("`log.filter` cannot be read: `{filter}`")]
    Filter {
        /// As it was configured.
        filter: String,
        /// What is wrong with it.
        #[source]
        source: ParseError,
    },
    /// Traces cannot be exported.
    #[cfg(feature = "otel")]
    #[error("`log.otlp_endpoint` cannot be used")]
    Traces(#[from] opentelemetry_otlp::ExporterBuildError),
    /// Another subscriber was installed before.
    #[error("log output is set up already")]
    Installed(#[source] TryInitError),
}

/// What is kept while the process runs; traces that wait are sent when it is dropped.
#[derive(Debug)]
#[must_use = "traces that wait are sent when it is dropped"]
pub struct Telemetry {
    #[cfg(feature = "otel")]
    traces: Option<super::otel::Export>,
}

/// Sends log lines of this process to standard error from now on, and its spans to `log.otlp_endpoint`, where
/// that is set. Once a process.
///
/// Errors: `Filter`, `Traces`, `Installed`.
pub fn init(config: &LogConfig) -> Result<Telemetry, TelemetryError> {
    let telemetry = Telemetry {
        #[cfg(feature = "otel")]
        traces: config.otlp_endpoint.as_deref().map(super::otel::Export::to).transpose()?,
    };
    let subscriber = build(config, &telemetry, stderr, stderr().is_terminal())?;
    subscriber.try_init().map_err(TelemetryError::Installed)?;
    Ok(telemetry)
}

fn build<W>(
    config: &LogConfig,
    telemetry: &Telemetry,
    writer: W,
    coloured: bool,
) -> Result<Box<dyn Subscriber + Send + Sync>, TelemetryError>
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let filter = EnvFilter::builder()
        .parse(&config.filter)
        .map_err(|source| TelemetryError::Filter { filter: config.filter.clone(), source })?;
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(writer);
    Ok(match config.format {
        LogFormat::Text => with_traces(lines.with_ansi(coloured).finish(), telemetry),
        LogFormat::Json => {
            with_traces(lines.json().flatten_event(true).with_span_list(false).finish(), telemetry)
        }
    })
}

/// `lines`, with the export of traces beside it where there is one.
#[cfg(feature = "otel")]
fn with_traces<S>(lines: S, telemetry: &Telemetry) -> Box<dyn Subscriber + Send + Sync>
where
    S: Subscriber + for<'a> LookupSpan<'a> + Send + Sync,
{
    use tracing_subscriber::layer::SubscriberExt;

    match &telemetry.traces {
        Some(export) => Box::new(lines.with(export.layer())),
        None => Box::new(lines),
    }
}

#[cfg(not(feature = "otel"))]
fn with_traces<S>(lines: S, _: &Telemetry) -> Box<dyn Subscriber + Send + Sync>
where
    S: Subscriber + for<'a> LookupSpan<'a> + Send + Sync,
{
    Box::new(lines)
}

#[cfg(test)]
mod tests {
    use std::{
        io::{self, Write},
        sync::{Arc, Mutex},
    };

    use super::*;
    use crate::telemetry::field;

    #[derive(Clone, Default)]
    struct Page(Arc<Mutex<Vec<u8>>>);

    impl Write for Page {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn nowhere() -> Telemetry {
        Telemetry {
            #[cfg(feature = "otel")]
            traces: None,
        }
    }

    fn lines(format: LogFormat, filter: &str, say: impl FnOnce()) -> Vec<String> {
        let page = Page::default();
        let writer = page.clone();
        let config = LogConfig { format, filter: filter.to_owned(), otlp_endpoint: None };
        let subscriber = build(&config, &nowhere(), move || writer.clone(), false).unwrap();
        tracing::subscriber::with_default(subscriber, say);
        let bytes = page.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap().lines().map(str::to_owned).collect()
    }

    #[test]
    fn json_is_one_object_a_line_with_the_declared_fields() {
        let lines = lines(LogFormat::Json, "info", || {
            let _span = tracing::info_span!("request", { field::REQUEST_ID } = "req_1").entered();
            tracing::info!({ field::STATUS } = 200, "an\nswered");
            tracing::debug!("not said");
        });
        assert_eq!(lines.len(), 1, "{lines:?}");
        let line: serde_json::Value = serde_json::from_str(&lines[0]).unwrap();
        assert_eq!(line["message"], "an\nswered");
        assert_eq!(line["status"], 200);
        assert_eq!(line["span"]["request_id"], "req_1");
        assert_eq!(line["level"], "INFO");
    }

    #[test]
    fn text_is_plain_when_nobody_looks() {
        let lines = lines(LogFormat::Text, "warn,bailiwick=debug", || tracing::debug!(n = 1, "said"));
        assert_eq!(lines.len(), 1, "{lines:?}");
        assert!(lines[0].contains("said n=1") && !lines[0].contains('\u{1b}'), "{lines:?}");
    }

    #[test]
    fn a_filter_that_cannot_be_read_is_refused_with_its_text() {
        let config = LogConfig { filter: "bailiwick=loud".to_owned(), ..LogConfig::default() };
        let refused = build(&config, &nowhere(), stderr, false).map(|_| ()).unwrap_err();
        assert_eq!(refused.to_string(), "`log.filter` cannot be read: `bailiwick=loud`");
    }
}
