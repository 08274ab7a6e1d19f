//! The middleware: nothing below it runs without a good token.

use std::{
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use http::{
    HeaderMap, Request, Response,
    header::{AUTHORIZATION, ORIGIN},
};
use tower_layer::Layer;
use tower_service::Service;

use super::{
    context::CONTEXT_HEADER,
    problem::Problem,
    verifier::{ContextVerifier, Verifier, VerifyError},
};
use crate::jws::Refusal;

/// The access token of a request, verified. A request extension beside [`Claims`](super::Claims), for asking
/// the server in the caller's name. Does not print.
#[derive(Clone)]
pub struct Bearer(String);

impl Bearer {
    /// A token that came another way than by the layer.
    pub fn new(token: impl Into<String>) -> Self {
        Self(token.into())
    }

    /// The token.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Bearer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Bearer(…)")
    }
}

/// By which kind of token a request comes in.
#[derive(Debug, Clone)]
enum Door {
    Access(Arc<Verifier>),
    Context(Arc<ContextVerifier>),
}

/// Puts [`Enforce`] around a service.
#[derive(Debug, Clone)]
pub struct EnforceLayer {
    door: Door,
}

impl EnforceLayer {
    /// A layer that accepts the access tokens that `verifier` accepts, in `Authorization`.
    pub fn new(verifier: impl Into<Arc<Verifier>>) -> Self {
        Self { door: Door::Access(verifier.into()) }
    }

    /// A layer that accepts the context tokens that `verifier` accepts, in `X-Context-Token`: for a service behind a
    /// gateway that validates. Every other header that names somebody is of no meaning to it.
    pub fn for_contexts(verifier: impl Into<Arc<ContextVerifier>>) -> Self {
        Self { door: Door::Context(verifier.into()) }
    }
}

impl<S> Layer<S> for EnforceLayer {
    type Service = Enforce<S>;

    fn layer(&self, inner: S) -> Enforce<S> {
        Enforce { inner, door: self.door.clone() }
    }
}

/// A service whose requests bring a good token. The inner one finds [`Claims`](super::Claims) and [`Bearer`] among the
/// extensions of its request, or [`ContextClaims`](super::ContextClaims) where context tokens are asked for; others are
/// answered here with a problem document: 401 for the token's fault, 403 for a page of another origin than the token's, 503
/// when the keys cannot be had.
#[derive(Debug, Clone)]
pub struct Enforce<S> {
    inner: S,
    door: Door,
}

impl<S, B, R> Service<Request<B>> for Enforce<S>
where
    S: Service<Request<B>, Response = Response<R>> + Clone + Send + 'static,
    S::Future: Send,
    B: Send + 'static,
    R: From<String>,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response<R>, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        // The clone is not ready, the one that was asked is (tower, `Service`, "Be careful when cloning").
        let clone = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, clone);
        let door = self.door.clone();
        Box::pin(async move {
            let admitted = match &door {
                Door::Access(verifier) => admit(verifier, &mut request).await,
                Door::Context(verifier) => admit_context(verifier, &mut request).await,
            };
            match admitted {
                Ok(()) => inner.call(request).await,
                Err(problem) => Ok(problem.response(request.uri().path())),
            }
        })
    }
}

/// Verifies the access token of a request and keeps what it says among the request's extensions.
async fn admit<B>(verifier: &Verifier, request: &mut Request<B>) -> Result<(), Problem> {
    let bearer = Bearer::new(bearer(request.headers())?);
    let claims = verifier.verify(bearer.expose()).await.map_err(|error| problem_of(&error))?;
    let origin = request.headers().get(ORIGIN).map(|origin| origin.to_str().unwrap_or_default());
    if !claims.is_for_origin(origin) {
        return Err(Problem::ORIGIN_NOT_ALLOWED);
    }
    request.extensions_mut().insert(claims);
    request.extensions_mut().insert(bearer);
    Ok(())
}

/// The same with its context token.
async fn admit_context<B>(verifier: &ContextVerifier, request: &mut Request<B>) -> Result<(), Problem> {
    let claims = verifier.verify(context(request.headers())?).await.map_err(|error| problem_of(&error))?;
    request.extensions_mut().insert(claims);
    Ok(())
}

fn problem_of(error: &VerifyError) -> Problem {
    match error {
        VerifyError::Refused(Refusal::Expired) => Problem::TOKEN_EXPIRED,
        VerifyError::Refused(Refusal::WrongType) => Problem::WRONG_TOKEN_TYPE,
        VerifyError::Refused(Refusal::Invalid(_) | Refusal::UnknownKey) => Problem::TOKEN_INVALID,
        VerifyError::KeysUnavailable(_) => Problem::KEYS_UNAVAILABLE,
    }
}

/// The one context token of a request. SECURITY: two headers are refused: one may be smuggled past a gateway that adds its
/// own, and no other spelling of the name is looked at (threat T24).
fn context(headers: &HeaderMap) -> Result<&str, Problem> {
    let mut values = headers.get_all(CONTEXT_HEADER).iter();
    let value = values.next().ok_or(Problem::CONTEXT_MISSING)?;
    match (value.to_str(), values.next()) {
        (Ok(token), None) => Ok(token.trim()),
        _ => Err(Problem::TOKEN_INVALID),
    }
}

/// The one bearer token of a request. Two headers are refused: others might read the other one.
fn bearer(headers: &HeaderMap) -> Result<&str, Problem> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let value = values.next().ok_or(Problem::TOKEN_MISSING)?;
    let parts = value.to_str().ok().and_then(|value| value.split_once(' '));
    match (parts, values.next()) {
        (Some((scheme, token)), None) if scheme.eq_ignore_ascii_case("bearer") => Ok(token.trim()),
        _ => Err(Problem::TOKEN_INVALID),
    }
}
