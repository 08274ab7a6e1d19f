//! Which pages of other origins may call (R36): those of `server.cors_origins`, with a browser's cookies, and on the
//! public listener those that a tenant lists, with tokens of their own.
//!
//! A list is its tenant's word, and cookies are of whoever signed in, in any tenant: with them, one tenant's page could
//! read what is another's. So only the operator's list is trusted with cookies.

use std::convert::Infallible;

use axum::{
    extract::Request,
    http::{HeaderName, HeaderValue, Method, header},
    response::Response,
};
use tower::{Layer, Service, service_fn};
use tower_http::cors::{AllowCredentials, AllowOrigin, CorsLayer};

use super::stack::Audience;
use crate::http::{
    extract::{IDEMPOTENCY_KEY, IDEMPOTENCY_REPLAYED},
    rate_limit::{RATE_LIMIT, RATE_LIMIT_POLICY},
    state::AppState,
};

/// Answers pages of other origins: see the module.
#[derive(Debug)]
pub(super) struct CrossOrigin {
    app: AppState,
    is_public: bool,
    cors: CorsLayer,
}

impl CrossOrigin {
    pub(super) fn new(app: &AppState, audience: Audience) -> Self {
        let known = app.clone();
        let cors = CorsLayer::new()
            .allow_origin(AllowOrigin::mirror_request()) // of whom was let in: see `call`
            .allow_credentials(AllowCredentials::predicate(move |origin, _| is_operators(&known, origin)))
            .allow_methods([Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE])
            .allow_headers([
                header::AUTHORIZATION,
                header::CONTENT_TYPE,
                header::IF_MATCH,
                IDEMPOTENCY_KEY,
                HeaderName::from_static("x-request-id"),
            ])
            .expose_headers([
                HeaderName::from_static("x-request-id"),
                HeaderName::from_static("x-access-token"),
                HeaderName::from_static("x-auth-action"),
                header::ETAG,
                header::RETRY_AFTER,
                header::WWW_AUTHENTICATE,
                IDEMPOTENCY_REPLAYED,
                RATE_LIMIT,
                RATE_LIMIT_POLICY,
            ]);
        Self { app: app.clone(), is_public: audience == Audience::Public, cors }
    }

    /// What `guarded` answers to a page of `origin`, with the headers that let the page see it if it may.
    pub(super) async fn answer<F>(
        &self,
        origin: &HeaderValue,
        request: Request,
        mut guarded: impl FnMut(Request) -> F,
    ) -> Result<Response, Infallible>
    where
        F: Future<Output = Result<Response, Infallible>>,
    {
        if self.lets_in(origin).await {
            self.cors.layer(service_fn(guarded)).call(request).await
        } else {
            guarded(request).await
        }
    }

    async fn lets_in(&self, origin: &HeaderValue) -> bool {
        if is_operators(&self.app, origin) {
            return true;
        }
        let Ok(origin) = origin.to_str() else { return false };
        // Without the database nobody is let in; the request itself says what is the matter.
        self.is_public && self.app.tenants.lists_origin(origin).await.unwrap_or(false)
    }
}

/// Whether the operator lists an origin.
fn is_operators(app: &AppState, origin: &HeaderValue) -> bool {
    app.config.server.cors_origins.iter().any(|known| known.as_bytes() == origin.as_bytes())
}
