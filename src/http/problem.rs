//! Problem documents (RFC 9457): the one form of every error answer.
//!
//! A handler answers a [`Problem`]. Its response carries the problem as an extension, and the
//! outermost middleware writes the body, because only there the request id is known for certain
//! and only there the cause is logged, once.

use std::{error::Error, sync::Arc, time::Duration};

use axum::{
    body::Body,
    http::{
        HeaderName, HeaderValue, Response,
        header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE},
    },
    response::IntoResponse,
};
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::{codes::Code, oauth_error, rate_limit::RateLimit};
use crate::base::DecisionId;

/// Header by which a client learns that it must sign in again (identity.md §2.8).
const AUTH_ACTION: &str = "x-auth-action";
/// The member that names a decision.
const DECISION_ID: &str = "decision_id";

/// One thing that is wrong with the request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct FieldError {
    /// JSON pointer (RFC 6901) into the body, or `?name` for a query parameter.
    #[schema(example = "/password")]
    pub pointer: String,
    /// What is wrong there.
    #[schema(example = "must have at least 15 characters")]
    pub detail: String,
}

/// The body of every error answer, as documented. Extension members may follow.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Problem)]
pub struct ProblemBody {
    /// A URI that names the kind of problem.
    #[serde(rename = "type")]
    pub kind: String,
    /// What it means, for people.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// Stable machine-readable name; see the table in README.
    pub code: String,
    /// What happened this time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// The path of the request.
    pub instance: String,
    /// Id of the request, to quote in a report.
    pub request_id: String,
    /// What is wrong with the request, one by one.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldError>,
    /// Further members of this kind of problem.
    #[serde(flatten)]
    #[schema(ignore)]
    pub extensions: Map<String, Value>,
}

/// An error answer on its way out.
#[derive(Debug, Clone)]
pub struct Problem(Arc<Parts>);

#[derive(Debug, Clone)]
struct Parts {
    code: Code,
    detail: Option<String>,
    errors: Vec<FieldError>,
    extensions: Map<String, Value>,
    cause: Option<Arc<dyn Error + Send + Sync>>,
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl Problem {
    /// A problem that its code says all about.
    pub fn new(code: Code) -> Self {
        Self(Arc::new(Parts {
            code,
            detail: None,
            errors: Vec::new(),
            extensions: Map::new(),
            cause: None,
            headers: Vec::new(),
        }))
    }

    /// A limit that was reached: says what it is, and when to come back, in whole seconds rounded up.
    ///
    /// Source: RFC 9110 §10.2.3.
    pub(super) fn limited(self, limit: RateLimit) -> Self {
        limit.refusal().fold(self, |problem, (name, value)| problem.header(name, value))
    }

    /// Another proof of who one is, with the challenge of RFC 9470 §3: of which class, and how old at most.
    pub fn step_up(acr: Option<&str>, max_age_secs: Option<u64>) -> Self {
        // The characters of a quoted string that need no escape; a policy's author has no need of others.
        let plain = |c: &char| c.is_ascii_graphic() && !matches!(c, '"' | '\\');
        let acr: Option<String> = acr.map(|text| text.chars().filter(plain).collect());
        let mut challenge = "Bearer error=\"insufficient_user_authentication\", \
                             error_description=\"another proof of who you are is needed\""
            .to_owned();
        if let Some(acr) = &acr {
            challenge.extend([", acr_values=\"", acr, "\""]);
        }
        if let Some(seconds) = max_age_secs {
            challenge.extend([", max_age=\"", &seconds.to_string(), "\""]);
        }
        Self::new(Code::StepUpRequired).header(WWW_AUTHENTICATE, challenge)
    }

    /// Says after how long another try makes sense, in whole seconds rounded up.
    #[must_use]
    pub fn retry_after(self, wait: Duration) -> Self {
        self.header(RETRY_AFTER, wait.as_millis().div_ceil(1000).max(1).to_string())
    }

    /// Adds a header to the answer. What is no header value is left out.
    #[must_use]
    pub fn header(self, name: HeaderName, value: impl TryInto<HeaderValue>) -> Self {
        self.with(|parts| parts.headers.extend(value.try_into().ok().map(|value| (name, value))))
    }

    fn with(mut self, change: impl FnOnce(&mut Parts)) -> Self {
        change(Arc::make_mut(&mut self.0));
        self
    }

    /// Adds what happened this time, for the caller.
    #[must_use]
    pub fn detail(self, detail: impl Into<String>) -> Self {
        self.with(|parts| parts.detail = Some(detail.into()))
    }

    /// Adds a place in the request that is wrong.
    #[must_use]
    pub fn at(self, pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        let error = FieldError { pointer: pointer.into(), detail: detail.into() };
        self.with(|parts| parts.errors.push(error))
    }

    /// The same about a part of the request, whose pointer comes before all others.
    #[must_use]
    pub fn below(self, place: &str) -> Self {
        self.with(|parts| match parts.detail.take() {
            Some(detail) if parts.errors.is_empty() => {
                parts.errors.push(FieldError { pointer: place.to_owned(), detail });
            }
            detail => {
                parts.detail = detail;
                parts.errors.iter_mut().for_each(|error| error.pointer.insert_str(0, place));
            }
        })
    }

    /// Adds an extension member (RFC 9457 §3.2).
    #[must_use]
    pub fn extension(self, name: &str, value: impl Into<Value>) -> Self {
        self.with(|parts| {
            parts.extensions.insert(name.to_owned(), value.into());
        })
    }

    /// Names the decision that this answer follows from.
    #[must_use]
    pub(super) fn decided_by(self, decision: DecisionId) -> Self {
        self.extension(DECISION_ID, decision.to_string())
    }

    /// Adds what only the log may know.
    #[must_use]
    pub fn cause(self, cause: impl Error + Send + Sync + 'static) -> Self {
        self.with(|parts| parts.cause = Some(Arc::new(cause)))
    }

    /// The code.
    pub fn code(&self) -> Code {
        self.0.code
    }

    /// What is wrong with the request, place by place.
    pub fn errors(&self) -> &[FieldError] {
        &self.0.errors
    }

    /// What happened this time, for the caller.
    pub fn said(&self) -> Option<&str> {
        self.0.detail.as_deref()
    }

    /// The cause with its chain, for the log.
    pub fn cause_chain(&self) -> Option<String> {
        let mut next: Option<&dyn Error> = Some(self.0.cause.as_deref()?);
        let mut chain = Vec::new();
        while let Some(error) = next {
            chain.push(error.to_string());
            next = error.source();
        }
        Some(chain.join(": "))
    }

    /// The finished answer, for the middleware that knows the request.
    pub fn render(&self, instance: &str, request_id: &str) -> Response<Body> {
        let code = self.0.code;
        let mut response = if instance.starts_with(oauth_error::PLACE) {
            let decision_id = self.0.extensions.get(DECISION_ID).and_then(Value::as_str);
            oauth_error::render(code, self.0.detail.as_deref(), decision_id)
        } else {
            self.body(instance, request_id)
        };
        *response.status_mut() = code.status();
        let headers = response.headers_mut();
        if let Some(secs) = code.retry_after_secs() {
            headers.insert(RETRY_AFTER, HeaderValue::from(secs));
        }
        if let Some(challenge) = code.challenge() {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
        }
        for (name, value) in &self.0.headers {
            headers.insert(name, value.clone());
        }
        if matches!(
            code,
            Code::RefreshFailed
                | Code::RefreshExpired
                | Code::RefreshReused
                | Code::FingerprintMismatch
                | Code::SessionExpired
                | Code::TokenRevoked
        ) {
            headers.insert(AUTH_ACTION, HeaderValue::from_static("relogin"));
        }
        response
    }

    fn body(&self, instance: &str, request_id: &str) -> Response<Body> {
        let code = self.0.code;
        let body = ProblemBody {
            kind: format!("urn:bailiwick:problem:{}", code.as_str()),
            title: code.title().to_owned(),
            status: code.status_number(),
            code: code.as_str().to_owned(),
            detail: self.0.detail.clone(),
            instance: instance.to_owned(),
            request_id: request_id.to_owned(),
            errors: self.0.errors.clone(),
            extensions: self.0.extensions.clone(),
        };
        let mut response = Response::new(Body::from(serde_json::to_vec(&body).unwrap_or_default()));
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        response
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response<Body> {
        let mut response = self.0.code.status().into_response();
        response.extensions_mut().insert(self);
        response
    }
}

/// What a handler answers.
pub(super) type Result<T> = std::result::Result<T, Problem>;
