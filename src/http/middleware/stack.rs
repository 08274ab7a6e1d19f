//! The order of the layers; see the module.

use std::{convert::Infallible, pin::Pin};

use axum::{Router, response::Response};
use tower::ServiceBuilder;

use super::{
    cross_origin::CrossOriginLayer,
    envelope::{EnvelopeLayer, Listener},
    guard::GuardLayer,
};
use crate::http::state::AppState;

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
        .layer(CrossOriginLayer::new(app, audience))
        .layer(GuardLayer::new(&app.config.server));
    router.layer(layers).with_state(app.clone())
}
