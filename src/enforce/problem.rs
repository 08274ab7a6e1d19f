//! Error answers: problem documents (RFC 9457) with the codes of the server, and Bearer challenges (RFC 6750).

use http::{
    HeaderValue, Response, StatusCode,
    header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE},
};

/// An error answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Problem {
    pub(super) status: StatusCode,
    pub(super) code: &'static str,
    title: &'static str,
    challenge: Option<&'static str>,
}

const INVALID: Option<&str> = Some("Bearer error=\"invalid_token\"");

impl Problem {
    pub(super) const TOKEN_MISSING: Self = Self {
        status: StatusCode::UNAUTHORIZED,
        code: "token_missing",
        title: "This operation needs an access token",
        challenge: Some("Bearer"), // no error attribute when nothing was presented (RFC 6750 §3.1)
    };
    pub(super) const CONTEXT_MISSING: Self = Self {
        status: StatusCode::UNAUTHORIZED,
        code: "context_token_missing",
        title: "This service needs a context token",
        challenge: Some("Bearer"),
    };
    pub(super) const TOKEN_INVALID: Self = Self {
        status: StatusCode::UNAUTHORIZED,
        code: "token_invalid",
        title: "The token is not one of ours",
        challenge: INVALID,
    };
    pub(super) const TOKEN_EXPIRED: Self = Self {
        status: StatusCode::UNAUTHORIZED,
        code: "token_expired",
        title: "The token has expired",
        challenge: INVALID,
    };
    pub(super) const WRONG_TOKEN_TYPE: Self = Self {
        status: StatusCode::UNAUTHORIZED,
        code: "wrong_token_type",
        title: "A token of another kind is needed here",
        challenge: INVALID,
    };
    pub(super) const ORIGIN_NOT_ALLOWED: Self = Self {
        status: StatusCode::FORBIDDEN,
        code: "origin_not_allowed",
        title: "The token is not for pages of this origin",
        challenge: None,
    };
    pub(super) const KEYS_UNAVAILABLE: Self = Self {
        status: StatusCode::SERVICE_UNAVAILABLE,
        code: "keys_unavailable",
        title: "The keys of the token's issuer cannot be had",
        challenge: None,
    };
    pub(super) const TOKEN_REVOKED: Self = Self {
        status: StatusCode::UNAUTHORIZED,
        code: "token_revoked",
        title: "The token was revoked",
        challenge: INVALID,
    };
    pub(super) const DENIED: Self = Self {
        status: StatusCode::FORBIDDEN,
        code: "policy_violation",
        title: "A policy forbids this",
        challenge: None,
    };
    pub(super) const UNDECIDABLE: Self = Self {
        status: StatusCode::INTERNAL_SERVER_ERROR,
        code: "internal_error",
        title: "Something failed on our side",
        challenge: None,
    };
    pub(super) const DECISIONS_UNAVAILABLE: Self = Self {
        status: StatusCode::SERVICE_UNAVAILABLE,
        code: "decisions_unavailable",
        title: "It cannot be decided whether this is allowed",
        challenge: None,
    };

    /// The answer; `instance` is the path of the request.
    pub(super) fn response<B: From<String>>(self, instance: &str) -> Response<B> {
        let body = serde_json::json!({
            "type": format!("urn:bailiwick:problem:{}", self.code),
            "title": self.title,
            "status": self.status.as_u16(),
            "code": self.code,
            "instance": instance,
        });
        let mut response = Response::new(B::from(body.to_string()));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let Some(challenge) = self.challenge {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
        }
        if self.status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}
