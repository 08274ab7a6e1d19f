//! Tag `tenants`: all tenants of the installation.

use axum::{http::StatusCode, response::Response};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::client::{TenantBody, tenant_sample};
use crate::{
    base::TenantId,
    http::{
        actions::{Action, CreateTenant, ListTenants, ReadTenant, UpdateTenant},
        codes::Code,
        extract::{IdempotencyKey, Json, Once, PageQuery, Path, Permit, Query, field},
        problem::{Problem, Result},
        state::AppState,
    },
    tenants::{NewTenant, TenantChange, TenantStatus},
};

/// Operations of this tag.
pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list_tenants, create_tenant))
        .routes(routes!(read_tenant, update_tenant))
}

/// A page of tenants.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct TenantPage {
    /// In the order in which they were made.
    pub data: Vec<TenantBody>,
    /// Where the next page begins.
    pub next_cursor: Option<String>,
}

/// A tenant to make.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct TenantRequest {
    /// What people call it.
    #[schema(example = "Acme Ltd", min_length = 1, max_length = 200)]
    pub company_name: String,
    /// One of the plans of the configuration.
    #[schema(example = "free")]
    pub plan: String,
}

/// Whether a tenant's people and programs may do anything.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum TenantState {
    /// They may.
    Active,
    /// They may not.
    Suspended,
}

/// What of a tenant is to change; what is left out stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct TenantPatch {
    /// What people call it.
    #[schema(example = "Acme Inc", min_length = 1, max_length = 200)]
    pub company_name: Option<String>,
    /// One of the plans of the configuration. Counts for API keys that are made from now on.
    #[schema(example = "pro")]
    pub plan: Option<String>,
    /// A suspension ends every session of the tenant and refuses its API keys.
    pub status: Option<TenantState>,
}

/// Every tenant
#[utoipa::path(
    get, path = "/v1/admin/tenants", tag = "tenants", params(PageQuery),
    responses((status = OK, body = TenantPage, example = json!({"data": [tenant_sample()], "next_cursor": null}))),
    security(("bearer" = []), ("api_key" = [])),
    extensions(
        ("x-bailiwick-action" = json!(ListTenants::NAME)),
        ("x-problem-codes" = json!(["validation_failed", "no_active_version"])),
    ),
)]
async fn list_tenants(
    app: AppState,
    _permit: Permit<ListTenants>,
    Query(query): Query<PageQuery>,
) -> Result<Json<TenantPage>> {
    let (limit, cursor) = query.page()?;
    let page = app.tenants.list(cursor.as_ref(), limit).await?;
    let data = page.data.iter().map(TenantBody::from).collect();
    Ok(Json(TenantPage { data, next_cursor: page.next.map(|cursor| cursor.encode()) }))
}

/// Make a tenant
///
/// Without users and keys; strangers sign up into it where its settings let them.
#[utoipa::path(
    post, path = "/v1/admin/tenants", tag = "tenants", request_body = TenantRequest, params(IdempotencyKey),
    responses((status = CREATED, body = TenantBody, example = json!(tenant_sample()))),
    security(("bearer" = []), ("api_key" = [])),
    extensions(
        ("x-bailiwick-action" = json!(CreateTenant::NAME)),
        ("x-problem-codes" = json!(["unknown_plan", "no_active_version"])),
    ),
)]
async fn create_tenant(
    app: AppState,
    permit: Permit<CreateTenant>,
    Once(body, repeat): Once<TenantRequest>,
) -> Result<Response> {
    let new = NewTenant { name: field("/company_name", &body.company_name)?, plan: body.plan };
    let turn = repeat.by(permit.tenant(), permit.actor());
    let work = async move {
        let tenant = app.authn.create_tenant(&new, permit.actor()).await?;
        Ok((StatusCode::CREATED, Json(TenantBody::from(&tenant))))
    };
    turn.run(work).await
}

/// A tenant
#[utoipa::path(
    get, path = "/v1/admin/tenants/{tenant_id}", tag = "tenants",
    params(("tenant_id" = String, Path, description = "The tenant", example = "ten_019aa2c5b8f07d3c9f0b6f2f3c1d9e47")),
    responses((status = OK, body = TenantBody, example = json!(tenant_sample()))),
    security(("bearer" = []), ("api_key" = [])),
    extensions(
        ("x-bailiwick-action" = json!(ReadTenant::NAME)),
        ("x-problem-codes" = json!(["not_found", "no_active_version"])),
    ),
)]
async fn read_tenant(
    app: AppState,
    _permit: Permit<ReadTenant>,
    Path(id): Path<TenantId>,
) -> Result<Json<TenantBody>> {
    let tenant = app.tenants.get(id).await?.ok_or_else(|| Problem::new(Code::NotFound))?;
    Ok(Json(TenantBody::from(&*tenant)))
}

/// Change, suspend or resume a tenant
///
/// The installation's own tenant cannot be suspended.
#[utoipa::path(
    patch, path = "/v1/admin/tenants/{tenant_id}", tag = "tenants", request_body = TenantPatch,
    params(("tenant_id" = String, Path, description = "The tenant", example = "ten_019aa2c5b8f07d3c9f0b6f2f3c1d9e47")),
    responses((status = OK, body = TenantBody, example = json!(tenant_sample()))),
    security(("bearer" = []), ("api_key" = [])),
    extensions(
        ("x-bailiwick-action" = json!(UpdateTenant::NAME)),
        ("x-problem-codes" = json!(["not_found", "unknown_plan", "conflict", "no_active_version"])),
    ),
)]
async fn update_tenant(
    app: AppState,
    permit: Permit<UpdateTenant>,
    Path(id): Path<TenantId>,
    Json(body): Json<TenantPatch>,
) -> Result<Json<TenantBody>> {
    let name = body.company_name.as_deref().map(|name| field("/company_name", name)).transpose()?;
    if let Some(status) = body.status {
        let status = match status {
            TenantState::Active => TenantStatus::Active,
            TenantState::Suspended => TenantStatus::Suspended,
        };
        app.authn.set_tenant_status(id, status, permit.actor()).await?;
    }
    let change = TenantChange { name, plan: body.plan, settings: None };
    let tenant = app.tenants.update(id, &change, permit.actor()).await?;
    Ok(Json(TenantBody::from(&tenant)))
}
