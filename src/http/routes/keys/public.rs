//! The public keys that verify our tokens.

use axum::{
    http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    http::{
        actions::{Action, ReadPublicDocument},
        extract::OpenPermit,
        problem::Result,
        state::AppState,
    },
    tokens::JWKS_MAX_AGE,
};

/// Operations of this tag.
pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(read_jwks))
}

/// A set of public keys (RFC 7517 §5).
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Jwks {
    /// The keys: those that sign now, those that will, and those whose tokens are still alive.
    pub keys: Vec<Jwk>,
}

/// A public key (RFC 7517 §4, RFC 7518 §6.2, RFC 8037).
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Jwk {
    /// Key type: `OKP`, or `EC` for ES256.
    #[schema(example = "OKP")]
    pub kty: String,
    /// Curve: `Ed25519`, or `P-256`.
    #[schema(example = "Ed25519")]
    pub crv: String,
    /// The public key, base64url; its first coordinate where it is a point.
    #[schema(example = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo")]
    pub x: String,
    /// Its second coordinate, for `EC`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub y: Option<String>,
    /// Id of the key: its RFC 7638 thumbprint.
    #[schema(example = "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k")]
    pub kid: String,
    /// Algorithm: `EdDSA` or `ES256`.
    #[schema(example = "EdDSA")]
    pub alg: String,
    /// Use.
    #[serde(rename = "use")]
    #[schema(example = "sig")]
    pub usage: String,
}

/// Public keys of our tokens
///
/// Verify access tokens with these, offline. May be cached for five minutes: a key stands here for at least
/// ten before it signs, and until the last token that it signed has ended.
#[utoipa::path(
    get, path = "/.well-known/jwks.json", tag = "keys",
    responses((status = OK, body = Jwks, content_type = "application/jwk-set+json", example = json!({"keys": [{
        "kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
        "kid": "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k", "alg": "EdDSA", "use": "sig",
    }]}))),
    extensions(
        ("x-bailiwick-action" = json!(ReadPublicDocument::NAME)),
        ("x-problem-codes" = json!(["policy_violation", "no_active_version"])),
    ),
)]
async fn read_jwks(app: AppState, _permit: OpenPermit<ReadPublicDocument>) -> Result<Response> {
    let set = app.tokens.jwks();
    let headers = [
        (CONTENT_TYPE, "application/jwk-set+json"),
        (CACHE_CONTROL, &*format!("public, max-age={}", JWKS_MAX_AGE.as_secs())),
        (ETAG, &*set.etag),
    ];
    Ok((headers, set.json.to_string()).into_response())
}
