//! The operations of the tag.

use axum::http::StatusCode;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    status::{StatusBody, StoreList},
    versions::{
        ActivateRequest, ActivationBody, PublishRequest, PublishedBody, RollbackRequest, VersionBody,
        VersionPage, activation_sample, bundle_of, version_sample,
    },
};
use crate::{
    http::{
        actions::{
            Action, ActivatePolicyVersion, ListPolicyStores, PublishPolicyVersion, ReadPolicyStore,
            RollbackPolicyVersion,
        },
        codes::Code,
        extract::{BundleJson, Json, PageQuery, Path, Permit, Query},
        problem::{Problem, Result},
        state::AppState,
    },
    policy::{GitState, Provenance, StoreName, VersionNumber},
};

/// Operations of this tag.
pub(in crate::http::routes) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list_policy_stores))
        .routes(routes!(read_policy_store_status))
        .routes(routes!(list_policy_versions, publish_policy_version))
        .routes(routes!(read_policy_version))
        .routes(routes!(activate_policy_version))
        .routes(routes!(roll_back_policy_version))
}

fn store_name(name: &str) -> Result<StoreName> {
    name.parse().map_err(|_| Problem::new(Code::NotFound))
}

/// Every policy store
#[utoipa::path(
    get, path = "/v1/policy-stores", tag = "policy-stores",
    responses((status = OK, body = StoreList, example = json!({"data": [
        {"store": "app", "active_version": 7, "versions": 7, "health": "ok"},
    ]}))),
    security(("bearer" = []), ("api_key" = [])),
    extensions(
        ("x-bailiwick-action" = json!(ListPolicyStores::NAME)),
        ("x-problem-codes" = json!(["no_active_version"])),
    ),
)]
async fn list_policy_stores(app: AppState, _permit: Permit<ListPolicyStores>) -> Result<Json<StoreList>> {
    let stores = app.policies.stores().await?;
    Ok(Json(StoreList { data: stores.into_iter().map(Into::into).collect() }))
}

/// How a store is doing
///
/// The active version, the version that each node answers from, and what keeps an edited folder from
/// going live: file, line, column, message and help.
#[utoipa::path(
    get, path = "/v1/policy-stores/{store}/status", tag = "policy-stores",
    params(("store" = String, Path, description = "The store", example = "app")),
    responses((status = OK, body = StatusBody, example = json!({
        "store": "app", "health": "degraded",
        "active": {"version": 7, "digest": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
            "semver": "1.2.0", "activated_by": "folder", "activated_at": "2026-11-21T09:00:00.000Z", "reason": "edited in policies/app"},
        "findings": [{"severity": "error", "code": "parse", "file": "documents.cedar", "line": 12, "column": 3,
            "message": "unexpected token `wehn`", "help": "expected `when`"}],
        "watched_folder": "policies/app",
        "nodes": [{"node_id": "nod_019aa2c5b8f07d3c9f0b6f2f3c1d9e47", "name": "host-1", "version": 7,
            "loaded_at": "2026-11-21T09:00:00.000Z", "seen_at": "2026-11-21T09:05:00.000Z"}],
    }))),
    security(("bearer" = []), ("api_key" = [])),
    extensions(
        ("x-bailiwick-action" = json!(ReadPolicyStore::NAME)),
        ("x-problem-codes" = json!(["not_found", "no_active_version"])),
    ),
)]
async fn read_policy_store_status(
    app: AppState,
    _permit: Permit<ReadPolicyStore>,
    Path(store): Path<String>,
) -> Result<Json<StatusBody>> {
    Ok(Json(app.policies.status(&store_name(&store)?).await?.into()))
}

/// The versions of a store
#[utoipa::path(
    get, path = "/v1/policy-stores/{store}/versions", tag = "policy-stores",
    params(("store" = String, Path, description = "The store", example = "app"), PageQuery),
    responses((status = OK, body = VersionPage, example = json!({"data": [version_sample()], "next_cursor": null}))),
    security(("bearer" = []), ("api_key" = [])),
    extensions(
        ("x-bailiwick-action" = json!(ReadPolicyStore::NAME)),
        ("x-problem-codes" = json!(["not_found", "validation_failed", "no_active_version"])),
    ),
)]
async fn list_policy_versions(
    app: AppState,
    _permit: Permit<ReadPolicyStore>,
    Path(store): Path<String>,
    Query(page): Query<PageQuery>,
) -> Result<Json<VersionPage>> {
    let (limit, cursor) = page.page()?;
    let page = app.policies.list(&store_name(&store)?, limit, cursor).await?;
    let data = page.data.into_iter().map(VersionBody::from).collect();
    Ok(Json(VersionPage { data, next_cursor: page.next.map(|cursor| cursor.encode()) }))
}

/// One version with its files and reports
#[utoipa::path(
    get, path = "/v1/policy-stores/{store}/versions/{number}", tag = "policy-stores",
    params(
        ("store" = String, Path, description = "The store", example = "app"),
        ("number" = i64, Path, description = "The version", example = 7),
    ),
    responses((status = OK, body = VersionBody, example = json!(version_sample()))),
    security(("bearer" = []), ("api_key" = [])),
    extensions(
        ("x-bailiwick-action" = json!(ReadPolicyStore::NAME)),
        ("x-problem-codes" = json!(["not_found", "no_active_version"])),
    ),
)]
async fn read_policy_version(
    app: AppState,
    _permit: Permit<ReadPolicyStore>,
    Path((store, number)): Path<(String, i64)>,
) -> Result<Json<VersionBody>> {
    Ok(Json(app.policies.show(&store_name(&store)?, VersionNumber(number)).await?.into()))
}

/// Publish a version
///
/// Checks the files against the schema, runs their tests and stores them, all or nothing; findings name
/// file, line and column. What is published is not active yet. Publishing the same files again answers
/// the version that exists.
#[utoipa::path(
    post, path = "/v1/policy-stores/{store}/versions", tag = "policy-stores", request_body = PublishRequest,
    params(("store" = String, Path, description = "The store; a new name makes a new store", example = "app")),
    responses(
        (status = CREATED, description = "Stored", body = PublishedBody, example = json!({
            "store": "app", "version": 8, "created": true, "digest": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
            "findings": [], "tests": {},
        })),
        (status = OK, description = "The same files are a version already", body = PublishedBody),
    ),
    security(("bearer" = []), ("api_key" = [])),
    extensions(
        ("x-bailiwick-action" = json!(PublishPolicyVersion::NAME)),
        ("x-problem-codes" = json!(["not_found", "policy_refused", "no_active_version"])),
    ),
)]
async fn publish_policy_version(
    app: AppState,
    permit: Permit<PublishPolicyVersion>,
    Path(store): Path<String>,
    BundleJson(body): BundleJson<PublishRequest>,
) -> Result<(StatusCode, Json<PublishedBody>)> {
    let store = store_name(&store)?;
    let bundle = tokio::task::spawn_blocking(|| bundle_of(body.files)).await;
    let bundle = bundle
        .map_err(|error| Problem::new(Code::InternalError).cause(error))?
        .map_err(|error| Problem::new(Code::ValidationFailed).at("/files", error.to_string()))?;
    let provenance = Provenance {
        author: permit.caller.name().to_owned(),
        message: body.message,
        git: body.git.map(|git| GitState { commit: git.commit, dirty: git.dirty }),
    };
    let published = app.policies.publish(&store, &bundle, provenance).await?;
    let status = if published.created { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, Json(PublishedBody::new(&store, published))))
}

/// Make a version the active one
///
/// One atomic switch: a request sees the old version or the new one, never both. With `expected_active`
/// the switch happens only if nobody was faster.
#[utoipa::path(
    post, path = "/v1/policy-stores/{store}/activate", tag = "policy-stores", request_body = ActivateRequest,
    params(("store" = String, Path, description = "The store", example = "app")),
    responses((status = OK, body = ActivationBody, example = json!(activation_sample()))),
    security(("bearer" = []), ("api_key" = [])),
    extensions(
        ("x-bailiwick-action" = json!(ActivatePolicyVersion::NAME)),
        ("x-problem-codes" = json!(["not_found", "version_conflict", "policy_refused", "no_active_version"])),
    ),
)]
async fn activate_policy_version(
    app: AppState,
    permit: Permit<ActivatePolicyVersion>,
    Path(store): Path<String>,
    Json(body): Json<ActivateRequest>,
) -> Result<Json<ActivationBody>> {
    let (number, expected) = (VersionNumber(body.version), body.expected_active.map(VersionNumber));
    let store = store_name(&store)?;
    let activation = app.policies.activate(&store, number, expected, permit.actor(), &body.reason).await?;
    Ok(Json(activation.into()))
}

/// Go back to an earlier version
///
/// To `version`, or to the one that was active before the present one: doing that twice ends where it
/// began, so a second click never goes further back than was looked at.
#[utoipa::path(
    post, path = "/v1/policy-stores/{store}/rollback", tag = "policy-stores", request_body = RollbackRequest,
    params(("store" = String, Path, description = "The store", example = "app")),
    responses((status = OK, body = ActivationBody, example = json!(activation_sample()))),
    security(("bearer" = []), ("api_key" = [])),
    extensions(
        ("x-bailiwick-action" = json!(RollbackPolicyVersion::NAME)),
        ("x-problem-codes" = json!(["not_found", "conflict", "version_conflict", "policy_refused", "no_active_version"])),
    ),
)]
async fn roll_back_policy_version(
    app: AppState,
    permit: Permit<RollbackPolicyVersion>,
    Path(store): Path<String>,
    Json(body): Json<RollbackRequest>,
) -> Result<Json<ActivationBody>> {
    let (to, expected) = (body.version.map(VersionNumber), body.expected_active.map(VersionNumber));
    let store = store_name(&store)?;
    let activation = app.policies.roll_back(&store, to, expected, permit.actor(), &body.reason).await?;
    Ok(Json(activation.into()))
}
