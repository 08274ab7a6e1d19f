//! What is recorded.

use crate::base::{AuditId, Millis, TenantId};

/// Who acts, and in which request.
#[derive(Debug, Clone, Copy)]
pub struct Actor<'a> {
    /// A user id, or a fixed word where no user acts: `system`, `cli`, `anonymous`.
    pub name: &'a str,
    /// The request that carries the action, where there is one.
    pub request_id: Option<&'a str>,
}

impl<'a> Actor<'a> {
    /// An actor outside any request.
    #[must_use]
    pub fn named(name: &'a str) -> Self {
        Self { name, request_id: None }
    }

    /// An entry about what this actor does.
    #[must_use]
    pub fn does(
        self,
        tenant: TenantId,
        action: &'a str,
        subject: &'a str,
        detail: serde_json::Value,
    ) -> Entry<'a> {
        Entry { tenant, actor: self.name, action, subject, detail, request_id: self.request_id }
    }
}

/// One action, to be recorded.
#[derive(Debug, Clone)]
pub struct Entry<'a> {
    /// Whose data the action concerns.
    pub tenant: TenantId,
    /// Who acts; see [`Actor::name`].
    pub actor: &'a str,
    /// A fixed word such as `role_granted`, of [`CATALOG`](crate::events::CATALOG) or
    /// [`UNTOLD`](crate::events::UNTOLD).
    pub action: &'a str,
    /// The id or name of what is acted upon.
    pub subject: &'a str,
    /// What else matters, as a JSON object. No secrets.
    pub detail: serde_json::Value,
    /// The request that carries the action.
    pub request_id: Option<&'a str>,
}

/// One action, as recorded.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Record {
    /// The record's id; sorts by time.
    pub id: AuditId,
    /// Whose data the action concerned.
    pub tenant_id: TenantId,
    /// When it was written.
    pub at_ms: Millis,
    /// Who acted.
    pub actor: String,
    /// What was done.
    pub action: String,
    /// To what.
    pub subject: String,
    /// A JSON object.
    pub detail: String,
    /// In which request.
    pub request_id: Option<String>,
}
