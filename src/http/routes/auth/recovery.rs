//! Proving an address, and choosing a password that was forgotten.

use axum::http::StatusCode;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{bodies::Accepted, operations::password_at};
use crate::{
    base::TenantId,
    http::{
        actions::{Action, ForgotPassword, ResendVerification, ResetPassword, VerifyEmail},
        extract::{Json, OpenPermit, field},
        problem::Result,
        state::AppState,
    },
};

/// These operations of the tag.
pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(verify_email))
        .routes(routes!(resend_verification))
        .routes(routes!(forgot_password))
        .routes(routes!(reset_password))
}

/// An address to write to.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::http::routes) struct EmailRequest {
    /// E-mail address.
    #[schema(example = "alice@example.com", max_length = 254)]
    pub email: String,
}

/// The token of a link.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct VerifyRequest {
    /// What stands after `#token=`.
    #[schema(value_type = String, example = "mYcN6bVPyfXW…")]
    pub token: SecretString,
}

/// The token of a link, and the password to be.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ResetRequest {
    /// What stands after `#token=`.
    #[schema(value_type = String, example = "mYcN6bVPyfXW…")]
    pub token: SecretString,
    /// The password from now on.
    #[schema(value_type = String, format = Password, example = "another long pass phrase")]
    pub new_password: SecretString,
}

/// Prove an address
///
/// Takes the token of a mailed link, once: of the account's address, or of the one that it is to have. An
/// account that waited for it may sign in from now on. A link ends with its use, after 24 hours, and with a
/// change of password or address.
#[utoipa::path(
    post, path = "/v1/auth/verify-email", tag = "auth", request_body = VerifyRequest,
    responses((status = NO_CONTENT, description = "Proven")),
    extensions(
        ("x-bailiwick-action" = json!(VerifyEmail::NAME)),
        ("x-problem-codes" = json!(["link_invalid", "policy_violation", "no_active_version"])),
    ),
)]
async fn verify_email(
    app: AppState,
    permit: OpenPermit<VerifyEmail>,
    Json(body): Json<VerifyRequest>,
) -> Result<StatusCode> {
    app.authn.verify_email(body.token.expose_secret(), permit.actor().request_id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Mail the link to prove an address again
///
/// Answers the same for every address. Mail goes only to an address that is stored and not proven yet.
#[utoipa::path(
    post, path = "/v1/auth/verify-email/resend", tag = "auth", request_body = EmailRequest,
    responses((status = ACCEPTED, description = "Taken", body = Accepted, example = json!({"status": "accepted"}))),
    extensions(
        ("x-bailiwick-action" = json!(ResendVerification::NAME)),
        ("x-problem-codes" = json!(["too_many_attempts", "policy_violation", "no_active_version"])),
    ),
)]
async fn resend_verification(
    app: AppState,
    permit: OpenPermit<ResendVerification>,
    Json(body): Json<EmailRequest>,
) -> Result<(StatusCode, Json<Accepted>)> {
    let email = field("/email", &body.email)?;
    app.authn.resend_verification(TenantId::DEFAULT, &email, permit.client.ip).await?;
    Ok((StatusCode::ACCEPTED, Json(Accepted { status: "accepted" })))
}

/// Mail a link to choose a new password
///
/// Answers the same for every address. The link works once, for 30 minutes.
#[utoipa::path(
    post, path = "/v1/auth/password/forgot", tag = "auth", request_body = EmailRequest,
    responses((status = ACCEPTED, description = "Taken", body = Accepted, example = json!({"status": "accepted"}))),
    extensions(
        ("x-bailiwick-action" = json!(ForgotPassword::NAME)),
        ("x-problem-codes" = json!(["too_many_attempts", "policy_violation", "no_active_version"])),
    ),
)]
async fn forgot_password(
    app: AppState,
    permit: OpenPermit<ForgotPassword>,
    Json(body): Json<EmailRequest>,
) -> Result<(StatusCode, Json<Accepted>)> {
    let email = field("/email", &body.email)?;
    app.authn.forgot_password(TenantId::DEFAULT, &email, permit.client.ip).await?;
    Ok((StatusCode::ACCEPTED, Json(Accepted { status: "accepted" })))
}

/// Choose a new password by a link
///
/// Ends every session of the user and every lock by wrong passwords. Signs nobody in.
#[utoipa::path(
    post, path = "/v1/auth/password/reset", tag = "auth", request_body = ResetRequest,
    responses((status = NO_CONTENT, description = "Changed; sign in with it")),
    extensions(
        ("x-bailiwick-action" = json!(ResetPassword::NAME)),
        ("x-problem-codes" = json!(["link_invalid", "password_too_weak", "password_breached", "hashing_overloaded", "policy_violation", "no_active_version"])),
    ),
)]
async fn reset_password(
    app: AppState,
    permit: OpenPermit<ResetPassword>,
    Json(body): Json<ResetRequest>,
) -> Result<StatusCode> {
    let request_id = permit.actor().request_id;
    let reset = app.authn.reset_password(body.token.expose_secret(), &body.new_password, request_id).await;
    reset.map_err(password_at("/new_password"))?;
    Ok(StatusCode::NO_CONTENT)
}
