//! Paths of older clients (C15, `server.compat_routes`): other names for operations of this API.
//!
//! A request to such a path becomes one to the path that it stands for, within the same layers: the handler, its guard,
//! its limits and its answer are the operation's own. Where older clients spell members in another way, the one
//! handler here does (R60). None of this is in the OpenAPI document, which describes each operation once.

use axum::{
    Router,
    extract::{RawPathParams, Request},
    http::{Extensions, Uri},
    response::Response,
    routing::{any, post},
};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use tower::ServiceExt;

use crate::http::{
    actions::Refresh,
    arrival::Arrival,
    codes::Code,
    extract::{Json, OpenPermit},
    problem::{Problem, Result},
    state::AppState,
};

/// Each path, and the one that it stands for.
pub const ALIASES: &[(&str, &str)] = &[
    ("/signup", "/v1/auth/register"),
    ("/auth/signup", "/v1/auth/register"),
    ("/auth/register", "/v1/auth/register"),
    ("/login", "/v1/auth/login"),
    ("/auth/login", "/v1/auth/login"),
    ("/auth/signin", "/v1/auth/login"),
    ("/api/v1/auth/login", "/v1/auth/login"),
    ("/auth/refresh", "/v1/auth/refresh"),
    ("/api/v1/auth/refresh", "/v1/auth/refresh"),
    ("/logout", "/v1/auth/logout"),
    ("/auth/logout", "/v1/auth/logout"),
    ("/auth/signout", "/v1/auth/logout"),
    ("/change-password", "/v1/auth/password"),
    ("/users/{user_id}/profile", "/v1/users/{user_id}/profile"),
    ("/api/v1/auth/api-key", "/v1/api-keys"),
    ("/api/v1/auth/client/api-keys/rotate", "/v1/client/api-keys/rotate"),
    ("/api/v1/auth/client/api-keys/promote", "/v1/client/api-keys/promote"),
    ("/api/v1/auth/sdk/session", "/v1/sdk/session"),
];

/// The path of a refresh that is spelled as older clients spell it.
pub const POST_REFRESH: &str = "/auth/post-refresh";

/// Adds the paths to a router that has what they stand for.
pub(super) fn mount(router: Router<AppState>, app: &AppState) -> Router<AppState> {
    let target = router.clone().with_state(app.clone());
    let with_alias = |router: Router<AppState>, (path, of): &'static (&str, &str)| {
        let target = target.clone();
        let forward = move |params: RawPathParams, request: Request| forward(target, of, params, request);
        router.route(path, any(forward))
    };
    ALIASES.iter().fold(router, with_alias).route(POST_REFRESH, post(post_refresh))
}

async fn forward(target: Router, of: &str, params: RawPathParams, request: Request) -> Result<Response> {
    let mut path = of.to_owned();
    for (name, value) in &params {
        path = path.replace(&format!("{{{name}}}"), value);
    }
    if let Some(query) = request.uri().query() {
        path.extend(["?", query]);
    }
    let (mut parts, body) = request.into_parts();
    parts.uri = path.parse::<Uri>().map_err(|_| Problem::new(Code::NotFound))?;
    // What the router noted of the other path must not be taken for this one's.
    let noted = std::mem::replace(&mut parts.extensions, Extensions::new());
    if let Some(arrival) = noted.get::<Arrival>() {
        parts.extensions.insert(arrival.clone());
    }
    let Ok(response) = target.oneshot(Request::from_parts(parts, body)).await;
    Ok(response)
}

/// A refresh token to trade in.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct PostRefreshRequest {
    refresh_token: SecretString,
}

/// A new pair of tokens.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PostRefreshBody {
    access_token: String,
    refresh_token: String,
    expires_in: u64,
    token_version: i64,
}

async fn post_refresh(
    app: AppState,
    permit: OpenPermit<Refresh>,
    Json(body): Json<PostRefreshRequest>,
) -> Result<Json<PostRefreshBody>> {
    let (client, request_id) = (permit.client.info((None, None)), permit.actor().request_id);
    let signed_in = app.authn.refresh(body.refresh_token.expose_secret(), &client, request_id).await?;
    Ok(Json(PostRefreshBody {
        access_token: signed_in.access.token.expose().to_owned(),
        refresh_token: signed_in.refresh.expose().to_owned(),
        expires_in: signed_in.access.expires_at.since(app.clock.now()).as_secs(),
        token_version: signed_in.session.version,
    }))
}
