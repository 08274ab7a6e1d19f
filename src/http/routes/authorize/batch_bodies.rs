//! What is sent and answered in a batch, as the document says it.

use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::{
    answer::Policies,
    bodies::{AuthorizeResponse, Decision, DeterminingPolicy},
    items::Outcome,
};
use crate::{authorize::Pinned, base::DecisionId, policy::Explanation};

/// One question of a batch; what it lacks is taken from the batch. See `AuthorizeRequest`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "read to name what is wrong with an item, and for the document")]
pub(super) struct AuthorizeBatchItem {
    /// The store to ask.
    #[schema(example = "app")]
    policy_store: Option<String>,
    /// Who; one that is named wins over `token`.
    #[schema(example = json!({"type": "User", "id": "usr_019aa2c5b8f07d3c9f0b6f2f3c1d9e47"}))]
    principal: Option<Value>,
    /// An access token of the user who is asked about.
    #[schema(value_type = Option<String>, example = "eyJ0eXAiOiJhdCtqd3QiLCJhbGciOiJFZERTQSJ9…")]
    token: Option<SecretString>,
    /// Does what.
    #[schema(example = "view")]
    action: Option<Value>,
    /// To what.
    #[schema(example = json!({"type": "Document", "id": "handbook"}))]
    resource: Option<Value>,
    /// Under which circumstances; not mixed with the batch's.
    #[schema(value_type = Option<Object>, example = json!({}))]
    context: Option<Value>,
    /// Entities for this item only; not mixed with the batch's.
    #[serde(default)]
    #[schema(value_type = Vec<Object>, example = json!([]))]
    entities: Vec<Value>,
    /// Whether to say why.
    explain: Option<bool>,
}

/// Many questions, and fields that stand in for those that a question lacks.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "read to name what is wrong with a body, and for the document")]
pub(super) struct AuthorizeBatchRequest {
    /// The store to ask; the configured one when absent.
    #[schema(example = "app")]
    policy_store: Option<String>,
    /// Who; when absent, the subject of `token`, or else the caller.
    #[schema(example = json!({"type": "User", "id": "usr_019aa2c5b8f07d3c9f0b6f2f3c1d9e47"}))]
    principal: Option<Value>,
    /// An access token of the user who is asked about.
    #[schema(value_type = Option<String>, example = "eyJ0eXAiOiJhdCtqd3QiLCJhbGciOiJFZERTQSJ9…")]
    token: Option<SecretString>,
    /// Does what.
    #[schema(example = "view")]
    action: Option<Value>,
    /// To what.
    #[schema(example = json!({"type": "Document", "id": "handbook"}))]
    resource: Option<Value>,
    /// Under which circumstances.
    #[schema(value_type = Option<Object>, example = json!({}))]
    context: Option<Value>,
    /// Entities for this batch only.
    #[serde(default)]
    #[schema(value_type = Vec<Object>, example = json!([]))]
    entities: Vec<Value>,
    /// Whether to say why.
    explain: Option<bool>,
    /// The questions.
    #[schema(value_type = Vec<AuthorizeBatchItem>, min_items = 1, max_items = 1000, example = json!([{}]))]
    requests: Vec<Value>,
}

/// What is wrong with an item, or a policy that could not be evaluated for it.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AuthorizeBatchError {
    /// The `@id` of the policy that erred.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy_id: Option<String>,
    /// The problem code of an item that is wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, example = "unknown_action")]
    pub code: Option<&'static str>,
    /// JSON pointer into the body of an item that is wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "/requests/1/action")]
    pub pointer: Option<String>,
    /// What is wrong.
    pub message: String,
}

/// The answer to one item. Without `decision_id` the item is wrong, and `errors` says why.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AuthorizeBatchAnswer {
    /// Allow or deny; deny when the item is wrong.
    decision: Decision,
    /// Its id.
    #[schema(value_type = Option<String>, example = "dec_019aa2c5b8f07d3c9f0b6f2f3c1d9e47")]
    decision_id: Option<DecisionId>,
    /// The store that decided.
    #[schema(example = "app")]
    policy_store: Option<String>,
    /// The version that decided: one for all items of a store.
    #[schema(example = 7)]
    policy_version: Option<i64>,
    /// The revision of the store's pushed entities that decided: one for all items of a store.
    #[schema(example = 42)]
    entity_revision: Option<i64>,
    /// Permits of an allow, forbids of a deny; none when nothing applied.
    #[schema(value_type = Vec<DeterminingPolicy>)]
    determining_policies: Vec<String>,
    /// What is wrong with the item, or policies that erred.
    errors: Vec<AuthorizeBatchError>,
    /// Why, if it was asked.
    #[schema(value_type = Option<Object>)]
    explanation: Option<Explanation>,
}

/// An answer as it is written.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Written<'a> {
    Answered(AuthorizeResponse<'a>),
    Refused { decision: Decision, determining_policies: Policies<'a>, errors: &'a [AuthorizeBatchError] },
}

/// The answers in the order of the questions.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AuthorizeBatchResponse<'a> {
    /// One for each question.
    #[schema(value_type = Vec<AuthorizeBatchAnswer>)]
    answers: Vec<Written<'a>>,
}

impl<'a> AuthorizeBatchResponse<'a> {
    /// The answer to items that came to `outcomes`.
    pub(super) fn of(stores: &'a [Pinned], outcomes: &'a [Outcome]) -> Self {
        let written = |outcome: &'a Outcome| match outcome {
            Outcome::Answered(store, answer) => {
                Some(Written::Answered(AuthorizeResponse::of(stores.get(*store)?, answer)))
            }
            Outcome::Refused(errors) => Some(Written::Refused {
                decision: Decision::Deny,
                determining_policies: Policies::none(),
                errors,
            }),
        };
        Self { answers: outcomes.iter().filter_map(written).collect() }
    }
}
