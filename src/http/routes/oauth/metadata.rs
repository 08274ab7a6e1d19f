//! What clients of OAuth 2.0 find here.

use axum::{
    http::header::CACHE_CONTROL,
    response::{IntoResponse, Response},
};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    clients::{AuthMethod, Grant},
    http::{
        actions::{Action, ReadPublicDocument},
        extract::{Json, OpenPermit},
        problem::Result,
        state::AppState,
    },
    tokens::Algorithm,
};

/// Operations of this tag.
pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(read_authorization_server_metadata))
        .routes(routes!(read_openid_configuration))
}

/// What this authorization server offers (RFC 8414 §2).
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Metadata {
    /// `iss` of every token, exactly.
    #[schema(example = "https://id.example.com")]
    pub issuer: String,
    /// Where the keys are that verify them.
    #[schema(example = "https://id.example.com/.well-known/jwks.json")]
    pub jwks_uri: String,
    /// Where tokens are asked for.
    #[schema(example = "https://id.example.com/v1/oauth/token")]
    pub token_endpoint: String,
    /// Where is told about tokens (RFC 7662).
    #[schema(example = "https://id.example.com/v1/oauth/introspect")]
    pub introspection_endpoint: String,
    /// Where tokens are revoked (RFC 7009).
    #[schema(example = "https://id.example.com/v1/oauth/revoke")]
    pub revocation_endpoint: String,
    /// What tokens can be asked for by.
    pub grant_types_supported: Vec<&'static str>,
    /// How clients prove who they are.
    pub token_endpoint_auth_methods_supported: Vec<&'static str>,
    /// What their assertions may be signed with.
    pub token_endpoint_auth_signing_alg_values_supported: Vec<&'static str>,
    /// The same where is told about tokens.
    pub introspection_endpoint_auth_methods_supported: Vec<&'static str>,
    /// The same where tokens are revoked.
    pub revocation_endpoint_auth_methods_supported: Vec<&'static str>,
    /// Empty: there is no authorization endpoint.
    pub response_types_supported: Vec<&'static str>,
    /// This description for people.
    #[schema(example = "https://id.example.com/docs")]
    pub service_documentation: Option<String>,
}

fn metadata(app: &AppState) -> Response {
    let base = app.config.public_url();
    let methods =
        || [AuthMethod::ClientSecretBasic, AuthMethod::PrivateKeyJwt].map(AuthMethod::as_str).to_vec();
    let body = Metadata {
        issuer: app.tokens.settings().issuer.clone(),
        jwks_uri: format!("{base}/.well-known/jwks.json"),
        token_endpoint: format!("{base}/v1/oauth/token"),
        introspection_endpoint: format!("{base}/v1/oauth/introspect"),
        revocation_endpoint: format!("{base}/v1/oauth/revoke"),
        grant_types_supported: Grant::ALL.map(Grant::as_str).to_vec(),
        token_endpoint_auth_methods_supported: methods(),
        token_endpoint_auth_signing_alg_values_supported: Algorithm::ALL.map(Algorithm::name).to_vec(),
        introspection_endpoint_auth_methods_supported: methods(),
        revocation_endpoint_auth_methods_supported: methods(),
        response_types_supported: Vec::new(),
        service_documentation: app.config.docs.enabled.then(|| format!("{base}/docs")),
    };
    ([(CACHE_CONTROL, "public, max-age=300")], Json(body)).into_response()
}

/// What this authorization server offers
///
/// RFC 8414: clients configure themselves with it, knowing the issuer alone.
#[utoipa::path(
    get, path = "/.well-known/oauth-authorization-server", tag = "oauth",
    responses((status = OK, body = Metadata)),
    extensions(
        ("x-bailiwick-action" = json!(ReadPublicDocument::NAME)),
        ("x-problem-codes" = json!(["policy_violation", "no_active_version"])),
    ),
)]
async fn read_authorization_server_metadata(
    app: AppState,
    _permit: OpenPermit<ReadPublicDocument>,
) -> Result<Response> {
    Ok(metadata(&app))
}

/// The same, where clients of `OpenID` Connect look for it
///
/// Many libraries know this path alone. There are no ID tokens.
#[utoipa::path(
    get, path = "/.well-known/openid-configuration", tag = "oauth",
    responses((status = OK, body = Metadata)),
    extensions(
        ("x-bailiwick-action" = json!(ReadPublicDocument::NAME)),
        ("x-problem-codes" = json!(["policy_violation", "no_active_version"])),
    ),
)]
async fn read_openid_configuration(
    app: AppState,
    _permit: OpenPermit<ReadPublicDocument>,
) -> Result<Response> {
    Ok(metadata(&app))
}
