//! A session, as it is opened, kept and shown.

use std::{net::IpAddr, time::Duration};

use super::PublicKey;
use crate::{
    base::{ApiKeyId, DeviceId, Millis, PlainToken, SessionId, TenantId, UserId},
    config::{FingerprintPolicy, SessionsConfig, TokensConfig},
    tenants::Tenant,
};

/// Longest text that a client may say about itself, bytes.
const MAX_CLIENT_TEXT: usize = 256;

/// How long things last.
#[derive(Debug, Clone, Copy)]
pub struct SessionSettings {
    /// Life of an unused session.
    pub idle_ttl: Duration,
    /// Life of a session however much it is used.
    pub absolute_ttl: Duration,
    /// How long a used refresh token gives the same successor again.
    pub refresh_grace: Duration,
    /// How often revocations are pulled.
    pub poll: Duration,
    /// Sessions that a user has at most.
    pub max_per_user: u32,
    /// How long a session is kept after its idle end.
    pub keep_ended: Duration,
    /// How long a device is kept on which nobody is seen.
    pub keep_devices: Duration,
    /// What another browser or program leads to.
    pub on_other_agent: FingerprintPolicy,
    /// What another platform leads to.
    pub on_other_platform: FingerprintPolicy,
    /// How long a revocation matters: the life of an access token and the forgiven clock difference.
    pub news_ttl: Duration,
}

impl SessionSettings {
    /// The settings that the configuration gives.
    #[must_use]
    pub fn new(sessions: &SessionsConfig, tokens: &TokensConfig) -> Self {
        Self {
            idle_ttl: Duration::from_secs(sessions.idle_ttl_secs),
            absolute_ttl: Duration::from_secs(sessions.absolute_ttl_secs),
            refresh_grace: Duration::from_secs(sessions.refresh_grace_secs),
            poll: Duration::from_secs(sessions.revocation_poll_secs),
            max_per_user: sessions.max_per_user,
            keep_ended: Duration::from_secs(sessions.keep_ended_secs),
            keep_devices: Duration::from_secs(sessions.keep_devices_secs),
            on_other_agent: sessions.on_other_agent,
            on_other_platform: sessions.on_other_platform,
            news_ttl: Duration::from_secs(tokens.access_ttl_secs.saturating_add(tokens.leeway_secs)),
        }
    }
}

/// What a client said about itself, and where it called from. Shown to its user; proves nothing.
#[derive(Debug, Clone, Default)]
pub struct ClientInfo {
    /// Where the request came from.
    pub ip: Option<IpAddr>,
    /// The `User-Agent` header.
    pub user_agent: Option<String>,
    /// What the user calls the device.
    pub device_name: Option<String>,
    /// `web`, `ios`, ….
    pub device_platform: Option<String>,
    /// The public key of the device.
    pub device_key: Option<PublicKey>,
    /// The `Sec-CH-UA` header: names of the browser.
    pub brands: Option<String>,
    /// The `Sec-CH-UA-Platform` header.
    pub platform_hint: Option<String>,
    /// The `Origin` header; empty when it cannot be read.
    pub origin: Option<String>,
}

impl ClientInfo {
    /// `text` without control characters, cut to 256 bytes.
    pub(in crate::sessions) fn clean(text: Option<&str>) -> Option<String> {
        let kept = |kept: &mut usize, c: char| {
            *kept += c.len_utf8();
            (*kept <= MAX_CLIENT_TEXT).then_some(c)
        };
        let text: String = text?.chars().filter(|c| !c.is_control()).scan(0, kept).collect();
        (!text.is_empty()).then_some(text)
    }
}

/// Who opened a session, and what its tokens are good for then.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum OpenedBy {
    /// Its user, by signing in.
    #[default]
    User,
    /// The tenant's own server, with an API key (R99).
    Key {
        /// The key; with its revocation the session ends.
        key: ApiKeyId,
        /// The one web origin whose pages may use the tokens, where one was named (R103).
        origin: Option<String>,
    },
}

impl OpenedBy {
    /// The stored word.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Key { .. } => "sdk",
        }
    }

    pub(super) fn key(&self) -> Option<ApiKeyId> {
        match self {
            Self::User => None,
            Self::Key { key, .. } => Some(*key),
        }
    }

    /// The one web origin whose pages may use the tokens, where there is one.
    #[must_use]
    pub fn origin(&self) -> Option<&str> {
        match self {
            Self::User => None,
            Self::Key { origin, .. } => origin.as_deref(),
        }
    }
}

/// What a session is opened with.
#[derive(Debug, Clone)]
pub struct NewSession {
    /// The user's tenant.
    pub tenant_id: TenantId,
    /// Who signs in.
    pub user_id: UserId,
    /// The user's epoch when the credentials were read. If it has moved on, the session is not opened.
    pub epoch: i64,
    /// How the user proved who they are (RFC 8176).
    pub amr: Vec<String>,
    /// When.
    pub auth_time: Millis,
    /// The device, where it proved that it is one of the user's.
    pub device: Option<DeviceId>,
    /// Who opens it.
    pub by: OpenedBy,
}

/// A session that was live a moment ago: what an access token is issued for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveSession {
    /// The session.
    pub id: SessionId,
    /// The user's tenant.
    pub tenant_id: TenantId,
    /// The user.
    pub user_id: UserId,
    /// The device that the session was opened for. Made by us, or proven by a token of ours (threat T16).
    pub device_id: DeviceId,
    /// 1 when opened, one more with each rotation.
    pub version: i64,
    /// The user's epoch.
    pub epoch: i64,
    /// How the user proved who they are.
    pub amr: Vec<String>,
    /// When.
    pub auth_time: Millis,
    /// Who opened it.
    pub by: OpenedBy,
    /// When it was opened or last rotated.
    pub rotated_at: Millis,
    /// When it ends if it is not used.
    pub idle_expires_at: Millis,
    /// When it ends in any case.
    pub abs_expires_at: Millis,
}

impl LiveSession {
    /// `client_id` of its tokens, where they are not for our own client: the tenant whose server opened it.
    #[must_use]
    pub fn client_id(&self) -> Option<String> {
        matches!(self.by, OpenedBy::Key { .. }).then(|| Tenant::client_id_of(self.tenant_id))
    }
}

/// A session and the refresh token that continues it.
#[derive(Debug, Clone)]
pub struct Grant {
    /// The session.
    pub session: LiveSession,
    /// The only copy of its refresh token.
    pub refresh: PlainToken,
}

/// A session as its user sees it.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Session {
    /// The session.
    pub id: SessionId,
    /// Its device.
    pub device_id: DeviceId,
    /// What the user calls the device.
    pub device_name: Option<String>,
    /// What it runs on.
    pub device_platform: Option<String>,
    /// Where it was opened from.
    pub ip_first: Option<String>,
    /// Where it was last used from.
    pub ip_last: Option<String>,
    /// The `User-Agent` at opening.
    pub user_agent: Option<String>,
    /// When it was opened.
    pub created_at_ms: Millis,
    /// When it was last used, to the minute.
    pub last_seen_at_ms: Millis,
    /// When it ends if it is not used.
    pub idle_expires_at_ms: Millis,
    /// When it ends in any case.
    pub abs_expires_at_ms: Millis,
}

/// A session, live or over, as it is told to whom it was of.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct PastSession {
    /// The session.
    #[sqlx(flatten)]
    pub session: Session,
    /// How the user proved who they are, words separated by spaces (RFC 8176).
    pub amr: String,
    /// When it was ended, if somebody ended it.
    pub revoked_at_ms: Option<Millis>,
    /// Why.
    pub revoke_reason: Option<String>,
}

/// What a committed transaction ended: to be announced with
/// [`SessionService::announce`](super::SessionService::announce).
#[derive(Debug, Clone, Default)]
#[must_use = "other nodes learn of it at once only if it is announced"]
pub struct Ended {
    /// Sessions, with their users and devices.
    pub(super) sessions: Vec<(SessionId, UserId, DeviceId)>,
    /// A user all of whose sessions of earlier epochs ended.
    pub(super) user: Option<(UserId, i64)>,
}

impl Ended {
    /// How many sessions ended.
    #[must_use]
    pub fn count(&self) -> usize {
        self.sessions.len()
    }
}
