//! `[log]`.

use serde::{Deserialize, Serialize};
use tracing_subscriber::EnvFilter;

use super::{Problems, origin::check_origin, section::section};

/// How log lines are written, to standard error.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

section! {
    /// Log output.
    struct LogConfig in "log" {
        /// Form of the lines: `text` for people, `json` for one object a line.
        format: LogFormat = LogFormat::Text,
        /// What is logged: a level, or directives such as `info,bailiwick::policy=debug`.
        filter: String = "info,sqlx=warn,hyper=warn".to_owned(),
        /// Address of an OpenTelemetry collector that takes traces over OTLP/HTTP, such as
        /// `http://127.0.0.1:4318`, without TLS. Wants a build with the feature `otel`.
        otlp_endpoint: Option<String> = None,
    }
}

impl LogConfig {
    pub(super) fn check(&self, found: &mut Problems) {
        if let Err(error) = EnvFilter::try_new(&self.filter) {
            found.add("log.filter", format!("`{}` is not a filter: {error}", self.filter));
        }
        let Some(endpoint) = &self.otlp_endpoint else { return };
        if !cfg!(feature = "otel") {
            found.add(
                "log.otlp_endpoint",
                "traces cannot be exported: this build is without the feature `otel`",
            );
        } else if endpoint.starts_with("https:") {
            found.add(
                "log.otlp_endpoint",
                "TLS is not spoken to a collector: use `http` and one beside the server",
            );
        } else {
            check_origin(found, "log.otlp_endpoint", endpoint);
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::config::Config;

    fn refused(endpoint: &str) -> Option<String> {
        let mut config = Config::default();
        config.log.otlp_endpoint = Some(endpoint.to_owned());
        config.validate().err().map(|error| error.to_string())
    }

    #[cfg(not(feature = "otel"))]
    #[test]
    fn a_collector_is_refused_by_a_build_that_would_ignore_it() {
        let problem = refused("http://127.0.0.1:4318").unwrap();
        assert!(problem.contains("`log.otlp_endpoint`"), "{problem}");
        assert!(problem.contains("this build is without the feature `otel`"), "{problem}");
    }

    #[cfg(feature = "otel")]
    #[test]
    fn a_collector_has_a_plain_address() {
        assert_eq!(refused("http://127.0.0.1:4318"), None);
        for wrong in ["", "127.0.0.1:4318", "http://127.0.0.1:4318/v1/traces", "http://user:secret@collector"]
        {
            assert!(refused(wrong).is_some(), "{wrong}");
        }
        assert!(refused("https://collector").unwrap().contains("TLS is not spoken"));
    }
}
