//! Tokens of programs: those that a client got for itself, and those that it got in exchange for a user's.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{
    AccessClaims, AccessToken, TokenError, TokenService,
    issue::{listed, sign, token_id},
    verify::Access,
};
use crate::{
    base::{ClientId, Millis, PlainToken, TenantId},
    jws::{Audience, Kind, Refusal},
};

/// Most programs that may act for a user one after the other.
pub const MAX_ACTORS: usize = 3;

/// Who acts for the subject of a token (RFC 8693 §4.1).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Act {
    /// The program: a client's id.
    pub sub: String,
    /// Who acted before it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub act: Option<Box<Act>>,
}

impl Act {
    /// How many act, this one included.
    #[must_use]
    pub fn depth(&self) -> usize {
        std::iter::successors(Some(self), |act| act.act.as_deref()).take(MAX_ACTORS + 1).count()
    }
}

/// The claims of a token that a client got for itself (RFC 9068 §2.2 and ours). Times are whole seconds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceClaims {
    /// Who issued it.
    pub iss: String,
    /// Whom it is for.
    pub aud: Audience,
    /// The client.
    pub sub: ClientId,
    /// The client again.
    pub client_id: ClientId,
    /// The client's tenant.
    pub tid: TenantId,
    /// The token's own id.
    pub jti: String,
    /// When it was issued.
    pub iat: i64,
    /// When it begins.
    pub nbf: i64,
    /// When it ends.
    pub exp: i64,
    /// The client's epoch.
    pub ep: i64,
    /// Words separated by spaces, or empty.
    pub scope: String,
    /// Names of roles; absent when there are over 20.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub roles: Option<Vec<String>>,
}

/// Whom and what a token of a client's own is issued for.
#[derive(Debug, Clone)]
pub struct ServiceSubject {
    /// The client.
    pub client_id: ClientId,
    /// Its tenant.
    pub tenant_id: TenantId,
    /// Its epoch.
    pub epoch: i64,
    /// Whom the token is for; us when there is none.
    pub audience: Option<String>,
    /// Words separated by spaces, or empty.
    pub scope: String,
    /// Names of its roles.
    pub roles: Vec<String>,
}

/// A token of a client's own that was just issued.
#[derive(Debug, Clone)]
pub struct ServiceToken {
    /// The token itself.
    pub token: PlainToken,
    /// What it says.
    pub claims: ServiceClaims,
}

/// What a user's token is exchanged for.
#[derive(Debug, Clone)]
pub struct Exchange {
    /// Who acts from now on.
    pub client_id: ClientId,
    /// Whom the new token is for.
    pub audience: String,
    /// Words separated by spaces, or empty.
    pub scope: String,
    /// Names of the user's roles now.
    pub roles: Vec<String>,
}

/// A token of ours, of whichever holder.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum Presented {
    /// A user's.
    User(AccessClaims),
    /// A client's own.
    Service(ServiceClaims),
}

/// Access tokens of either holder: the prefix of `sub` tells which.
enum Either {}

impl Kind for Either {
    const TYP: &'static str = Access::TYP;
    type Claims = Presented;
}

impl TokenService {
    /// Issues a token to a client for itself.
    ///
    /// Shape: in (`ServiceSubject`, `now`) → out (`ServiceToken`: a JWS of type `at+jwt`).
    /// Errors: `NoKey`, `Entropy`.
    /// Source: RFC 6749 §4.4, RFC 9068 §2.
    pub fn issue_service(&self, subject: ServiceSubject, now: Millis) -> Result<ServiceToken, TokenError> {
        let ring = self.ring.load();
        let key = ring.active().ok_or(TokenError::NoKey)?;
        let claims = ServiceClaims {
            iss: self.settings.issuer.clone(),
            aud: Audience::One(subject.audience.unwrap_or_else(|| self.settings.audience.clone())),
            sub: subject.client_id,
            client_id: subject.client_id,
            tid: subject.tenant_id,
            jti: token_id(&*self.entropy)?,
            iat: now.as_secs(),
            nbf: now.as_secs(),
            exp: now.plus(self.settings.access_ttl).as_secs(),
            ep: subject.epoch,
            scope: subject.scope,
            roles: listed(subject.roles),
        };
        Ok(ServiceToken { token: PlainToken::new(sign(key, Either::TYP, &claims)?), claims })
    }

    /// Issues a token for the same user and session to a program that acts for the user. It ends with the one that
    /// it was given for at the latest.
    ///
    /// INVARIANT: nothing of the new token reaches further than `subject` but by `exchange`, whose narrowing is the
    /// caller's to check.
    /// Errors: `NoKey`, `Entropy`.
    /// Source: RFC 8693 §2.2.
    pub fn issue_exchanged(
        &self,
        subject: AccessClaims,
        exchange: Exchange,
        now: Millis,
    ) -> Result<AccessToken, TokenError> {
        let ring = self.ring.load();
        let key = ring.active().ok_or(TokenError::NoKey)?;
        let claims = AccessClaims {
            aud: Audience::One(exchange.audience),
            client_id: exchange.client_id.to_string(),
            jti: token_id(&*self.entropy)?,
            iat: now.as_secs(),
            nbf: now.as_secs(),
            exp: now.plus(self.settings.access_ttl).as_secs().min(subject.exp),
            scope: exchange.scope,
            roles: listed(exchange.roles),
            act: Some(Act { sub: exchange.client_id.to_string(), act: subject.act.map(Box::new) }),
            ..subject
        };
        Ok(AccessToken {
            token: PlainToken::new(sign(key, Access::TYP, &claims)?),
            expires_at: Millis(claims.exp.saturating_mul(1000)),
            claims,
        })
    }

    /// Verifies an access token of a user or of a client, for us: as [`TokenService::verify`].
    ///
    /// Errors: as there.
    pub async fn verify_presented(&self, token: &str) -> Result<Presented, TokenError> {
        self.verify_for(token, Some(&self.settings.audience)).await
    }

    /// Verifies an access token of a user or of a client; with `audience`, one for that audience, and without one
    /// for whomever: for who tells about a token and does not act on it.
    ///
    /// Errors: as [`TokenService::verify`].
    pub async fn verify_for(&self, token: &str, audience: Option<&str>) -> Result<Presented, TokenError> {
        match self.verify_kind::<Either>(token, audience) {
            Err(Refusal::UnknownKey) => {
                self.reload_if_due().await?;
                Ok(self.verify_kind::<Either>(token, audience)?)
            }
            answer => Ok(answer?),
        }
    }

    /// How long a token lives.
    #[must_use]
    pub fn access_ttl(&self) -> Duration {
        self.settings.access_ttl
    }
}
