//! The keys as administrators of the installation see them, and what they may do to them.

use axum::{http::StatusCode, response::Response};
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    http::{
        actions::{Action, ListSigningKeys, RevokeSigningKey, RotateSigningKey},
        extract::{IdempotencyKey, Json, Path, Permit, Repeat},
        problem::Result,
        state::AppState,
    },
    tokens::SigningKey,
};

pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list_signing_keys))
        .routes(routes!(rotate_signing_key))
        .routes(routes!(revoke_signing_key))
}

/// A key that signs tokens, will, or did. Its private part is never shown.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SigningKeyBody {
    /// Id: its RFC 7638 thumbprint, and `kid` of the tokens that it signs.
    #[schema(example = "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k")]
    pub kid: String,
    /// `EdDSA` or `ES256`.
    #[schema(example = "EdDSA")]
    pub alg: String,
    /// `pending` (published, does not sign yet), `active` (signs), `retiring` (verifies what it signed) or
    /// `retired`.
    #[schema(example = "active")]
    pub state: &'static str,
    /// When it was made and published, RFC 3339.
    #[schema(example = "2026-11-21T09:00:00.000Z")]
    pub created_at: String,
    /// When it signs first, as planned, RFC 3339; null for a key that was never pending.
    pub not_before: Option<String>,
    /// When it began to sign, RFC 3339.
    #[schema(example = "2026-11-21T09:00:00.000Z")]
    pub activated_at: Option<String>,
    /// When the last token that it signed has ended, RFC 3339; null while it signs.
    pub retire_after: Option<String>,
    /// When it was dropped before its time, RFC 3339.
    pub revoked_at: Option<String>,
}

impl From<SigningKey> for SigningKeyBody {
    fn from(key: SigningKey) -> Self {
        Self {
            kid: key.kid,
            alg: key.alg,
            state: key.state.as_str(),
            created_at: key.created_at_ms.to_string(),
            not_before: key.not_before_ms.map(|at| at.to_string()),
            activated_at: key.activated_at_ms.map(|at| at.to_string()),
            retire_after: key.retire_after_ms.map(|at| at.to_string()),
            revoked_at: key.revoked_at_ms.map(|at| at.to_string()),
        }
    }
}

/// Every signing key.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SigningKeyList {
    /// Newest first, 200 at most.
    pub data: Vec<SigningKeyBody>,
}

fn key_sample(state: &str) -> Value {
    let active = state == "active";
    json!({
        "kid": "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k", "alg": "EdDSA", "state": state,
        "created_at": "2026-11-21T09:00:00.000Z",
        "not_before": if active { None } else { Some("2026-11-21T09:10:00.000Z") },
        "activated_at": if active { Some("2026-11-21T09:00:00.000Z") } else { None },
        "retire_after": null, "revoked_at": null,
    })
}

/// Every key that signs tokens, will, or did
#[utoipa::path(
    get, path = "/v1/admin/keys", tag = "keys",
    responses((status = OK, body = SigningKeyList, example = json!({"data": [key_sample("active")]}))),
    security(("bearer" = [])),
    extensions(
        ("x-bailiwick-action" = json!(ListSigningKeys::NAME)),
        ("x-problem-codes" = json!(["no_active_version"])),
    ),
)]
async fn list_signing_keys(app: AppState, _permit: Permit<ListSigningKeys>) -> Result<Json<SigningKeyList>> {
    let keys = app.tokens.list().await?;
    Ok(Json(SigningKeyList { data: keys.into_iter().map(SigningKeyBody::from).collect() }))
}

/// Have the signing key replaced
///
/// Publishes the next key, of the configured algorithm, and answers when it will sign: ten minutes later, when
/// whoever caches the key set has it. Nobody notices. A second order while one waits changes nothing.
#[utoipa::path(
    post, path = "/v1/admin/keys/rotate", tag = "keys", params(IdempotencyKey),
    responses((status = OK, description = "The next key", body = SigningKeyBody, example = json!(key_sample("pending")))),
    security(("bearer" = [])),
    extensions(
        ("x-bailiwick-action" = json!(RotateSigningKey::NAME)),
        ("x-problem-codes" = json!(["no_active_version"])),
    ),
)]
async fn rotate_signing_key(
    app: AppState,
    permit: Permit<RotateSigningKey>,
    repeat: Repeat,
) -> Result<Response> {
    let turn = repeat.by(permit.tenant(), permit.actor());
    let work = async move {
        let key = app.tokens.rotate(permit.actor()).await?;
        Ok((StatusCode::OK, Json(SigningKeyBody::from(key))))
    };
    turn.run(work).await
}

/// Drop a signing key at once
///
/// For a key that may have leaked. No token that it signed is accepted from now on: on this node at once, on
/// the others within 100 ms, or 5 s when messages between nodes are lost. Everyone who holds one refreshes. If
/// it was the signing key, another one signs from now on.
#[utoipa::path(
    post, path = "/v1/admin/keys/{kid}/revoke", tag = "keys",
    params(("kid" = String, Path, description = "The key", example = "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k")),
    responses((status = NO_CONTENT, description = "Dropped")),
    security(("bearer" = [])),
    extensions(
        ("x-bailiwick-action" = json!(RevokeSigningKey::NAME)),
        ("x-problem-codes" = json!(["not_found", "no_active_version"])),
    ),
)]
async fn revoke_signing_key(
    app: AppState,
    permit: Permit<RevokeSigningKey>,
    Path(kid): Path<String>,
) -> Result<StatusCode> {
    app.tokens.revoke(&kid, permit.actor()).await?;
    Ok(StatusCode::NO_CONTENT)
}
