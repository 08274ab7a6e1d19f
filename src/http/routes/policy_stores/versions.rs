//! Requests and answers about versions.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json, value::RawValue};
use utoipa::ToSchema;

use super::status::FindingBody;
use crate::policy::{
    Activation, Bundle, BundleError, Published, StoreName, VersionDetail, VersionState, VersionSummary,
};

/// One version.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct VersionBody {
    /// Its number.
    pub version: i64,
    /// SHA-256 that names its content.
    pub digest: String,
    /// The version its manifest states.
    pub semver: String,
    /// `tested`, `active` or `retired`.
    #[schema(value_type = String, example = "active")]
    pub state: VersionState,
    /// The version that was active when it was published.
    pub parent: Option<i64>,
    /// Who published it.
    pub author: String,
    /// What they said about it.
    pub message: String,
    /// The git commit it was published from.
    pub git_commit: Option<String>,
    /// When, RFC 3339.
    pub created_at: String,
    /// Who activated it last.
    pub activated_by: Option<String>,
    /// When, RFC 3339.
    pub activated_at: Option<String>,
    /// Its files, path to text; only when one version is asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub files: Option<BTreeMap<String, String>>,
    /// Warnings of its check; only when one version is asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub findings: Option<Vec<FindingBody>>,
    /// Report of its tests; only when one version is asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub tests: Option<Box<RawValue>>,
}

impl From<VersionSummary> for VersionBody {
    fn from(version: VersionSummary) -> Self {
        let (activated_by, activated_at) = version.activated.map(|by| (by.actor, by.at.to_string())).unzip();
        Self {
            version: version.number.0,
            digest: version.digest.to_string(),
            semver: version.semver,
            state: version.state,
            parent: version.parent.map(|number| number.0),
            author: version.provenance.author,
            message: version.provenance.message,
            git_commit: version.provenance.git.map(|git| git.commit),
            created_at: version.created_at.to_string(),
            activated_by,
            activated_at,
            files: None,
            findings: None,
            tests: None,
        }
    }
}

impl From<VersionDetail> for VersionBody {
    fn from(detail: VersionDetail) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let files = detail.bundle.files().map(|(path, bytes)| (path.to_owned(), text(bytes))).collect();
        Self {
            files: Some(files),
            findings: Some(detail.findings.iter().map(FindingBody::from).collect()),
            tests: Some(detail.test_report),
            ..Self::from(detail.summary)
        }
    }
}

/// A page of versions.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct VersionPage {
    /// Newest first.
    pub data: Vec<VersionBody>,
    /// Where the next page begins.
    pub next_cursor: Option<String>,
}

/// The commit that files come from.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct GitBody {
    /// Its hash.
    #[schema(example = "3f70336")]
    pub commit: String,
    /// Whether the files differ from it.
    #[serde(default)]
    pub dirty: bool,
}

/// Files to publish.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PublishRequest {
    /// What this version is about.
    #[serde(default)]
    #[schema(example = "let contractors read the handbook")]
    pub message: String,
    /// Path within the store to text.
    #[schema(example = json!({
        "manifest.toml": "name = \"app\"\nsemver = \"1.0.0\"\n",
        "schema/app.cedarschema": "entity User; entity Document; action view appliesTo { principal: User, resource: Document };",
        "documents.cedar": "@id(\"everyone-views\")\npermit (principal, action == Action::\"view\", resource);",
    }))]
    pub files: BTreeMap<String, String>,
    /// The commit they come from.
    pub git: Option<GitBody>,
}

/// The files as a bundle. Megabytes are digested: not for a thread that answers requests.
///
/// Errors: a path is unfit, or there is too much of something.
pub(super) fn bundle_of(files: BTreeMap<String, String>) -> Result<Bundle, BundleError> {
    Bundle::new(files.into_iter().map(|(path, text)| (path, text.into_bytes().into())).collect())
}

/// What became of the files.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct PublishedBody {
    /// The store.
    pub store: String,
    /// The version's number.
    pub version: i64,
    /// Whether it is new.
    pub created: bool,
    /// SHA-256 that names its content.
    pub digest: String,
    /// Warnings.
    pub findings: Vec<FindingBody>,
    /// Report of the tests.
    #[schema(value_type = Object)]
    pub tests: Box<RawValue>,
}

impl PublishedBody {
    pub(super) fn new(store: &StoreName, published: Published) -> Self {
        Self {
            store: store.to_string(),
            version: published.number.0,
            created: published.created,
            digest: published.digest.to_string(),
            findings: published.findings.iter().map(FindingBody::from).collect(),
            tests: published.test_report,
        }
    }
}

/// A version to activate.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ActivateRequest {
    /// Its number.
    #[schema(example = 8)]
    pub version: i64,
    /// The version that must be active until now.
    #[schema(example = 7)]
    pub expected_active: Option<i64>,
    /// Why; goes into the audit log.
    #[serde(default)]
    #[schema(example = "reviewed by the security team")]
    pub reason: String,
}

/// Where to go back to.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RollbackRequest {
    /// A version; the one that was active before when absent.
    #[schema(example = 7)]
    pub version: Option<i64>,
    /// The version that must be active until now.
    #[schema(example = 8)]
    pub expected_active: Option<i64>,
    /// Why; goes into the audit log.
    #[serde(default)]
    #[schema(example = "contractors saw payroll")]
    pub reason: String,
}

/// The switch that happened.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ActivationBody {
    /// The store.
    pub store: String,
    /// The version that answers now.
    pub active_version: i64,
    /// The version that answered before.
    pub previous_version: Option<i64>,
    /// Whether anything changed.
    pub changed: bool,
    /// Who switched.
    pub activated_by: String,
    /// When, RFC 3339.
    pub activated_at: String,
    /// Why.
    pub reason: String,
}

impl From<Activation> for ActivationBody {
    fn from(activation: Activation) -> Self {
        Self {
            store: activation.store.to_string(),
            active_version: activation.number.0,
            previous_version: activation.from.map(|number| number.0),
            changed: activation.changed,
            activated_by: activation.by.actor,
            activated_at: activation.by.at.to_string(),
            reason: activation.by.reason,
        }
    }
}

pub(super) fn version_sample() -> Value {
    json!({
        "version": 7, "digest": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08", "semver": "1.2.0",
        "state": "active", "parent": 6, "author": "usr_019aa2c5b8f07d3c9f0b6f2f3c1d9e47",
        "message": "let contractors read the handbook", "git_commit": "3f70336", "created_at": "2026-11-21T09:00:00.000Z",
        "activated_by": "usr_019aa2c5b8f07d3c9f0b6f2f3c1d9e47", "activated_at": "2026-11-21T09:05:00.000Z",
    })
}

pub(super) fn activation_sample() -> Value {
    json!({
        "store": "app", "active_version": 8, "previous_version": 7, "changed": true,
        "activated_by": "usr_019aa2c5b8f07d3c9f0b6f2f3c1d9e47", "activated_at": "2026-11-21T09:05:00.000Z",
        "reason": "reviewed by the security team",
    })
}
