//! What is asked and what is answered.

use serde_json::{Value, json};

use crate::{
    base::DecisionId,
    policy::{Explanation, ServerContext, StoreName, Verdict, VersionNumber},
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

    /// The JSON form that a query takes.
    #[must_use]
    pub fn to_value(&self) -> Value {
        json!({ "type": self.type_name, "id": self.id })
    }
}

/// A question, as it arrived. Entities and context are Cedar's JSON forms (authorize.md §1).
#[derive(Debug, Clone)]
pub struct Ask {
    /// The store to ask; `None`: the configured default.
    pub store: Option<StoreName>,
    /// Who.
    pub principal: Value,
    /// Does what.
    pub action: Value,
    /// To what.
    pub resource: Value,
    /// Under which circumstances.
    pub context: Option<Value>,
    /// Entities for this request only, laid over the stored ones.
    pub entities: Vec<Value>,
    /// Whether to say why.
    pub explain: bool,
    /// What the server itself knows of the request.
    pub server: ServerContext,
}

/// A decision with everything that names it.
#[derive(Debug, Clone)]
pub struct Answer {
    /// Its id.
    pub decision_id: DecisionId,
    /// The store that decided.
    pub store: StoreName,
    /// The version that decided.
    pub version: VersionNumber,
    /// The decision and its policies.
    pub verdict: Verdict,
    /// Why, if it was asked.
    pub explanation: Option<Explanation>,
}

/// A question of our own API to the `system` store.
#[derive(Debug, Clone)]
pub struct Guarded {
    /// Who.
    pub principal: EntityRef,
    /// An action of the system store.
    pub action: &'static str,
    /// To what.
    pub resource: EntityRef,
    /// What the server knows of the request.
    pub server: ServerContext,
}

/// Whether our own API may go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Permission {
    /// Whether it may.
    pub allow: bool,
    /// The decision's id.
    pub decision_id: DecisionId,
}
