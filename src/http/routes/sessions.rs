//! Tag `sessions`: where the caller is signed in.

use axum::http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    base::SessionId,
    http::{
        actions::{Action, ListOwnSessions, RevokeOtherSessions, RevokeOwnSession},
        extract::{Json, Path, UserPermit},
        problem::Result,
        state::AppState,
    },
    sessions::Session,
};

/// Operations of this tag.
pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list_sessions))
        .routes(routes!(revoke_session))
        .routes(routes!(revoke_other_sessions))
}

/// One sign-in.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SessionBody {
    /// Id.
    #[schema(example = "ses_019aa2c5b8f07d3c9f0b6f2f3c1d9e47")]
    pub id: String,
    /// Whether this request came with it.
    pub current: bool,
    /// The device.
    #[schema(example = "dev_019aa2c5b8f07d3c9f0b6f2f3c1d9e47")]
    pub device_id: String,
    /// Its name, as it gave it.
    pub device_name: Option<String>,
    /// Its platform, as it gave it.
    pub device_platform: Option<String>,
    /// `User-Agent` of the sign-in.
    pub user_agent: Option<String>,
    /// Address of the last use.
    #[schema(example = "203.0.113.9")]
    pub ip: Option<String>,
    /// When it began, RFC 3339.
    #[schema(example = "2026-11-21T09:00:00.000Z")]
    pub created_at: String,
    /// When it was last used, to the minute, RFC 3339.
    #[schema(example = "2026-11-21T09:15:00.000Z")]
    pub last_seen_at: String,
    /// When it ends unless used, RFC 3339.
    #[schema(example = "2026-11-28T09:15:00.000Z")]
    pub expires_at: String,
}

impl SessionBody {
    /// A session, seen by a caller in the session `current`.
    pub(super) fn of(session: Session, current: Option<SessionId>) -> Self {
        Self {
            id: session.id.to_string(),
            current: Some(session.id) == current,
            device_id: session.device_id.to_string(),
            device_name: session.device_name,
            device_platform: session.device_platform,
            user_agent: session.user_agent,
            ip: session.ip_last,
            created_at: session.created_at_ms.to_string(),
            last_seen_at: session.last_seen_at_ms.to_string(),
            expires_at: session.idle_expires_at_ms.min(session.abs_expires_at_ms).to_string(),
        }
    }
}

/// Every live session.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SessionList {
    /// Newest first.
    pub data: Vec<SessionBody>,
}

/// How many sessions ended.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct RevokedSessions {
    /// The number.
    #[schema(example = 2)]
    pub revoked: usize,
}

/// The caller's live sessions
#[utoipa::path(
    get, path = "/v1/sessions", tag = "sessions",
    responses((status = OK, body = SessionList, example = json!({"data": [{
        "id": "ses_019aa2c5b8f07d3c9f0b6f2f3c1d9e47", "current": true,
        "device_id": "dev_019aa2c5b8f07d3c9f0b6f2f3c1d9e47", "device_name": "Alice's phone", "device_platform": "ios",
        "user_agent": "curl/8.5.0", "ip": "203.0.113.9", "created_at": "2026-11-21T09:00:00.000Z",
        "last_seen_at": "2026-11-21T09:15:00.000Z", "expires_at": "2026-11-28T09:15:00.000Z",
    }]}))),
    security(("bearer" = [])),
    extensions(
        ("x-bailiwick-action" = json!(ListOwnSessions::NAME)),
        ("x-problem-codes" = json!(["no_active_version"])),
    ),
)]
async fn list_sessions(app: AppState, permit: UserPermit<ListOwnSessions>) -> Result<Json<SessionList>> {
    let sessions = app.sessions.list(permit.tenant(), permit.user.user_id).await?;
    let current = Some(permit.user.session_id);
    Ok(Json(SessionList {
        data: sessions.into_iter().map(|session| SessionBody::of(session, current)).collect(),
    }))
}

/// End one of the caller's sessions
///
/// Its access tokens stop working at once on this node, and within 100 ms on the others. Another session than the
/// caller's is ended by who signed in a moment ago, else `step_up_required` (RFC 9470).
#[utoipa::path(
    delete, path = "/v1/sessions/{session_id}", tag = "sessions",
    params(("session_id" = String, Path, description = "The session", example = "ses_019aa2c5b8f07d3c9f0b6f2f3c1d9e47")),
    responses((status = NO_CONTENT, description = "Ended")),
    security(("bearer" = [])),
    extensions(
        ("x-bailiwick-action" = json!(RevokeOwnSession::NAME)),
        ("x-problem-codes" = json!(["not_found", "step_up_required", "no_active_version"])),
    ),
)]
async fn revoke_session(
    app: AppState,
    permit: UserPermit<RevokeOwnSession>,
    Path(session): Path<SessionId>,
) -> Result<StatusCode> {
    app.authn.may_end_session(&permit.user, session)?;
    app.sessions.revoke(permit.tenant(), permit.user.user_id, session, "revoked", permit.actor()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// End all of the caller's sessions but this one
///
/// Needs a sign-in of the last five minutes (`sessions.sudo_secs`), else `step_up_required` (RFC 9470).
#[utoipa::path(
    post, path = "/v1/sessions/revoke-others", tag = "sessions",
    responses((status = OK, body = RevokedSessions, example = json!({"revoked": 2}))),
    security(("bearer" = [])),
    extensions(
        ("x-bailiwick-action" = json!(RevokeOtherSessions::NAME)),
        ("x-problem-codes" = json!(["step_up_required", "no_active_version"])),
    ),
)]
async fn revoke_other_sessions(
    app: AppState,
    permit: UserPermit<RevokeOtherSessions>,
) -> Result<Json<RevokedSessions>> {
    let user = &permit.user;
    app.authn.require_recent(user)?;
    let revoked =
        app.sessions.revoke_others(user.tenant_id, user.user_id, user.session_id, permit.actor()).await?;
    Ok(Json(RevokedSessions { revoked }))
}
