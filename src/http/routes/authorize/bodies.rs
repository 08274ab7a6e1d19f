//! What is sent and answered, as the document says it. [`super::question`] and [`super::answer`] read and
//! write the same without copying.

use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::policy::{Effect, Explanation};

/// A question. An entity is `{"type": "User", "id": "alice"}` or `User::"alice"`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "read to name what is wrong with a body, and for the document")]
pub(super) struct AuthorizeRequest {
    /// The store to ask; the configured one when absent.
    #[schema(example = "app")]
    policy_store: Option<String>,
    /// Who; when absent, the subject of `token`, or else the caller.
    #[schema(example = json!({"type": "User", "id": "usr_019aa2c5b8f07d3c9f0b6f2f3c1d9e47"}))]
    principal: Option<Value>,
    /// An access token of the user who is asked about.
    #[schema(value_type = Option<String>, example = "eyJ0eXAiOiJhdCtqd3QiLCJhbGciOiJFZERTQSJ9…")]
    token: Option<SecretString>,
    /// Does what: `"view"`, `{"type": "Action", "id": "view"}` or `Action::"view"`.
    #[schema(example = "view")]
    action: Value,
    /// To what.
    #[schema(example = json!({"type": "Document", "id": "handbook"}))]
    resource: Value,
    /// Under which circumstances, as the schema declares for the action.
    #[schema(value_type = Option<Object>, example = json!({}))]
    context: Option<Value>,
    /// Entities for this request only, in Cedar's JSON form, laid over the stored ones.
    #[serde(default)]
    #[schema(value_type = Vec<Object>, example = json!([]))]
    entities: Vec<Value>,
    /// Whether to say why; a permission of its own, because it reveals policy.
    #[serde(default)]
    explain: bool,
}

/// Allow or deny.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(in crate::http::routes) enum Decision {
    /// Go on.
    Allow,
    /// Do not.
    Deny,
}

/// A policy that decided.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct DeterminingPolicy<'a> {
    /// Its `@id`.
    #[schema(example = "public-documents")]
    pub policy_id: &'a str,
    /// `permit` or `forbid`.
    #[schema(value_type = String, example = "permit")]
    pub effect: Effect,
}

/// A policy that could not be evaluated for this question.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct EvaluationError<'a> {
    /// Its `@id`.
    pub policy_id: &'a str,
    /// What went wrong.
    pub message: &'a str,
}

/// A decision.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::http::routes) struct AuthorizeResponse<'a> {
    /// Allow or deny.
    pub decision: Decision,
    /// Its id.
    #[schema(value_type = String, example = "dec_019aa2c5b8f07d3c9f0b6f2f3c1d9e47")]
    pub decision_id: crate::base::DecisionId,
    /// The store that decided.
    #[schema(example = "app")]
    pub policy_store: &'a str,
    /// The version that decided.
    #[schema(example = 7)]
    pub policy_version: i64,
    /// The revision of the store's pushed entities that decided; absent where none were ever pushed. Not lower than
    /// the one that a write answered on this node.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = 42)]
    pub entity_revision: Option<i64>,
    /// Permits of an allow, forbids of a deny; none when nothing applied.
    #[schema(value_type = Vec<DeterminingPolicy>)]
    pub determining_policies: super::answer::Policies<'a>,
    /// Policies that erred. An erring forbid denies.
    #[schema(value_type = Vec<EvaluationError>)]
    pub errors: super::answer::Errors<'a>,
    /// Why, if it was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub explanation: Option<&'a Explanation>,
}
