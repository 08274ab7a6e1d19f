//! What a verified access token says.

use serde::{Deserialize, Deserializer, Serialize, de::Error as _};

use super::jwks::Keys;
use crate::jws::{self, Audience, Expected, Kind, Refusal};

/// The claims of an access token (RFC 9068 §2.2 and Bailiwick's). Times are whole seconds since the epoch.
///
/// A request extension below [`EnforceLayer`](super::EnforceLayer): to have them is to know that the token
/// was verified.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    /// Who issued it.
    pub iss: String,
    /// Whom it is for.
    pub aud: Audience,
    /// The user: `usr_…`.
    #[serde(deserialize_with = "not_empty")]
    pub sub: String,
    /// The client that it was issued to.
    pub client_id: String,
    /// The user's tenant: `ten_…`.
    #[serde(deserialize_with = "not_empty")]
    pub tid: String,
    /// The session: `ses_…`.
    #[serde(deserialize_with = "not_empty")]
    pub sid: String,
    /// The device of the session: `dev_…`.
    pub did: String,
    /// The token's own id.
    pub jti: String,
    /// When it was issued.
    pub iat: i64,
    /// When it begins.
    pub nbf: i64,
    /// When it ends.
    pub exp: i64,
    /// When the user proved who they are.
    pub auth_time: i64,
    /// How, as the words of RFC 8176.
    pub amr: Vec<String>,
    /// How strongly: `aal1` for one factor, `aal2` for two (NIST SP 800-63B).
    pub acr: String,
    /// How often the session had been rotated.
    pub ver: i64,
    /// The user's epoch.
    pub ep: i64,
    /// Words separated by spaces, or empty.
    pub scope: String,
    /// Names of roles; absent when there are over 20. A hint: a decision asks the server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub roles: Option<Vec<String>>,
    /// The one web origin whose pages may use the token, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<String>,
}

impl Claims {
    /// Whether a page of this origin may use the token: the text of the `Origin` header, if the request has one. A
    /// program that sends none is not a page.
    #[must_use]
    pub fn is_for_origin(&self, origin: Option<&str>) -> bool {
        match (&self.origin, origin) {
            (Some(bound), Some(origin)) => bound == origin,
            _ => true,
        }
    }

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

/// Access tokens (RFC 9068 §2.1).
impl Kind for Claims {
    const TYP: &'static str = "at+jwt";
    type Claims = Self;
}

/// Verifies an access token with these keys, offline: form, key, signature, times, issuer, audience, claims.
///
/// Errors: [`Refusal`], the first that applies; `UnknownKey` means that newer keys may know better, which
/// [`Verifier`](super::Verifier) looks after.
pub fn verify(token: &str, expected: &Expected<'_>, keys: &Keys) -> Result<Claims, Refusal> {
    jws::verify::<Claims>(token, expected, |kid| keys.get(kid))
}

/// Whether a scope holds a word (RFC 6749 §3.3).
pub(super) fn has_word(scope: &str, word: &str) -> bool {
    scope.split(' ').any(|one| one == word && !word.is_empty())
}

pub(super) fn not_empty<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let text = String::deserialize(deserializer)?;
    if text.is_empty() { Err(D::Error::custom("is empty")) } else { Ok(text) }
}
