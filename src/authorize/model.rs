//! What is asked and what is answered.

use std::sync::Arc;

use serde_json::value::RawValue;

use crate::{
    authn::Caller,
    base::DecisionId,
    policy::{
        EntityTable, Explanation, Revision, ServerContext, Snapshot, StepUp, StoreName, Verdict,
        VersionNumber,
    },
};

/// An entity by type and id, as our own code names it. Any id is legal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntityRef {
    /// The entity type, such as `User`.
    pub type_name: String,
    /// The id within the type.
    pub id: String,
}

impl EntityRef {
    /// The entity with this type and id.
    pub fn new(type_name: impl Into<String>, id: impl Into<String>) -> Self {
        Self { type_name: type_name.into(), id: id.into() }
    }
}

/// A store as it is at one moment: one version of its policies and one revision of its entities. All of a
/// request, or of a batch, is decided on one of these.
#[derive(Debug, Clone)]
pub struct Pinned {
    pub(super) snapshot: Arc<Snapshot>,
    pub(super) entities: Option<EntityTable>,
}

impl Pinned {
    /// The store.
    #[must_use]
    pub fn store(&self) -> &StoreName {
        self.snapshot.store()
    }

    /// The version of its policies.
    #[must_use]
    pub fn version(&self) -> VersionNumber {
        self.snapshot.version()
    }

    /// The last write to the pushed entities that an answer takes into account, if any were ever pushed.
    #[must_use]
    pub fn entity_revision(&self) -> Option<Revision> {
        self.entities.as_ref().map(EntityTable::revision)
    }

    /// A caller as an entity of this store: a type and an id. The type is the one that identity maps to,
    /// or, where the store does not say, its name in the system store.
    #[must_use]
    pub fn entity_of<'a>(&'a self, caller: &'a Caller) -> (&'a str, &'a str) {
        let types = self.snapshot.identity();
        let mapped = match caller {
            Caller::Anonymous => None,
            Caller::User(_) => types.user.as_deref(),
            Caller::Key(_) => types.api_key.as_deref(),
            Caller::Service(_) => types.service.as_deref(),
        };
        let (kind, id) = caller.entity();
        (mapped.unwrap_or(kind), id)
    }
}

/// A question, as it arrived. Entities and context are Cedar's JSON forms (authorize.md §1).
#[derive(Debug, Clone, Copy)]
pub struct Ask<'a> {
    /// Who.
    pub principal: &'a RawValue,
    /// Does what.
    pub action: &'a RawValue,
    /// To what.
    pub resource: &'a RawValue,
    /// Under which circumstances.
    pub context: Option<&'a RawValue>,
    /// An array of entities for this request only, laid over the stored ones.
    pub entities: Option<&'a RawValue>,
    /// Whether to say why.
    pub explain: bool,
    /// What the server itself knows of the request.
    pub server: &'a ServerContext<'a>,
}

/// A decision with everything that names it. Store and version are those of the [`Pinned`] that was asked.
#[derive(Debug, Clone)]
pub struct Answer {
    /// Its id.
    pub decision_id: DecisionId,
    /// The decision and its policies.
    pub verdict: Verdict,
    /// Why, if it was asked.
    pub explanation: Option<Explanation>,
}

/// A question of our own API to the `system` store.
#[derive(Debug, Clone, Copy)]
pub struct Guarded<'a> {
    /// Who.
    pub principal: (&'a str, &'a str),
    /// An action of the system store.
    pub action: &'static str,
    /// To what.
    pub resource: (&'a str, &'a str),
    /// What the server knows of the request.
    pub server: &'a ServerContext<'a>,
}

/// Whether our own API may go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Permission {
    /// It may.
    Allowed,
    /// It may not.
    Denied(Denial),
}

/// A no of the policies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Denial {
    /// The decision's id, which the caller is told.
    pub decision_id: DecisionId,
    /// The proof that would lead to another answer, if every policy behind this one asks for it.
    pub step_up: Option<Arc<StepUp>>,
}
