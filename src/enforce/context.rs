//! What a verified context token says.

use serde::{Deserialize, Serialize};

use super::claims::{has_word, not_empty};
use crate::jws::{Audience, Kind};

/// The header that a gateway puts a context token in.
pub const CONTEXT_HEADER: &str = "x-context-token";

/// The claims of a context token: whom the gateway found behind a request, at most a minute ago. Times are whole seconds
/// since the epoch.
///
/// A request extension below [`EnforceLayer::for_contexts`](super::EnforceLayer::for_contexts): to have them is to know
/// that the token was verified.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContextClaims {
    /// Who issued it.
    pub iss: String,
    /// The service that it is for.
    pub aud: Audience,
    /// Who is behind the request: a user (`usr_…`), a program with a token of its own (`cli_…`) or an API key (`key_…`).
    #[serde(deserialize_with = "not_empty")]
    pub sub: String,
    /// Their tenant: `ten_…`.
    #[serde(deserialize_with = "not_empty")]
    pub tid: String,
    /// The user's session: `ses_…`. Programs have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sid: Option<String>,
    /// The request with which the gateway asked, as in the records of the server.
    pub rid: String,
    /// The token's own id.
    pub jti: String,
    /// When it was issued.
    pub iat: i64,
    /// When it begins.
    pub nbf: i64,
    /// When it ends.
    pub exp: i64,
    /// Words separated by spaces, or empty.
    pub scope: String,
    /// Names of roles; absent when there are over 20. A hint: a decision asks the server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub roles: Option<Vec<String>>,
}

impl ContextClaims {
    /// Whether `word` is one of the words of `scope`.
    #[must_use]
    pub fn has_scope(&self, word: &str) -> bool {
        has_word(&self.scope, word)
    }

    /// Whether the token names the role; `None` when it names no roles, because there are too many.
    #[must_use]
    pub fn has_role(&self, name: &str) -> Option<bool> {
        self.roles.as_ref().map(|roles| roles.iter().any(|role| role == name))
    }
}

impl Kind for ContextClaims {
    const TYP: &'static str = "ctx+jwt";
    type Claims = Self;
}
