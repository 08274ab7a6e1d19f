//! A revocation, as it is recorded and as it is told.

use std::fmt;

use crate::base::{ApiKeyId, ClientId, DeviceId, Millis, SessionId, TenantId, UserId};

/// What ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended<'a> {
    /// A session, with its tokens.
    Session(SessionId),
    /// All that was issued to a user before this epoch.
    User {
        /// The user.
        id: UserId,
        /// The epoch that began.
        epoch: i64,
    },
    /// A device, with its sessions.
    Device(DeviceId),
    /// All that was issued to users, programs and keys of a tenant so far.
    Tenant(TenantId),
    /// An API key.
    ApiKey(ApiKeyId),
    /// All that was issued to a client of OAuth 2.0 before this epoch.
    OAuthClient {
        /// The client.
        id: ClientId,
        /// The epoch that began.
        epoch: i64,
    },
    /// One token that a client got, for itself or in exchange, by its `jti`.
    OAuthToken(&'a str),
    /// A key that signed tokens, by its `kid`.
    SigningKey(&'a str),
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident $text:literal;)+) => {
        /// What kind of thing ended.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Kind {
            $($(#[$doc])* $name,)+
        }

        impl Kind {
            /// Every kind.
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];

            /// The stored word, which is the one in answers.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)+ }
            }
        }
    };
}

kinds! {
    /// `sid` of tokens.
    Session "session";
    /// `sub` of tokens of a user.
    User "user";
    /// `did` of tokens.
    Device "device";
    /// `tid` of tokens.
    Tenant "tenant";
    /// An API key.
    ApiKey "api_key";
    /// `sub` of tokens of a client's own.
    OAuthClient "oauth_client";
    /// `jti` of tokens that a client got.
    OAuthToken "oauth_token";
    /// `kid` of tokens.
    SigningKey "signing_key";
}

/// A stored word that is no kind.
#[derive(Debug, Clone, thiserror::Error)]
#[error("`{0}` is no kind of revocation")]
pub struct KindError(String);

impl TryFrom<String> for Kind {
    type Error = KindError;

    fn try_from(word: String) -> Result<Self, KindError> {
        Self::ALL.iter().copied().find(|kind| kind.as_str() == word).ok_or(KindError(word))
    }
}

impl Ended<'_> {
    pub(super) fn kind(&self) -> Kind {
        match self {
            Self::Session(_) => Kind::Session,
            Self::User { .. } => Kind::User,
            Self::Device(_) => Kind::Device,
            Self::Tenant(_) => Kind::Tenant,
            Self::ApiKey(_) => Kind::ApiKey,
            Self::OAuthClient { .. } => Kind::OAuthClient,
            Self::OAuthToken(_) => Kind::OAuthToken,
            Self::SigningKey(_) => Kind::SigningKey,
        }
    }

    /// The epoch that began; 0 where there is none.
    pub(super) fn epoch(&self) -> i64 {
        match self {
            Self::User { epoch, .. } | Self::OAuthClient { epoch, .. } => *epoch,
            _ => 0,
        }
    }
}

impl fmt::Display for Ended<'_> {
    /// Its id.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Session(id) => id.fmt(f),
            Self::User { id, .. } => id.fmt(f),
            Self::Device(id) => id.fmt(f),
            Self::Tenant(id) => id.fmt(f),
            Self::ApiKey(id) => id.fmt(f),
            Self::OAuthClient { id, .. } => id.fmt(f),
            Self::OAuthToken(id) | Self::SigningKey(id) => id.fmt(f),
        }
    }
}

/// A revocation that was told.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Revocation {
    /// Its place among all that were told.
    pub seq: i64,
    /// What kind of thing ended.
    #[sqlx(try_from = "String")]
    pub kind: Kind,
    /// Its id.
    #[sqlx(rename = "subject")]
    pub id: String,
    /// The tenant that it concerns; none for what concerns all.
    pub tenant_id: Option<TenantId>,
    epoch: i64,
    /// When it ended.
    #[sqlx(rename = "at_ms")]
    pub at: Millis,
}

impl Revocation {
    /// The epoch from which on tokens of the user or client count again.
    #[must_use]
    pub fn epoch(&self) -> Option<i64> {
        matches!(self.kind, Kind::User | Kind::OAuthClient).then_some(self.epoch)
    }

    /// The moment from which on tokens of the tenant count again, once it goes on: those whose `iat` is not lower.
    /// Whole seconds, rounded up, so that it spares nothing that was issued in the same second.
    #[must_use]
    pub fn before(&self) -> Option<i64> {
        (self.kind == Kind::Tenant).then(|| self.at.as_secs().saturating_add(1))
    }
}

/// Revocations that follow one another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// In the order of `seq`.
    pub revocations: Vec<Revocation>,
    /// Where the next batch begins: after this `seq`.
    pub next: i64,
    /// Whether it has begun already.
    pub has_more: bool,
    /// Whether nothing is missing between where this batch was to begin and its first revocation. If not, it begins
    /// with the oldest that is known.
    pub is_complete: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_read_as_they_are_written() {
        for kind in Kind::ALL {
            assert_eq!(Kind::try_from(kind.as_str().to_owned()).unwrap(), *kind);
        }
        assert!(Kind::try_from("gone".to_owned()).is_err());
    }

    #[test]
    fn a_tenant_has_a_moment_and_others_an_epoch_or_nothing() {
        let of = |kind| Revocation {
            seq: 1,
            kind,
            id: String::new(),
            tenant_id: None,
            epoch: 7,
            at: Millis(1_999),
        };
        for (kind, epoch, before) in [
            (Kind::User, Some(7), None),
            (Kind::OAuthClient, Some(7), None),
            (Kind::Tenant, None, Some(2)),
            (Kind::Session, None, None),
        ] {
            assert_eq!((of(kind).epoch(), of(kind).before()), (epoch, before), "{kind:?}");
        }
    }
}
