//! The operations of the tag.

use axum::{http::StatusCode, response::Response};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    bodies::{EndedSessions, LinkBody, LinkRequest, UserFilter, UserPage},
    sessions::{
        __path_list_user_sessions, __path_revoke_user_session, list_user_sessions, revoke_user_session,
    },
    transfer,
};
use crate::{
    authorize::EntityRef,
    base::UserId,
    http::{
        actions::{
            Action, DeleteUser, ListUsers, LockUser, MakeUserLink, ReadUser, RevokeUserSessions, UnlockUser,
        },
        codes::Code,
        extract::{IdempotencyKey, Json, Once, PageQuery, Path, Permit, Query},
        problem::{Problem, Result},
        routes::users::UserBody,
        state::AppState,
    },
    users::UserStatus,
};

/// Operations of this tag.
pub(in crate::http::routes) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list_users))
        .routes(routes!(read_user, delete_user))
        .routes(routes!(lock_user))
        .routes(routes!(unlock_user))
        .routes(routes!(revoke_user_sessions))
        .routes(routes!(make_user_link))
        .routes(routes!(list_user_sessions))
        .routes(routes!(revoke_user_session))
        .merge(transfer::router())
}

/// Asks the engine about this user too, once it is known that the caller's tenant has them.
pub(super) async fn about<A: Action>(app: &AppState, permit: &Permit<A>, id: UserId) -> Result<()> {
    app.users.get(permit.tenant(), id).await?.ok_or_else(|| Problem::new(Code::NotFound))?;
    permit.also(app, EntityRef::new("User", id.to_string())).await
}

/// The users of the tenant
#[utoipa::path(
    get, path = "/v1/admin/users", tag = "accounts", params(UserFilter),
    responses((status = OK, body = UserPage, example = json!({"data": [{
        "id": "usr_019aa2c5b8f07d3c9f0b6f2f3c1d9e47", "tenant_id": "ten_00000000000070008000000000000001",
        "email": "alice@example.com", "email_verified": true, "username": "alice", "name": "Alice",
        "status": "active", "created_at": "2026-11-21T09:00:00.000Z",
    }], "next_cursor": null}))),
    security(("bearer" = [])),
    extensions(
        ("x-bailiwick-action" = json!(ListUsers::NAME)),
        ("x-problem-codes" = json!(["validation_failed", "no_active_version"])),
    ),
)]
async fn list_users(
    app: AppState,
    permit: Permit<ListUsers>,
    Query(filter): Query<UserFilter>,
) -> Result<Json<UserPage>> {
    let (limit, cursor) = PageQuery::new(filter.limit, filter.cursor).page()?;
    if filter.search.as_ref().is_some_and(|text| text.len() > 254 || text.contains('\0')) {
        return Err(Problem::new(Code::ValidationFailed).at("?search", "must have at most 254 bytes"));
    }
    let page = app.users.search(permit.tenant(), filter.search.as_deref(), cursor.as_ref(), limit).await?;
    let data = page.data.into_iter().map(UserBody::from).collect();
    Ok(Json(UserPage { data, next_cursor: page.next.map(|cursor| cursor.encode()) }))
}

/// A user of the tenant
#[utoipa::path(
    get, path = "/v1/admin/users/{user_id}", tag = "accounts",
    params(("user_id" = String, Path, description = "The user", example = "usr_019aa2c5b8f07d3c9f0b6f2f3c1d9e47")),
    responses((status = OK, body = UserBody)),
    security(("bearer" = [])),
    extensions(
        ("x-bailiwick-action" = json!(ReadUser::NAME)),
        ("x-problem-codes" = json!(["not_found", "no_active_version"])),
    ),
)]
async fn read_user(
    app: AppState,
    permit: Permit<ReadUser>,
    Path(id): Path<UserId>,
) -> Result<Json<UserBody>> {
    about(&app, &permit, id).await?;
    let user = app.users.get(permit.tenant(), id).await?.ok_or_else(|| Problem::new(Code::NotFound))?;
    Ok(Json(UserBody::whole(&app, user).await?))
}

/// Erase an account
///
/// For good: sessions, keys, devices, roles and every word about the person. Its id stays in the audit log. The last
/// super administrator cannot be erased.
#[utoipa::path(
    delete, path = "/v1/admin/users/{user_id}", tag = "accounts",
    params(("user_id" = String, Path, description = "The user", example = "usr_019aa2c5b8f07d3c9f0b6f2f3c1d9e47")),
    responses((status = NO_CONTENT, description = "Erased")),
    security(("bearer" = [])),
    extensions(
        ("x-bailiwick-action" = json!(DeleteUser::NAME)),
        ("x-problem-codes" = json!(["not_found", "conflict", "no_active_version"])),
    ),
)]
async fn delete_user(
    app: AppState,
    permit: Permit<DeleteUser>,
    Path(id): Path<UserId>,
) -> Result<StatusCode> {
    about(&app, &permit, id).await?;
    app.authn.delete_user(permit.tenant(), id, permit.actor()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Lock an account
///
/// Ends every session of the user at once. The last super administrator cannot be locked. Services and API keys with a
/// role that may do so suspend people with it whose status changed elsewhere (scope `users.lock`).
#[utoipa::path(
    post, path = "/v1/admin/users/{user_id}/lock", tag = "accounts",
    params(("user_id" = String, Path, description = "The user", example = "usr_019aa2c5b8f07d3c9f0b6f2f3c1d9e47")),
    responses((status = NO_CONTENT, description = "Locked")),
    security(("bearer" = []), ("api_key" = [])),
    extensions(
        ("x-bailiwick-action" = json!(LockUser::NAME)),
        ("x-problem-codes" = json!(["not_found", "conflict", "no_active_version"])),
    ),
)]
async fn lock_user(app: AppState, permit: Permit<LockUser>, Path(id): Path<UserId>) -> Result<StatusCode> {
    about(&app, &permit, id).await?;
    app.authn.set_user_status(permit.tenant(), id, UserStatus::Locked, permit.actor()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Lift a lock
///
/// That of an administrator, or that of too many wrong passwords. A disabled account stays disabled.
#[utoipa::path(
    post, path = "/v1/admin/users/{user_id}/unlock", tag = "accounts",
    params(("user_id" = String, Path, description = "The user", example = "usr_019aa2c5b8f07d3c9f0b6f2f3c1d9e47")),
    responses((status = NO_CONTENT, description = "Not locked")),
    security(("bearer" = []), ("api_key" = [])),
    extensions(
        ("x-bailiwick-action" = json!(UnlockUser::NAME)),
        ("x-problem-codes" = json!(["not_found", "no_active_version"])),
    ),
)]
async fn unlock_user(
    app: AppState,
    permit: Permit<UnlockUser>,
    Path(id): Path<UserId>,
) -> Result<StatusCode> {
    about(&app, &permit, id).await?;
    app.authn.unlock_user(permit.tenant(), id, permit.actor()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// End every session of a user
#[utoipa::path(
    post, path = "/v1/admin/users/{user_id}/revoke-sessions", tag = "accounts",
    params(("user_id" = String, Path, description = "The user", example = "usr_019aa2c5b8f07d3c9f0b6f2f3c1d9e47")),
    responses((status = OK, body = EndedSessions, example = json!({"revoked": 2}))),
    security(("bearer" = [])),
    extensions(
        ("x-bailiwick-action" = json!(RevokeUserSessions::NAME)),
        ("x-problem-codes" = json!(["not_found", "no_active_version"])),
    ),
)]
async fn revoke_user_sessions(
    app: AppState,
    permit: Permit<RevokeUserSessions>,
    Path(id): Path<UserId>,
) -> Result<Json<EndedSessions>> {
    about(&app, &permit, id).await?;
    let revoked = app.authn.end_all(permit.tenant(), id, "revoked_by_administrator", permit.actor()).await?;
    Ok(Json(EndedSessions { revoked }))
}

/// Make a link for a user
///
/// For where no mail is sent: hand it to the user by other means. An administrator starts a reset and never
/// chooses a password (ASVS 6.4.6). A super administrator's link is made by super administrators.
#[utoipa::path(
    post, path = "/v1/admin/users/{user_id}/reset-link", tag = "accounts", request_body = LinkRequest,
    params(
        ("user_id" = String, Path, description = "The user", example = "usr_019aa2c5b8f07d3c9f0b6f2f3c1d9e47"),
        IdempotencyKey,
    ),
    responses((status = OK, body = LinkBody, example = json!({
        "link": "https://auth.example.com/reset-password#token=mYcN6bVPyfXW…", "expires_at": "2026-11-21T09:30:00.000Z",
    }))),
    security(("bearer" = [])),
    extensions(
        ("x-bailiwick-action" = json!(MakeUserLink::NAME)),
        ("x-problem-codes" = json!(["not_found", "conflict", "no_active_version"])),
    ),
)]
async fn make_user_link(
    app: AppState,
    permit: Permit<MakeUserLink>,
    Path(id): Path<UserId>,
    Once(body, repeat): Once<LinkRequest>,
) -> Result<Response> {
    about(&app, &permit, id).await?;
    let turn = repeat.by(permit.tenant(), permit.actor());
    let work = async move {
        let link = app.authn.user_link(permit.tenant(), id, body.purpose.into(), permit.actor()).await?;
        let (link, expires_at) = (link.url.expose().to_owned(), link.expires_at.to_string());
        Ok((StatusCode::OK, Json(LinkBody { link, expires_at })))
    };
    turn.run(work).await
}
