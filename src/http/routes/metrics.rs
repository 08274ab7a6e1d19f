//! Tag `metrics`: the numbers of this node.

use axum::{
    http::header::CONTENT_TYPE,
    response::{IntoResponse, Response},
};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::http::{
    actions::{Action, ReadMetrics},
    extract::OpenPermit,
    state::AppState,
};

/// OpenMetrics 1.0, as its text format wants to be announced.
const MEDIA_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Operations of this tag.
pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(read_metrics))
}

/// Metrics of this node
///
/// OpenMetrics text, for a Prometheus server or whatever reads its format. README lists the names. Open to
/// whoever reaches the admin listener; no series names a user, a session or a path as it was sent.
#[utoipa::path(
    get, path = "/metrics", tag = "metrics",
    responses((status = OK, body = String, content_type = "application/openmetrics-text; version=1.0.0; charset=utf-8",
        example = "# TYPE bailiwick_decisions counter\nbailiwick_decisions_total{store=\"app\",outcome=\"allow\"} 17\n# EOF\n")),
    extensions(
        ("x-bailiwick-action" = json!(ReadMetrics::NAME)),
        ("x-problem-codes" = json!(["policy_violation", "no_active_version"])),
    ),
)]
async fn read_metrics(app: AppState, _permit: OpenPermit<ReadMetrics>) -> Response {
    ([(CONTENT_TYPE, MEDIA_TYPE)], app.metrics_text()).into_response()
}
