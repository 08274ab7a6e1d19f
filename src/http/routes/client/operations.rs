//! The operations of the tag.

use std::{sync::Arc, time::Duration};

use axum::{http::StatusCode, response::Response};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::bodies::{
    ClientRequest, PromoteRequest, PromotedBody, RegisteredBody, RotateRequest, RotatedBody, SettingsBody,
    SettingsRequest, TenantBody, tenant_sample,
};
use crate::{
    authn::{AuthnService, NewClient},
    base::TenantId,
    http::{
        actions::{
            Action, PromoteClientKey, ReadClient, ReadClientSettings, RegisterClient, RotateClientKey,
            UpdateClientSettings,
        },
        codes::Code,
        extract::{IdempotencyKey, Json, Once, OpenPermit, Permit, field},
        problem::{Problem, Result},
        routes::auth::password_at,
        state::AppState,
    },
    tenants::{Tenant, TenantChange},
};

/// Longest life of a primary key after its end, seconds: a week.
const LONGEST_GRACE_SECS: u64 = 604_800;

/// Operations of this tag.
pub(in crate::http::routes) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(register_client))
        .routes(routes!(read_client))
        .routes(routes!(read_client_settings, update_client_settings))
        .routes(routes!(rotate_client_key))
        .routes(routes!(promote_client_key))
}

async fn own(app: &AppState, tenant: TenantId) -> Result<Arc<Tenant>> {
    app.tenants.get(tenant).await?.ok_or_else(|| Problem::new(Code::NotFound))
}

/// Register a company
///
/// Makes a tenant, its first user, who manages it, and its primary API key, all or nothing. Open where the
/// configuration says `tenants.self_registration`. Sign in with the `tenant` of the answer.
#[utoipa::path(
    post, path = "/v1/client/register", tag = "client", request_body = ClientRequest, params(IdempotencyKey),
    responses((status = CREATED, description = "Registered", body = RegisteredBody, example = json!({
        "client_id": "cli_019aa2c5b8f07d3c9f0b6f2f3c1d9e47", "tenant_id": "ten_019aa2c5b8f07d3c9f0b6f2f3c1d9e47",
        "user_id": "usr_019aa2c5b8f07d3c9f0b6f2f3c1d9e47", "api_key": "bwk_prod_…",
    }))),
    extensions(
        ("x-bailiwick-action" = json!(RegisterClient::NAME)),
        ("x-problem-codes" = json!(["registration_closed", "unknown_plan", "password_too_weak", "password_breached", "too_many_attempts", "policy_violation", "hashing_overloaded", "no_active_version"])),
    ),
)]
async fn register_client(
    app: AppState,
    permit: OpenPermit<RegisterClient>,
    Once(body, repeat): Once<ClientRequest>,
) -> Result<Response> {
    if !app.config.tenants.self_registration {
        return Err(Problem::new(Code::RegistrationClosed));
    }
    let new = NewClient {
        company: field("/company_name", &body.company_name)?,
        plan: body.plan,
        email: field("/email", &body.email)?,
        password: body.password,
        ip: permit.client.ip,
    };
    let turn = repeat.by(TenantId::DEFAULT, permit.actor());
    let work = async move {
        let made = app.authn.register_client(&new, permit.actor()).await.map_err(password_at("/password"))?;
        let body = RegisteredBody {
            client_id: made.tenant.client_id(),
            tenant_id: made.tenant.id.to_string(),
            user_id: made.owner.id.to_string(),
            api_key: made.key.text.expose().to_owned(),
        };
        Ok((StatusCode::CREATED, Json(body)))
    };
    turn.run(work).await
}

/// The caller's tenant
#[utoipa::path(
    get, path = "/v1/client", tag = "client",
    responses((status = OK, body = TenantBody, example = json!(tenant_sample()))),
    security(("bearer" = []), ("api_key" = [])),
    extensions(
        ("x-bailiwick-action" = json!(ReadClient::NAME)),
        ("x-problem-codes" = json!(["not_found", "no_active_version"])),
    ),
)]
async fn read_client(app: AppState, permit: Permit<ReadClient>) -> Result<Json<TenantBody>> {
    let tenant = own(&app, permit.tenant()).await?;
    Ok(Json(TenantBody::from(&*tenant)))
}

/// Settings of the caller's tenant
#[utoipa::path(
    get, path = "/v1/client/settings", tag = "client",
    responses((status = OK, body = SettingsBody)),
    security(("bearer" = []), ("api_key" = [])),
    extensions(
        ("x-bailiwick-action" = json!(ReadClientSettings::NAME)),
        ("x-problem-codes" = json!(["not_found", "no_active_version"])),
    ),
)]
async fn read_client_settings(
    app: AppState,
    permit: Permit<ReadClientSettings>,
) -> Result<Json<SettingsBody>> {
    let tenant = own(&app, permit.tenant()).await?;
    Ok(Json(SettingsBody::from(&tenant.settings)))
}

/// Replace the settings of the caller's tenant
///
/// Lists count for the next sign-in and the next use of an API key; the policies of the system store enforce them.
#[utoipa::path(
    put, path = "/v1/client/settings", tag = "client", request_body = SettingsRequest,
    responses((status = OK, body = SettingsBody)),
    security(("bearer" = []), ("api_key" = [])),
    extensions(
        ("x-bailiwick-action" = json!(UpdateClientSettings::NAME)),
        ("x-problem-codes" = json!(["not_found", "no_active_version"])),
    ),
)]
async fn update_client_settings(
    app: AppState,
    permit: Permit<UpdateClientSettings>,
    Json(body): Json<SettingsRequest>,
) -> Result<Json<SettingsBody>> {
    let change = TenantChange { settings: Some(body.settings()?), ..TenantChange::default() };
    let tenant = app.tenants.update(permit.tenant(), &change, permit.actor()).await?;
    Ok(Json(SettingsBody::from(&tenant.settings)))
}

/// Make the tenant's secondary API key
///
/// The primary key goes on working. Where there is a secondary key already, `replace` revokes it.
#[utoipa::path(
    post, path = "/v1/client/api-keys/rotate", tag = "client", request_body = RotateRequest,
    params(IdempotencyKey),
    responses((status = OK, body = RotatedBody, example = json!({
        "secondary_key": "bwk_prod_…", "key_id": "key_019aa2c5b8f07d3c9f0b6f2f3c1d9e47",
    }))),
    security(("bearer" = []), ("api_key" = [])),
    extensions(
        ("x-bailiwick-action" = json!(RotateClientKey::NAME)),
        ("x-problem-codes" = json!(["step_up_required", "not_found", "conflict", "unknown_plan", "api_key_generation_failed", "no_active_version"])),
    ),
)]
async fn rotate_client_key(
    app: AppState,
    permit: Permit<RotateClientKey>,
    Once(body, repeat): Once<RotateRequest>,
) -> Result<Response> {
    app.authn.require_recent_person(&permit.caller)?;
    let turn = repeat.by(permit.tenant(), permit.actor());
    let work = async move {
        let tenant = own(&app, permit.tenant()).await?;
        let new = AuthnService::tenant_key("secondary", app.tenants.plan(&tenant.plan)?);
        let replace = body.replace.unwrap_or_default();
        let made = app.api_keys.rotate(permit.tenant(), &new, replace, permit.actor()).await?;
        let (secondary_key, key_id) = (made.text.expose().to_owned(), made.key.id.to_string());
        Ok((StatusCode::OK, Json(RotatedBody { secondary_key, key_id })))
    };
    turn.run(work).await
}

/// Make the tenant's secondary API key the primary one
///
/// The old primary key is revoked, or works for `grace_seconds` more.
#[utoipa::path(
    post, path = "/v1/client/api-keys/promote", tag = "client", request_body = PromoteRequest,
    params(IdempotencyKey),
    responses((status = OK, body = PromotedBody)),
    security(("bearer" = []), ("api_key" = [])),
    extensions(
        ("x-bailiwick-action" = json!(PromoteClientKey::NAME)),
        ("x-problem-codes" = json!(["step_up_required", "conflict", "no_active_version"])),
    ),
)]
async fn promote_client_key(
    app: AppState,
    permit: Permit<PromoteClientKey>,
    Once(body, repeat): Once<PromoteRequest>,
) -> Result<Response> {
    app.authn.require_recent_person(&permit.caller)?;
    let grace_secs = body.grace_seconds.unwrap_or_default();
    if grace_secs > LONGEST_GRACE_SECS {
        let said = format!("must be at most {LONGEST_GRACE_SECS}");
        return Err(Problem::new(Code::ValidationFailed).at("/grace_seconds", said));
    }
    let grace = Duration::from_secs(grace_secs);
    let turn = repeat.by(permit.tenant(), permit.actor());
    let work = async move {
        let key = app.api_keys.promote(permit.tenant(), grace, permit.actor()).await?;
        Ok((StatusCode::OK, Json(PromotedBody { message: "Key promoted", key_id: key.to_string() })))
    };
    turn.run(work).await
}
