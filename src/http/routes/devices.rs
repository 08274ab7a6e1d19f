//! Tag `devices`: what the caller signs in from.

use axum::http::StatusCode;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    base::DeviceId,
    http::{
        actions::{Action, ListOwnDevices, RemoveOwnDevice, UpdateOwnDevice},
        extract::{Json, Path, UserPermit},
        problem::Result,
        state::AppState,
    },
    sessions::{Device, DeviceChange, DeviceName},
};

/// Operations of this tag.
pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(list_devices)).routes(routes!(update_device, remove_device))
}

/// What a user signs in from.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct DeviceBody {
    /// Id.
    #[schema(example = "dev_019aa2c5b8f07d3c9f0b6f2f3c1d9e47")]
    pub id: String,
    /// Whether this request came from it.
    pub current: bool,
    /// What its user calls it.
    #[schema(example = "Alice's phone")]
    pub name: Option<String>,
    /// What it runs on, as it said.
    #[schema(example = "ios")]
    pub platform: Option<String>,
    /// Its public key, as it said: a JWK.
    #[schema(value_type = Option<Object>)]
    pub public_key: Option<Value>,
    /// Since when its user trusts it, RFC 3339.
    pub trusted_at: Option<String>,
    /// When it was first used, RFC 3339.
    #[schema(example = "2026-11-21T09:00:00.000Z")]
    pub created_at: String,
    /// When it was last used, to the minute, RFC 3339.
    #[schema(example = "2026-11-21T09:00:00.000Z")]
    pub last_seen_at: String,
    /// Live sessions on it.
    #[schema(example = 1)]
    pub sessions: i64,
}

impl DeviceBody {
    pub(super) fn of(device: Device, current: DeviceId) -> Self {
        Self {
            id: device.id.to_string(),
            current: device.id == current,
            name: device.name,
            platform: device.platform,
            public_key: device.public_key.and_then(|text| serde_json::from_str(&text).ok()),
            trusted_at: device.trusted_at_ms.map(|at| at.to_string()),
            created_at: device.created_at_ms.to_string(),
            last_seen_at: device.last_seen_at_ms.to_string(),
            sessions: device.sessions,
        }
    }
}

/// Every device.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct DeviceList {
    /// The last used first.
    pub data: Vec<DeviceBody>,
}

/// What to change; what is absent stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct DeviceUpdateRequest {
    /// Another name; `null` takes it away.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>, example = "Alice's phone", max_length = 100)]
    pub name: Option<DeviceName>,
    /// Whether it is trusted.
    pub trusted: Option<bool>,
}

/// A name that is there, be it `null`.
fn given<'de, D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Option<DeviceName>, D::Error> {
    let name = Option::<String>::deserialize(deserializer)?;
    Ok(Some(DeviceName(name.map(|name| name.chars().take(100).collect()))))
}

/// The caller's devices
#[utoipa::path(
    get, path = "/v1/devices", tag = "devices",
    responses((status = OK, body = DeviceList, example = json!({"data": [{
        "id": "dev_019aa2c5b8f07d3c9f0b6f2f3c1d9e47", "current": true, "name": "Alice's phone", "platform": "ios",
        "public_key": null, "trusted_at": null, "created_at": "2026-11-21T09:00:00.000Z",
        "last_seen_at": "2026-11-21T09:00:00.000Z", "sessions": 1,
    }]}))),
    security(("bearer" = [])),
    extensions(
        ("x-bailiwick-action" = json!(ListOwnDevices::NAME)),
        ("x-problem-codes" = json!(["no_active_version"])),
    ),
)]
async fn list_devices(app: AppState, permit: UserPermit<ListOwnDevices>) -> Result<Json<DeviceList>> {
    let devices = app.sessions.devices(permit.tenant(), permit.user.user_id).await?;
    let current = permit.user.device_id;
    Ok(Json(DeviceList { data: devices.into_iter().map(|device| DeviceBody::of(device, current)).collect() }))
}

/// Name one of the caller's devices, or trust it
#[utoipa::path(
    patch, path = "/v1/devices/{device_id}", tag = "devices", request_body = DeviceUpdateRequest,
    params(("device_id" = String, Path, description = "The device", example = "dev_019aa2c5b8f07d3c9f0b6f2f3c1d9e47")),
    responses((status = NO_CONTENT, description = "Changed")),
    security(("bearer" = [])),
    extensions(
        ("x-bailiwick-action" = json!(UpdateOwnDevice::NAME)),
        ("x-problem-codes" = json!(["not_found", "no_active_version"])),
    ),
)]
async fn update_device(
    app: AppState,
    permit: UserPermit<UpdateOwnDevice>,
    Path(device): Path<DeviceId>,
    Json(body): Json<DeviceUpdateRequest>,
) -> Result<StatusCode> {
    let change = DeviceChange { name: body.name, is_trusted: body.trusted };
    let owner = (permit.tenant(), permit.user.user_id);
    app.sessions.change_device(owner, device, &change, permit.actor()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Remove one of the caller's devices
///
/// Its sessions end, and it is not known any more. Another device than the caller's is removed by who signed in a
/// moment ago, else `step_up_required` (RFC 9470).
#[utoipa::path(
    delete, path = "/v1/devices/{device_id}", tag = "devices",
    params(("device_id" = String, Path, description = "The device", example = "dev_019aa2c5b8f07d3c9f0b6f2f3c1d9e47")),
    responses((status = NO_CONTENT, description = "Removed")),
    security(("bearer" = [])),
    extensions(
        ("x-bailiwick-action" = json!(RemoveOwnDevice::NAME)),
        ("x-problem-codes" = json!(["not_found", "step_up_required", "no_active_version"])),
    ),
)]
async fn remove_device(
    app: AppState,
    permit: UserPermit<RemoveOwnDevice>,
    Path(device): Path<DeviceId>,
) -> Result<StatusCode> {
    app.authn.may_remove_device(&permit.user, device)?;
    let owner = (permit.tenant(), permit.user.user_id);
    app.sessions.remove_device(owner, device, permit.actor()).await?;
    Ok(StatusCode::NO_CONTENT)
}
