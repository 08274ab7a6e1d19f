//! What is told to the service that a request goes on to (C13, R102).

use super::{AuthnError, AuthnService, Caller, Validity};
use crate::{
    api_keys::KeyUse,
    base::Millis,
    tokens::{ContextSubject, ContextToken, Onward, TokenError},
};

impl AuthnService {
    /// A context token about the holder of a token that was found valid a moment ago; a fault where it has ended since.
    /// It names the roles that the token names.
    ///
    /// Errors: an outage.
    pub async fn context_token(
        &self,
        holder: &Caller,
        onward: Onward<'_>,
    ) -> Result<Validity<ContextToken>, AuthnError> {
        match self.ends_of(holder).await? {
            Validity::Valid(ends_at) => Ok(Validity::Valid(self.context_until(holder, ends_at, onward)?)),
            Validity::Fault(fault) => Ok(Validity::Fault(fault)),
        }
    }

    /// A context token about who uses an API key, which has these roles now.
    ///
    /// Errors: `NoKey`, `Entropy`.
    pub fn context_token_of_key(
        &self,
        used: &KeyUse,
        roles: Vec<String>,
        onward: Onward<'_>,
    ) -> Result<ContextToken, TokenError> {
        let key = &used.caller;
        let subject = ContextSubject {
            name: key.name.clone(),
            tenant_id: key.tenant_id,
            session_id: None,
            roles: Some(roles),
            scope: key.scopes.to_string(),
            ends_at: used.ends_at(),
        };
        self.parts.tokens.issue_context(subject, onward, self.parts.clock.now())
    }

    /// A context token about a holder whose token counts until `ends_at`.
    pub(super) fn context_until(
        &self,
        holder: &Caller,
        ends_at: Millis,
        onward: Onward<'_>,
    ) -> Result<ContextToken, TokenError> {
        let (roles, scope) = match holder {
            Caller::User(user) => (user.claims.roles.clone(), user.claims.scope.clone()),
            Caller::Service(service) => (service.claims.roles.clone(), service.claims.scope.clone()),
            Caller::Anonymous | Caller::Key(_) => (None, String::new()),
        };
        let subject = ContextSubject {
            name: holder.name().to_owned(),
            tenant_id: holder.tenant(),
            session_id: holder.user().map(|user| user.session_id),
            roles,
            scope,
            ends_at: Some(ends_at),
        };
        self.parts.tokens.issue_context(subject, onward, self.parts.clock.now())
    }
}
