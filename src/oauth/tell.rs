//! What is said about a token, and its end.

use super::{Introspected, OAuthError, OAuthService, exchange::refused};
use crate::{
    audit::Actor,
    authn::AuthnError,
    base::Millis,
    clients::Client,
    policy::ServerContext,
    sessions::{LiveSession, SessionError},
    tokens::{AccessClaims, CLIENT, Presented, ServiceClaims},
};

/// A token that counts, or counted.
enum Found {
    Access(AccessClaims),
    Service(ServiceClaims),
    Refresh(LiveSession),
}

impl OAuthService {
    /// What there is to say of a token to a client of its tenant; nothing when it does not count, for whatever reason.
    ///
    /// Errors: `Denied`, and an outage: nobody knows.
    /// Source: RFC 7662 §2.
    pub async fn introspect(
        &self,
        client: &Client,
        token: &str,
        server: &ServerContext,
    ) -> Result<Option<Introspected>, OAuthError> {
        self.decide(client, "introspectToken", ("Tenant", &client.tenant_id.to_string()), server).await?;
        let told = match self.found(client, token).await {
            Ok(Some(found)) => self.told(found).await,
            Ok(None) => return Ok(None),
            Err(error) => Err(error),
        };
        match told {
            Ok(told) => Ok(Some(told)),
            Err(error) if is_about_token(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Ends a token, and with the token of a session the session. One that is nobody's, of another tenant, or of
    /// another client is left alone, and nobody learns which it was.
    ///
    /// Errors: `Denied`, and an outage.
    /// Source: RFC 7009 §2.
    pub async fn revoke(
        &self,
        client: &Client,
        token: &str,
        (request_id, server): (Option<&str>, &ServerContext),
    ) -> Result<(), OAuthError> {
        self.decide(client, "revokeToken", ("Tenant", &client.tenant_id.to_string()), server).await?;
        let found = match self.found(client, token).await {
            Ok(Some(found)) => found,
            Ok(None) => return Ok(()),
            Err(error) if is_about_token(&error) => return Ok(()),
            Err(error) => return Err(error),
        };
        let name = client.id.to_string();
        let actor = Actor { name: &name, request_id };
        let until = |secs: i64| Millis(secs.saturating_mul(1000));
        let ended = match found {
            // A session's tokens were issued to no client in particular: who holds one may end it.
            Found::Access(claims) if claims.act.is_none() => {
                self.parts.sessions.revoke(claims.tid, claims.sub, claims.sid, "token_revoked", actor).await
            }
            Found::Refresh(session) => {
                let (tenant, user) = (session.tenant_id, session.user_id);
                self.parts.sessions.revoke(tenant, user, session.id, "token_revoked", actor).await
            }
            Found::Access(claims) if claims.client_id == name => {
                let token = (&*claims.jti, until(claims.exp));
                return Ok(self.parts.clients.revoke_token(claims.tid, client.id, token, actor).await?);
            }
            Found::Service(claims) if claims.sub == client.id => {
                let token = (&*claims.jti, until(claims.exp));
                return Ok(self.parts.clients.revoke_token(claims.tid, client.id, token, actor).await?);
            }
            Found::Access(_) | Found::Service(_) => Ok(()),
        };
        match ended {
            Ok(()) | Err(SessionError::NotFound) => Ok(()), // it had ended before
            Err(error) => Err(error.into()),
        }
    }

    /// The token that a text is, if it is one of the client's tenant. Whether it still counts is not asked.
    async fn found(&self, client: &Client, token: &str) -> Result<Option<Found>, OAuthError> {
        let found = match self.parts.sessions.session_of(token).await {
            Ok(session) => Found::Refresh(session),
            Err(SessionError::RefreshInvalid) => match self.parts.tokens.verify_for(token, None).await {
                Ok(Presented::User(claims)) => Found::Access(claims),
                Ok(Presented::Service(claims)) => Found::Service(claims),
                Err(error) => return Err(refused(error)),
            },
            Err(error) => return Err(error.into()),
        };
        let tenant = match &found {
            Found::Access(claims) => claims.tid,
            Found::Service(claims) => claims.tid,
            Found::Refresh(session) => session.tenant_id,
        };
        Ok((tenant == client.tenant_id).then_some(found))
    }

    async fn told(&self, found: Found) -> Result<Introspected, OAuthError> {
        match found {
            Found::Access(claims) => {
                self.check_user_token(&claims).await?;
                Ok(Introspected {
                    sub: claims.sub.to_string(),
                    client_id: claims.client_id,
                    aud: Some(claims.aud),
                    iss: claims.iss,
                    scope: claims.scope,
                    exp: claims.exp,
                    iat: Some(claims.iat),
                    jti: Some(claims.jti),
                    tid: claims.tid.to_string(),
                    sid: Some(claims.sid.to_string()),
                    act: claims.act,
                    is_refresh: false,
                })
            }
            Found::Service(claims) => {
                self.parts.clients.check_live(claims.tid, claims.sub, &claims.jti, Some(claims.ep)).await?;
                Ok(Introspected {
                    sub: claims.sub.to_string(),
                    client_id: claims.client_id.to_string(),
                    aud: Some(claims.aud),
                    iss: claims.iss,
                    scope: claims.scope,
                    exp: claims.exp,
                    iat: Some(claims.iat),
                    jti: Some(claims.jti),
                    tid: claims.tid.to_string(),
                    sid: None,
                    act: None,
                    is_refresh: false,
                })
            }
            Found::Refresh(session) => {
                let ends = session.idle_expires_at.min(session.abs_expires_at);
                if ends <= self.parts.clock.now() {
                    return Err(OAuthError::InvalidGrant("the session has expired"));
                }
                Ok(Introspected {
                    sub: session.user_id.to_string(),
                    client_id: session.client_id().unwrap_or_else(|| CLIENT.to_owned()),
                    aud: None,
                    iss: self.parts.tokens.settings().issuer.clone(),
                    scope: String::new(),
                    exp: ends.as_secs(),
                    iat: None,
                    jti: None,
                    tid: session.tenant_id.to_string(),
                    sid: Some(session.id.to_string()),
                    act: None,
                    is_refresh: true,
                })
            }
        }
    }
}

/// Whether an error says something about a token, rather than about us.
fn is_about_token(error: &OAuthError) -> bool {
    matches!(
        error,
        OAuthError::InvalidGrant(_) | OAuthError::Client(_) | OAuthError::Authn(AuthnError::Session(_))
    )
}
