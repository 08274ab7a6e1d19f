//! The layers as one service; see the module.

use std::{
    convert::Infallible,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use axum::{Router, extract::Request, http::header::ORIGIN, response::Response};
use futures_util::future::Either;
use pin_project_lite::pin_project;
use tower::{Layer, Service};
use tracing::instrument::Instrumented;

use super::{
    cross_origin::CrossOrigin,
    envelope::{Envelope, Opened},
    guard::{Guard, Settling},
};
use crate::http::state::AppState;

/// The answer to a page of another origin, under way.
type Answering = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

/// Whose requests a listener takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::http) enum Audience {
    /// Anyone: context headers are not believed.
    Public,
    /// Services and operators inside the trusted network.
    Trusted,
}

/// The layers of a listener, from the outside in.
#[derive(Debug)]
struct Layers {
    envelope: Envelope,
    cross_origin: CrossOrigin,
    guard: Guard,
}

/// Puts a route behind the layers.
#[derive(Debug, Clone)]
struct StackLayer(Arc<Layers>);

/// A route behind the layers.
#[derive(Debug, Clone)]
struct Stack<S> {
    inner: S,
    layers: Arc<Layers>,
}

pin_project! {
    /// An answer that is under way within the envelope. A type of its own, so that a router boxes it once.
    struct Enclosed<F> {
        #[pin]
        answer: Instrumented<F>,
        opened: Option<Opened>,
        layers: Arc<Layers>,
    }
}

/// Puts the router behind all of them.
pub(in crate::http) fn wrap(router: Router<AppState>, app: &AppState, audience: Audience) -> Router {
    let layers = Layers {
        envelope: Envelope::new(app, audience),
        cross_origin: CrossOrigin::new(app, audience),
        guard: Guard::new(&app.config.server),
    };
    router.layer(StackLayer(Arc::new(layers))).with_state(app.clone())
}

impl<S> Layer<S> for StackLayer {
    type Service = Stack<S>;

    fn layer(&self, inner: S) -> Stack<S> {
        Stack { inner, layers: Arc::clone(&self.0) }
    }
}

impl<S> Service<Request> for Stack<S>
where
    S: Service<Request, Response = Response, Error = Infallible, Future: Send + 'static>
        + Clone
        + Send
        + 'static,
{
    type Response = Response;
    type Error = Infallible;
    type Future = Enclosed<Either<Settling<S::Future>, Answering>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request) -> Self::Future {
        let layers = Arc::clone(&self.layers);
        let opened = layers.envelope.open(&mut request);
        let answer = match request.headers().get(ORIGIN).cloned() {
            None => Either::Left(layers.guard.answer(&mut self.inner, request)),
            Some(origin) => {
                // The one that is ready answers; its copy is for the next request.
                let next = self.inner.clone();
                let mut inner = std::mem::replace(&mut self.inner, next);
                let layers = Arc::clone(&layers);
                let answer: Answering = Box::pin(async move {
                    let guarded = |request| layers.guard.answer(&mut inner, request);
                    layers.cross_origin.answer(&origin, request, guarded).await
                });
                Either::Right(answer)
            }
        };
        Enclosed { answer: opened.inside(answer), opened: Some(opened), layers }
    }
}

impl<F: Future<Output = Result<Response, Infallible>>> Future for Enclosed<F> {
    type Output = Result<Response, Infallible>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let response = ready!(this.answer.poll(cx))?;
        let opened = this.opened.take();
        Poll::Ready(Ok(match opened {
            Some(opened) => this.layers.envelope.close(opened, response),
            None => response, // nobody asks again for what was given
        }))
    }
}
