//! Swagger UI at `/docs`, and the document it shows.

use std::sync::LazyLock;

use axum::{
    Router,
    extract::Request,
    http::{
        HeaderValue,
        header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE},
    },
    middleware::{Next, from_fn},
    response::{IntoResponse, Response},
    routing::get,
};
use utoipa_swagger_ui::{Config, SwaggerUi, Url};

use crate::http::{openapi, state::AppState};

static DOCUMENT: LazyLock<String> = LazyLock::new(openapi::text);

/// `/docs` and `/openapi.json`.
pub(super) fn router() -> Router<AppState> {
    let config = Config::new([Url::new("Bailiwick", "/openapi.json")])
        .try_it_out_enabled(true)
        .display_request_duration(true)
        .persist_authorization(false)
        .validator_url("none");
    Router::from(SwaggerUi::new("/docs").config(config))
        .layer(from_fn(page_policy))
        .route("/openapi.json", get(read_document))
}

async fn read_document() -> Response {
    ([(CONTENT_TYPE, "application/json"), (CACHE_CONTROL, "no-cache")], DOCUMENT.as_str()).into_response()
}

/// The page needs its own scripts and images, inline styles, and calls to this server; nothing else.
async fn page_policy(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let policy = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
                  connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";
    response.headers_mut().insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy));
    response
}
