//! What is said of a token to another service, which has it from somebody else.

use super::{AuthnError, AuthnService, Caller};
use crate::{
    base::{Millis, TenantId},
    clients::ClientError,
    sessions::SessionError,
    storage::StorageError,
    tenants::Origin,
    tokens::TokenError,
};

/// Why a token does not count, in the words of the API's error codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenFault {
    /// It is not one of ours, or not of this tenant.
    Invalid,
    /// It is past its time.
    Expired,
    /// It, its session or its holder's rights were ended.
    Revoked,
    /// Its session was not used for too long, or is too old.
    SessionExpired,
    /// It is a token of another kind.
    WrongType,
    /// The page that presented it is of no origin of the tenant's.
    OriginNotAllowed,
}

impl TokenFault {
    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Invalid => "token_invalid",
            Self::Expired => "token_expired",
            Self::Revoked => "token_revoked",
            Self::SessionExpired => "session_expired",
            Self::WrongType => "wrong_token_type",
            Self::OriginNotAllowed => "origin_not_allowed",
        }
    }
}

/// What there is to say of a token.
#[derive(Debug)]
pub enum Validity<T = Caller> {
    /// It counts: its holder, a user or a program, or what else was asked for.
    Valid(T),
    /// It does not.
    Fault(TokenFault),
}

impl AuthnService {
    /// Whose a token is, for a service that may know of the tokens of one tenant, or of every tenant when `within` is
    /// none; and whether a page of `origin` may present it.
    ///
    /// A tenant without a list of origins takes any but the opaque one, which browsers call `null`.
    /// Errors: an outage: nobody knows.
    /// Source: identity.md R35, R36.
    pub async fn validate(
        &self,
        token: &str,
        within: Option<TenantId>,
        origin: Option<&str>,
    ) -> Result<Validity, AuthnError> {
        let holder = match self.identify(Some(token)).await {
            Ok(holder) => holder,
            Err(error) => return fault_of(error).map(Validity::Fault),
        };
        if within.is_some_and(|tenant| tenant != holder.tenant()) {
            return Ok(Validity::Fault(TokenFault::Invalid)); // as one that nobody issued
        }
        match origin {
            Some(origin) if !self.admits(&holder, origin).await? => {
                Ok(Validity::Fault(TokenFault::OriginNotAllowed))
            }
            _ => Ok(Validity::Valid(holder)),
        }
    }

    /// Until when the token of a holder counts: to its own end, and to that of its session, which is asked for again.
    ///
    /// Errors: an outage.
    pub(super) async fn ends_of(&self, holder: &Caller) -> Result<Validity<Millis>, AuthnError> {
        let at = |secs: i64| Millis(secs.saturating_mul(1000));
        match holder {
            Caller::User(user) => match self.parts.sessions.check_live(&user.claims).await {
                Ok(session_ends) => Ok(Validity::Valid(at(user.claims.exp).min(session_ends))),
                Err(error) => fault_of(error.into()).map(Validity::Fault),
            },
            Caller::Service(service) => Ok(Validity::Valid(at(service.claims.exp))),
            // Never the holder of a token.
            Caller::Anonymous | Caller::Key(_) => Ok(Validity::Fault(TokenFault::WrongType)),
        }
    }

    /// Whether a page of an origin may present a credential: one that the credential is not bound away from (R103), and
    /// that is on its tenant's list.
    async fn admits(&self, holder: &Caller, origin: &str) -> Result<bool, StorageError> {
        let bound = holder.user().and_then(|user| user.claims.origin.as_deref());
        if bound.is_some_and(|bound| bound != origin) {
            return Ok(false);
        }
        let Ok(origin) = origin.parse::<Origin>() else { return Ok(false) };
        let tenant = self.parts.tenants.get(holder.tenant()).await?;
        let listed = tenant.as_ref().map(|tenant| &*tenant.settings.allowed_origins).unwrap_or_default();
        Ok(listed.is_empty() || listed.contains(&origin))
    }
}

/// What an error says of a token; an outage says nothing of it.
fn fault_of(error: AuthnError) -> Result<TokenFault, AuthnError> {
    match error {
        AuthnError::Token(TokenError::Invalid(_)) => Ok(TokenFault::Invalid),
        AuthnError::Token(TokenError::Expired) => Ok(TokenFault::Expired),
        AuthnError::Token(TokenError::WrongType) => Ok(TokenFault::WrongType),
        AuthnError::Session(SessionError::Expired) => Ok(TokenFault::SessionExpired),
        AuthnError::Session(SessionError::Revoked) | AuthnError::Client(ClientError::Revoked) => {
            Ok(TokenFault::Revoked)
        }
        other => Err(other),
    }
}
