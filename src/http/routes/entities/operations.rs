//! The operations of the tag on one entity, and the list.

use axum::{
    http::{StatusCode, header::ETAG},
    response::{IntoResponse, Response},
};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    bodies::{EntityBody, EntityPage, EntityPatch, EntityQuery, EntityRequest, WrittenBody, stored_sample},
    bulk::{__path_replace_entities, __path_write_entity_batch, replace_entities, write_entity_batch},
};
use crate::{
    entities::{EntityFilter, Written},
    http::{
        actions::{Action, ReadEntities, WriteEntities},
        codes::Code,
        extract::{Expected, Json, LargeJson, PageQuery, Path, Permit, Query, entity_tag},
        problem::{Problem, Result},
        state::AppState,
    },
    policy::{EntityKey, EntityRow, EntityUid, StoreName},
};

/// Operations of this tag.
pub(in crate::http::routes) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list_entities, replace_entities))
        .routes(routes!(write_entity_batch))
        .routes(routes!(read_entity, put_entity, patch_entity, delete_entity))
}

pub(super) fn store_name(name: &str) -> Result<StoreName> {
    name.parse().map_err(|_| Problem::new(Code::NotFound))
}

fn parent_name(text: &str) -> Result<EntityKey> {
    let wrong = "must be an entity in the form `Type::\"id\"`";
    let uid =
        text.parse::<EntityUid>().map_err(|_| Problem::new(Code::ValidationFailed).at("?parent", wrong))?;
    Ok(EntityKey::from(&uid))
}

/// An entity with its tag.
fn answer(status: StatusCode, row: EntityRow) -> Result<Response> {
    let tag = entity_tag(row.revision.0);
    let mut response = (status, Json(EntityBody::try_from(row)?)).into_response();
    if let Some(tag) = tag {
        response.headers_mut().insert(ETAG, tag);
    }
    Ok(response)
}

/// The entity that a write left, 201 where it made it.
fn written(written: Written) -> Result<Response> {
    let status = if written.created { StatusCode::CREATED } else { StatusCode::OK };
    answer(status, written.entity.ok_or_else(|| Problem::new(Code::InternalError))?)
}

/// The entities of a store
///
/// What was pushed, by type and id. Roles, users and other identity, and the static entities of the active
/// version, are not among them.
#[utoipa::path(
    get, path = "/v1/policy-stores/{store}/entities", tag = "entities",
    params(("store" = String, Path, description = "The store", example = "app"), EntityQuery),
    responses((status = OK, body = EntityPage, example = json!({"data": [stored_sample()], "next_cursor": null}))),
    security(("bearer" = []), ("api_key" = [])),
    extensions(
        ("x-bailiwick-action" = json!(ReadEntities::NAME)),
        ("x-problem-codes" = json!(["not_found", "validation_failed", "no_active_version"])),
    ),
)]
async fn list_entities(
    app: AppState,
    _permit: Permit<ReadEntities>,
    Path(store): Path<String>,
    Query(query): Query<EntityQuery>,
) -> Result<Json<EntityPage>> {
    let (limit, cursor) = PageQuery::new(query.limit, query.cursor).page()?;
    let parent = query.parent.as_deref().map(parent_name).transpose()?;
    let filter = EntityFilter { entity_type: query.entity_type, parent };
    let page = app.entities.list(&store_name(&store)?, filter, limit, cursor.as_ref()).await?;
    let data = page.data.into_iter().map(EntityBody::try_from).collect::<Result<_>>()?;
    Ok(Json(EntityPage { data, next_cursor: page.next.map(|cursor| cursor.encode()) }))
}

/// One entity
///
/// As it was pushed; its entity tag is its revision.
#[utoipa::path(
    get, path = "/v1/policy-stores/{store}/entities/{type}/{id}", tag = "entities",
    params(
        ("store" = String, Path, description = "The store", example = "app"),
        ("type" = String, Path, description = "Full name of its type", example = "Document"),
        ("id" = String, Path, description = "Its id, percent-encoded; the empty id is reached by the batch only", example = "handbook"),
    ),
    responses((status = OK, body = EntityBody, example = json!(stored_sample()))),
    security(("bearer" = []), ("api_key" = [])),
    extensions(
        ("x-bailiwick-action" = json!(ReadEntities::NAME)),
        ("x-problem-codes" = json!(["not_found", "no_active_version"])),
    ),
)]
async fn read_entity(
    app: AppState,
    _permit: Permit<ReadEntities>,
    Path((store, kind, id)): Path<(String, String, String)>,
) -> Result<Response> {
    let row = app.entities.get(&store_name(&store)?, EntityKey::new(kind, id)).await?;
    answer(StatusCode::OK, row)
}

/// Make or replace an entity
///
/// It must fit the schema of the active version. Decisions see it at once on this node, and within a second on
/// the others. With `If-Match`, only if it is as the caller has seen it.
#[utoipa::path(
    put, path = "/v1/policy-stores/{store}/entities/{type}/{id}", tag = "entities", request_body = EntityRequest,
    params(
        ("store" = String, Path, description = "The store", example = "app"),
        ("type" = String, Path, description = "Full name of its type", example = "Document"),
        ("id" = String, Path, description = "Its id, percent-encoded", example = "handbook"),
        ("If-Match" = Option<String>, Header, description = "Its revision in quotes, or `*`", example = "\"42\""),
    ),
    responses(
        (status = CREATED, description = "Made", body = EntityBody, example = json!(stored_sample())),
        (status = OK, description = "Replaced", body = EntityBody),
    ),
    security(("bearer" = []), ("api_key" = [])),
    extensions(
        ("x-bailiwick-action" = json!(WriteEntities::NAME)),
        ("x-problem-codes" = json!(["not_found", "precondition_failed", "entities_invalid", "unknown_type", "conflict", "no_active_version"])),
    ),
)]
async fn put_entity(
    app: AppState,
    permit: Permit<WriteEntities>,
    Path((store, kind, id)): Path<(String, String, String)>,
    Expected(expected): Expected,
    LargeJson(body): LargeJson<EntityRequest>,
) -> Result<Response> {
    let (store, key) = (store_name(&store)?, EntityKey::new(kind, id));
    written(app.entities.put(&store, key, &body.members(), &expected, permit.actor()).await?)
}

/// Change an entity
///
/// By a JSON merge patch. The outcome must fit the schema of the active version.
#[utoipa::path(
    patch, path = "/v1/policy-stores/{store}/entities/{type}/{id}", tag = "entities", request_body = EntityPatch,
    params(
        ("store" = String, Path, description = "The store", example = "app"),
        ("type" = String, Path, description = "Full name of its type", example = "Document"),
        ("id" = String, Path, description = "Its id, percent-encoded", example = "handbook"),
        ("If-Match" = Option<String>, Header, description = "Its revision in quotes, or `*`", example = "\"42\""),
    ),
    responses((status = OK, body = EntityBody, example = json!(stored_sample()))),
    security(("bearer" = []), ("api_key" = [])),
    extensions(
        ("x-bailiwick-action" = json!(WriteEntities::NAME)),
        ("x-problem-codes" = json!(["not_found", "precondition_failed", "entities_invalid", "unknown_type", "conflict", "no_active_version"])),
    ),
)]
async fn patch_entity(
    app: AppState,
    permit: Permit<WriteEntities>,
    Path((store, kind, id)): Path<(String, String, String)>,
    Expected(expected): Expected,
    LargeJson(body): LargeJson<EntityPatch>,
) -> Result<Response> {
    let (store, key) = (store_name(&store)?, EntityKey::new(kind, id));
    written(app.entities.patch(&store, key, &body.members(), &expected, permit.actor()).await?)
}

/// Remove an entity
///
/// What names it as a parent stays, and is no longer in what was above it.
#[utoipa::path(
    delete, path = "/v1/policy-stores/{store}/entities/{type}/{id}", tag = "entities",
    params(
        ("store" = String, Path, description = "The store", example = "app"),
        ("type" = String, Path, description = "Full name of its type", example = "Document"),
        ("id" = String, Path, description = "Its id, percent-encoded", example = "handbook"),
        ("If-Match" = Option<String>, Header, description = "Its revision in quotes, or `*`", example = "\"42\""),
    ),
    responses((status = OK, description = "Removed", body = WrittenBody)),
    security(("bearer" = []), ("api_key" = [])),
    extensions(
        ("x-bailiwick-action" = json!(WriteEntities::NAME)),
        ("x-problem-codes" = json!(["not_found", "precondition_failed", "conflict", "no_active_version"])),
    ),
)]
async fn delete_entity(
    app: AppState,
    permit: Permit<WriteEntities>,
    Path((store, kind, id)): Path<(String, String, String)>,
    Expected(expected): Expected,
) -> Result<Json<WrittenBody>> {
    let (store, key) = (store_name(&store)?, EntityKey::new(kind, id));
    Ok(Json(app.entities.delete(&store, key, &expected, permit.actor()).await?.into()))
}
