//! The operations of the tag.

use axum::{
    http::{StatusCode, header::LOCATION},
    response::{IntoResponse, Response},
};
use secrecy::{ExposeSecret, SecretString};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::bodies::{
    Accepted, LoginRequest, LogoutRequest, PasswordRequest, RefreshRequest, RegisterRequest, RevokeScope,
    SignedUp, TokenResponse, Tokens, tokens_sample,
};
use crate::{
    authn::{AuthnError, Login, PasswordChange, Registered, Registration},
    base::UserId,
    http::{
        actions::{
            Action, ChangeOwnPassword, Login as LoginAction, Logout as LogoutAction, Refresh, Register,
        },
        codes::Code,
        cookies,
        errors::password_problem,
        extract::{Delivery, Json, Mode, ModeQuery, OpenPermit, UserPermit, field},
        problem::{Problem, Result},
        routes::users::UserBody,
        state::AppState,
    },
};

/// Operations of this tag.
pub(in crate::http::routes) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(register_user))
        .routes(routes!(create_login))
        .routes(routes!(refresh_session))
        .routes(routes!(end_session))
        .routes(routes!(change_password))
        .merge(super::recovery::router())
        .merge(super::second_factor::router())
}

/// A password that does not meet the rules is a wrong value at its place in the body.
pub(in crate::http::routes) fn password_at(pointer: &'static str) -> impl FnOnce(AuthnError) -> Problem {
    move |error| match error {
        AuthnError::Password(problem) => password_problem(problem).at(pointer, problem.to_string()),
        other => other.into(),
    }
}

/// Sign up
///
/// Answers 202 for a new and for a known address alike, so that nobody learns who has an account.
/// With `registration.reveal_duplicates` it answers 201 with the user, or 409; with `registration.auto_login` besides,
/// the user is signed in on this device, and the answer is that of a sign-in.
#[utoipa::path(
    post, path = "/v1/auth/register", tag = "auth", params(ModeQuery), request_body = RegisterRequest,
    responses(
        (status = ACCEPTED, description = "Taken", body = Accepted, example = json!({"status": "accepted"})),
        (status = CREATED, description = "With `registration.reveal_duplicates`: the new user; with \
            `registration.auto_login` besides: a session of theirs, as at a sign-in", body = SignedUp,
            example = json!(tokens_sample())),
    ),
    extensions(
        ("x-bailiwick-action" = json!(Register::NAME)),
        ("x-problem-codes" = json!(["cross_site", "registration_closed", "policy_violation", "email_taken", "password_too_weak", "password_breached", "too_many_attempts", "hashing_overloaded", "no_active_version"])),
    ),
)]
async fn register_user(
    app: AppState,
    permit: OpenPermit<Register>,
    delivery: Delivery,
    Json(body): Json<RegisterRequest>,
) -> Result<Response> {
    let tenant = permit.enter(&app, body.tenant.as_deref()).await?;
    let registration = Registration {
        email: field("/email", &body.email)?,
        username: body.username.as_deref().map(|name| field("/username", name)).transpose()?,
        name: body.name.as_deref().map(|name| field("/name", name)).transpose()?,
        password: body.password,
        client: body.device.unwrap_or_default().client(&permit.client)?,
    };
    let request_id = permit.actor().request_id;
    let registered = app.authn.register(tenant, &registration, request_id).await;
    let at = |id: UserId| [(LOCATION, format!("/v1/users/{id}"))];
    Ok(match registered.map_err(password_at("/password"))? {
        Registered::Accepted => (StatusCode::ACCEPTED, Json(Accepted { status: "accepted" })).into_response(),
        Registered::Created(user) => {
            (StatusCode::CREATED, at(user.id), Json(UserBody::from(*user))).into_response()
        }
        Registered::SignedIn(signed_in) => {
            let tokens = Tokens::new(&app, &signed_in, delivery.mode);
            (StatusCode::CREATED, at(signed_in.user.id), tokens).into_response()
        }
    })
}

/// Sign in
///
/// One failure for an unknown identifier and a wrong password, after the same work. Tries are limited by
/// address, and by identifier and address. After ten wrong passwords in a row an account is locked for a
/// while (`account_locked`, told only after the right password), except for devices that send the
/// `device_token` of an earlier sign-in. Where the account has a second factor the answer to the right password
/// is `mfa_required`, with an `mfa_token` for `POST /v1/auth/login/mfa` and the `methods` that it takes.
#[utoipa::path(
    post, path = "/v1/auth/login", tag = "auth", params(ModeQuery), request_body = LoginRequest,
    responses((status = OK, body = TokenResponse, example = json!(tokens_sample()))),
    extensions(
        ("x-bailiwick-action" = json!(LoginAction::NAME)),
        ("x-problem-codes" = json!(["cross_site", "invalid_credentials", "mfa_required", "too_many_attempts", "policy_violation", "account_locked", "account_disabled", "email_unverified", "hashing_overloaded", "no_active_version"])),
    ),
)]
async fn create_login(
    app: AppState,
    permit: OpenPermit<LoginAction>,
    delivery: Delivery,
    Json(body): Json<LoginRequest>,
) -> Result<Tokens> {
    let tenant = permit.enter(&app, body.tenant.as_deref()).await?;
    let mut device = body.device.unwrap_or_default();
    let login = Login {
        identifier: body.identifier,
        password: body.password,
        device_token: device.token.take().or(delivery.device),
        client: device.client(&permit.client)?,
    };
    let signed_in = app.authn.login(tenant, &login, permit.actor().request_id).await?;
    Ok(Tokens::new(&app, &signed_in, delivery.mode))
}

/// Trade a refresh token for a new pair
///
/// Each refresh token works once. Presented again within 30 seconds it gives the same successor, so a
/// lost answer or a race signs nobody out; later, or after its successor was used, it is a theft
/// signal and ends the session (RFC 9700 §4.14.2).
#[utoipa::path(
    post, path = "/v1/auth/refresh", tag = "auth", params(ModeQuery), request_body = RefreshRequest,
    responses((status = OK, body = TokenResponse, example = json!(tokens_sample()))),
    extensions(
        ("x-bailiwick-action" = json!(Refresh::NAME)),
        ("x-problem-codes" = json!(["cross_site", "refresh_failed", "refresh_expired", "refresh_reused", "fingerprint_mismatch", "step_up_required", "origin_not_allowed", "token_revoked", "policy_violation", "no_active_version"])),
    ),
)]
async fn refresh_session(
    app: AppState,
    permit: OpenPermit<Refresh>,
    delivery: Delivery,
    Json(body): Json<RefreshRequest>,
) -> Result<Tokens> {
    let missing = || Problem::new(Code::ValidationFailed).at("/refresh_token", "is missing");
    let presented = body.refresh_token.or(delivery.refresh).ok_or_else(missing)?;
    trade(&app, &permit, &presented, delivery.mode).await
}

/// Trades a refresh token in.
pub(in crate::http::routes) async fn trade(
    app: &AppState,
    permit: &OpenPermit<Refresh>,
    presented: &SecretString,
    mode: Mode,
) -> Result<Tokens> {
    let client = permit.client.info((None, None));
    let signed_in = app.authn.refresh(presented.expose_secret(), &client, permit.actor().request_id).await?;
    Ok(Tokens::new(app, &signed_in, mode))
}

/// Sign out
///
/// Ends the session of the access token, or of the refresh token when the access token has expired;
/// `all` ends every session of the user. Doing it again is not an error.
#[utoipa::path(
    post, path = "/v1/auth/logout", tag = "auth", params(ModeQuery), request_body = LogoutRequest,
    responses((status = NO_CONTENT, description = "Signed out")),
    security((), ("bearer" = [])),
    extensions(
        ("x-bailiwick-action" = json!(LogoutAction::NAME)),
        ("x-problem-codes" = json!(["cross_site", "refresh_failed", "policy_violation", "no_active_version"])),
    ),
)]
async fn end_session(
    app: AppState,
    permit: OpenPermit<LogoutAction>,
    delivery: Delivery,
    Json(body): Json<LogoutRequest>,
) -> Result<Response> {
    let access = permit.bearer.as_ref().map(SecretString::expose_secret);
    let refresh = body.refresh_token.or(delivery.refresh);
    let refresh = refresh.as_ref().map(SecretString::expose_secret);
    if access.is_none() && refresh.is_none() {
        return Err(Problem::new(Code::TokenMissing));
    }
    app.authn.sign_out(access, refresh, body.all, permit.actor().request_id).await?;
    let mut response = StatusCode::NO_CONTENT.into_response();
    if delivery.mode == Mode::Cookie {
        cookies::forget(response.headers_mut());
    }
    Ok(response)
}

/// Change the caller's password
///
/// Ends every session of the user, this one included. With `keep_current`, or `revoke: "others"`, the
/// answer is a fresh session.
#[utoipa::path(
    put, path = "/v1/auth/password", tag = "auth", params(ModeQuery), request_body = PasswordRequest,
    responses(
        (status = OK, description = "Changed; a fresh session", body = TokenResponse, example = json!(tokens_sample())),
        (status = NO_CONTENT, description = "Changed; sign in again"),
    ),
    security(("bearer" = [])),
    extensions(
        ("x-bailiwick-action" = json!(ChangeOwnPassword::NAME)),
        ("x-problem-codes" = json!(["invalid_credentials", "account_locked", "password_too_weak", "password_breached", "too_many_attempts", "hashing_overloaded", "no_active_version"])),
    ),
)]
async fn change_password(
    app: AppState,
    permit: UserPermit<ChangeOwnPassword>,
    delivery: Delivery,
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
        Some(signed_in) => Tokens::new(&app, &signed_in, delivery.mode).into_response(),
        None => StatusCode::NO_CONTENT.into_response(),
    })
}
