//! The words of this module: stores, versions, policies, findings and verdicts.

use std::{fmt, str::FromStr, sync::Arc};

use serde::{Deserialize, Deserializer, Serialize};

/// A text that cannot name a policy store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a store name is 1 to 64 of `a-z`, `0-9`, `-` and `_`, beginning with a letter")]
pub struct NameError;

/// The name of a policy store, which is also the name of its folder: `system`, `app`, …
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, sqlx::Type)]
#[sqlx(transparent)]
#[serde(transparent)]
pub struct StoreName(String);

impl StoreName {
    /// The store that guards our own API.
    #[must_use]
    pub fn system() -> Self {
        Self("system".to_owned())
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for StoreName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let letters = text.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_'));
        let begins = text.bytes().next().is_some_and(|b| b.is_ascii_lowercase());
        if letters && begins && text.len() <= 64 { Ok(Self(text.to_owned())) } else { Err(NameError) }
    }
}

impl fmt::Display for StoreName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for StoreName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// The number of a version within its store: 1, 2, 3, …
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, sqlx::Type)]
#[sqlx(transparent)]
#[serde(transparent)]
pub struct VersionNumber(pub i64);

impl fmt::Display for VersionNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The `@id` of a policy, template or link: its name everywhere. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PolicyId(Arc<str>);

impl PolicyId {
    /// The id with this text.
    pub fn new(text: impl Into<Arc<str>>) -> Self {
        Self(text.into())
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for PolicyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a policy does when it applies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Effect {
    /// It allows, unless a forbid applies too.
    Permit,
    /// It denies, whatever else applies.
    Forbid,
}

/// A policy that decided.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Determining {
    /// Which policy.
    pub policy_id: PolicyId,
    /// What it does.
    pub effect: Effect,
}

/// A policy that could not be evaluated for this request.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct PolicyError {
    /// Which policy.
    pub policy_id: PolicyId,
    /// Cedar's message.
    pub message: String,
}

/// What the engine answers: the decision and all that led to it, in a fixed order.
#[derive(Debug, Clone)]
pub struct Verdict {
    /// Whether access is allowed.
    pub allow: bool,
    /// The policies that decided, by id: permits of an allow, forbids of a deny; none for default deny.
    pub determining: Vec<Determining>,
    /// The policies that erred, by id. An erring forbid denies (policy-lifecycle.md §8).
    pub errors: Vec<PolicyError>,
    /// How many policies were looked at. How an answer was found is no part of it: equality disregards this.
    pub candidates: u32,
    /// Whether a policy that was looked at names the context; if none does, another context changes nothing.
    /// Equality disregards it, as above.
    pub reads_context: bool,
}

impl PartialEq for Verdict {
    fn eq(&self, other: &Self) -> bool {
        (self.allow, &self.determining, &self.errors) == (other.allow, &other.determining, &other.errors)
    }
}

impl Eq for Verdict {}

/// How bad a finding is. Only errors stop a publish.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The bundle cannot be published.
    Error,
    /// It can, but someone should look.
    Warning,
}

/// Something about a file of a bundle that its author should know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// Stable name of the kind of finding, such as `parse`, `duplicate_id`, `validation`, `test_failed`.
    pub code: String,
    /// Path of the file within the bundle.
    pub file: String,
    /// Line, from 1; absent where the whole file is meant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    /// Column in characters, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub column: Option<u32>,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if let Some(line) = self.line {
            write!(f, ":{line}:{}", self.column.unwrap_or(1))?;
        }
        let severity = if self.severity == Severity::Error { "error" } else { "warning" };
        write!(f, ": {severity}[{}]: {}", self.code, self.message)?;
        self.help.iter().try_for_each(|help| write!(f, " (help: {help})"))
    }
}

/// All that was found, errors first, then by file and line.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Findings(Vec<Finding>);

impl Findings {
    /// Takes findings in any order.
    #[must_use]
    pub fn new(mut found: Vec<Finding>) -> Self {
        found.sort_by(|a, b| {
            (a.severity, &a.file, a.line, a.column).cmp(&(b.severity, &b.file, b.line, b.column))
        });
        Self(found)
    }

    /// Whether one of them stops a publish.
    #[must_use]
    pub fn any_error(&self) -> bool {
        self.0.iter().any(|finding| finding.severity == Severity::Error)
    }

    /// The findings in order.
    pub fn iter(&self) -> std::slice::Iter<'_, Finding> {
        self.0.iter()
    }

    /// Whether nothing was found.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<'a> IntoIterator for &'a Findings {
    type Item = &'a Finding;
    type IntoIter = std::slice::Iter<'a, Finding>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl fmt::Display for Findings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().enumerate().try_for_each(|(n, finding)| {
            let separator = if n == 0 { "" } else { "\n" };
            write!(f, "{separator}{finding}")
        })
    }
}

impl std::error::Error for Findings {}

/// The entity types that identity maps to in a store (authorize.md §3); any may be absent.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct IdentityTypes {
    /// Type of a person, such as `User`.
    pub user: Option<String>,
    /// Type of a role.
    pub role: Option<String>,
    /// Type of a tenant.
    pub tenant: Option<String>,
    /// Type of a service.
    pub service: Option<String>,
    /// Type of an API key.
    pub api_key: Option<String>,
}
