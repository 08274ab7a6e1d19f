//! The log output of the process.

use std::io::{IsTerminal, stderr};

use tracing::Subscriber;
use tracing_subscriber::{
    EnvFilter,
    filter::ParseError,
    fmt::MakeWriter,
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
    /// Another subscriber was installed before.
    #[error("log output is set up already")]
    Installed(#[source] TryInitError),
}

/// Sends log lines of this process to standard error from now on. Once a process.
///
/// Errors: `Filter`, `Installed`.
pub fn init(config: &LogConfig) -> Result<(), TelemetryError> {
    build(config, stderr, stderr().is_terminal())?.try_init().map_err(TelemetryError::Installed)
}

fn build<W>(
    config: &LogConfig,
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
        LogFormat::Text => Box::new(lines.with_ansi(coloured).finish()),
        LogFormat::Json => Box::new(lines.json().flatten_event(true).with_span_list(false).finish()),
    })
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

    fn lines(format: LogFormat, filter: &str, say: impl FnOnce()) -> Vec<String> {
        let page = Page::default();
        let writer = page.clone();
        let config = LogConfig { format, filter: filter.to_owned() };
        let subscriber = build(&config, move || writer.clone(), false).unwrap();
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
        let config = LogConfig { format: LogFormat::Text, filter: "bailiwick=loud".to_owned() };
        let refused = build(&config, stderr, false).map(|_| ()).unwrap_err();
        assert_eq!(refused.to_string(), "`log.filter` cannot be read: `bailiwick=loud`");
    }
}
