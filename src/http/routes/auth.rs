//! Tag `auth`: sign-up, sign-in, refresh, sign-out and the caller's password.

use axum::{
    http::{StatusCode, header::LOCATION},
    response::{IntoResponse, Response},
};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::users::UserBody;
use crate::{
    authn::{AuthnError, Login, PasswordChange, Registered, Registration, SignedIn},
    base::TenantId,
    http::{
        actions::{
            Action, ChangeOwnPassword, Login as LoginAction, Logout as LogoutAction, Refresh, Register,
        },
        codes::Code,
        extract::{Json, OpenPermit, Permit, field},
        problem::{Problem, Result},
        state::AppState,
    },
};

/// Operations of this tag.
pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(register_user))
        .routes(routes!(create_login))
        .routes(routes!(refresh_session))
        .routes(routes!(end_session))
        .routes(routes!(change_password))
}

/// Who signs up.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RegisterRequest {
    /// E-mail address.
    #[schema(example = "alice@example.com", max_length = 254)]
    pub email: String,
    /// At least 15 characters, any characters.
    #[schema(value_type = String, format = Password, example = "correct horse battery staple")]
    pub password: SecretString,
    /// Name to sign in with beside the address.
    #[schema(example = "alice")]
    pub username: Option<String>,
    /// Name to show.
    #[schema(example = "Alice")]
    pub name: Option<String>,
}

/// That the sign-up was taken, without saying whether the address was new (R12).
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Accepted {
    /// Always `accepted`.
    #[schema(example = "accepted")]
    pub status: &'static str,
}

/// What to sign in with.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct LoginRequest {
    /// E-mail address or user name.
    #[schema(example = "alice@example.com")]
    pub identifier: String,
    /// The password.
    #[schema(value_type = String, format = Password, example = "correct horse battery staple")]
    pub password: SecretString,
    /// The device, as the list of sessions shows it.
    pub device: Option<DeviceRequest>,
}

/// A device as it describes itself.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct DeviceRequest {
    /// Name to show in the list of sessions.
    #[schema(example = "Alice's phone", max_length = 100)]
    pub name: Option<String>,
    /// Platform.
    #[schema(example = "ios", max_length = 32)]
    pub platform: Option<String>,
}

/// A pair of tokens.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct TokenResponse {
    /// JWT (RFC 9068) for the `Authorization` header.
    #[schema(example = "eyJ0eXAiOiJhdCtqd3QiLCJhbGciOiJFZERTQSJ9…")]
    pub access_token: String,
    /// Always `Bearer`.
    #[schema(example = "Bearer")]
    pub token_type: &'static str,
    /// Life of the access token, seconds.
    #[schema(example = 900)]
    pub expires_in: u64,
    /// Opaque; good for one refresh, which answers its successor.
    #[schema(example = "bwk_rt_…")]
    pub refresh_token: String,
    /// How often this session was refreshed, from 1.
    #[schema(example = 1)]
    pub token_version: i64,
    /// The session that both belong to.
    #[schema(example = "ses_019aa2c5b8f07d3c9f0b6f2f3c1d9e47")]
    pub session_id: String,
    /// The device that the session is bound to.
    #[schema(example = "dev_019aa2c5b8f07d3c9f0b6f2f3c1d9e47")]
    pub device_id: String,
    /// The claims of the access token, for clients that do not read JWTs.
    pub claims: Value,
}

impl TokenResponse {
    fn new(app: &AppState, signed_in: &SignedIn) -> Self {
        let session = &signed_in.session;
        Self {
            access_token: signed_in.access.token.expose().to_owned(),
            token_type: "Bearer",
            expires_in: signed_in.access.expires_at.since(app.clock.now()).as_secs(),
            refresh_token: signed_in.refresh.expose().to_owned(),
            token_version: session.version,
            session_id: session.id.to_string(),
            device_id: session.device_id.to_string(),
            claims: serde_json::to_value(&signed_in.access.claims).unwrap_or_default(),
        }
    }
}

/// A refresh token to trade in.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RefreshRequest {
    /// The newest refresh token of the session.
    #[schema(value_type = String, example = "bwk_rt_…")]
    pub refresh_token: SecretString,
}

/// What to end.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct LogoutRequest {
    /// Needed when the access token has expired.
    #[schema(value_type = Option<String>, example = "bwk_rt_…")]
    pub refresh_token: Option<SecretString>,
    /// End every session of the user.
    #[serde(default)]
    pub all: bool,
}

/// Which sessions a password change ends.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum RevokeScope {
    /// Every one; the answer holds a fresh one when `keep_current` is set.
    #[default]
    All,
    /// Every other one: the caller goes on with the fresh session in the answer.
    Others,
}

/// A new password.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PasswordRequest {
    /// The password until now.
    #[schema(value_type = String, format = Password, example = "correct horse battery staple")]
    pub current_password: SecretString,
    /// The password from now on.
    #[schema(value_type = String, format = Password, example = "another long pass phrase")]
    pub new_password: SecretString,
    /// Which sessions end.
    #[serde(default)]
    pub revoke: RevokeScope,
    /// Whether the answer holds a fresh session for the caller.
    #[serde(default)]
    pub keep_current: bool,
}

/// A password that does not meet the rules is a wrong value at its place in the body.
pub(super) fn password_at(pointer: &'static str) -> impl FnOnce(AuthnError) -> Problem {
    move |error| match error {
        AuthnError::Password(problem) => Problem::new(Code::PasswordTooWeak).at(pointer, problem.to_string()),
        other => other.into(),
    }
}

fn tokens_sample() -> Value {
    json!({
        "access_token": "eyJ0eXAiOiJhdCtqd3QiLCJhbGciOiJFZERTQSJ9…", "token_type": "Bearer", "expires_in": 900,
        "refresh_token": "bwk_rt_…", "token_version": 1,
        "session_id": "ses_019aa2c5b8f07d3c9f0b6f2f3c1d9e47", "device_id": "dev_019aa2c5b8f07d3c9f0b6f2f3c1d9e47",
        "claims": { "sub": "usr_019aa2c5b8f07d3c9f0b6f2f3c1d9e47", "amr": ["pwd"], "roles": ["user"] },
    })
}

/// Sign up
///
/// Answers 202 for a new and for a known address alike, so that nobody learns who has an account.
/// With `registration.reveal_duplicates` it answers 201 with the user, or 409.
#[utoipa::path(
    post, path = "/v1/auth/register", tag = "auth", request_body = RegisterRequest,
    responses(
        (status = ACCEPTED, description = "Taken", body = Accepted, example = json!({"status": "accepted"})),
        (status = CREATED, description = "With `registration.reveal_duplicates`: the new user", body = UserBody),
    ),
    extensions(
        ("x-bailiwick-action" = json!(Register::NAME)),
        ("x-problem-codes" = json!(["registration_closed", "policy_violation", "email_taken", "password_too_weak", "hashing_overloaded", "no_active_version"])),
    ),
)]
async fn register_user(
    app: AppState,
    permit: OpenPermit<Register>,
    Json(body): Json<RegisterRequest>,
) -> Result<Response> {
    let registration = Registration {
        email: field("/email", &body.email)?,
        username: body.username.as_deref().map(|name| field("/username", name)).transpose()?,
        name: body.name.as_deref().map(|name| field("/name", name)).transpose()?,
        password: body.password,
    };
    let request_id = permit.actor().request_id;
    Ok(
        match app
            .authn
            .register(TenantId::DEFAULT, &registration, request_id)
            .await
            .map_err(password_at("/password"))?
        {
            Registered::Accepted => {
                (StatusCode::ACCEPTED, Json(Accepted { status: "accepted" })).into_response()
            }
            Registered::Created(user) => {
                let location = [(LOCATION, format!("/v1/users/{}", user.id))];
                (StatusCode::CREATED, location, Json(UserBody::from(*user))).into_response()
            }
        },
    )
}

/// Sign in
///
/// One failure for an unknown identifier and a wrong password, after the same work.
#[utoipa::path(
    post, path = "/v1/auth/login", tag = "auth", request_body = LoginRequest,
    responses((status = OK, body = TokenResponse, example = json!(tokens_sample()))),
    extensions(
        ("x-bailiwick-action" = json!(LoginAction::NAME)),
        ("x-problem-codes" = json!(["invalid_credentials", "policy_violation", "account_locked", "account_disabled", "email_unverified", "hashing_overloaded", "no_active_version"])),
    ),
)]
async fn create_login(
    app: AppState,
    permit: OpenPermit<LoginAction>,
    Json(body): Json<LoginRequest>,
) -> Result<Json<TokenResponse>> {
    let client =
        permit.client.info(body.device.map(|device| (device.name, device.platform)).unwrap_or_default());
    let login = Login { identifier: body.identifier, password: body.password, client };
    let signed_in = app.authn.login(TenantId::DEFAULT, &login, permit.actor().request_id).await?;
    Ok(Json(TokenResponse::new(&app, &signed_in)))
}

/// Trade a refresh token for a new pair
///
/// Each refresh token works once. Presented again within 30 seconds it gives the same successor, so a
/// lost answer or a race signs nobody out; later, or after its successor was used, it is a theft
/// signal and ends the session (RFC 9700 §4.14.2).
#[utoipa::path(
    post, path = "/v1/auth/refresh", tag = "auth", request_body = RefreshRequest,
    responses((status = OK, body = TokenResponse, example = json!(tokens_sample()))),
    extensions(
        ("x-bailiwick-action" = json!(Refresh::NAME)),
        ("x-problem-codes" = json!(["refresh_failed", "refresh_expired", "refresh_reused", "token_revoked", "policy_violation", "no_active_version"])),
    ),
)]
async fn refresh_session(
    app: AppState,
    permit: OpenPermit<Refresh>,
    Json(body): Json<RefreshRequest>,
) -> Result<Json<TokenResponse>> {
    let (presented, client) = (body.refresh_token.expose_secret(), permit.client.info((None, None)));
    let signed_in = app.authn.refresh(presented, &client, permit.actor().request_id).await?;
    Ok(Json(TokenResponse::new(&app, &signed_in)))
}

/// Sign out
///
/// Ends the session of the access token, or of the refresh token when the access token has expired;
/// `all` ends every session of the user. Doing it again is not an error.
#[utoipa::path(
    post, path = "/v1/auth/logout", tag = "auth", request_body = LogoutRequest,
    responses((status = NO_CONTENT, description = "Signed out")),
    security((), ("bearer" = [])),
    extensions(
        ("x-bailiwick-action" = json!(LogoutAction::NAME)),
        ("x-problem-codes" = json!(["refresh_failed", "policy_violation", "no_active_version"])),
    ),
)]
async fn end_session(
    app: AppState,
    permit: OpenPermit<LogoutAction>,
    Json(body): Json<LogoutRequest>,
) -> Result<StatusCode> {
    let access = permit.bearer.as_ref().map(SecretString::expose_secret);
    let refresh = body.refresh_token.as_ref().map(SecretString::expose_secret);
    if access.is_none() && refresh.is_none() {
        return Err(Problem::new(Code::TokenMissing));
    }
    app.authn.sign_out(access, refresh, body.all, permit.actor().request_id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Change the caller's password
///
/// Ends every session of the user, this one included. With `keep_current`, or `revoke: "others"`, the
/// answer is a fresh session.
#[utoipa::path(
    put, path = "/v1/auth/password", tag = "auth", request_body = PasswordRequest,
    responses(
        (status = OK, description = "Changed; a fresh session", body = TokenResponse, example = json!(tokens_sample())),
        (status = NO_CONTENT, description = "Changed; sign in again"),
    ),
    security(("bearer" = [])),
    extensions(
        ("x-bailiwick-action" = json!(ChangeOwnPassword::NAME)),
        ("x-problem-codes" = json!(["invalid_credentials", "password_too_weak", "hashing_overloaded", "no_active_version"])),
    ),
)]
async fn change_password(
    app: AppState,
    permit: Permit<ChangeOwnPassword>,
    Json(body): Json<PasswordRequest>,
) -> Result<Response> {
    let change = PasswordChange {
        current: body.current_password,
        new: body.new_password,
        keep_current: body.keep_current || body.revoke == RevokeScope::Others,
        client: permit.client.info((None, None)),
    };
    let changed = app.authn.change_password(&permit.user, &change, permit.actor().request_id).await;
    Ok(match changed.map_err(password_at("/new_password"))? {
        Some(signed_in) => Json(TokenResponse::new(&app, &signed_in)).into_response(),
        None => StatusCode::NO_CONTENT.into_response(),
    })
}
