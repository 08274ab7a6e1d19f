//! The operations of the tag.

use utoipa_axum::{router::OpenApiRouter, routes};

use super::bodies::{SdkRefreshRequest, SdkSessionBody, SdkSessionRequest, session_sample};
use crate::{
    authn::Caller,
    http::{
        actions::{Action, OpenSession, Refresh},
        codes::Code,
        extract::{Authenticated, Json, Mode, OpenPermit},
        problem::{Problem, Result},
        routes::auth::{TokenResponse, Tokens, tokens_sample, trade},
        state::AppState,
    },
};

/// Operations of this tag.
pub(in crate::http::routes) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(open_sdk_session)).routes(routes!(refresh_sdk_session))
}

/// Open a session for a user of your application
///
/// For your server, with an API key of the tenant (scope `sessions`). Finds the user by your own id of them, and makes
/// them at the first time; the user has no password here and is never the account of somebody with the same address.
/// Hand the tokens on to the user's page or app. A token is good for the tenant, and in a browser for pages of
/// `origin` that are on the tenant's list; a page of another origin is answered `origin_not_allowed`. The session ends
/// with the user, the tenant, and the revocation of the key; a key that is replaced by the next one leaves it.
#[utoipa::path(
    post, path = "/v1/sdk/session", tag = "sdk", request_body = SdkSessionRequest,
    responses((status = OK, body = SdkSessionBody, example = json!(session_sample()))),
    security(("bearer" = []), ("api_key" = [])),
    extensions(
        ("x-bailiwick-action" = json!(OpenSession::NAME)),
        ("x-problem-codes" = json!(["not_found", "account_locked", "account_disabled", "no_active_version"])),
    ),
)]
async fn open_sdk_session(
    app: AppState,
    caller: Authenticated,
    Json(body): Json<SdkSessionRequest>,
) -> Result<Json<SdkSessionBody>> {
    let Caller::Key(key) = caller.caller.clone() else { return Err(Problem::new(Code::WrongTokenType)) };
    let new = body.session(&caller.client)?;
    let tenant = app.tenants.get(key.tenant_id).await?.ok_or_else(|| Problem::new(Code::NotFound))?;
    // What is decided about is the origin that the tokens are for.
    let client = match &new.origin {
        Some(origin) => caller.client.on_behalf_of(origin),
        None => caller.client,
    };
    let server = client.server_context_in(&tenant, app.clock.now());
    let caller = Authenticated { client, server, ..caller };
    caller.may::<OpenSession>(&app, ("Tenant", &tenant.id.to_string())).await?;
    let opened = app.authn.open_sdk_session(&key, &new, Some(&caller.client.request_id)).await?;
    Ok(Json(SdkSessionBody::new(opened, &tenant, app.clock.now())))
}

/// Trade a refresh token of such a session for a new pair
///
/// As `POST /v1/auth/refresh`. Repeat a request that was answered `token_expired` once with the new token, and none that
/// was answered otherwise.
#[utoipa::path(
    post, path = "/v1/sdk/refresh", tag = "sdk", request_body = SdkRefreshRequest,
    responses((status = OK, body = TokenResponse, example = json!(tokens_sample()))),
    extensions(
        ("x-bailiwick-action" = json!(Refresh::NAME)),
        ("x-problem-codes" = json!(["refresh_failed", "refresh_expired", "refresh_reused", "fingerprint_mismatch", "step_up_required", "origin_not_allowed", "token_revoked", "policy_violation", "no_active_version"])),
    ),
)]
async fn refresh_sdk_session(
    app: AppState,
    permit: OpenPermit<Refresh>,
    Json(body): Json<SdkRefreshRequest>,
) -> Result<Tokens> {
    trade(&app, &permit, &body.refresh_token, Mode::Body).await
}
