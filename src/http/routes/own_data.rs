//! Tag `users`: a copy of all that is kept about the caller, and leaving.

use axum::http::StatusCode;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{api_keys::ApiKeyBody, devices::DeviceBody, sessions::SessionBody, users::UserBody};
use crate::{
    audit::Record,
    authn::AccountExport,
    base::{DeviceId, SessionId},
    http::{
        actions::{Action, DeactivateOwnAccount, DeleteOwnAccount, ExportOwnData},
        extract::{Json, UserPermit},
        problem::Result,
        state::AppState,
    },
    roles::Binding,
    sessions::PastSession,
};

/// These operations of the tag.
pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(export_own_data))
        .routes(routes!(deactivate_own_account))
        .routes(routes!(delete_own_account))
}

/// Everything that is kept about the caller, without secrets.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct OwnDataBody {
    /// When it was put together, RFC 3339.
    #[schema(example = "2026-11-21T10:00:00.000Z")]
    pub exported_at: String,
    /// The account.
    pub user: UserBody,
    /// Whether there is a password; of it only a hash is kept.
    pub has_password: bool,
    /// Since when there is a second factor, RFC 3339.
    pub second_factor_since: Option<String>,
    /// Recovery codes that were not used.
    #[schema(example = 10)]
    pub recovery_codes_left: i64,
    /// Roles, with who granted them.
    pub roles: Vec<GrantedRoleBody>,
    /// Sessions, live and over.
    pub sessions: Vec<PastSessionBody>,
    /// Devices.
    pub devices: Vec<DeviceBody>,
    /// API keys; of their secrets only digests are kept.
    pub api_keys: Vec<ApiKeyBody>,
    /// The records that name the caller, the newest first.
    pub audit: Vec<RecordBody>,
}

/// A role that somebody has.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct GrantedRoleBody {
    /// Its name.
    #[schema(example = "user")]
    pub role: String,
    /// Who granted it.
    #[schema(example = "anonymous")]
    pub granted_by: String,
    /// When, RFC 3339.
    #[schema(example = "2026-11-21T09:00:00.000Z")]
    pub granted_at: String,
}

/// A session, live or over.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct PastSessionBody {
    /// The session.
    pub session: SessionBody,
    /// How the caller proved who they are (RFC 8176).
    #[schema(example = json!(["pwd"]))]
    pub amr: Vec<String>,
    /// Where it was opened from.
    #[schema(example = "203.0.113.9")]
    pub first_ip: Option<String>,
    /// When it was ended, RFC 3339.
    pub ended_at: Option<String>,
    /// Why.
    #[schema(example = "signed_out")]
    pub end_reason: Option<String>,
}

/// A record of the audit log.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct RecordBody {
    /// Id.
    #[schema(example = "aud_019aa2c5b8f07d3c9f0b6f2f3c1d9e47")]
    pub id: String,
    /// When, RFC 3339.
    #[schema(example = "2026-11-21T09:00:00.000Z")]
    pub at: String,
    /// Who acted.
    #[schema(example = "usr_019aa2c5b8f07d3c9f0b6f2f3c1d9e47")]
    pub actor: String,
    /// What was done.
    #[schema(example = "password_changed")]
    pub action: String,
    /// To what.
    #[schema(example = "usr_019aa2c5b8f07d3c9f0b6f2f3c1d9e47")]
    pub subject: String,
    /// What else there is to say.
    #[schema(value_type = Object, example = json!({}))]
    pub detail: Value,
    /// In which request.
    pub request_id: Option<String>,
}

impl OwnDataBody {
    fn of(export: AccountExport, user: UserBody, session: SessionId, device: DeviceId) -> Self {
        Self {
            exported_at: export.at.to_string(),
            user,
            has_password: export.has_password,
            second_factor_since: export.second_factor.since.map(|at| at.to_string()),
            recovery_codes_left: export.second_factor.codes_left,
            roles: export.bindings.into_iter().map(GrantedRoleBody::from).collect(),
            sessions: export.sessions.into_iter().map(|past| PastSessionBody::of(past, session)).collect(),
            devices: export.devices.into_iter().map(|known| DeviceBody::of(known, device)).collect(),
            api_keys: export.api_keys.into_iter().map(ApiKeyBody::from).collect(),
            audit: export.audit.into_iter().map(RecordBody::from).collect(),
        }
    }
}

impl From<Binding> for GrantedRoleBody {
    fn from(binding: Binding) -> Self {
        Self {
            role: binding.role,
            granted_by: binding.created_by,
            granted_at: binding.created_at_ms.to_string(),
        }
    }
}

impl PastSessionBody {
    fn of(past: PastSession, current: SessionId) -> Self {
        Self {
            first_ip: past.session.ip_first.clone(),
            session: SessionBody::of(past.session, Some(current)),
            amr: past.amr.split_whitespace().map(str::to_owned).collect(),
            ended_at: past.revoked_at_ms.map(|at| at.to_string()),
            end_reason: past.revoke_reason,
        }
    }
}

impl From<Record> for RecordBody {
    fn from(record: Record) -> Self {
        Self {
            id: record.id.to_string(),
            at: record.at_ms.to_string(),
            actor: record.actor,
            action: record.action,
            subject: record.subject,
            detail: serde_json::from_str(&record.detail).unwrap_or_default(),
            request_id: record.request_id,
        }
    }
}

/// A copy of everything that is kept about the caller
///
/// One document, without secrets. Needs a sign-in of the last five minutes (`sessions.sudo_secs`), else
/// `step_up_required` (RFC 9470).
#[utoipa::path(
    get, path = "/v1/users/me/export", tag = "users",
    responses((status = OK, body = OwnDataBody)),
    security(("bearer" = [])),
    extensions(
        ("x-bailiwick-action" = json!(ExportOwnData::NAME)),
        ("x-problem-codes" = json!(["step_up_required", "no_active_version"])),
    ),
)]
async fn export_own_data(app: AppState, permit: UserPermit<ExportOwnData>) -> Result<Json<OwnDataBody>> {
    let export = app.authn.export_account(&permit.user).await?;
    let user = UserBody::whole(&app, export.user.clone()).await?;
    Ok(Json(OwnDataBody::of(export, user, permit.user.session_id, permit.user.device_id)))
}

/// Close the caller's account
///
/// Until an administrator opens it again; nothing is erased. Every session ends, this one too. The last super
/// administrator cannot leave. Needs a sign-in of the last five minutes (`sessions.sudo_secs`), else
/// `step_up_required` (RFC 9470).
#[utoipa::path(
    post, path = "/v1/users/me/deactivate", tag = "users",
    responses((status = NO_CONTENT, description = "Closed")),
    security(("bearer" = [])),
    extensions(
        ("x-bailiwick-action" = json!(DeactivateOwnAccount::NAME)),
        ("x-problem-codes" = json!(["step_up_required", "conflict", "no_active_version"])),
    ),
)]
async fn deactivate_own_account(
    app: AppState,
    permit: UserPermit<DeactivateOwnAccount>,
) -> Result<StatusCode> {
    app.authn.deactivate(&permit.user, permit.actor()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Erase the caller's account
///
/// For good: sessions, keys, devices, roles and every word about the person. Its id stays in the audit log. The last
/// super administrator cannot leave. Needs a sign-in of the last five minutes (`sessions.sudo_secs`), else
/// `step_up_required` (RFC 9470).
#[utoipa::path(
    delete, path = "/v1/users/me", tag = "users",
    responses((status = NO_CONTENT, description = "Erased")),
    security(("bearer" = [])),
    extensions(
        ("x-bailiwick-action" = json!(DeleteOwnAccount::NAME)),
        ("x-problem-codes" = json!(["step_up_required", "conflict", "no_active_version"])),
    ),
)]
async fn delete_own_account(app: AppState, permit: UserPermit<DeleteOwnAccount>) -> Result<StatusCode> {
    app.authn.delete_own_account(&permit.user, permit.actor()).await?;
    Ok(StatusCode::NO_CONTENT)
}
