//! Tokens for a client itself, and for the holder of a refresh token.

use super::{Asked, Issued, OAuthError, OAuthService};
use crate::{
    api_keys::Scopes,
    authorize::{Guarded, Permission},
    clients::{Client, Grant},
    policy::ServerContext,
    sessions::ClientInfo,
    tokens::ServiceSubject,
};

/// The entity type of clients in the system store.
const SERVICE: &str = "Service";
/// The entity type of scopes.
const SCOPE: &str = "Scope";

impl OAuthService {
    /// Issues a token to a client for itself.
    ///
    /// Errors: `GrantNotAllowed`, `Denied`, `InvalidScope`, `InvalidTarget`, and what keeps a token from being made.
    /// Source: RFC 6749 §4.4.
    pub async fn client_credentials(
        &self,
        client: &Client,
        asked: Asked,
        server: &ServerContext<'_>,
    ) -> Result<Issued, OAuthError> {
        allow_grant(client, Grant::ClientCredentials)?;
        self.decide(client, "issueToken", ("Tenant", &client.tenant_id.to_string()), server).await?;
        let ours = &self.parts.tokens.settings().audience;
        if asked.audience.as_ref().is_some_and(|name| name != ours && !client.audiences.contains(name)) {
            return Err(OAuthError::InvalidTarget);
        }
        let scope = self.scopes(client, asked.scopes, None, server).await?;
        let subject = ServiceSubject {
            client_id: client.id,
            tenant_id: client.tenant_id,
            epoch: client.epoch,
            audience: asked.audience,
            scope: scope.clone(),
            roles: client.roles.clone(),
        };
        let issued = self.parts.tokens.issue_service(subject, self.parts.clock.now())?;
        let expires_in = issued.claims.exp.saturating_sub(issued.claims.iat);
        Ok(Issued { access: issued.token, expires_in, refresh: None, scope })
    }

    /// Continues a session for the holder of its refresh token, as a refresh at our own API does.
    ///
    /// Errors: `GrantNotAllowed`, `Denied`, `InvalidScope` (a session has none, so none can be asked for),
    /// `InvalidGrant`, `Authn`.
    /// Source: RFC 6749 §6.
    pub async fn refresh(
        &self,
        client: &Client,
        presented: &str,
        asked: &Asked,
        (info, request_id, server): (&ClientInfo, Option<&str>, &ServerContext<'_>),
    ) -> Result<Issued, OAuthError> {
        allow_grant(client, Grant::RefreshToken)?;
        self.decide(client, "refreshToken", ("Tenant", &client.tenant_id.to_string()), server).await?;
        if asked.scopes.as_ref().is_some_and(|scopes| !scopes.is_empty()) {
            return Err(OAuthError::InvalidScope);
        }
        // Asked before it is used up: a token of another tenant is none, and its session goes on. One that was
        // used before is told by the refresh itself.
        if let Ok(session) = self.parts.sessions.session_of(presented).await
            && session.tenant_id != client.tenant_id
        {
            return Err(OAuthError::InvalidGrant("a refresh token of another tenant"));
        }
        let signed_in = self.parts.authn.refresh(presented, info, request_id).await?;
        let claims = &signed_in.access.claims;
        Ok(Issued {
            expires_in: claims.exp.saturating_sub(claims.iat),
            scope: claims.scope.clone(),
            access: signed_in.access.token,
            refresh: Some(signed_in.refresh),
        })
    }

    /// Asks the system store whether a client may do `action` to `resource`.
    ///
    /// Errors: `Denied`, and an outage.
    pub(super) async fn decide(
        &self,
        client: &Client,
        action: &'static str,
        resource: (&str, &str),
        server: &ServerContext<'_>,
    ) -> Result<(), OAuthError> {
        match self.ask(client, action, resource, server).await? {
            Permission::Allowed => Ok(()),
            Permission::Denied(denial) => Err(OAuthError::Denied { decision: denial.decision_id }),
        }
    }

    /// The scopes that a client gets: what it asks for, or all that it may have, and of these what the policies
    /// permit. With `bound`, nothing beyond it.
    ///
    /// INVARIANT: out ⊆ asked ∩ the client's ∩ bound ∩ permitted (threat T56).
    /// Errors: `InvalidScope`: something else was asked for, or of what was asked for nothing is left.
    pub(super) async fn scopes(
        &self,
        client: &Client,
        asked: Option<Vec<String>>,
        bound: Option<&[&str]>,
        server: &ServerContext<'_>,
    ) -> Result<String, OAuthError> {
        let within = |word: &str| bound.is_none_or(|bound| bound.contains(&word));
        let wanted = match &asked {
            Some(words) if words.iter().any(|word| !client.scopes.contains(word) || !within(word)) => {
                return Err(OAuthError::InvalidScope);
            }
            Some(words) => words.clone(),
            None => client.scopes.iter().filter(|word| within(word)).cloned().collect(),
        };
        let mut granted: Vec<&str> = Vec::new();
        for word in &wanted {
            let is_new = !granted.contains(&word.as_str());
            if is_new && self.may_have(client, word, server).await? {
                granted.push(word);
            }
        }
        if granted.is_empty() && !wanted.is_empty() {
            return Err(OAuthError::InvalidScope);
        }
        Ok(granted.join(" "))
    }

    /// SECURITY: what is forbidden under one name is not had under another, a group or a part of it.
    async fn may_have(
        &self,
        client: &Client,
        word: &str,
        server: &ServerContext<'_>,
    ) -> Result<bool, OAuthError> {
        for scope in Scopes::overlapping(word) {
            if self.ask(client, "grantScope", (SCOPE, scope), server).await? != Permission::Allowed {
                return Ok(false);
            }
        }
        Ok(true)
    }

    async fn ask(
        &self,
        client: &Client,
        action: &'static str,
        resource: (&str, &str),
        server: &ServerContext<'_>,
    ) -> Result<Permission, OAuthError> {
        let principal = client.id.to_string();
        let guarded = Guarded { principal: (SERVICE, &principal), action, resource, server };
        Ok(self.parts.authorize.guard(client.tenant_id, guarded).await?)
    }
}

/// Whether a client may use a grant.
///
/// Errors: `GrantNotAllowed`.
pub(super) fn allow_grant(client: &Client, grant: Grant) -> Result<(), OAuthError> {
    if client.grants.contains(&grant) { Ok(()) } else { Err(OAuthError::GrantNotAllowed) }
}
