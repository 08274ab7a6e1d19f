//! Tag `authorize`: decisions of the policy engine.

use std::sync::Arc;

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    authn::{Caller, UserCaller},
    authorize::{Answer, Ask, AuthorizeError, EntityRef},
    http::{
        actions::{Action, Authorize, AuthorizeOthers, Explain},
        codes::Code,
        extract::{Authenticated, Json, LargeJson},
        problem::{Problem, Result},
        state::AppState,
    },
    policy::{Effect, Explanation, entity_uid},
};

/// Operations of this tag.
pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(authorize))
}

/// A question. An entity is `{"type": "User", "id": "alice"}` or `User::"alice"`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct AuthorizeRequest {
    /// The store to ask; the configured one when absent.
    #[schema(example = "app")]
    pub policy_store: Option<String>,
    /// Who; when absent, the subject of `token`, or else the caller.
    #[schema(example = json!({"type": "User", "id": "usr_019aa2c5b8f07d3c9f0b6f2f3c1d9e47"}))]
    pub principal: Option<Value>,
    /// An access token of the user who is asked about.
    #[schema(value_type = Option<String>, example = "eyJ0eXAiOiJhdCtqd3QiLCJhbGciOiJFZERTQSJ9…")]
    pub token: Option<SecretString>,
    /// Does what: `"view"`, `{"type": "Action", "id": "view"}` or `Action::"view"`.
    #[schema(example = "view")]
    pub action: Value,
    /// To what.
    #[schema(example = json!({"type": "Document", "id": "handbook"}))]
    pub resource: Value,
    /// Under which circumstances, as the schema declares for the action.
    #[schema(value_type = Option<Object>, example = json!({}))]
    pub context: Option<Value>,
    /// Entities for this request only, in Cedar's JSON form, laid over the stored ones.
    #[serde(default)]
    #[schema(value_type = Vec<Object>, example = json!([]))]
    pub entities: Vec<Value>,
    /// Whether to say why; a permission of its own, because it reveals policy.
    #[serde(default)]
    pub explain: bool,
}

/// Allow or deny.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum Decision {
    /// Go on.
    Allow,
    /// Do not.
    Deny,
}

/// A policy that decided.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct DeterminingPolicy {
    /// Its `@id`.
    #[schema(example = "public-documents")]
    pub policy_id: String,
    /// `permit` or `forbid`.
    #[schema(value_type = String, example = "permit")]
    pub effect: Effect,
}

/// A policy that could not be evaluated for this question.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct EvaluationError {
    /// Its `@id`.
    pub policy_id: String,
    /// What went wrong.
    pub message: String,
}

/// A decision.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AuthorizeResponse {
    /// Allow or deny.
    pub decision: Decision,
    /// Its id.
    #[schema(example = "dec_019aa2c5b8f07d3c9f0b6f2f3c1d9e47")]
    pub decision_id: String,
    /// The store that decided.
    #[schema(example = "app")]
    pub policy_store: String,
    /// The version that decided.
    #[schema(example = 7)]
    pub policy_version: i64,
    /// Permits of an allow, forbids of a deny; none when nothing applied.
    pub determining_policies: Vec<DeterminingPolicy>,
    /// Policies that erred. An erring forbid denies.
    pub errors: Vec<EvaluationError>,
    /// Why, if it was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub explanation: Option<Explanation>,
}

impl From<Answer> for AuthorizeResponse {
    fn from(answer: Answer) -> Self {
        let determining = answer.verdict.determining.into_iter();
        let errors = answer.verdict.errors.into_iter();
        Self {
            decision: if answer.verdict.allow { Decision::Allow } else { Decision::Deny },
            decision_id: answer.decision_id.to_string(),
            policy_store: answer.store.to_string(),
            policy_version: answer.version.0,
            determining_policies: determining
                .map(|policy| DeterminingPolicy {
                    policy_id: policy.policy_id.to_string(),
                    effect: policy.effect,
                })
                .collect(),
            errors: errors
                .map(|error| EvaluationError {
                    policy_id: error.policy_id.to_string(),
                    message: error.message,
                })
                .collect(),
            explanation: answer.explanation,
        }
    }
}

/// Ask for a decision
///
/// 200 whatever the decision; every answer names the policy version that gave it. Asking about another
/// principal than the caller, and `explain`, are permissions of their own.
#[utoipa::path(
    post, path = "/v1/authorize", tag = "authorize",
    request_body(content = AuthorizeRequest, example = json!({
        "action": "view", "resource": {"type": "Document", "id": "handbook"},
    })),
    responses((status = OK, body = AuthorizeResponse, example = json!({
        "decision": "allow", "decision_id": "dec_019aa2c5b8f07d3c9f0b6f2f3c1d9e47", "policy_store": "app",
        "policy_version": 7, "determining_policies": [{"policy_id": "public-documents", "effect": "permit"}], "errors": [],
    }))),
    security(("bearer" = [])),
    extensions(
        ("x-bailiwick-action" = json!(Authorize::NAME)),
        ("x-problem-codes" = json!(["unknown_policy_store", "unknown_action", "unknown_type", "context_invalid", "entities_invalid", "no_active_version"])),
    ),
)]
async fn authorize(
    app: AppState,
    caller: Authenticated,
    LargeJson(body): LargeJson<AuthorizeRequest>,
) -> Result<Json<AuthorizeResponse>> {
    let store = match &body.policy_store {
        None => app.authorize.default_store.clone(),
        Some(name) => name.parse().map_err(|_| AuthorizeError::UnknownStore(name.clone()))?,
    };
    let resource = EntityRef::new("PolicyStore", store.as_str());
    let permit = caller.permit::<Authorize>(&app, resource.clone()).await?;
    let subject = subject(&app, &permit.user, body.token.as_ref()).await?;
    let named = |user: &UserCaller| EntityRef::new(app.authorize.user_type(&store), user.user_id.to_string());
    let principal = body.principal.unwrap_or_else(|| named(&subject).to_value());
    let is_about =
        |user: &UserCaller| entity_uid(&principal, "").ok() == entity_uid(&named(user).to_value(), "").ok();
    if !is_about(&permit.user) {
        caller.permit::<AuthorizeOthers>(&app, resource.clone()).await?;
    }
    if body.explain {
        caller.permit::<Explain>(&app, resource).await?;
    }
    // How somebody signed in says nothing about anybody else.
    let server = caller.client.server_context(is_about(&subject).then_some(&subject));
    let ask = Ask {
        store: Some(store.clone()),
        principal,
        action: body.action,
        resource: body.resource,
        context: body.context,
        entities: body.entities,
        explain: body.explain,
        server,
    };
    Ok(Json(app.authorize.check(permit.tenant(), ask).await?.into()))
}

/// Whom the question is about when it names no principal: the holder of `token`, or the caller.
async fn subject(
    app: &AppState,
    caller: &Arc<UserCaller>,
    token: Option<&SecretString>,
) -> Result<Arc<UserCaller>> {
    let Some(token) = token else { return Ok(Arc::clone(caller)) };
    match app.authn.identify(Some(token.expose_secret())).await {
        Ok(Caller::User(user)) => Ok(user),
        Ok(Caller::Anonymous) => {
            Err(Problem::new(Code::ValidationFailed).at("/token", "is not an access token"))
        }
        Err(error) => {
            let problem = Problem::from(error);
            // The caller's own credentials are good: a bad token in the body is a bad value, not a 401.
            if problem.code().status_number() != 401 {
                return Err(problem);
            }
            Err(Problem::new(Code::ValidationFailed).at("/token", problem.code().title().to_lowercase()))
        }
    }
}
