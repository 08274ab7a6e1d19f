//! Requests that may be sent again and are carried out once: `Idempotency-Key` (identity.md §2.1).

use std::sync::Arc;

use axum::{
    body::Bytes,
    extract::{FromRequest, FromRequestParts, Request},
    http::{HeaderName, HeaderValue, StatusCode, request::Parts},
    response::{IntoResponse, Response},
};
use serde::{Serialize, de::DeserializeOwned};
use utoipa::IntoParams;

use super::{
    json::{Json, Written, parse_stored, read_json},
    permit::ANONYMOUS,
};
use crate::{
    audit::Actor,
    base::TenantId,
    http::{
        codes::Code,
        problem::{Problem, Result},
        state::AppState,
    },
    idempotency::{Answer, Attempt, Claim, IdempotencyService, RepeatKey, Ticket},
};

/// Header by which a caller says that a request is the same as one before.
pub const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// Header of an answer that was given before.
pub const IDEMPOTENCY_REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// The header, as it is documented.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "it is read by `Repeat`")]
pub struct IdempotencyKey {
    /// Made up by the caller, and best random: the same request with the same key within a day is answered as the
    /// first was (with `Idempotency-Replayed`) and not carried out again.
    #[param(
        rename = "Idempotency-Key",
        min_length = 1,
        max_length = 128,
        example = "8e03978e-40d5-43dd-bc93-6894a57f9324"
    )]
    idempotency_key: Option<String>,
}

/// A body, and whether its request may be sent again.
#[derive(Debug)]
pub struct Once<T>(pub T, pub Repeat);

/// Whether a request may be sent again: whether it carries a key.
#[derive(Debug)]
pub struct Repeat {
    key: Option<RepeatKey>,
    place: String,
    body: Bytes,
    service: Arc<IdempotencyService>,
}

/// A request of a caller, to be carried out or answered as before.
#[derive(Debug)]
pub struct Turn {
    repeat: Repeat,
    tenant: TenantId,
    principal: Option<String>,
    request_id: String,
}

impl FromRequestParts<AppState> for Repeat {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &AppState) -> Result<Self> {
        let mut sent = parts.headers.get_all(IDEMPOTENCY_KEY).iter();
        let key = sent.next().map(|key| if sent.next().is_some() { Err(wrong()) } else { read_key(key) });
        Ok(Self {
            key: key.transpose()?,
            place: format!("{} {}", parts.method, parts.uri.path()),
            body: Bytes::new(),
            service: Arc::clone(&app.idempotency),
        })
    }
}

impl<T: DeserializeOwned> FromRequest<AppState> for Once<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &AppState) -> Result<Self> {
        let (mut parts, body) = request.into_parts();
        let repeat = Repeat::from_request_parts(&mut parts, app).await?;
        let bytes =
            read_json(Request::from_parts(parts, body), app, app.config.server.body_limit_bytes).await?;
        Ok(Self(parse_stored(&bytes)?, Repeat { body: bytes, ..repeat }))
    }
}

impl Repeat {
    /// The request of a caller who is permitted to send it.
    pub fn by(self, tenant: TenantId, actor: Actor<'_>) -> Turn {
        let principal = Some(actor.name).filter(|name| *name != ANONYMOUS).map(str::to_owned);
        Turn { repeat: self, tenant, principal, request_id: actor.request_id.unwrap_or_default().to_owned() }
    }
}

impl Turn {
    /// Carries the request out by `work`, unless it was: then its answer is given again. Without a key there is
    /// nothing to remember.
    ///
    /// Errors: the key stands for another request, or for one that is being carried out, or whose answer was lost;
    /// the database failed; those of `work`.
    pub fn run<T: Serialize + Send>(
        self,
        work: impl Future<Output = Result<(StatusCode, Json<T>)>> + Send + 'static,
    ) -> impl Future<Output = Result<Response>> + Send {
        let work = Box::pin(work);
        async move {
            let Some(key) = self.repeat.key.clone() else { return Ok(work.await?.into_response()) };
            let keeper = Arc::clone(&self.repeat.service);
            // Claimed where it is carried out: a connection lost in between would keep the key busy for nothing.
            let carried = keeper.carry_out(async move {
                match self.claim(&key).await? {
                    Claim::Answered(answer) => again(answer),
                    Claim::Ours(ticket) => settled(&self.repeat.service, ticket, work.await).await,
                }
            });
            carried.await.unwrap_or_else(|| Err(Problem::new(Code::RequestDeadline)))
        }
    }

    async fn claim(&self, key: &RepeatKey) -> Result<Claim> {
        let attempt = Attempt {
            key,
            place: &self.repeat.place,
            body: &self.repeat.body,
            tenant: self.tenant,
            principal: self.principal.as_deref(),
            request_id: &self.request_id,
        };
        Ok(self.repeat.service.claim(&attempt).await?)
    }
}

/// Keeps what came of a request.
async fn settled<T: Serialize>(
    keeper: &IdempotencyService,
    ticket: Ticket,
    done: Result<(StatusCode, Json<T>)>,
) -> Result<Response> {
    match done {
        Ok((status, Json(body))) => {
            let body = Written::of(&body)?.into_bytes();
            let answer = Answer { status: status.as_u16(), body };
            keeper.answered(&ticket, &answer).await;
            respond(answer)
        }
        Err(problem) => {
            if problem.code().status().is_server_error() {
                keeper.failed(&ticket).await;
            } else {
                keeper.refused(&ticket).await;
            }
            Err(problem)
        }
    }
}

fn respond(answer: Answer) -> Result<Response> {
    let status = StatusCode::from_u16(answer.status);
    let status = status.map_err(|error| Problem::new(Code::InternalError).cause(error))?;
    Ok((status, Written::from(answer.body)).into_response())
}

fn again(answer: Answer) -> Result<Response> {
    let mut response = respond(answer)?;
    response.headers_mut().insert(IDEMPOTENCY_REPLAYED, HeaderValue::from_static("true"));
    Ok(response)
}

fn read_key(value: &HeaderValue) -> Result<RepeatKey> {
    value.to_str().ok().and_then(|text| text.parse().ok()).ok_or_else(wrong)
}

fn wrong() -> Problem {
    let said = "`Idempotency-Key` must stand once, with 1 to 128 printable characters without spaces";
    Problem::new(Code::ValidationFailed).detail(said)
}
