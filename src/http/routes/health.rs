//! Tag `health`: whether this process lives, and whether it should get requests.

use axum::{
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::http::{
    actions::{Action, ReadHealth},
    extract::{Json, OpenPermit},
    state::AppState,
};

/// Operations of this tag.
pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(read_liveness)).routes(routes!(read_readiness))
}

/// That the process answers.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Liveness {
    /// Always `ok`.
    #[schema(example = "ok")]
    pub status: &'static str,
}

/// What this node needs in order to serve, and how each part is.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Readiness {
    /// `ready` or `unready`.
    #[schema(example = "ready")]
    pub status: &'static str,
    /// `ok` or `down`: without it nothing is answered.
    #[schema(example = "ok")]
    pub database: &'static str,
    /// `ok` or `missing`: a key that signs access tokens.
    #[schema(example = "ok")]
    pub signing_key: &'static str,
    /// `ok` or `missing`: the policies that guard our own API.
    #[schema(example = "ok")]
    pub system_policies: &'static str,
    /// `ok` or `degraded`: messages between nodes; the poll floor carries on alone.
    #[schema(example = "ok")]
    pub bus: &'static str,
    /// `ok` or `distrusted`: a store is decided without its index, because a verification found it wrong.
    #[schema(example = "ok")]
    pub policy_index: &'static str,
}

/// Whether the process answers
///
/// For a restart decision: it asks nothing of the database.
#[utoipa::path(
    get, path = "/healthz", tag = "health",
    responses((status = OK, body = Liveness, example = json!({"status": "ok"}))),
    extensions(
        ("x-bailiwick-action" = json!(ReadHealth::NAME)),
        ("x-problem-codes" = json!(["policy_violation", "no_active_version"])),
    ),
)]
async fn read_liveness(_permit: OpenPermit<ReadHealth>) -> Json<Liveness> {
    Json(Liveness { status: "ok" })
}

/// Whether this node should get requests
///
/// 503 while the database is unreachable, no signing key is active, the system store has no active
/// version, or the server is shutting down. A degraded bus is reported and stays ready.
#[utoipa::path(
    get, path = "/readyz", tag = "health",
    responses(
        (status = OK, body = Readiness, example = json!({"status": "ready", "database": "ok", "signing_key": "ok", "system_policies": "ok", "bus": "ok", "policy_index": "ok"})),
        (status = SERVICE_UNAVAILABLE, description = "Not ready", body = Readiness),
    ),
    extensions(
        ("x-bailiwick-action" = json!(ReadHealth::NAME)),
        ("x-problem-codes" = json!(["policy_violation", "no_active_version"])),
    ),
)]
async fn read_readiness(app: AppState, _permit: OpenPermit<ReadHealth>) -> Response {
    let report = app.readiness().await;
    let word = |well: bool, bad: &'static str| if well { "ok" } else { bad };
    let body = Readiness {
        status: if report.is_ready() { "ready" } else { "unready" },
        database: word(report.database, "down"),
        signing_key: word(report.signing_key, "missing"),
        system_policies: word(report.system_policies, "missing"),
        bus: word(report.bus, "degraded"),
        policy_index: word(report.policy_index, "distrusted"),
    };
    let status = if report.is_ready() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(body)).into_response()
}
