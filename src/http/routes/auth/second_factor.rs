//! The second factor: at a sign-in, in an open session, and turning it on and off.

use axum::http::StatusCode;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::bodies::{DeviceRequest, TokenResponse, Tokens, tokens_sample};
use crate::{
    authn::{MfaLogin, Proof, StepUp as StepUpCommand},
    base::PlainToken,
    http::{
        actions::{Action, ChangeOwnMfa, CompleteMfaLogin, ReadOwnMfa, StepUp},
        codes::Code,
        extract::{Delivery, Json, ModeQuery, OpenPermit, UserPermit},
        problem::{Problem, Result},
        state::AppState,
    },
};

/// These operations of the tag.
pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(complete_mfa_login))
        .routes(routes!(step_up))
        .routes(routes!(read_second_factor, enrol_totp, remove_totp))
        .routes(routes!(confirm_totp))
        .routes(routes!(renew_recovery_codes))
}

/// The second half of a sign-in.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct MfaLoginRequest {
    /// `mfa_token` of the answer `mfa_required`.
    #[schema(value_type = String, example = "mYcN6bVPyfXW…")]
    pub mfa_token: SecretString,
    /// The code that the app shows.
    #[schema(value_type = Option<String>, example = "287082")]
    pub code: Option<SecretString>,
    /// A recovery code, in the place of `code`.
    #[schema(value_type = Option<String>, example = "mzxw-6ytb-oi23-4567")]
    pub recovery_code: Option<SecretString>,
    /// The device, as the list of sessions shows it.
    pub device: Option<DeviceRequest>,
}

/// Who the caller is, once more.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct StepUpRequest {
    /// The password.
    #[schema(value_type = String, format = Password, example = "correct horse battery staple")]
    pub password: SecretString,
    /// The code that the app shows, where the account has a second factor.
    #[schema(value_type = Option<String>, example = "287082")]
    pub code: Option<SecretString>,
    /// A recovery code, in the place of `code`.
    #[schema(value_type = Option<String>, example = "mzxw-6ytb-oi23-4567")]
    pub recovery_code: Option<SecretString>,
}

/// A code of the app.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CodeRequest {
    /// The code that it shows.
    #[schema(value_type = String, example = "287082")]
    pub code: SecretString,
}

/// The caller's second factor.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SecondFactorBody {
    /// Whether codes are asked for at a sign-in.
    pub enabled: bool,
    /// Since when, RFC 3339.
    #[schema(example = "2026-11-21T09:00:00.000Z")]
    pub enabled_at: Option<String>,
    /// How many recovery codes are left.
    #[schema(example = 10)]
    pub recovery_codes_left: i64,
}

/// A secret for an authenticator app; not shown again.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct EnrolmentBody {
    /// To be typed, base32.
    #[schema(example = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ")]
    pub secret: String,
    /// To be shown as a QR code.
    #[schema(example = "otpauth://totp/auth.example.com:alice%40example.com?secret=…")]
    pub otpauth_uri: String,
}

/// Codes for the day that the app is lost; not shown again.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct RecoveryCodesBody {
    /// Each works once.
    #[schema(example = json!(["mzxw-6ytb-oi23-4567"]))]
    pub recovery_codes: Vec<String>,
}

impl RecoveryCodesBody {
    fn of(codes: &[PlainToken]) -> Self {
        Self { recovery_codes: codes.iter().map(|code| code.expose().to_owned()).collect() }
    }
}

/// The one of two proofs that was sent; none where neither was.
fn proof(code: Option<&SecretString>, recovery: Option<&SecretString>) -> Result<Option<Proof>> {
    match (code, recovery) {
        (Some(code), None) => Ok(Some(Proof::Code(code.expose_secret().to_owned()))),
        (None, Some(code)) => Ok(Some(Proof::Recovery(code.expose_secret().to_owned()))),
        (None, None) => Ok(None),
        (Some(_), Some(_)) => Err(Problem::new(Code::ValidationFailed)
            .at("/recovery_code", "goes in the place of `code`, not beside it")),
    }
}

/// Go on with a sign-in by the second factor
///
/// Takes what `POST /v1/auth/login` answered with `mfa_required`, once, within five minutes and five tries. The
/// session that begins is a new one.
#[utoipa::path(
    post, path = "/v1/auth/login/mfa", tag = "auth", params(ModeQuery), request_body = MfaLoginRequest,
    responses((status = OK, body = TokenResponse, example = json!(tokens_sample()))),
    extensions(
        ("x-bailiwick-action" = json!(CompleteMfaLogin::NAME)),
        ("x-problem-codes" = json!(["cross_site", "mfa_invalid", "account_locked", "too_many_attempts", "policy_violation", "step_up_required", "no_active_version"])),
    ),
)]
async fn complete_mfa_login(
    app: AppState,
    permit: OpenPermit<CompleteMfaLogin>,
    delivery: Delivery,
    Json(body): Json<MfaLoginRequest>,
) -> Result<Tokens> {
    let proof = proof(body.code.as_ref(), body.recovery_code.as_ref())?;
    let proof = proof.ok_or_else(|| Problem::new(Code::ValidationFailed).at("/code", "is missing"))?;
    let device = body.device.unwrap_or_default();
    let client = permit.client.info((device.name, device.platform));
    let login = MfaLogin { token: body.mfa_token, proof, client };
    let signed_in = app.authn.login_with_second_factor(&login, permit.actor().request_id).await?;
    Ok(Tokens::new(&app, &signed_in, delivery.mode))
}

/// Prove again who one is
///
/// For what answers `step_up_required`. A fresh session takes the place of the one that asks: its `auth_time` is
/// now. Where the account has a second factor, it is proven too.
#[utoipa::path(
    post, path = "/v1/auth/step-up", tag = "auth", params(ModeQuery), request_body = StepUpRequest,
    responses((status = OK, body = TokenResponse, example = json!(tokens_sample()))),
    security(("bearer" = [])),
    extensions(
        ("x-bailiwick-action" = json!(StepUp::NAME)),
        ("x-problem-codes" = json!(["invalid_credentials", "mfa_invalid", "account_locked", "too_many_attempts", "hashing_overloaded", "no_active_version"])),
    ),
)]
async fn step_up(
    app: AppState,
    permit: UserPermit<StepUp>,
    delivery: Delivery,
    Json(body): Json<StepUpRequest>,
) -> Result<Tokens> {
    let proof = proof(body.code.as_ref(), body.recovery_code.as_ref())?;
    let client = permit.client.info((None, None));
    let command = StepUpCommand { password: body.password, proof, client };
    let signed_in = app.authn.step_up(&permit.user, &command, permit.actor().request_id).await?;
    Ok(Tokens::new(&app, &signed_in, delivery.mode))
}

/// The caller's second factor
#[utoipa::path(
    get, path = "/v1/auth/mfa/totp", tag = "auth",
    responses((status = OK, body = SecondFactorBody, example = json!({
        "enabled": true, "enabled_at": "2026-11-21T09:00:00.000Z", "recovery_codes_left": 10,
    }))),
    security(("bearer" = [])),
    extensions(
        ("x-bailiwick-action" = json!(ReadOwnMfa::NAME)),
        ("x-problem-codes" = json!(["no_active_version"])),
    ),
)]
async fn read_second_factor(app: AppState, permit: UserPermit<ReadOwnMfa>) -> Result<Json<SecondFactorBody>> {
    let factor = app.authn.second_factor(&permit.user).await?;
    Ok(Json(SecondFactorBody {
        enabled: factor.since.is_some(),
        enabled_at: factor.since.map(|since| since.to_string()),
        recovery_codes_left: factor.codes_left,
    }))
}

/// Begin with a second factor
///
/// Answers a secret for an authenticator app, once. It counts when a code confirms it. Needs a sign-in of the last
/// five minutes.
#[utoipa::path(
    post, path = "/v1/auth/mfa/totp", tag = "auth",
    responses((status = OK, body = EnrolmentBody, example = json!({
        "secret": "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ",
        "otpauth_uri": "otpauth://totp/auth.example.com:alice%40example.com?secret=…",
    }))),
    security(("bearer" = [])),
    extensions(
        ("x-bailiwick-action" = json!(ChangeOwnMfa::NAME)),
        ("x-problem-codes" = json!(["step_up_required", "conflict", "no_active_version"])),
    ),
)]
async fn enrol_totp(app: AppState, permit: UserPermit<ChangeOwnMfa>) -> Result<Json<EnrolmentBody>> {
    let enrolment = app.authn.enrol_totp(&permit.user).await?;
    Ok(Json(EnrolmentBody {
        secret: enrolment.secret.expose().to_owned(),
        otpauth_uri: enrolment.uri.expose().to_owned(),
    }))
}

/// Turn the second factor on
///
/// Takes a code of the app, and answers the recovery codes, once. From now on a sign-in by password answers
/// `mfa_required`.
#[utoipa::path(
    post, path = "/v1/auth/mfa/totp/confirm", tag = "auth", request_body = CodeRequest,
    responses((status = OK, body = RecoveryCodesBody, example = json!({"recovery_codes": ["mzxw-6ytb-oi23-4567"]}))),
    security(("bearer" = [])),
    extensions(
        ("x-bailiwick-action" = json!(ChangeOwnMfa::NAME)),
        ("x-problem-codes" = json!(["step_up_required", "mfa_invalid", "account_locked", "too_many_attempts", "conflict", "no_active_version"])),
    ),
)]
async fn confirm_totp(
    app: AppState,
    permit: UserPermit<ChangeOwnMfa>,
    Json(body): Json<CodeRequest>,
) -> Result<Json<RecoveryCodesBody>> {
    let codes = app.authn.confirm_totp(&permit.user, body.code.expose_secret(), permit.actor()).await?;
    Ok(Json(RecoveryCodesBody::of(&codes)))
}

/// Turn the second factor off
#[utoipa::path(
    delete, path = "/v1/auth/mfa/totp", tag = "auth",
    responses((status = NO_CONTENT, description = "Off; the recovery codes are gone with it")),
    security(("bearer" = [])),
    extensions(
        ("x-bailiwick-action" = json!(ChangeOwnMfa::NAME)),
        ("x-problem-codes" = json!(["step_up_required", "conflict", "no_active_version"])),
    ),
)]
async fn remove_totp(app: AppState, permit: UserPermit<ChangeOwnMfa>) -> Result<StatusCode> {
    app.authn.remove_totp(&permit.user, permit.actor()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Make new recovery codes
///
/// The old ones are worth nothing any more.
#[utoipa::path(
    post, path = "/v1/auth/mfa/recovery-codes", tag = "auth",
    responses((status = OK, body = RecoveryCodesBody, example = json!({"recovery_codes": ["mzxw-6ytb-oi23-4567"]}))),
    security(("bearer" = [])),
    extensions(
        ("x-bailiwick-action" = json!(ChangeOwnMfa::NAME)),
        ("x-problem-codes" = json!(["step_up_required", "conflict", "no_active_version"])),
    ),
)]
async fn renew_recovery_codes(
    app: AppState,
    permit: UserPermit<ChangeOwnMfa>,
) -> Result<Json<RecoveryCodesBody>> {
    let codes = app.authn.renew_recovery_codes(&permit.user, permit.actor()).await?;
    Ok(Json(RecoveryCodesBody::of(&codes)))
}
