//! What is asked and answered.

use std::sync::Arc;

use crate::{
    authn::AuthnService,
    authorize::AuthorizeService,
    base::{Clock, PlainToken},
    clients::ClientService,
    roles::RoleService,
    sessions::SessionService,
    tokens::{Act, Audience, TokenService},
};

/// What the service is made of.
#[derive(Debug)]
pub struct OAuthParts {
    /// Who asks.
    pub clients: Arc<ClientService>,
    /// Refresh.
    pub authn: Arc<AuthnService>,
    /// Whether a session stands, and its end.
    pub sessions: Arc<SessionService>,
    /// Tokens.
    pub tokens: Arc<TokenService>,
    /// The roles of users now.
    pub roles: RoleService,
    /// Decisions.
    pub authorize: Arc<AuthorizeService>,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

/// Issues tokens to clients, tells about tokens and revokes them.
#[derive(Debug)]
pub struct OAuthService {
    pub(super) parts: OAuthParts,
}

/// What a client asks for.
#[derive(Debug, Clone, Default)]
pub struct Asked {
    /// Scopes; all that it may have when none are named.
    pub scopes: Option<Vec<String>>,
    /// Whom the token is to be for.
    pub audience: Option<String>,
}

/// What a client asks for in exchange for a token.
#[derive(Debug, Clone)]
pub struct ExchangeAsked {
    /// An access token of a user's.
    pub subject_token: PlainToken,
    /// Scopes and audience; there must be an audience.
    pub asked: Asked,
}

/// Tokens that were just issued.
#[derive(Debug, Clone)]
pub struct Issued {
    /// For requests.
    pub access: PlainToken,
    /// How long it lives, seconds.
    pub expires_in: i64,
    /// For the next access token, where there is one.
    pub refresh: Option<PlainToken>,
    /// Words separated by spaces, or empty.
    pub scope: String,
}

/// What is said of a token that counts. Times are whole seconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Introspected {
    /// Whose it is: a user's id or a client's.
    pub sub: String,
    /// The client that it was issued to.
    pub client_id: String,
    /// Whom it is for.
    pub aud: Option<Audience>,
    /// Who issued it.
    pub iss: String,
    /// Words separated by spaces, or empty.
    pub scope: String,
    /// When it ends.
    pub exp: i64,
    /// When it was issued.
    pub iat: Option<i64>,
    /// Its id.
    pub jti: Option<String>,
    /// The tenant.
    pub tid: String,
    /// The session, where there is one.
    pub sid: Option<String>,
    /// Who acts for the user, where somebody does.
    pub act: Option<Act>,
    /// Whether it is a refresh token.
    pub is_refresh: bool,
}

impl OAuthService {
    /// The service.
    #[must_use]
    pub fn new(parts: OAuthParts) -> Self {
        Self { parts }
    }
}
