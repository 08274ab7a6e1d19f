//! `[log]`.

use serde::{Deserialize, Serialize};
use tracing_subscriber::EnvFilter;

use super::{Problems, section::section};

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
    }
}

impl LogConfig {
    pub(super) fn check(&self, found: &mut Problems) {
        if let Err(error) = EnvFilter::try_new(&self.filter) {
            found.add("log.filter", format!("`{}` is not a filter: {error}", self.filter));
        }
    }
}
