//! The operations of the tag.

use axum::{http::StatusCode, response::Response};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::bodies::{
    BindingFilter, RoleBindingBody, RoleBindingPage, RoleBindingRequest, RoleBody, RoleList, RoleRequest,
    binding_sample, role_sample,
};
use crate::{
    authorize::EntityRef,
    base::RoleBindingId,
    http::{
        actions::{Action, CreateRole, DeleteRole, GrantRole, ListRoleBindings, ListRoles, RevokeRole},
        codes::Code,
        extract::{IdempotencyKey, Json, Once, PageQuery, Path, Permit, Query},
        problem::{Problem, Result},
        state::AppState,
    },
    roles::{NewRole, RoleName},
};

/// Operations of this tag.
pub(in crate::http::routes) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list_roles, create_role))
        .routes(routes!(delete_role))
        .routes(routes!(list_role_bindings, grant_role))
        .routes(routes!(revoke_role))
}

fn role_name(pointer: &str, name: &str) -> Result<RoleName> {
    name.parse().map_err(|error: crate::roles::RoleNameError| {
        Problem::new(Code::ValidationFailed).at(pointer, error.to_string())
    })
}

/// Every role of the tenant
#[utoipa::path(
    get, path = "/v1/admin/roles", tag = "roles",
    responses((status = OK, body = RoleList, example = json!({"data": [role_sample()]}))),
    security(("bearer" = []), ("api_key" = [])),
    extensions(
        ("x-bailiwick-action" = json!(ListRoles::NAME)),
        ("x-problem-codes" = json!(["no_active_version"])),
    ),
)]
async fn list_roles(app: AppState, permit: Permit<ListRoles>) -> Result<Json<RoleList>> {
    let roles = app.roles.list(permit.tenant()).await?;
    Ok(Json(RoleList { data: roles.into_iter().map(RoleBody::from).collect() }))
}

/// Make a role
///
/// What it may do is said in the policies, which name it as `Role::"<name>"`.
#[utoipa::path(
    post, path = "/v1/admin/roles", tag = "roles", request_body = RoleRequest, params(IdempotencyKey),
    responses((status = CREATED, body = RoleBody, example = json!(role_sample()))),
    security(("bearer" = []), ("api_key" = [])),
    extensions(
        ("x-bailiwick-action" = json!(CreateRole::NAME)),
        ("x-problem-codes" = json!(["conflict", "unknown_role", "no_active_version"])),
    ),
)]
async fn create_role(
    app: AppState,
    permit: Permit<CreateRole>,
    Once(body, repeat): Once<RoleRequest>,
) -> Result<Response> {
    if body.description.chars().count() > 500 {
        return Err(
            Problem::new(Code::ValidationFailed).at("/description", "must have at most 500 characters")
        );
    }
    let name = role_name("/name", &body.name)?;
    let inherits = body.inherits.as_deref().map(|parent| role_name("/inherits", parent)).transpose()?;
    let new = NewRole { name, description: body.description, inherits };
    let turn = repeat.by(permit.tenant(), permit.actor());
    let work = async move {
        let role = app.roles.create(permit.tenant(), &new, permit.actor()).await.map_err(assigning)?;
        Ok((StatusCode::CREATED, Json(RoleBody::from(role))))
    };
    turn.run(work).await
}

/// Remove a role that nobody has
#[utoipa::path(
    delete, path = "/v1/admin/roles/{name}", tag = "roles",
    params(("name" = String, Path, description = "The role", example = "auditor")),
    responses((status = NO_CONTENT, description = "Removed")),
    security(("bearer" = []), ("api_key" = [])),
    extensions(
        ("x-bailiwick-action" = json!(DeleteRole::NAME)),
        ("x-problem-codes" = json!(["role_not_found", "conflict", "no_active_version"])),
    ),
)]
async fn delete_role(
    app: AppState,
    permit: Permit<DeleteRole>,
    Path(name): Path<String>,
) -> Result<StatusCode> {
    let name = name.parse().map_err(|_| Problem::new(Code::RoleNotFound))?;
    app.roles.delete(permit.tenant(), &name, permit.actor()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Who has which role
#[utoipa::path(
    get, path = "/v1/admin/role-bindings", tag = "roles", params(BindingFilter),
    responses((status = OK, body = RoleBindingPage, example = json!({"data": [binding_sample()], "next_cursor": null}))),
    security(("bearer" = []), ("api_key" = [])),
    extensions(
        ("x-bailiwick-action" = json!(ListRoleBindings::NAME)),
        ("x-problem-codes" = json!(["validation_failed", "no_active_version"])),
    ),
)]
async fn list_role_bindings(
    app: AppState,
    permit: Permit<ListRoleBindings>,
    Query(filter): Query<BindingFilter>,
) -> Result<Json<RoleBindingPage>> {
    let (limit, cursor) = PageQuery::new(filter.limit, filter.cursor).page()?;
    let page = app.roles.bindings(permit.tenant(), filter.user_id, cursor.as_ref(), limit).await?;
    let data = page.data.into_iter().map(RoleBindingBody::from).collect();
    Ok(Json(RoleBindingPage { data, next_cursor: page.next.map(|cursor| cursor.encode()) }))
}

/// Grant a role
///
/// Takes effect on the next decision. Granting it again answers the binding that exists.
#[utoipa::path(
    post, path = "/v1/admin/role-bindings", tag = "roles", request_body = RoleBindingRequest,
    params(IdempotencyKey),
    responses(
        (status = CREATED, description = "Granted", body = RoleBindingBody, example = json!(binding_sample())),
        (status = OK, description = "The user had it already", body = RoleBindingBody),
    ),
    security(("bearer" = []), ("api_key" = [])),
    extensions(
        ("x-bailiwick-action" = json!(GrantRole::NAME)),
        ("x-problem-codes" = json!(["unknown_role", "no_active_version"])),
    ),
)]
async fn grant_role(
    app: AppState,
    permit: Permit<GrantRole>,
    Once(body, repeat): Once<RoleBindingRequest>,
) -> Result<Response> {
    let role = role_name("/role", &body.role)?;
    permit.also(&app, EntityRef::new("Role", role.as_str())).await?;
    let turn = repeat.by(permit.tenant(), permit.actor());
    let work = async move {
        let granted = app.roles.grant(permit.tenant(), body.user_id, &role, permit.actor()).await;
        let granted = granted.map_err(assigning)?;
        let status = if granted.created { StatusCode::CREATED } else { StatusCode::OK };
        Ok((status, Json(RoleBindingBody::from(granted.binding))))
    };
    turn.run(work).await
}

/// Take a role away
///
/// Takes effect on the next decision. The last super administrator cannot be removed.
#[utoipa::path(
    delete, path = "/v1/admin/role-bindings/{binding_id}", tag = "roles",
    params(("binding_id" = String, Path, description = "The binding", example = "rbd_019aa2c5b8f07d3c9f0b6f2f3c1d9e47")),
    responses((status = NO_CONTENT, description = "Taken away")),
    security(("bearer" = []), ("api_key" = [])),
    extensions(
        ("x-bailiwick-action" = json!(RevokeRole::NAME)),
        ("x-problem-codes" = json!(["not_found", "conflict", "no_active_version"])),
    ),
)]
async fn revoke_role(
    app: AppState,
    permit: Permit<RevokeRole>,
    Path(id): Path<RoleBindingId>,
) -> Result<StatusCode> {
    let binding =
        app.roles.binding(permit.tenant(), id).await?.ok_or_else(|| Problem::new(Code::NotFound))?;
    permit.also(&app, EntityRef::new("Role", &binding.role)).await?;
    let role = role_name("/role", &binding.role)?;
    app.roles.revoke(permit.tenant(), binding.user_id, &role, permit.actor()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A role that is named in a body and does not exist is a wrong value there, not a missing page.
fn assigning(error: crate::roles::RoleError) -> Problem {
    match error {
        crate::roles::RoleError::NotFound => Problem::new(Code::UnknownRole),
        other => other.into(),
    }
}
