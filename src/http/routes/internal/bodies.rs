//! Requests and answers of the tag.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::super::authorize::AuthorizeResponse;

/// A token to look at, and what its holder may do.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ValidateRequest {
    /// An access token, of a user or of a program.
    #[schema(example = "eyJ0eXAiOiJhdCtqd3QiLCJhbGciOiJFZERTQSJ9…")]
    pub token: String,
    /// The origin of the page that presented it, as its browser says.
    #[schema(example = "https://app.example.com")]
    pub origin: Option<String>,
    /// The address from which it was presented, for policies that look at it.
    #[schema(example = "203.0.113.9")]
    pub ip_address: Option<String>,
    /// The policy store that decides; the default one unless given.
    #[schema(example = "app")]
    pub policy_store: Option<String>,
    /// The service that the request goes on to, for a context token.
    #[schema(example = "https://photos.example.com")]
    pub audience: Option<String>,
    /// What the holder wants to do, decided in the same hop on one version of the policies; 100 questions at most.
    pub authorize: Option<Vec<HolderQuestion>>,
}

/// Something that the holder of a token wants to do.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct HolderQuestion {
    /// The action: its name, or a uid of the schema.
    #[schema(example = "view")]
    pub action: Value,
    /// To what: a type and an id.
    #[schema(example = json!({"type": "Document", "id": "handbook"}))]
    pub resource: Value,
    /// Under which circumstances.
    #[schema(example = json!({}))]
    pub context: Option<Value>,
}

/// Who holds a token.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct HolderBody {
    /// `User` or `Service`.
    #[serde(rename = "type")]
    #[schema(example = "User")]
    pub kind: String,
    /// The id.
    #[schema(example = "usr_019aa2c5b8f07d3c9f0b6f2f3c1d9e47")]
    pub id: String,
}

/// What there is to say of a token.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ValidateResponse<'a> {
    /// Whether it counts.
    pub valid: bool,
    /// Why it does not: `token_invalid`, `token_expired`, `token_revoked`, `session_expired`, `wrong_token_type` or
    /// `origin_not_allowed`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, example = "token_revoked")]
    pub code: Option<&'a str>,
    /// Whose it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub principal: Option<HolderBody>,
    /// All that it says: its claims.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub payload: Option<Value>,
    /// The answers to `authorize`, in its order.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decisions: Option<Vec<AuthorizeResponse<'a>>>,
    /// What tells `audience` of the holder, for the header `X-Context-Token`: a signed token that it verifies offline.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "eyJhbGciOiJFZERTQSIsInR5cCI6ImN0eCtqd3QifQ…")]
    pub context_token: Option<String>,
    /// How many seconds that counts: 60, and no longer than the token and its session.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = 60)]
    pub context_expires_in: Option<u64>,
}

/// An API key to look at.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ValidateApiKeyRequest {
    /// The key, as it was presented.
    #[schema(example = "bwk_prod_…")]
    pub api_key: String,
    /// The address from which it was presented: for the lists of the key and of its tenant, and for the limit of wrong
    /// keys from one address. Give it: those without one are limited together.
    #[schema(example = "203.0.113.9")]
    pub ip_address: Option<String>,
    /// The origin of the page that presented it.
    #[schema(example = "https://app.example.com")]
    pub origin: Option<String>,
    /// The service that the request goes on to, for a context token.
    #[schema(example = "https://photos.example.com")]
    pub audience: Option<String>,
}

/// Whose an API key is, and what it may be used for.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct KeyHolder {
    /// The tenant as applications name it.
    #[schema(example = "cli_019aa2c5b8f07d3c9f0b6f2f3c1d9e47")]
    pub client_id: String,
    /// The tenant.
    #[schema(example = "ten_019aa2c5b8f07d3c9f0b6f2f3c1d9e47")]
    pub tenant_id: String,
    /// What the tenant has booked.
    #[schema(example = "pro")]
    pub plan: String,
    /// What the key may be used for at most.
    #[schema(example = json!(["decisions"]))]
    pub scopes: Vec<String>,
    /// The roles that it has now, inherited ones included.
    #[schema(example = json!(["manager", "user"]))]
    pub roles: Vec<String>,
    /// The key.
    #[schema(example = "key_019aa2c5b8f07d3c9f0b6f2f3c1d9e47")]
    pub key_id: String,
    /// `primary`, `secondary` or `none`.
    #[schema(example = "primary")]
    pub slot: String,
}

/// What there is to say of an API key.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ValidateApiKeyResponse {
    /// Whether it may be used.
    pub valid: bool,
    /// `VALID`, or why it may not: `NOT_FOUND`, `REVOKED`, `EXPIRED`, `DISABLED` (its owner or its tenant is kept out,
    /// or a policy forbids its use), `IP_DENIED`, `ORIGIN_DENIED` or `RATE_LIMITED`.
    #[schema(example = "VALID")]
    pub code: &'static str,
    /// Whose it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client: Option<KeyHolder>,
    /// After how many seconds another try makes sense, where `RATE_LIMITED`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_after_secs: Option<u64>,
    /// What tells `audience` of the key, its scopes and its roles, for the header `X-Context-Token`: a signed token that it
    /// verifies offline, without looking at the key again.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "eyJhbGciOiJFZERTQSIsInR5cCI6ImN0eCtqd3QifQ…")]
    pub context_token: Option<String>,
    /// How many seconds that counts: 60, and no longer than the key.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = 60)]
    pub context_expires_in: Option<u64>,
}

pub(super) fn validate_sample() -> Value {
    json!({
        "valid": true,
        "principal": {"type": "User", "id": "usr_019aa2c5b8f07d3c9f0b6f2f3c1d9e47"},
        "payload": {
            "iss": "https://auth.example.com", "aud": "https://auth.example.com",
            "sub": "usr_019aa2c5b8f07d3c9f0b6f2f3c1d9e47", "client_id": "bailiwick",
            "tid": "ten_00000000000070008000000000000001", "sid": "ses_019aa2c5b8f07d3c9f0b6f2f3c1d9e47",
            "did": "dev_019aa2c5b8f07d3c9f0b6f2f3c1d9e47", "jti": "0pJ4…", "iat": 1_795_428_000, "nbf": 1_795_428_000,
            "exp": 1_795_428_900, "auth_time": 1_795_428_000, "amr": ["pwd"], "acr": "aal1", "ver": 1, "ep": 0,
            "scope": "", "roles": ["user"],
        },
        "decisions": [{
            "decision": "allow", "decision_id": "dec_019aa2c5b8f07d3c9f0b6f2f3c1d9e47", "policy_store": "app",
            "policy_version": 7, "entity_revision": 42,
            "determining_policies": [{"policy_id": "public-documents", "effect": "permit"}],
            "errors": [],
        }],
        "context_token": "eyJhbGciOiJFZERTQSIsInR5cCI6ImN0eCtqd3QifQ…", "context_expires_in": 60,
    })
}

pub(super) fn api_key_sample() -> Value {
    json!({
        "valid": true, "code": "VALID", "client": {
            "client_id": "cli_019aa2c5b8f07d3c9f0b6f2f3c1d9e47", "tenant_id": "ten_019aa2c5b8f07d3c9f0b6f2f3c1d9e47",
            "plan": "pro", "scopes": ["decisions"], "roles": ["manager", "user"],
            "key_id": "key_019aa2c5b8f07d3c9f0b6f2f3c1d9e47", "slot": "primary",
        },
        "context_token": "eyJhbGciOiJFZERTQSIsInR5cCI6ImN0eCtqd3QifQ…", "context_expires_in": 60,
    })
}
