//! The whole API on one page, grouped by audience.

use axum::Router;
use utoipa_axum::router::OpenApiRouter;

use super::{
    accounts, api_keys, auth, authorize, client, compat, devices, docs, entities, health, internal, keys,
    metrics, oauth, oauth_clients, own_data, policy_stores, profiles, roles, sdk, sessions, setup, tenants,
    users,
};
use crate::http::{
    codes::Code,
    middleware::{Audience, wrap},
    problem::{Problem, Result},
    state::AppState,
};

/// For anyone on the network.
fn public() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .merge(auth::router())
        .merge(authorize::router())
        .merge(policy_stores::router())
        .merge(entities::router())
        .merge(users::router())
        .merge(own_data::router())
        .merge(profiles::router())
        .merge(accounts::router())
        .merge(sessions::router())
        .merge(client::router())
        .merge(sdk::router())
        .merge(tenants::router())
        .merge(devices::router())
        .merge(api_keys::router())
        .merge(roles::router())
        .merge(setup::router())
        .merge(keys::router())
        .merge(oauth::router())
        .merge(oauth_clients::router())
}

/// For services inside the trusted network.
fn inside() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().merge(internal::router())
}

/// For operators and orchestrators.
fn admin() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().merge(health::router()).merge(metrics::router())
}

/// Every operation with its description, for the OpenAPI document.
pub(in crate::http) fn described() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().merge(public()).merge(inside()).merge(admin())
}

/// One router for each listener.
#[derive(Debug)]
pub struct Routers {
    /// `server.public_addr`.
    pub public: Router,
    /// `server.internal_addr`: the public API, and what only services inside the trusted network may ask.
    pub internal: Router,
    /// `server.admin_addr`.
    pub admin: Router,
}

/// Builds the routers of a running application.
pub fn routers(app: &AppState) -> Routers {
    let finish = |described: OpenApiRouter<AppState>| {
        let (router, _) = described.split_for_parts();
        router.fallback(not_found).method_not_allowed_fallback(method_not_allowed)
    };
    let with_aliases = |router: Router<AppState>| {
        if app.config.server.compat_routes {
            compat::mount(router, app).method_not_allowed_fallback(method_not_allowed)
        } else {
            router
        }
    };
    let with_docs = |router: Router<AppState>| {
        if app.config.docs.enabled { router.merge(docs::router()) } else { router }
    };
    Routers {
        public: wrap(with_docs(with_aliases(finish(public()))), app, Audience::Public),
        internal: wrap(with_aliases(finish(public().merge(inside()))), app, Audience::Trusted),
        admin: wrap(finish(admin()), app, Audience::Trusted),
    }
}

async fn not_found() -> Result<()> {
    Err(Problem::new(Code::NotFound))
}

async fn method_not_allowed() -> Result<()> {
    Err(Problem::new(Code::MethodNotAllowed))
}
