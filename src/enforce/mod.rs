//! Policy enforcement for other services: who is calling, by their token, and whether they may.
//!
//! ```text
//! request ─→ EnforceLayer ─→ handler ─→ DecisionClient::guard ─→ Allowed, or the handler goes no further
//!              │ offline: JWKS           │ POST /v1/authorize
//!              └ 401, 503                └ 401, 403, 500, 503
//! ```
//!
//! Depend on it with `default-features = false, features = ["enforce"]`. It has no HTTP client and starts no
//! task: the service gives one function that fetches the keys and one that sends a question, with the client,
//! the time limits and the TLS that it has already.
//!
//! # Invariants
//! - INVARIANT: an outage is never an allow, and never a 401. Only a well-formed `allow` is an allow
//!   ([`Allowed`] cannot be made otherwise); keys that cannot be had are a 503.
//! - SECURITY: keys come from the fetch function only, never from a token; a token is verified by the code
//!   that the server itself uses ([`crate::jws`]).
//! - A token that names an unknown key causes at most one fetch in 30 seconds.
//!
//! # Behind a gateway
//! Where a gateway asks the server about each request (`POST /v1/internal/validate` with `audience`), the service behind it
//! is told who calls by a context token in `X-Context-Token`, which lives for a minute. [`EnforceLayer::for_contexts`] with a
//! [`ContextVerifier`] takes that one, once, and no other token, header or spelling; the handler finds [`ContextClaims`].
//! The gateway must take the header off whatever it is sent; two of them are refused.
//!
//! # What it does not see
//! Verification is offline: a revoked session is noticed when its token ends (15 minutes by default), or when
//! [`DecisionClient::guard`] asks, since the server checks the session of whoever asks.
//!
//! # A protected service
//! ```
//! use axum::{
//!     Extension, Router,
//!     body::Body,
//!     extract::State,
//!     http::{Request, Response},
//!     routing::get,
//! };
//! use bailiwick::enforce::{
//!     Bearer, Claims, DecisionClient, EnforceLayer, Entity, KeySet, Question, Verifier,
//! };
//! # use tower::ServiceExt;
//! # async fn http_get(_url: &str) -> Result<String, std::io::Error> { Err(std::io::Error::other("offline")) }
//! # async fn http_send(_: Request<String>) -> Result<Response<Vec<u8>>, std::io::Error> { Err(std::io::Error::other("offline")) }
//!
//! async fn who_am_i(Extension(claims): Extension<Claims>) -> String {
//!     claims.sub
//! }
//!
//! async fn photo(
//!     State(decisions): State<DecisionClient>,
//!     Extension(bearer): Extension<Bearer>,
//! ) -> Response<Body> {
//!     let question = Question::new("view", Entity::new("Photo", "beach.jpg"));
//!     match decisions.guard(&bearer, &question).await {
//!         Ok(_allowed) => Response::new(Body::from("the photo")),
//!         Err(not_allowed) => not_allowed.response("/photo"),
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let keys = KeySet::new(|| async { http_get("https://id.example/.well-known/jwks.json").await });
//! let verifier = Verifier::new("https://id.example", "https://id.example", keys);
//! let decisions = DecisionClient::new("https://id.example", |request| async { http_send(request).await })?;
//!
//! let app = Router::new()
//!     .route("/me", get(who_am_i))
//!     .route("/photo", get(photo))
//!     .layer(EnforceLayer::new(verifier)) // for every route above
//!     .with_state(decisions);
//!
//! // Without a token nothing below the layer runs.
//! let answer = app.oneshot(Request::get("/me").body(Body::empty())?).await?;
//! assert_eq!(answer.status(), 401);
//! assert_eq!(answer.headers()["www-authenticate"], "Bearer");
//! # Ok(())
//! # }
//! ```

mod claims;
mod context;
mod decide;
mod jwks;
mod layer;
mod problem;
mod question;
mod verifier;

pub use crate::jws::{Audience, Expected, Refusal};
pub use claims::{Claims, verify};
pub use context::{CONTEXT_HEADER, ContextClaims};
pub use decide::{Allowed, Answer, DecisionClient, DeterminingPolicy, NotAUrl, NotAllowed, PolicyError};
pub use jwks::{JwksError, KeySet, Keys};
pub use layer::{Bearer, Enforce, EnforceLayer};
pub use question::{Entity, Question};
pub use verifier::{ContextVerifier, Verifier, VerifyError};
