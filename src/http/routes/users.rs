//! Tag `users`: the caller's own account.

use std::{fmt::Display, str::FromStr};

use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::auth::{Accepted, EmailRequest};
use crate::{
    http::{
        actions::{Action, ChangeOwnEmail, ReadOwnProfile, UpdateOwnAccount},
        extract::{Json, Member, UserPermit, field},
        problem::Result,
        state::AppState,
    },
    users::{User, UserChange},
};

/// Operations of this tag.
pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(read_own_user, update_own_user)).routes(routes!(change_own_email))
}

/// A user as the API shows it.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct UserBody {
    /// Id; also the Cedar entity `User::"<id>"`.
    #[schema(example = "usr_019aa2c5b8f07d3c9f0b6f2f3c1d9e47")]
    pub id: String,
    /// The tenant the user belongs to.
    #[schema(example = "ten_00000000000070008000000000000001")]
    pub tenant_id: String,
    /// E-mail address as it was given; none for some whom their tenant's own server names.
    #[schema(example = "alice@example.com")]
    pub email: Option<String>,
    /// What the tenant's own server calls the user, if it named them.
    #[schema(example = "customer-4711")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub external_id: Option<String>,
    /// Whether the address was proven.
    pub email_verified: bool,
    /// User name.
    #[schema(example = "alice")]
    pub username: Option<String>,
    /// Name to show.
    #[schema(example = "Alice")]
    pub name: Option<String>,
    /// `pending`, `active`, `locked` or `disabled`.
    #[schema(example = "active")]
    pub status: String,
    /// When the account was made, RFC 3339.
    #[schema(example = "2026-11-21T09:00:00.000Z")]
    pub created_at: String,
    /// Names of the roles granted to the user, without those that they inherit.
    #[schema(example = json!(["user"]))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub roles: Option<Vec<String>>,
    /// When the user was last active, to the minute, RFC 3339. Absent in lists.
    #[schema(example = "2026-11-21T09:15:00.000Z")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_active_at: Option<String>,
}

impl UserBody {
    /// A user with all that is shown of one.
    pub(super) async fn whole(app: &AppState, user: User) -> Result<Self> {
        let roles = app.roles.names_of(user.tenant_id, user.id).await?;
        let active = app.sessions.last_use(user.tenant_id, user.id).await?;
        let last_active_at = active.map(|at| at.to_string());
        Ok(Self { roles: Some(roles), last_active_at, ..Self::from(user) })
    }
}

impl From<User> for UserBody {
    fn from(user: User) -> Self {
        Self {
            id: user.id.to_string(),
            tenant_id: user.tenant_id.to_string(),
            email: user.email,
            external_id: user.external_id,
            email_verified: user.email_verified,
            username: user.username,
            name: user.name,
            status: user.status.as_str().to_owned(),
            created_at: user.created_at_ms.to_string(),
            roles: None,
            last_active_at: None,
        }
    }
}

/// What to change; what is absent stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct UserUpdateRequest {
    /// Another user name; `null` takes it away.
    #[serde(default)]
    #[schema(value_type = Option<String>, example = "alice")]
    pub username: Member<String>,
    /// Another name to show; `null` takes it away.
    #[serde(default)]
    #[schema(value_type = Option<String>, example = "Alice")]
    pub name: Member<String>,
}

impl UserUpdateRequest {
    fn change(&self) -> Result<UserChange> {
        Ok(UserChange {
            username: changed("/username", &self.username)?,
            name: changed("/name", &self.name)?,
        })
    }
}

#[expect(clippy::option_option, reason = "absent, taken away and given are three things")]
fn changed<T: FromStr<Err: Display>>(pointer: &str, text: &Member<String>) -> Result<Option<Option<T>>> {
    Ok(match text {
        Member::Kept => None,
        Member::Removed => Some(None),
        Member::Given(text) => Some(Some(field(pointer, text)?)),
    })
}

/// The caller's account
#[utoipa::path(
    get, path = "/v1/users/me", tag = "users",
    responses((status = OK, body = UserBody, example = json!({
        "id": "usr_019aa2c5b8f07d3c9f0b6f2f3c1d9e47", "tenant_id": "ten_00000000000070008000000000000001",
        "email": "alice@example.com", "email_verified": false, "username": null, "name": "Alice",
        "status": "active", "created_at": "2026-11-21T09:00:00.000Z", "roles": ["user"],
        "last_active_at": "2026-11-21T09:15:00.000Z",
    }))),
    security(("bearer" = [])),
    extensions(
        ("x-bailiwick-action" = json!(ReadOwnProfile::NAME)),
        ("x-problem-codes" = json!(["no_active_version"])),
    ),
)]
async fn read_own_user(app: AppState, permit: UserPermit<ReadOwnProfile>) -> Result<Json<UserBody>> {
    let user = app.authn.me(&permit.user).await?;
    Ok(Json(UserBody::whole(&app, user).await?))
}

/// Change the caller's names
///
/// The address has an operation of its own: it is proven first.
#[utoipa::path(
    patch, path = "/v1/users/me", tag = "users", request_body = UserUpdateRequest,
    responses((status = OK, body = UserBody)),
    security(("bearer" = [])),
    extensions(
        ("x-bailiwick-action" = json!(UpdateOwnAccount::NAME)),
        ("x-problem-codes" = json!(["validation_failed", "email_taken", "no_active_version"])),
    ),
)]
async fn update_own_user(
    app: AppState,
    permit: UserPermit<UpdateOwnAccount>,
    Json(body): Json<UserUpdateRequest>,
) -> Result<Json<UserBody>> {
    let user =
        app.users.change(permit.tenant(), permit.user.user_id, &body.change()?, permit.actor()).await?;
    Ok(Json(UserBody::whole(&app, user).await?))
}

/// Change the caller's address
///
/// Mails a link to the new address; the account has it once the link is used (`POST /v1/auth/verify-email`),
/// and the old address is told. Answers the same whether the address is free or not. Needs a sign-in of the
/// last five minutes, else `step_up_required` (RFC 9470).
#[utoipa::path(
    post, path = "/v1/users/me/email", tag = "users", request_body = EmailRequest,
    responses((status = ACCEPTED, description = "Taken", body = Accepted, example = json!({"status": "accepted"}))),
    security(("bearer" = [])),
    extensions(
        ("x-bailiwick-action" = json!(ChangeOwnEmail::NAME)),
        ("x-problem-codes" = json!(["step_up_required", "too_many_attempts", "no_active_version"])),
    ),
)]
async fn change_own_email(
    app: AppState,
    permit: UserPermit<ChangeOwnEmail>,
    Json(body): Json<EmailRequest>,
) -> Result<(StatusCode, Json<Accepted>)> {
    let email = field("/email", &body.email)?;
    app.authn.change_email(&permit.user, &email, permit.client.ip, permit.actor()).await?;
    Ok((StatusCode::ACCEPTED, Json(Accepted { status: "accepted" })))
}
