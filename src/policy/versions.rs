//! What is known of a version: where it came from, what became of it, who switched to it and why.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{Bundle, Findings, StoreName, VersionNumber};
use crate::base::{Digest32, Millis};

/// The work tree that a bundle was published from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GitState {
    /// The commit that is checked out.
    pub commit: String,
    /// Whether files differ from that commit.
    pub dirty: bool,
}

/// Who publishes a version, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Provenance {
    /// Id of the user or name of the mechanism, as in `usr_…` or `folder`.
    pub author: String,
    /// What the author says about the change.
    pub message: String,
    /// The work tree, when it was published from one.
    pub git: Option<GitState>,
}

/// The answer to a publish.
#[derive(Debug, Clone)]
pub struct Published {
    /// The number of the version that holds this content.
    pub number: VersionNumber,
    /// Whether this call made it; the same content is stored once.
    pub created: bool,
    /// What names the content.
    pub digest: Digest32,
    /// The warnings of its check.
    pub findings: Findings,
    /// The report of its tests.
    pub test_report: Box<RawValue>,
}

/// What became of a stored version. What did not pass its check and tests is never stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum VersionState {
    /// Passed its check and tests, was never active.
    Tested,
    /// Answers now: the last activation of the store points at it.
    Active,
    /// Was active once.
    Retired,
}

/// A switch to a version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActivatedBy {
    /// Place in the store's series of activations: 1, 2, 3, …
    pub seq: i64,
    /// Who switched.
    pub actor: String,
    /// Why.
    pub reason: String,
    /// When.
    pub at: Millis,
}

/// A version without its files.
#[derive(Debug, Clone)]
pub struct VersionSummary {
    /// Its number within the store.
    pub number: VersionNumber,
    /// What names its content.
    pub digest: Digest32,
    /// The version its manifest states.
    pub semver: String,
    /// The version that was active when it was published.
    pub parent: Option<VersionNumber>,
    /// Who published it, and why.
    pub provenance: Provenance,
    /// What became of it.
    pub state: VersionState,
    /// When it was published.
    pub created_at: Millis,
    /// Its last activation.
    pub activated: Option<ActivatedBy>,
}

/// A version with its files and reports.
#[derive(Debug, Clone)]
pub struct VersionDetail {
    /// What the list shows.
    pub summary: VersionSummary,
    /// The warnings of its check.
    pub findings: Findings,
    /// The report of its tests.
    pub test_report: Box<RawValue>,
    /// Its files.
    pub bundle: Bundle,
}

/// The answer to an activation or a roll-back: what is active now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Activation {
    /// The store.
    pub store: StoreName,
    /// The active version.
    pub number: VersionNumber,
    /// The version that was active before it.
    pub from: Option<VersionNumber>,
    /// Who switched, when and why. For an unchanged store: the switch that stands.
    pub by: ActivatedBy,
    /// Whether this call switched; false when the version was active already.
    pub changed: bool,
}
