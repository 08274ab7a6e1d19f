//! A user's token for a narrower one of the same user (RFC 8693): how a program calls the next one on a user's behalf.

use super::{ExchangeAsked, Issued, OAuthError, OAuthService, issue::allow_grant};
use crate::{
    authn::AuthnError,
    clients::{Client, Grant},
    policy::ServerContext,
    tokens::{AccessClaims, Exchange, MAX_ACTORS, Presented, TokenError},
};

impl OAuthService {
    /// Exchanges an access token of a user's for one that is for an audience of the client's, names the client as who
    /// acts, and ends with the exchanged one at the latest.
    ///
    /// The exchanged token must be for us, as one of a session is, or for the client itself, as one that another
    /// program got for it is.
    ///
    /// Errors: `GrantNotAllowed`, `InvalidTarget` (no audience, one that is not the client's, or us), `InvalidGrant`,
    /// `Denied`, `InvalidScope`, and what keeps a token from being made.
    /// Source: RFC 8693 §2.
    pub async fn exchange(
        &self,
        client: &Client,
        exchanged: ExchangeAsked,
        server: &ServerContext,
    ) -> Result<Issued, OAuthError> {
        allow_grant(client, Grant::TokenExchange)?;
        let ExchangeAsked { subject_token, asked } = exchanged;
        let audience = asked.audience.ok_or(OAuthError::InvalidTarget)?;
        let ours = &self.parts.tokens.settings().audience;
        if audience == *ours || !client.audiences.contains(&audience) {
            return Err(OAuthError::InvalidTarget);
        }
        let subject = self.subject(client, subject_token.expose()).await?;
        let user = subject.sub.to_string();
        self.decide(client, "exchangeToken", ("User", &user), server).await?;

        // A session's token has no scopes and stands for all that its user may do; one that was narrowed before
        // stays narrow.
        let bound: Option<Vec<&str>> =
            subject.act.is_some().then(|| subject.scope.split_whitespace().collect());
        let scope = self.scopes(client, asked.scopes, bound.as_deref(), server).await?;
        let roles = self.parts.roles.names_of(subject.tid, subject.sub).await?;
        let exchange = Exchange { client_id: client.id, audience, scope: scope.clone(), roles };
        let issued = self.parts.tokens.issue_exchanged(subject, exchange, self.parts.clock.now())?;
        let expires_in = issued.claims.exp.saturating_sub(issued.claims.iat);
        Ok(Issued { access: issued.token, expires_in, refresh: None, scope })
    }

    /// The claims of a token that a client may exchange.
    async fn subject(&self, client: &Client, token: &str) -> Result<AccessClaims, OAuthError> {
        let tokens = &self.parts.tokens;
        let (ours, own) = (tokens.settings().audience.clone(), client.id.to_string());
        let presented = match tokens.verify_for(token, Some(&ours)).await {
            Err(TokenError::Invalid("aud")) => tokens.verify_for(token, Some(&own)).await,
            presented => presented,
        };
        let claims = match presented {
            Ok(Presented::User(claims)) => claims,
            Ok(Presented::Service(_)) => return Err(OAuthError::InvalidGrant("not a user's token")),
            Err(error) => return Err(refused(error)),
        };
        if claims.tid != client.tenant_id {
            return Err(OAuthError::InvalidGrant("a token of another tenant"));
        }
        if claims.act.as_ref().is_some_and(|act| act.depth() >= MAX_ACTORS) {
            return Err(OAuthError::InvalidGrant("too many programs act for the user already"));
        }
        match self.check_user_token(&claims).await {
            Ok(()) => Ok(claims),
            Err(OAuthError::Authn(AuthnError::Session(_)) | OAuthError::Client(_)) => {
                Err(OAuthError::InvalidGrant("the token was revoked"))
            }
            Err(error) => Err(error),
        }
    }

    /// Whether a verified token of a user still counts: its session stands, and where it was exchanged, it was not
    /// revoked and its client is still there.
    pub(super) async fn check_user_token(&self, claims: &AccessClaims) -> Result<(), OAuthError> {
        self.parts.sessions.check_live(claims).await?;
        if claims.act.is_some() {
            let client =
                claims.client_id.parse().map_err(|_| OAuthError::InvalidGrant("no client of ours"))?;
            self.parts.clients.check_live(claims.tid, client, &claims.jti, None).await?;
        }
        Ok(())
    }
}

/// A token that is not accepted here is no grant; what keeps us from saying so is no answer about it.
pub(super) fn refused(error: TokenError) -> OAuthError {
    match error {
        TokenError::Expired => OAuthError::InvalidGrant("the token has expired"),
        TokenError::Invalid(_) | TokenError::WrongType => {
            OAuthError::InvalidGrant("not an access token for this")
        }
        error => error.into(),
    }
}
