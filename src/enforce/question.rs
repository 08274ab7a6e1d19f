//! What is asked: the body of `POST /v1/authorize`.

use serde::Serialize;
use serde_json::Value;

/// An entity: `{"type": "Photo", "id": "beach.jpg"}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Entity {
    /// Its type, as the schema declares it.
    #[serde(rename = "type")]
    pub kind: String,
    /// Its id.
    pub id: String,
}

impl Entity {
    /// The entity of this type and id.
    pub fn new(kind: impl Into<String>, id: impl Into<String>) -> Self {
        Self { kind: kind.into(), id: id.into() }
    }
}

/// May they do this? Without a principal: may the caller.
#[derive(Debug, Clone, Serialize)]
pub struct Question {
    #[serde(skip_serializing_if = "Option::is_none")]
    policy_store: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    principal: Option<Entity>,
    action: String,
    resource: Entity,
    #[serde(skip_serializing_if = "Option::is_none")]
    context: Option<Value>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    entities: Vec<Value>,
}

impl Question {
    /// May the caller do `action` to `resource`, by the server's default store?
    pub fn new(action: impl Into<String>, resource: Entity) -> Self {
        Self {
            policy_store: None,
            principal: None,
            action: action.into(),
            resource,
            context: None,
            entities: Vec::new(),
        }
    }

    /// By this store.
    #[must_use]
    pub fn by(mut self, policy_store: impl Into<String>) -> Self {
        self.policy_store = Some(policy_store.into());
        self
    }

    /// About another principal than the caller, which is a permission of its own.
    #[must_use]
    pub fn about(mut self, principal: Entity) -> Self {
        self.principal = Some(principal);
        self
    }

    /// Under these circumstances, as the schema declares for the action.
    #[must_use]
    pub fn context(mut self, context: Value) -> Self {
        self.context = Some(context);
        self
    }

    /// With these entities laid over the stored ones, in Cedar's JSON form: the attributes of the resource,
    /// which the service knows and the server does not.
    #[must_use]
    pub fn entities(mut self, entities: Vec<Value>) -> Self {
        self.entities = entities;
        self
    }

    /// The store that must answer, if one was named.
    pub(super) fn policy_store(&self) -> Option<&str> {
        self.policy_store.as_deref()
    }
}
