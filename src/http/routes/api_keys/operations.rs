//! The operations of the tag.

use std::sync::Arc;

use axum::{http::StatusCode, response::Response};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::bodies::{
    ApiKeyBody, ApiKeyPage, ApiKeyPatch, ApiKeyRequest, CreatedKeyBody, created_sample, key_sample,
};
use crate::{
    api_keys::{ApiKey, Scopes},
    authn::Caller,
    authorize::EntityRef,
    base::ApiKeyId,
    http::{
        actions::{Action, CreateApiKey, GrantScope, ListApiKeys, ReadApiKey, RevokeApiKey, UpdateApiKey},
        codes::Code,
        extract::{Authenticated, IdempotencyKey, Json, Once, PageQuery, Path, Permit, Query, UserPermit},
        problem::{Problem, Result},
        state::AppState,
    },
};

/// Operations of this tag.
pub(in crate::http::routes) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(list_api_keys, create_api_key)).routes(routes!(
        read_api_key,
        update_api_key,
        revoke_api_key
    ))
}

/// A key of the tenant, for who may do `A` to it. One that the caller may not know of is not found.
async fn found<A: Action>(
    app: &AppState,
    caller: Authenticated,
    id: ApiKeyId,
) -> Result<(Permit<A>, ApiKey)> {
    if caller.caller.user().is_none() {
        return Err(Problem::new(Code::WrongTokenType)); // a key does not manage keys
    }
    let key = app.api_keys.get(caller.caller.tenant(), id).await?;
    let key = key.filter(|key| key.revoked_at.is_none()).ok_or_else(|| Problem::new(Code::NotFound))?;
    match caller.permit(app, EntityRef::new("ApiKey", id.to_string())).await {
        Err(problem) if problem.code() == Code::InsufficientPermissions => Err(Problem::new(Code::NotFound)),
        permit => Ok((permit?, key)),
    }
}

/// Of the scopes that somebody wants for a key, those that the policies let them give it (X15).
///
/// SECURITY: what is forbidden under one name is not had under another, a group or a part of it.
/// Errors: none is left, or one demands another proof.
async fn granted(app: &AppState, by: &Authenticated, wanted: &Scopes) -> Result<Scopes> {
    let (mut granted, mut forbidden) = (Vec::new(), None);
    for word in wanted.names() {
        let mut is_forbidden = false;
        for scope in Scopes::overlapping(word) {
            match by.may::<GrantScope>(app, ("Scope", scope)).await {
                Ok(()) => {}
                Err(problem) if problem.code() == Code::PolicyViolation => {
                    (is_forbidden, forbidden) = (true, Some(problem));
                    break;
                }
                Err(problem) => return Err(problem),
            }
        }
        if !is_forbidden {
            granted.push(word);
        }
    }
    match forbidden {
        Some(problem) if granted.is_empty() => Err(problem),
        _ => Ok(wanted.only(&granted)),
    }
}

/// Make an API key
///
/// The key belongs to the caller and has no role that the caller has not, now or later. Send it as `X-API-Key`,
/// `Authorization: ApiKey …` or `Authorization: Bearer …`. This answer is the only one that shows it.
///
/// Needs a sign-in of the last five minutes (`sessions.sudo_secs`), else `step_up_required` (RFC 9470).
///
/// Scopes are actions, or these groups of them: `decisions`, `policies.read`, `policies.write`, `entities.read`,
/// `entities.write`, `profiles.read`, `profiles.write`, `roles.read`, `roles.write`, `users.lock`; `*` is all. The policies are asked about each (`grantScope`); what
/// they forbid is left out, and where nothing is left the answer is `policy_violation`.
#[utoipa::path(
    post, path = "/v1/api-keys", tag = "api-keys", request_body = ApiKeyRequest, params(IdempotencyKey),
    responses((status = CREATED, description = "The key", body = CreatedKeyBody, example = json!(created_sample()))),
    security(("bearer" = [])),
    extensions(
        ("x-bailiwick-action" = json!(CreateApiKey::NAME)),
        ("x-problem-codes" = json!(["key_limit_reached", "policy_violation", "step_up_required", "unknown_role", "api_key_generation_failed", "no_active_version"])),
    ),
)]
async fn create_api_key(
    app: AppState,
    permit: UserPermit<CreateApiKey>,
    Once(body, repeat): Once<ApiKeyRequest>,
) -> Result<Response> {
    let mut new = body.new_key()?;
    app.authn.require_recent(&permit.user)?;
    let by = Authenticated {
        caller: Caller::User(Arc::clone(&permit.user)),
        client: permit.client.clone(),
        at: app.clock.now(),
    };
    new.limits.scopes = granted(&app, &by, &new.limits.scopes).await?;
    let turn = repeat.by(permit.tenant(), permit.actor());
    let work = async move {
        let (owner, actor) = (Some(permit.user.user_id), permit.actor());
        let created = app.api_keys.create(permit.tenant(), owner, &new, actor).await?;
        Ok((StatusCode::CREATED, Json(CreatedKeyBody::from(created))))
    };
    turn.run(work).await
}

/// The caller's API keys
#[utoipa::path(
    get, path = "/v1/api-keys", tag = "api-keys", params(PageQuery),
    responses((status = OK, body = ApiKeyPage, example = json!({"data": [key_sample()], "next_cursor": null}))),
    security(("bearer" = [])),
    extensions(
        ("x-bailiwick-action" = json!(ListApiKeys::NAME)),
        ("x-problem-codes" = json!(["validation_failed", "no_active_version"])),
    ),
)]
async fn list_api_keys(
    app: AppState,
    permit: UserPermit<ListApiKeys>,
    Query(query): Query<PageQuery>,
) -> Result<Json<ApiKeyPage>> {
    let (limit, cursor) = query.page()?;
    let page = app.api_keys.list(permit.tenant(), Some(permit.user.user_id), cursor.as_ref(), limit).await?;
    let data = page.data.into_iter().map(ApiKeyBody::from).collect();
    Ok(Json(ApiKeyPage { data, next_cursor: page.next.map(|cursor| cursor.encode()) }))
}

/// An API key
///
/// One's own, or for administrators any of the tenant.
#[utoipa::path(
    get, path = "/v1/api-keys/{key_id}", tag = "api-keys",
    params(("key_id" = String, Path, description = "The key", example = "key_019aa2c5b8f07d3c9f0b6f2f3c1d9e47")),
    responses((status = OK, body = ApiKeyBody, example = json!(key_sample()))),
    security(("bearer" = [])),
    extensions(
        ("x-bailiwick-action" = json!(ReadApiKey::NAME)),
        ("x-problem-codes" = json!(["not_found", "no_active_version"])),
    ),
)]
async fn read_api_key(
    app: AppState,
    caller: Authenticated,
    Path(id): Path<ApiKeyId>,
) -> Result<Json<ApiKeyBody>> {
    let (_, key) = found::<ReadApiKey>(&app, caller, id).await?;
    Ok(Json(key.into()))
}

/// Change an API key
///
/// Takes effect on the next request. Roles cannot be changed: make another key. Needs a recent sign-in, as making one.
#[utoipa::path(
    patch, path = "/v1/api-keys/{key_id}", tag = "api-keys", request_body = ApiKeyPatch,
    params(("key_id" = String, Path, description = "The key", example = "key_019aa2c5b8f07d3c9f0b6f2f3c1d9e47")),
    responses((status = OK, body = ApiKeyBody, example = json!(key_sample()))),
    security(("bearer" = [])),
    extensions(
        ("x-bailiwick-action" = json!(UpdateApiKey::NAME)),
        ("x-problem-codes" = json!(["not_found", "policy_violation", "step_up_required", "no_active_version"])),
    ),
)]
async fn update_api_key(
    app: AppState,
    caller: Authenticated,
    Path(id): Path<ApiKeyId>,
    Json(body): Json<ApiKeyPatch>,
) -> Result<Json<ApiKeyBody>> {
    let by = caller.clone();
    let (permit, _) = found::<UpdateApiKey>(&app, caller, id).await?;
    app.authn.require_recent_person(&permit.caller)?;
    let mut change = body.change()?;
    if let Some(wanted) = &change.scopes {
        change.scopes = Some(granted(&app, &by, wanted).await?);
    }
    let key = app.api_keys.update(permit.tenant(), id, &change, permit.actor()).await?;
    Ok(Json(key.into()))
}

/// Revoke an API key
///
/// It stops working at once on this node, and within 100 ms on the others, and with it the sessions that it opened
/// (`POST /v1/sdk/session`). Needs a recent sign-in, as making one.
#[utoipa::path(
    delete, path = "/v1/api-keys/{key_id}", tag = "api-keys",
    params(("key_id" = String, Path, description = "The key", example = "key_019aa2c5b8f07d3c9f0b6f2f3c1d9e47")),
    responses((status = NO_CONTENT, description = "Revoked")),
    security(("bearer" = [])),
    extensions(
        ("x-bailiwick-action" = json!(RevokeApiKey::NAME)),
        ("x-problem-codes" = json!(["not_found", "step_up_required", "no_active_version"])),
    ),
)]
async fn revoke_api_key(
    app: AppState,
    caller: Authenticated,
    Path(id): Path<ApiKeyId>,
) -> Result<StatusCode> {
    let (permit, _) = found::<RevokeApiKey>(&app, caller, id).await?;
    app.authn.require_recent_person(&permit.caller)?;
    app.authn.revoke_api_key(permit.tenant(), id, "revoked", permit.actor()).await?;
    Ok(StatusCode::NO_CONTENT)
}
