//! Requests and answers of the tag. Requests are forms; the types describe them.

use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::{
    oauth::{Introspected, Issued},
    tokens::Audience,
};

/// What a token is asked for by; which fields are needed hangs on `grant_type`.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "it describes a form, which is read field by field")]
pub(super) struct OAuthTokenRequest {
    /// `client_credentials`, `refresh_token` or `urn:ietf:params:oauth:grant-type:token-exchange`.
    #[schema(example = "client_credentials")]
    pub grant_type: String,
    /// Scopes, separated by spaces; all that the client may have when left out.
    #[schema(example = "decisions")]
    pub scope: Option<String>,
    /// Whom the token is to be for; one of the client's audiences. Needed for an exchange.
    #[schema(example = "https://photos.example.com")]
    pub audience: Option<String>,
    /// For `refresh_token`.
    pub refresh_token: Option<String>,
    /// For an exchange: an access token of a user's.
    pub subject_token: Option<String>,
    /// For an exchange: `urn:ietf:params:oauth:token-type:access_token`.
    pub subject_token_type: Option<String>,
    /// For an exchange: `urn:ietf:params:oauth:token-type:access_token`, or left out.
    pub requested_token_type: Option<String>,
    /// For clients with keys of their own: `urn:ietf:params:oauth:client-assertion-type:jwt-bearer`.
    pub client_assertion_type: Option<String>,
    /// For clients with keys of their own: the assertion (RFC 7523).
    pub client_assertion: Option<String>,
}

/// A token that somebody asks about or is done with.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "it describes a form, which is read field by field")]
pub(super) struct PresentedRequest {
    /// An access token or a refresh token.
    #[schema(example = "eyJhbGciOiJFZERTQSIsInR5cCI6ImF0K2p3dCIs…")]
    pub token: String,
    /// Ignored: a token says itself what it is.
    pub token_type_hint: Option<String>,
    /// When `true`, only `active` and `exp` are told.
    pub minimal: Option<bool>,
}

/// A token that was just issued (RFC 6749 §5.1).
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct OAuthToken {
    /// For requests.
    #[schema(example = "eyJhbGciOiJFZERTQSIsInR5cCI6ImF0K2p3dCIs…")]
    pub access_token: String,
    /// `Bearer`.
    #[schema(example = "Bearer")]
    pub token_type: &'static str,
    /// How long it lives, seconds.
    #[schema(example = 900)]
    pub expires_in: i64,
    /// What it may be used for: may be less than was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    /// For the next access token, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refresh_token: Option<String>,
    /// For an exchange: what was issued (RFC 8693 §2.2.1).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub issued_token_type: Option<&'static str>,
}

impl OAuthToken {
    pub(super) fn of(issued: Issued, issued_token_type: Option<&'static str>) -> Self {
        Self {
            access_token: issued.access.expose().to_owned(),
            token_type: "Bearer",
            expires_in: issued.expires_in,
            scope: (!issued.scope.is_empty()).then_some(issued.scope),
            refresh_token: issued.refresh.map(|token| token.expose().to_owned()),
            issued_token_type,
        }
    }
}

/// What is said of a token (RFC 7662 §2.2). Of one that does not count, only that.
#[derive(Debug, Default, Serialize, ToSchema)]
pub(super) struct Introspection {
    /// Whether it counts.
    pub active: bool,
    /// When it ends, seconds since the epoch.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = 1_795_429_800)]
    pub exp: Option<i64>,
    /// Whose it is: a user's id or a client's.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "usr_019aa2c5b8f07d3c9f0b6f2f3c1d9e47")]
    pub sub: Option<String>,
    /// The client that it was issued to; `bailiwick` for a session's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
    /// Whom it is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub aud: Option<Audience>,
    /// Who issued it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub iss: Option<String>,
    /// What it may be used for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    /// When it was issued, seconds since the epoch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub iat: Option<i64>,
    /// Its id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jti: Option<String>,
    /// The tenant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tid: Option<String>,
    /// The session, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sid: Option<String>,
    /// Who acts for the user, where somebody does (RFC 8693 §4.1).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub act: Option<crate::tokens::Act>,
    /// `Bearer`, or `refresh_token`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token_type: Option<&'static str>,
}

impl Introspection {
    pub(super) fn of(told: Option<Introspected>, is_minimal: bool) -> Self {
        let Some(told) = told else { return Self::default() };
        if is_minimal {
            return Self { active: true, exp: Some(told.exp), ..Self::default() };
        }
        Self {
            active: true,
            exp: Some(told.exp),
            sub: Some(told.sub),
            client_id: Some(told.client_id),
            aud: told.aud,
            iss: Some(told.iss),
            scope: (!told.scope.is_empty()).then_some(told.scope),
            iat: told.iat,
            jti: told.jti,
            tid: Some(told.tid),
            sid: told.sid,
            act: told.act,
            token_type: Some(if told.is_refresh { "refresh_token" } else { "Bearer" }),
        }
    }
}

pub(super) fn token_sample() -> Value {
    json!({
        "access_token": "eyJhbGciOiJFZERTQSIsInR5cCI6ImF0K2p3dCIs…", "token_type": "Bearer", "expires_in": 900,
        "scope": "decisions",
    })
}
