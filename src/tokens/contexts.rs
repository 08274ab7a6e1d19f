//! Context tokens: who stands behind a request, for the service that a gateway sends it on to (C13).
//!
//! The gateway has asked us; the service verifies the answer offline, by the keys that access tokens have. Such a token
//! says what was true a moment ago and is good for nothing else: its `typ` is one that nothing of ours takes, and it is
//! for one service (threat T5).

use std::time::Duration;

use serde::Serialize;

use super::{
    TokenError, TokenService,
    issue::{listed, sign, token_id},
};
use crate::{
    base::{Millis, PlainToken, SessionId, TenantId},
    jws::Audience,
};

/// `typ` of the header.
const TYP: &str = "ctx+jwt";
/// Longest life.
const TTL: Duration = Duration::from_mins(1);

/// Whom a context token tells of.
#[derive(Debug, Clone)]
pub struct ContextSubject {
    /// `sub`: a user, a client or an API key, by id.
    pub name: String,
    /// `tid`.
    pub tenant_id: TenantId,
    /// `sid`, where there is a session.
    pub session_id: Option<SessionId>,
    /// Names of roles, as far as they are known.
    pub roles: Option<Vec<String>>,
    /// `scope`: words separated by spaces, or empty.
    pub scope: String,
    /// When what was presented ends, if it does.
    pub ends_at: Option<Millis>,
}

/// Where a request goes on to.
#[derive(Debug, Clone)]
pub struct Onward<'a> {
    /// `aud`: the service.
    pub audience: String,
    /// `rid`: the request to us.
    pub request_id: &'a str,
}

/// A context token that was just issued.
#[derive(Debug, Clone)]
pub struct ContextToken {
    /// The token itself.
    pub token: PlainToken,
    /// How long it lives, whole seconds.
    pub expires_in: u64,
}

/// Its claims. Times are whole seconds since the epoch.
#[derive(Serialize)]
struct ContextClaims<'a> {
    iss: &'a str,
    aud: Audience,
    sub: String,
    tid: TenantId,
    #[serde(skip_serializing_if = "Option::is_none")]
    sid: Option<SessionId>,
    rid: &'a str,
    jti: String,
    iat: i64,
    nbf: i64,
    exp: i64,
    scope: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    roles: Option<Vec<String>>,
}

impl TokenService {
    /// Issues a context token at `now`: for 60 seconds, and for no longer than what was presented counts.
    ///
    /// INVARIANT: it lives no longer than an access token may, so the key that signs it verifies until its end.
    ///
    /// Shape: in (`ContextSubject`, `Onward`, `now`) → out (`ContextToken`: a JWS of type `ctx+jwt`, and its life).
    /// Errors: `NoKey`, `Entropy`.
    /// Source: identity.md §2.3, C13.
    pub fn issue_context(
        &self,
        subject: ContextSubject,
        onward: Onward<'_>,
        now: Millis,
    ) -> Result<ContextToken, TokenError> {
        let ring = self.ring.load();
        let key = ring.active().ok_or(TokenError::NoKey)?;
        let longest = now.plus(TTL.min(self.settings.access_ttl));
        let ends_at = subject.ends_at.map_or(longest, |ends| ends.min(longest));
        let claims = ContextClaims {
            iss: &self.settings.issuer,
            aud: Audience::One(onward.audience),
            sub: subject.name,
            tid: subject.tenant_id,
            sid: subject.session_id,
            rid: onward.request_id,
            jti: token_id(&*self.entropy)?,
            iat: now.as_secs(),
            nbf: now.as_secs(),
            exp: ends_at.as_secs(),
            scope: subject.scope,
            roles: subject.roles.and_then(listed),
        };
        let expires_in = Millis(claims.exp.saturating_mul(1000)).since(now).as_secs();
        Ok(ContextToken { token: PlainToken::new(sign(key, TYP, &claims)?), expires_in })
    }
}
