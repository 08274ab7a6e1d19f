//! The operations of the tag.

use std::time::Duration;

use axum::{http::StatusCode, response::Response};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::bodies::{ClientBody, ClientPage, ClientPatch, OAuthClientRequest, SecretRequest, client_sample};
use crate::{
    authorize::EntityRef,
    base::{ClientId, Cursor},
    http::{
        actions::{
            Action, CreateOAuthClient, DeleteOAuthClient, GrantRole, ListOAuthClients, ReadOAuthClient,
            RotateOAuthClientSecret, UpdateOAuthClient,
        },
        codes::Code,
        extract::{IdempotencyKey, Json, Once, PageQuery, Path, Permit, Query},
        problem::{Problem, Result},
        state::AppState,
    },
    roles::RoleName,
};

/// How long a secret stays good beside its successor unless said otherwise.
const KEEP: Duration = Duration::from_hours(24);
/// The same at most.
const KEEP_AT_MOST: Duration = Duration::from_hours(24 * 30);

/// Operations of this tag.
pub(in crate::http::routes) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list_oauth_clients, create_oauth_client))
        .routes(routes!(read_oauth_client, update_oauth_client, delete_oauth_client))
        .routes(routes!(rotate_oauth_client_secret))
}

/// Nobody gives a program a role that they may not give a person.
async fn may_grant<A: Action>(app: &AppState, permit: &Permit<A>, roles: Option<&[RoleName]>) -> Result<()> {
    for role in roles.unwrap_or_default() {
        permit.may::<GrantRole>(app, EntityRef::new("Role", role.as_str())).await?;
    }
    Ok(())
}

/// Clients of the tenant
#[utoipa::path(
    get, path = "/v1/admin/oauth-clients", tag = "oauth-clients", params(PageQuery),
    responses((status = OK, body = ClientPage, example = json!({"data": [client_sample(false)], "next_cursor": null}))),
    security(("bearer" = [])),
    extensions(
        ("x-bailiwick-action" = json!(ListOAuthClients::NAME)),
        ("x-problem-codes" = json!(["validation_failed", "no_active_version"])),
    ),
)]
async fn list_oauth_clients(
    app: AppState,
    permit: Permit<ListOAuthClients>,
    Query(page): Query<PageQuery>,
) -> Result<Json<ClientPage>> {
    let (limit, after) = page.page()?;
    let page = app.clients.list(permit.tenant(), after.as_ref(), limit).await?;
    Ok(Json(ClientPage {
        data: page.data.into_iter().map(ClientBody::from).collect(),
        next_cursor: page.next.as_ref().map(Cursor::encode),
    }))
}

/// Make a client
///
/// A client without keys of its own gets a secret, which is shown in this answer and never again.
#[utoipa::path(
    post, path = "/v1/admin/oauth-clients", tag = "oauth-clients", params(IdempotencyKey),
    request_body(content = OAuthClientRequest, example = json!({"name": "Photo gateway", "audiences": ["https://photos.example.com"]})),
    responses((status = CREATED, body = ClientBody, example = json!(client_sample(true)))),
    security(("bearer" = [])),
    extensions(
        ("x-bailiwick-action" = json!(CreateOAuthClient::NAME)),
        ("x-problem-codes" = json!(["unknown_role", "no_active_version"])),
    ),
)]
async fn create_oauth_client(
    app: AppState,
    permit: Permit<CreateOAuthClient>,
    Once(body, repeat): Once<OAuthClientRequest>,
) -> Result<Response> {
    let new = body.read()?;
    may_grant(&app, &permit, Some(&new.roles)).await?;
    let turn = repeat.by(permit.tenant(), permit.actor());
    let work = async move {
        let made = app.clients.create(permit.tenant(), &new, permit.actor()).await?;
        Ok((StatusCode::CREATED, Json(ClientBody::from(made))))
    };
    turn.run(work).await
}

/// One client
#[utoipa::path(
    get, path = "/v1/admin/oauth-clients/{client_id}", tag = "oauth-clients",
    params(("client_id" = String, Path, description = "The client", example = "cli_019aa2c5b8f07d3c9f0b6f2f3c1d9e47")),
    responses((status = OK, body = ClientBody, example = json!(client_sample(false)))),
    security(("bearer" = [])),
    extensions(
        ("x-bailiwick-action" = json!(ReadOAuthClient::NAME)),
        ("x-problem-codes" = json!(["not_found", "no_active_version"])),
    ),
)]
async fn read_oauth_client(
    app: AppState,
    permit: Permit<ReadOAuthClient>,
    Path(client): Path<ClientId>,
) -> Result<Json<ClientBody>> {
    Ok(Json(app.clients.get(permit.tenant(), client).await?.into()))
}

/// Change a client
///
/// What is left out stays. A change of anything but the name ends every token that the client has: on this node at
/// once, on the others within 100 ms, or 5 s when messages between nodes are lost.
#[utoipa::path(
    patch, path = "/v1/admin/oauth-clients/{client_id}", tag = "oauth-clients",
    params(("client_id" = String, Path, description = "The client", example = "cli_019aa2c5b8f07d3c9f0b6f2f3c1d9e47")),
    request_body(content = ClientPatch, example = json!({"status": "disabled"})),
    responses((status = OK, body = ClientBody, example = json!(client_sample(false)))),
    security(("bearer" = [])),
    extensions(
        ("x-bailiwick-action" = json!(UpdateOAuthClient::NAME)),
        ("x-problem-codes" = json!(["not_found", "conflict", "unknown_role", "no_active_version"])),
    ),
)]
async fn update_oauth_client(
    app: AppState,
    permit: Permit<UpdateOAuthClient>,
    Path(client): Path<ClientId>,
    Json(body): Json<ClientPatch>,
) -> Result<Json<ClientBody>> {
    let change = body.read()?;
    may_grant(&app, &permit, change.roles.as_deref()).await?;
    Ok(Json(app.clients.change(permit.tenant(), client, &change, permit.actor()).await?.into()))
}

/// Give a client another secret
///
/// The present one stays good beside it for a while, so that nothing fails while it is replaced where it is used. The
/// new one is shown in this answer and never again.
#[utoipa::path(
    post, path = "/v1/admin/oauth-clients/{client_id}/secret", tag = "oauth-clients",
    params(
        ("client_id" = String, Path, description = "The client", example = "cli_019aa2c5b8f07d3c9f0b6f2f3c1d9e47"),
        IdempotencyKey,
    ),
    request_body(content = SecretRequest, example = json!({"keep_secs": 86_400})),
    responses((status = OK, body = ClientBody, example = json!(client_sample(true)))),
    security(("bearer" = [])),
    extensions(
        ("x-bailiwick-action" = json!(RotateOAuthClientSecret::NAME)),
        ("x-problem-codes" = json!(["not_found", "conflict", "no_active_version"])),
    ),
)]
async fn rotate_oauth_client_secret(
    app: AppState,
    permit: Permit<RotateOAuthClientSecret>,
    Path(client): Path<ClientId>,
    Once(body, repeat): Once<SecretRequest>,
) -> Result<Response> {
    let keep = body.keep_secs.map_or(KEEP, |secs| Duration::from_secs(u64::from(secs)));
    if keep > KEEP_AT_MOST {
        let said = format!("must be at most {}", KEEP_AT_MOST.as_secs());
        return Err(Problem::new(Code::ValidationFailed).at("/keep_secs", said));
    }
    let turn = repeat.by(permit.tenant(), permit.actor());
    let work = async move {
        let made = app.clients.rotate_secret(permit.tenant(), client, keep, permit.actor()).await?;
        Ok((StatusCode::OK, Json(ClientBody::from(made))))
    };
    turn.run(work).await
}

/// Remove a client
///
/// Its tokens are good no more.
#[utoipa::path(
    delete, path = "/v1/admin/oauth-clients/{client_id}", tag = "oauth-clients",
    params(("client_id" = String, Path, description = "The client", example = "cli_019aa2c5b8f07d3c9f0b6f2f3c1d9e47")),
    responses((status = NO_CONTENT, description = "Removed")),
    security(("bearer" = [])),
    extensions(
        ("x-bailiwick-action" = json!(DeleteOAuthClient::NAME)),
        ("x-problem-codes" = json!(["not_found", "no_active_version"])),
    ),
)]
async fn delete_oauth_client(
    app: AppState,
    permit: Permit<DeleteOAuthClient>,
    Path(client): Path<ClientId>,
) -> Result<StatusCode> {
    app.clients.delete(permit.tenant(), client, permit.actor()).await?;
    Ok(StatusCode::NO_CONTENT)
}
