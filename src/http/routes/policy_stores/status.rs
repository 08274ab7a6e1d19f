//! Answers about stores.

use serde::Serialize;
use utoipa::ToSchema;

use crate::policy::{Finding, Health, NodeStatus, Source, StoreStatus, StoreSummary};

/// One store.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct StoreBody {
    /// Its name.
    #[schema(example = "app")]
    pub store: String,
    /// The version that answers; none before the first activation.
    #[schema(example = 7)]
    pub active_version: Option<i64>,
    /// How many versions are stored.
    #[schema(example = 7)]
    pub versions: i64,
    /// `ok`, or `degraded` when something keeps a newer version from answering.
    #[schema(value_type = String, example = "ok")]
    pub health: Health,
}

impl From<StoreSummary> for StoreBody {
    fn from(summary: StoreSummary) -> Self {
        Self {
            store: summary.store.to_string(),
            active_version: summary.active.map(|number| number.0),
            versions: summary.versions,
            health: summary.health,
        }
    }
}

/// Every store.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct StoreList {
    /// By name.
    pub data: Vec<StoreBody>,
}

/// Something about a file that its author should know.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct FindingBody {
    /// `error` or `warning`.
    #[schema(example = "error")]
    pub severity: String,
    /// Stable name of the kind of finding.
    #[schema(example = "parse")]
    pub code: String,
    /// Path within the store.
    #[schema(example = "documents.cedar")]
    pub file: String,
    /// Line, from 1.
    pub line: Option<u32>,
    /// Column in characters, from 1.
    pub column: Option<u32>,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
}

impl From<&Finding> for FindingBody {
    fn from(finding: &Finding) -> Self {
        let severity = serde_json::to_value(finding.severity).unwrap_or_default();
        Self {
            severity: severity.as_str().unwrap_or_default().to_owned(),
            code: finding.code.clone(),
            file: finding.file.clone(),
            line: finding.line,
            column: finding.column,
            message: finding.message.clone(),
            help: finding.help.clone(),
        }
    }
}

/// The version that answers.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ActiveBody {
    /// Its number.
    pub version: i64,
    /// SHA-256 that names its content.
    pub digest: String,
    /// The version its manifest states.
    pub semver: String,
    /// Who activated it.
    pub activated_by: String,
    /// When, RFC 3339.
    pub activated_at: String,
    /// Why.
    pub reason: String,
}

/// A server that answers from a version.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct NodeBody {
    /// Its id, new at each start.
    pub node_id: String,
    /// Its host name.
    pub name: String,
    /// The version that it answers from.
    pub version: i64,
    /// Since when, RFC 3339.
    pub loaded_at: String,
    /// When it was last heard of, RFC 3339.
    pub seen_at: String,
}

impl From<NodeStatus> for NodeBody {
    fn from(node: NodeStatus) -> Self {
        Self {
            node_id: node.node_id.to_string(),
            name: node.name,
            version: node.number.0,
            loaded_at: node.loaded_at.to_string(),
            seen_at: node.seen_at.to_string(),
        }
    }
}

/// How a store is doing.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct StatusBody {
    /// The store.
    #[schema(example = "app")]
    pub store: String,
    /// `ok`, or `degraded` when something keeps a newer version from answering.
    #[schema(value_type = String, example = "ok")]
    pub health: Health,
    /// The version that answers.
    pub active: Option<ActiveBody>,
    /// What is wrong with the newer one.
    pub findings: Vec<FindingBody>,
    /// The folder whose edits go live, where one is watched.
    pub watched_folder: Option<String>,
    /// The servers that answer.
    pub nodes: Vec<NodeBody>,
}

impl From<StoreStatus> for StatusBody {
    fn from(status: StoreStatus) -> Self {
        Self {
            store: status.store.to_string(),
            health: status.health,
            active: status.active.map(|active| ActiveBody {
                version: active.number.0,
                digest: active.digest.to_string(),
                semver: active.semver,
                activated_by: active.by.actor,
                activated_at: active.by.at.to_string(),
                reason: active.by.reason,
            }),
            findings: status.findings.iter().map(FindingBody::from).collect(),
            watched_folder: match status.source {
                Source::Folder(path) => Some(path.display().to_string()),
                Source::Api => None,
            },
            nodes: status.nodes.into_iter().map(NodeBody::from).collect(),
        }
    }
}
