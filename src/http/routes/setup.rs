//! Tag `setup`: the first administrator.

use axum::http::StatusCode;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{auth::password_at, users::UserBody};
use crate::http::{
    actions::{Action, CompleteSetup},
    extract::{Json, OpenPermit, field},
    problem::Result,
    state::AppState,
};

/// Operations of this tag.
pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(complete_setup))
}

/// The first administrator.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SetupRequest {
    /// The token that the server printed when it first started.
    #[schema(value_type = String, example = "mYcN6bVPyfXW…")]
    pub setup_token: SecretString,
    /// E-mail address.
    #[schema(example = "root@example.com")]
    pub email: String,
    /// At least 15 characters.
    #[schema(value_type = String, format = Password, example = "correct horse battery staple")]
    pub password: SecretString,
}

/// Make the first administrator
///
/// Takes the one-time token that `serve` printed at its first start, once. The new user has the role
/// `super_admin`. `bailiwick admin create` on the host does the same without a token.
#[utoipa::path(
    post, path = "/v1/setup", tag = "setup", request_body = SetupRequest,
    responses((status = CREATED, description = "The administrator", body = UserBody, example = json!({
        "id": "usr_019aa2c5b8f07d3c9f0b6f2f3c1d9e47", "tenant_id": "ten_00000000000070008000000000000001",
        "email": "root@example.com", "email_verified": false, "username": null, "name": null,
        "status": "active", "created_at": "2026-11-21T09:00:00.000Z", "roles": ["super_admin"],
    }))),
    extensions(
        ("x-bailiwick-action" = json!(CompleteSetup::NAME)),
        ("x-problem-codes" = json!(["setup_token_invalid", "setup_completed", "email_taken", "password_too_weak", "password_breached", "policy_violation", "hashing_overloaded", "no_active_version"])),
    ),
)]
async fn complete_setup(
    app: AppState,
    permit: OpenPermit<CompleteSetup>,
    Json(body): Json<SetupRequest>,
) -> Result<(StatusCode, Json<UserBody>)> {
    let (token, email) = (body.setup_token.expose_secret(), field("/email", &body.email)?);
    let made = app.authn.complete_setup(token, &email, &body.password, permit.actor().request_id).await;
    let user = made.map_err(password_at("/password"))?;
    let roles = app.roles.names_of(user.tenant_id, user.id).await?;
    Ok((StatusCode::CREATED, Json(UserBody { roles: Some(roles), ..UserBody::from(user) })))
}
