//! The one form of error answers below `/v1/oauth/`: RFC 6749 §5.2, as clients of OAuth 2.0 read it.

use axum::{
    body::Body,
    http::{
        HeaderValue, Response,
        header::{CONTENT_TYPE, PRAGMA},
    },
};
use serde::Serialize;
use utoipa::ToSchema;

use super::codes::Code;

/// Where errors have this form.
pub(super) const PLACE: &str = "/v1/oauth/";

/// An error of OAuth 2.0.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = OAuthError)]
pub(super) struct OAuthErrorBody {
    /// Stable machine-readable name.
    #[schema(example = "invalid_client")]
    pub error: &'static str,
    /// What happened, for people who write clients.
    #[schema(example = "The client is unknown, or did not prove who it is")]
    pub error_description: String,
    /// The decision behind `access_denied`.
    #[schema(example = "dec_019aa2c5b8f07d3c9f0b6f2f3c1d9e47")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decision_id: Option<String>,
}

/// The name that OAuth 2.0 gives to a problem.
pub(super) const fn name(code: Code) -> &'static str {
    match code {
        Code::InvalidClient => "invalid_client",
        Code::InvalidGrant => "invalid_grant",
        Code::UnauthorizedClient => "unauthorized_client",
        Code::UnsupportedGrantType => "unsupported_grant_type",
        Code::InvalidScope => "invalid_scope",
        Code::InvalidTarget => "invalid_target",
        Code::PolicyViolation => "access_denied",
        _ => match code.status_number() {
            503 => "temporarily_unavailable",
            500 => "server_error",
            _ => "invalid_request",
        },
    }
}

/// The finished answer.
pub(super) fn render(code: Code, detail: Option<&str>, decision_id: Option<&str>) -> Response<Body> {
    // The characters that RFC 6749 §5.2 permits.
    let plain = |c: char| if matches!(c, ' ' | '!' | '#'..='[' | ']'..='~') { c } else { '\'' };
    let description = detail.unwrap_or(code.title()).chars().map(plain).collect();
    let body = OAuthErrorBody {
        error: name(code),
        error_description: description,
        decision_id: decision_id.map(str::to_owned),
    };
    let mut response = Response::new(Body::from(serde_json::to_vec(&body).unwrap_or_default()));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(PRAGMA, HeaderValue::from_static("no-cache"));
    response
}
