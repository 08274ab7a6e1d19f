//! The operations of the tag on the sessions of others (R52, ASVS 7.4.5).

use axum::http::StatusCode;
use serde::Deserialize;
use utoipa::IntoParams;

use super::operations::about;
use crate::{
    base::{SessionId, UserId},
    http::{
        actions::{Action, ListUserSessions, RevokeUserSessions},
        extract::{Json, Path, Permit, Query},
        problem::Result,
        routes::sessions::{SessionBody, SessionList},
        state::AppState,
    },
};

/// Whose sessions are listed.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct SessionQuery {
    /// The user.
    #[param(value_type = String, example = "usr_019aa2c5b8f07d3c9f0b6f2f3c1d9e47")]
    user_id: UserId,
}

/// The live sessions of a user
///
/// `current` is true of the session that this request came with, when administrators look at their own.
#[utoipa::path(
    get, path = "/v1/admin/sessions", tag = "accounts", params(SessionQuery),
    responses((status = OK, body = SessionList, example = json!({"data": [{
        "id": "ses_019aa2c5b8f07d3c9f0b6f2f3c1d9e47", "current": false,
        "device_id": "dev_019aa2c5b8f07d3c9f0b6f2f3c1d9e47", "device_name": "Alice's phone", "device_platform": "ios",
        "user_agent": "curl/8.5.0", "ip": "203.0.113.9", "created_at": "2026-11-21T09:00:00.000Z",
        "last_seen_at": "2026-11-21T09:15:00.000Z", "expires_at": "2026-11-28T09:15:00.000Z",
    }]}))),
    security(("bearer" = [])),
    extensions(
        ("x-bailiwick-action" = json!(ListUserSessions::NAME)),
        ("x-problem-codes" = json!(["not_found", "validation_failed", "no_active_version"])),
    ),
)]
pub(super) async fn list_user_sessions(
    app: AppState,
    permit: Permit<ListUserSessions>,
    Query(SessionQuery { user_id }): Query<SessionQuery>,
) -> Result<Json<SessionList>> {
    about(&app, &permit, user_id).await?;
    let current = permit.caller.user().map(|caller| caller.session_id);
    let sessions = app.sessions.list(permit.tenant(), user_id).await?;
    Ok(Json(SessionList {
        data: sessions.into_iter().map(|session| SessionBody::of(session, current)).collect(),
    }))
}

/// End one session of a user
///
/// Its access tokens stop working at once on this node, and within 100 ms on the others.
#[utoipa::path(
    delete, path = "/v1/admin/sessions/{session_id}", tag = "accounts",
    params(("session_id" = String, Path, description = "The session", example = "ses_019aa2c5b8f07d3c9f0b6f2f3c1d9e47")),
    responses((status = NO_CONTENT, description = "Ended")),
    security(("bearer" = [])),
    extensions(
        ("x-bailiwick-action" = json!(RevokeUserSessions::NAME)),
        ("x-problem-codes" = json!(["not_found", "no_active_version"])),
    ),
)]
pub(super) async fn revoke_user_session(
    app: AppState,
    permit: Permit<RevokeUserSessions>,
    Path(session): Path<SessionId>,
) -> Result<StatusCode> {
    let (tenant, reason) = (permit.tenant(), "revoked_by_administrator");
    let user = app.sessions.user_of(tenant, session).await?;
    about(&app, &permit, user).await?;
    app.sessions.revoke(tenant, user, session, reason, permit.actor()).await?;
    Ok(StatusCode::NO_CONTENT)
}
