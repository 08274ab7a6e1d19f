//! Decisions of the server, such that nothing but a well-formed `allow` lets anything through.

use std::{error::Error, fmt, pin::Pin, sync::Arc};

use http::{
    HeaderValue, Method, Request, Response, StatusCode, Uri,
    header::{AUTHORIZATION, CONTENT_TYPE},
};
use serde::Deserialize;

use super::{layer::Bearer, problem::Problem, question::Question};

type Cause = Box<dyn Error + Send + Sync>;
type Sending = Pin<Box<dyn Future<Output = Result<Response<Vec<u8>>, Cause>> + Send>>;

/// What the server said about a question that it decided.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Answer {
    /// Id of the decision, as in the server's records.
    pub decision_id: String,
    /// The store that decided.
    pub policy_store: String,
    /// The version that decided.
    pub policy_version: i64,
    /// The revision of pushed entities that decided, where any were ever pushed.
    pub entity_revision: Option<i64>,
    /// Policies that decided: permits of an allow, forbids of a deny; none when nothing applied.
    pub determining_policies: Vec<DeterminingPolicy>,
    /// Policies that erred.
    pub errors: Vec<PolicyError>,
}

/// A policy that decided.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct DeterminingPolicy {
    /// Its `@id`.
    pub policy_id: String,
    /// `permit` or `forbid`.
    pub effect: String,
}

/// A policy that could not be evaluated.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct PolicyError {
    /// Its `@id`.
    pub policy_id: String,
    /// What went wrong.
    pub message: String,
}

/// The address of the server is not an `http` or `https` URL.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not the URL of a server")]
pub struct NotAUrl(String);

/// Proof that the server allowed what was asked. Cannot be made in another way.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "what is allowed is to be done"]
pub struct Allowed(Answer);

impl Allowed {
    /// What the server said.
    pub fn answer(&self) -> &Answer {
        &self.0
    }
}

/// What was asked is not to be done, for whichever reason.
#[derive(Debug, thiserror::Error)]
pub enum NotAllowed {
    /// The server decided so: 403.
    #[error("denied by version {} of the policy store `{}`", .0.policy_version, .0.policy_store)]
    Denied(Box<Answer>),
    /// The server does not accept the caller's token (any more): 401.
    #[error("the server does not accept the token")]
    Unauthenticated,
    /// The server would not decide: the question is wrong, or not the caller's to ask. 403 if the server said
    /// so, else 500.
    #[error("the server refused the question: status {status}, code `{code}`")]
    Refused {
        /// Its HTTP status.
        status: u16,
        /// Its problem code; empty when it gave none.
        code: String,
    },
    /// The server could not be asked, or could not decide: 503.
    #[error("the server could not be asked")]
    Unavailable(#[source] Cause),
    /// It answered what is not a decision: 503.
    #[error("the server's answer is not a decision: {0}")]
    Malformed(&'static str),
}

impl NotAllowed {
    fn problem(&self) -> Problem {
        match self {
            Self::Denied(_) | Self::Refused { status: 403, .. } => Problem::DENIED,
            Self::Unauthenticated => Problem::TOKEN_REVOKED,
            Self::Refused { .. } => Problem::UNDECIDABLE,
            Self::Unavailable(_) | Self::Malformed(_) => Problem::DECISIONS_UNAVAILABLE,
        }
    }

    /// The status of the answer to whoever called the service: 401, 403, 500 or 503.
    pub fn status(&self) -> StatusCode {
        self.problem().status
    }

    /// The answer to whoever called the service at the path `instance`: a problem document that tells nothing
    /// of the policies.
    pub fn response<B: From<String>>(&self, instance: &str) -> Response<B> {
        self.problem().response(instance)
    }
}

/// Asks the server. Cheap to clone.
#[derive(Clone)]
pub struct DecisionClient {
    uri: Uri,
    send: Arc<dyn Fn(Request<String>) -> Sending + Send + Sync>,
}

impl DecisionClient {
    /// A client of the server at `base_url`, as in `https://id.example`.
    ///
    /// `send` sends a request and answers the whole answer, whatever its status. It must end by itself; how
    /// long a request may wait for a decision is what it allows.
    ///
    /// Errors: [`NotAUrl`].
    pub fn new<F, Fut, E>(base_url: &str, send: F) -> Result<Self, NotAUrl>
    where
        F: Fn(Request<String>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Response<Vec<u8>>, E>> + Send + 'static,
        E: Into<Box<dyn Error + Send + Sync>>,
    {
        let uri: Uri = format!("{}/v1/authorize", base_url.trim_end_matches('/'))
            .parse()
            .ok()
            .filter(|uri: &Uri| matches!(uri.scheme_str(), Some("http" | "https")))
            .ok_or_else(|| NotAUrl(base_url.to_owned()))?;
        let send = move |request| -> Sending {
            let answer = send(request);
            Box::pin(async move { answer.await.map_err(Into::into) })
        };
        Ok(Self { uri, send: Arc::new(send) })
    }

    /// Asks in the name of the holder of `bearer`. Go on only with [`Allowed`]: every error means that what
    /// was asked must not be done.
    ///
    /// Errors: [`NotAllowed`].
    pub async fn guard(&self, bearer: &Bearer, question: &Question) -> Result<Allowed, NotAllowed> {
        let unavailable = |error: Cause| NotAllowed::Unavailable(error);
        let body = serde_json::to_string(question).map_err(|error| unavailable(error.into()))?;
        let mut credentials = HeaderValue::try_from(format!("Bearer {}", bearer.expose()))
            .map_err(|_| NotAllowed::Unauthenticated)?; // no token has such characters
        credentials.set_sensitive(true); // clients that log headers leave it out
        let request = Request::builder()
            .method(Method::POST)
            .uri(self.uri.clone())
            .header(AUTHORIZATION, credentials)
            .header(CONTENT_TYPE, "application/json")
            .body(body)
            .map_err(|error| unavailable(error.into()))?;
        let response = (self.send)(request).await.map_err(unavailable)?;
        judge(response.status(), response.body(), question.policy_store())
    }
}

impl fmt::Debug for DecisionClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DecisionClient").field("uri", &self.uri).finish_non_exhaustive()
    }
}

#[derive(Deserialize)]
struct Body {
    decision: Decision,
    #[serde(flatten)]
    answer: Answer,
}

#[derive(Deserialize, PartialEq)]
#[serde(rename_all = "lowercase")]
enum Decision {
    Allow,
    Deny,
}

#[derive(Deserialize)]
struct ProblemCode {
    code: String,
}

/// What an HTTP answer means. Total: all that is not a well-formed allow is an error.
fn judge(status: StatusCode, body: &[u8], store: Option<&str>) -> Result<Allowed, NotAllowed> {
    match status.as_u16() {
        200 => {}
        401 => return Err(NotAllowed::Unauthenticated),
        408 | 429 | 500.. => return Err(NotAllowed::Unavailable(format!("status {status}").into())),
        status @ 400..500 => {
            let code =
                serde_json::from_slice(body).map_or_else(|_| String::new(), |ProblemCode { code }| code);
            return Err(NotAllowed::Refused { status, code });
        }
        _ => return Err(NotAllowed::Malformed("status")),
    }
    let Body { decision, answer } =
        serde_json::from_slice(body).map_err(|_| NotAllowed::Malformed("body"))?;
    if store.is_some_and(|store| store != answer.policy_store) {
        return Err(NotAllowed::Malformed("another policy store answered"));
    }
    match decision {
        Decision::Allow if answer.decision_id.is_empty() => Err(NotAllowed::Malformed("decision_id")),
        Decision::Allow => Ok(Allowed(answer)),
        Decision::Deny => Err(NotAllowed::Denied(Box::new(answer))),
    }
}

#[cfg(test)]
#[path = "tests/decide.rs"]
mod tests;
