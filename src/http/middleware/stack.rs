//! The order of the layers; see the module.

use std::{convert::Infallible, pin::Pin};

use axum::{
    Router,
    http::{HeaderName, HeaderValue, Method, header},
    response::Response,
};
use tower::ServiceBuilder;
use tower_http::cors::CorsLayer;

use super::{
    envelope::{EnvelopeLayer, Listener},
    guard::GuardLayer,
};
use crate::http::{
    extract::{IDEMPOTENCY_KEY, IDEMPOTENCY_REPLAYED},
    rate_limit::{RATE_LIMIT, RATE_LIMIT_POLICY},
    state::AppState,
};

/// An answer under way.
pub(super) type Answering = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

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
    let listener = Listener {
        app: app.clone(),
        is_public: audience == Audience::Public,
        is_https: app.config.public_url().starts_with("https://"),
    };
    // One layer to the router, which boxes each and copies it for every request.
    let layers = ServiceBuilder::new()
        .layer(EnvelopeLayer::new(listener))
        .option_layer(cors(&app.config.server.cors_origins))
        .layer(GuardLayer::new(&app.config.server));
    router.layer(layers).with_state(app.clone())
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
                IDEMPOTENCY_KEY,
            ])
            .expose_headers([
                HeaderName::from_static("x-request-id"),
                HeaderName::from_static("x-access-token"),
                header::RETRY_AFTER,
                IDEMPOTENCY_REPLAYED,
                RATE_LIMIT,
                RATE_LIMIT_POLICY,
                header::WWW_AUTHENTICATE,
            ])
    })
}
