//! Asking about tokens, and ending them.

use axum::http::{HeaderMap, StatusCode};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    bodies::{Introspection, PresentedRequest},
    proof::client_of,
    token::server_of,
};
use crate::http::{
    actions::{Action, IntrospectToken, RevokeToken},
    extract::{Client as Peer, Form, Json},
    problem::Result,
    state::AppState,
};

pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(introspect_token)).routes(routes!(revoke_token))
}

/// Ask whether a token counts
///
/// RFC 7662. Of a token that is none, has ended, was revoked or is another tenant's, the answer is only that it is not
/// `active`. With `minimal=true` it is `active` and `exp`.
#[utoipa::path(
    post, path = "/v1/oauth/introspect", tag = "oauth",
    request_body(content = PresentedRequest, content_type = "application/x-www-form-urlencoded"),
    responses((status = OK, body = Introspection, example = json!({
        "active": true, "exp": 1_795_429_800, "sub": "usr_019aa2c5b8f07d3c9f0b6f2f3c1d9e47", "client_id": "bailiwick",
        "aud": "https://id.example.com", "iss": "https://id.example.com", "iat": 1_795_428_900,
        "jti": "5vY0xK2mQqO7d1hLr9tZ3w", "tid": "ten_00000000000070008000000000000001",
        "sid": "ses_019aa2c5b8f07d3c9f0b6f2f3c1d9e47", "token_type": "Bearer",
    }))),
    security(("client_basic" = [])),
    extensions(
        ("x-bailiwick-action" = json!(IntrospectToken::NAME)),
        ("x-problem-codes" = json!(["invalid_request", "invalid_client", "policy_violation", "no_active_version"])),
    ),
)]
async fn introspect_token(
    app: AppState,
    peer: Peer,
    headers: HeaderMap,
    form: Form,
) -> Result<Json<Introspection>> {
    let client = client_of(&app, &headers, &form).await?;
    let name = client.id.to_string();
    let server = server_of(&app, &peer, &name);
    let told = app.oauth.introspect(&client, form.needed("token")?, &server).await?;
    Ok(Json(Introspection::of(told, form.get("minimal") == Some("true"))))
}

/// Be done with a token
///
/// RFC 7009. A token of a session, access or refresh, ends the session; one that the client got for itself, or in
/// exchange, ends alone. Other nodes know within 100 ms, or 5 s when messages between them are lost. The answer is the
/// same for a token that is none, and for one that the client may not end, which stays.
#[utoipa::path(
    post, path = "/v1/oauth/revoke", tag = "oauth",
    request_body(content = PresentedRequest, content_type = "application/x-www-form-urlencoded"),
    responses((status = OK, description = "It does not count, if it was the client's to end")),
    security(("client_basic" = [])),
    extensions(
        ("x-bailiwick-action" = json!(RevokeToken::NAME)),
        ("x-problem-codes" = json!(["invalid_request", "invalid_client", "policy_violation", "no_active_version"])),
    ),
)]
async fn revoke_token(app: AppState, peer: Peer, headers: HeaderMap, form: Form) -> Result<StatusCode> {
    let client = client_of(&app, &headers, &form).await?;
    let name = client.id.to_string();
    let server = server_of(&app, &peer, &name);
    let about = (Some(&*peer.request_id), &server);
    app.oauth.revoke(&client, form.needed("token")?, about).await?;
    Ok(StatusCode::OK)
}
