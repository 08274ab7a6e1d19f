//! The order of the layers; see the module.

use axum::{
    Router,
    http::{HeaderName, HeaderValue, Method, header},
    middleware::{from_fn, from_fn_with_state},
};
use tower_http::{catch_panic::CatchPanicLayer, cors::CorsLayer};

use super::{deadline, envelope, headers};
use crate::http::{codes::Code, problem::Problem, state::AppState};

/// Whose requests a listener takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::http) enum Audience {
    /// Anyone: context headers are not believed.
    Public,
    /// Services and operators inside the trusted network.
    Trusted,
}

/// Puts the router behind all of them.
pub(in crate::http) fn wrap(router: Router<AppState>, app: &AppState, audience: Audience) -> Router {
    let mut router =
        router.layer(from_fn_with_state(app.clone(), deadline::limit)).layer(CatchPanicLayer::custom(
            |_panic| axum::response::IntoResponse::into_response(Problem::new(Code::InternalError)),
        ));
    if let Some(cors) = cors(&app.config.server.cors_origins) {
        router = router.layer(cors);
    }
    if audience == Audience::Public {
        router = router.layer(from_fn(headers::strip_context));
    }
    router
        .layer(from_fn_with_state(app.clone(), headers::secure))
        .layer(from_fn_with_state(app.clone(), envelope::envelope))
        .with_state(app.clone())
}

fn cors(origins: &[String]) -> Option<CorsLayer> {
    let origins: Vec<HeaderValue> = origins.iter().filter_map(|origin| origin.parse().ok()).collect();
    (!origins.is_empty()).then(|| {
        CorsLayer::new()
            .allow_origin(origins)
            .allow_methods([Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE])
            .allow_headers([
                header::AUTHORIZATION,
                header::CONTENT_TYPE,
                HeaderName::from_static("x-request-id"),
            ])
            .expose_headers([
                HeaderName::from_static("x-request-id"),
                header::RETRY_AFTER,
                header::WWW_AUTHENTICATE,
            ])
    })
}
