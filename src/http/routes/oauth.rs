//! Tag `oauth`: what clients of OAuth 2.0 find here.

use axum::{
    http::header::CACHE_CONTROL,
    response::{IntoResponse, Response},
};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::http::{
    actions::{Action, ReadPublicDocument},
    extract::{Json, OpenPermit},
    problem::Result,
    state::AppState,
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
    /// Empty: there is no authorization endpoint.
    pub response_types_supported: Vec<&'static str>,
    /// This description for people.
    #[schema(example = "https://id.example.com/docs")]
    pub service_documentation: Option<String>,
}

fn metadata(app: &AppState) -> Response {
    let base = app.config.public_url();
    let body = Metadata {
        issuer: app.tokens.settings().issuer.clone(),
        jwks_uri: format!("{base}/.well-known/jwks.json"),
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
