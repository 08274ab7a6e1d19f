//! The order of the layers; see the module.

use axum::{
    Router,
    http::{HeaderName, HeaderValue, Method, header},
    middleware::from_fn_with_state,
};
use tower_http::cors::CorsLayer;

use super::{
    envelope::{self, Envelope},
    guard,
};
use crate::http::state::AppState;

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
    let mut router = router.layer(from_fn_with_state(app.clone(), guard::guard));
    if let Some(cors) = cors(&app.config.server.cors_origins) {
        router = router.layer(cors);
    }
    let envelope = Envelope {
        app: app.clone(),
        is_public: audience == Audience::Public,
        is_https: app.config.public_url().starts_with("https://"),
    };
    router.layer(from_fn_with_state(envelope, envelope::envelope)).with_state(app.clone())
}

fn cors(origins: &[String]) -> Option<CorsLayer> {
    let origins: Vec<HeaderValue> = origins.iter().filter_map(|origin| origin.parse().ok()).collect();
    (!origins.is_empty()).then(|| {
        CorsLayer::new()
            .allow_origin(origins)
            .allow_credentials(true) // each origin is named, none is a wildcard
            .allow_methods([Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE])
            .allow_headers([
                header::AUTHORIZATION,
                header::CONTENT_TYPE,
                HeaderName::from_static("x-request-id"),
            ])
            .expose_headers([
                HeaderName::from_static("x-request-id"),
                HeaderName::from_static("x-access-token"),
                header::RETRY_AFTER,
                header::WWW_AUTHENTICATE,
            ])
    })
}
