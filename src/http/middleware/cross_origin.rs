//! Which pages of other origins may call (R36): those of `server.cors_origins`, with a browser's cookies, and on the
//! public listener those that a tenant lists, with tokens of their own.
//!
//! A list is its tenant's word, and cookies are of whoever signed in, in any tenant: with them, one tenant's page could
//! read what is another's. So only the operator's list is trusted with cookies.

use std::{
    convert::Infallible,
    sync::Arc,
    task::{Context, Poll},
};

use axum::{
    extract::Request,
    http::{HeaderName, HeaderValue, Method, header},
    response::Response,
};
use futures_util::future::Either;
use tower::{Layer, Service};
use tower_http::cors::{AllowCredentials, AllowOrigin, Cors, CorsLayer};

use super::stack::{Answering, Audience};
use crate::http::{
    extract::{IDEMPOTENCY_KEY, IDEMPOTENCY_REPLAYED},
    rate_limit::{RATE_LIMIT, RATE_LIMIT_POLICY},
    state::AppState,
};

/// Answers pages of other origins: see the module. Who sends no `Origin` passes at no cost.
#[derive(Debug, Clone)]
pub(super) struct CrossOrigin<S> {
    inner: Cors<S>,
    of: Arc<Origins>,
}

/// Puts a service into a [`CrossOrigin`].
#[derive(Debug, Clone)]
pub(super) struct CrossOriginLayer {
    cors: CorsLayer,
    of: Arc<Origins>,
}

/// Whom a listener knows.
#[derive(Debug)]
struct Origins {
    app: AppState,
    is_public: bool,
}

impl Origins {
    fn is_operators(&self, origin: &HeaderValue) -> bool {
        self.app.config.server.cors_origins.iter().any(|known| known.as_bytes() == origin.as_bytes())
    }

    async fn lets_in(&self, origin: &HeaderValue) -> bool {
        if self.is_operators(origin) {
            return true;
        }
        let Ok(origin) = origin.to_str() else { return false };
        // Without the database nobody is let in; the request itself says what is the matter.
        self.is_public && self.app.tenants.lists_origin(origin).await.unwrap_or(false)
    }
}

impl CrossOriginLayer {
    pub(super) fn new(app: &AppState, audience: Audience) -> Self {
        let of = Arc::new(Origins { app: app.clone(), is_public: audience == Audience::Public });
        let known = Arc::clone(&of);
        let cors = CorsLayer::new()
            .allow_origin(AllowOrigin::mirror_request()) // of whom was let in: see `call`
            .allow_credentials(AllowCredentials::predicate(move |origin, _| known.is_operators(origin)))
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
        Self { cors, of }
    }
}

impl<S> Layer<S> for CrossOriginLayer {
    type Service = CrossOrigin<S>;

    fn layer(&self, inner: S) -> CrossOrigin<S> {
        CrossOrigin { inner: self.cors.layer(inner), of: Arc::clone(&self.of) }
    }
}

impl<S> Service<Request> for CrossOrigin<S>
where
    S: Service<Request, Response = Response, Error = Infallible, Future: Send + 'static>
        + Clone
        + Send
        + 'static,
{
    type Response = Response;
    type Error = Infallible;
    type Future = Either<S::Future, Answering>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.get_mut().poll_ready(cx)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let Some(origin) = request.headers().get(header::ORIGIN).cloned() else {
            return Either::Left(self.inner.get_mut().call(request));
        };
        // The one that is ready answers; its copy is for the next request.
        let next = self.inner.clone();
        let (mut inner, of) = (std::mem::replace(&mut self.inner, next), Arc::clone(&self.of));
        Either::Right(Box::pin(async move {
            if of.lets_in(&origin).await {
                inner.call(request).await
            } else {
                inner.get_mut().call(request).await
            }
        }))
    }
}
