//! Sockets: what another service asks when a user opens a long connection to it, once, and then knows (R104).
//!
//! Key: `socket:` and the id that the service has given to the socket; with the device's prefix `auth:socket:<id>`. A
//! service of a tenant's own gets `socket:<tenant>:<id>`, so that none writes over what is another's (threat T19). Value:
//! [`SocketContext`] as JSON, for all who share the device; there is no token in it.
//!
//! - INVARIANT: what is kept ends when the socket has to: with the token or its session, whichever is first (threat T59).
//!   A socket that its user proves anew, with the next token, is kept anew.
//! - SECURITY: it is told to others and never read here: who can write to the device convinces nobody of ours.
//! - While the device is away a socket may stand; the answer says that nothing was kept.

use std::{fmt, str::FromStr};

use serde::Serialize;

use super::{AuthnError, AuthnService, Caller, TokenFault, UserCaller, Validity};
use crate::{
    base::{DeviceId, Millis, SessionId, TenantId, UserId},
    tokens::{ContextToken, Onward},
};

/// Longest id of a socket, bytes.
const MAX_ID: usize = 128;

/// A text that is no id of a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must have 1 to {MAX_ID} letters, digits and characters of `-_.~=+/#`")]
pub struct SocketIdError;

/// The id that a service has given to a socket. It has no colon, which separates the parts of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SocketId(String);

impl FromStr for SocketId {
    type Err = SocketIdError;

    fn from_str(text: &str) -> Result<Self, SocketIdError> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~=+/#".contains(&byte);
        let fits = (1..=MAX_ID).contains(&text.len()) && text.bytes().all(plain);
        fits.then(|| Self(text.to_owned())).ok_or(SocketIdError)
    }
}

impl fmt::Display for SocketId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A socket that somebody wants to open.
#[derive(Debug)]
pub struct Handshake<'a> {
    /// The access token that they showed.
    pub token: &'a str,
    /// The origin of their page, if it is one.
    pub origin: Option<&'a str>,
    /// The socket.
    pub socket: SocketId,
    /// The one tenant of which the service may know, if not of all.
    pub within: Option<TenantId>,
    /// Who is to be told by a context token.
    pub onward: Option<Onward<'a>>,
}

/// Whose a socket is: what the service may go by as long as it stands.
#[derive(Debug, Clone, Serialize)]
pub struct SocketContext {
    /// The user.
    pub user_id: UserId,
    /// Their tenant.
    pub tenant_id: TenantId,
    /// Their session.
    pub session_id: SessionId,
    /// Its device.
    pub device_id: DeviceId,
    /// The client that the token was issued to.
    pub client_id: String,
    /// Names of roles, as the token says them; absent when there are over 20.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub roles: Option<Vec<String>>,
    /// Words separated by spaces, or empty.
    pub scope: String,
    /// When the socket must close, whole seconds since the epoch.
    pub expires_at: i64,
}

/// A socket that may stand.
#[derive(Debug, Clone)]
pub struct Socket {
    /// Whose it is.
    pub context: SocketContext,
    /// In how many seconds it must close.
    pub max_age: u64,
    /// Whether that is kept where others find it.
    pub is_stored: bool,
    /// What a service behind is told, if that was asked for.
    pub token: Option<ContextToken>,
}

impl AuthnService {
    /// Lets a user's socket stand, by the rules of [`AuthnService::validate`], and keeps whose it is. A program's own
    /// token opens none: it has no user and no session.
    ///
    /// Errors: an outage: nobody knows. That of the device is none.
    /// Source: identity.md R104.
    pub async fn open_socket(&self, asked: Handshake<'_>) -> Result<Validity<Socket>, AuthnError> {
        let holder = match self.validate(asked.token, asked.within, asked.origin).await? {
            Validity::Valid(holder) => holder,
            Validity::Fault(fault) => return Ok(Validity::Fault(fault)),
        };
        let Caller::User(user) = &holder else { return Ok(Validity::Fault(TokenFault::WrongType)) };
        let ends_at = match self.ends_of(&holder).await? {
            Validity::Valid(ends_at) => ends_at,
            Validity::Fault(fault) => return Ok(Validity::Fault(fault)),
        };
        let token = asked.onward.map(|onward| self.context_until(&holder, ends_at, onward)).transpose()?;
        let context = SocketContext::of(user, ends_at);
        let key = match asked.within {
            None => format!("socket:{}", asked.socket),
            Some(tenant) => format!("socket:{tenant}:{}", asked.socket),
        };
        let is_stored = self.keep_socket(&key, &context, ends_at).await;
        let max_age = ends_at.since(self.parts.clock.now()).as_secs();
        Ok(Validity::Valid(Socket { context, max_age, is_stored, token }))
    }

    /// Keeps whose a socket is. When that fails the service knows it by the answer: no error.
    async fn keep_socket(&self, key: &str, context: &SocketContext, ends_at: Millis) -> bool {
        let ttl = ends_at.since(self.parts.clock.now());
        if ttl.is_zero() {
            return false;
        }
        let value = serde_json::to_vec(context).unwrap_or_default();
        let kept = self.parts.kv.put(key, &value, ttl).await;
        if let Err(error) = &kept {
            tracing::warn!(error = error as &dyn std::error::Error, "whose a socket is was not kept");
        }
        kept.is_ok()
    }
}

impl SocketContext {
    fn of(user: &UserCaller, ends_at: Millis) -> Self {
        Self {
            user_id: user.user_id,
            tenant_id: user.tenant_id,
            session_id: user.session_id,
            device_id: user.device_id,
            client_id: user.claims.client_id.clone(),
            roles: user.claims.roles.clone(),
            scope: user.claims.scope.clone(),
            expires_at: ends_at.as_secs(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_part_of_a_key_and_nothing_else() {
        for id in ["x", "Zk3fQ_7-aB", "/chat#Zk3f", "L0SM9cOFvHcCIhw=", &"x".repeat(128)] {
            assert_eq!(id.parse::<SocketId>().unwrap().to_string(), id);
        }
        for id in ["", " ", "a b", "a:b", "{a}", "a\0", "a\n", "\u{e9}", "*", &"x".repeat(129)] {
            assert_eq!(id.parse::<SocketId>().unwrap_err(), SocketIdError, "{id:?}");
        }
    }
}
