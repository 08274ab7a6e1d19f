//! What is wrong with a configuration, all of it at once.

use std::{collections::BTreeMap, fmt, ops::RangeInclusive, path::PathBuf};

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// A line of the configuration file, from 1.
    File(PathBuf, usize),
    /// An environment variable.
    Variable(String),
    /// A file that an environment variable names.
    FileOf(String, PathBuf),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path, line) => write!(f, "{}:{line}", path.display()),
            Self::Variable(name) => f.write_str(name),
            Self::FileOf(name, path) => write!(f, "{name}={}", path.display()),
        }
    }
}

/// One thing that is wrong, or weak. Never holds a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The setting, such as `sessions.idle_ttl_secs`; empty where there is none to name.
    pub key: String,
    /// Where its value came from; absent for a default.
    pub origin: Option<Origin>,
    /// What is wrong with it.
    pub message: String,
}

impl fmt::Display for Problem {
    /// ``file:line: `key`: message``, without the parts that are not known.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(origin) = &self.origin {
            write!(f, "{origin}: ")?;
        }
        if !self.key.is_empty() {
            write!(f, "`{}`: ", self.key)?;
        }
        f.write_str(&self.message)
    }
}

/// A configuration that cannot be used: every problem it has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError(pub Vec<Problem>);

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the configuration cannot be used")?;
        self.0.iter().try_for_each(|problem| write!(f, "\n  {problem}"))
    }
}

impl std::error::Error for ConfigError {}

/// Collects problems.
#[derive(Debug, Default)]
pub(super) struct Problems(Vec<Problem>);

impl Problems {
    /// Adds what is wrong with the value of a setting.
    pub(super) fn add(&mut self, key: impl Into<String>, message: impl Into<String>) {
        self.0.push(Problem { key: key.into(), origin: None, message: message.into() });
    }

    /// Adds what is wrong at a place.
    pub(super) fn add_at(&mut self, origin: &Origin, key: impl Into<String>, message: impl Into<String>) {
        self.0.push(Problem { key: key.into(), origin: Some(origin.clone()), message: message.into() });
    }

    /// Adds a problem unless `value` is within `range`.
    pub(super) fn within(&mut self, key: &'static str, value: u64, range: RangeInclusive<u64>) {
        if !range.contains(&value) {
            self.add(key, format!("{value} is not within {} to {}", range.start(), range.end()));
        }
    }

    /// Adds a problem unless `value` is from 0 to 1.
    pub(super) fn within_one(&mut self, key: &'static str, value: f64) {
        if !(0.0..=1.0).contains(&value) {
            self.add(key, format!("{value} is not within 0 to 1"));
        }
    }

    /// The problems, each with the place its setting came from.
    pub(super) fn located(self, origins: &BTreeMap<String, Origin>) -> Vec<Problem> {
        let place = |mut problem: Problem| {
            problem.origin = problem.origin.or_else(|| origins.get(&problem.key).cloned());
            problem
        };
        self.0.into_iter().map(place).collect()
    }

    /// Whether nothing is wrong.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
