//! A key, as it is made, kept and used.

use std::{fmt, net::IpAddr, str::FromStr, time::Duration};

use ipnet::IpNet;
use serde::{Deserialize, Deserializer};

use super::Scopes;
use crate::{
    base::{ApiKeyId, Millis, PlainToken, TenantId, UserId},
    roles::RoleName,
};

/// Longest name of a key, characters.
const MAX_NAME: usize = 100;

/// A text that is no name of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must have 1 to 100 characters, none of them a control character")]
pub struct KeyNameError;

/// What people call a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyName(String);

impl KeyName {
    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for KeyName {
    type Err = KeyNameError;

    fn from_str(text: &str) -> Result<Self, KeyNameError> {
        let fits = (1..=MAX_NAME).contains(&text.chars().count()) && !text.chars().any(char::is_control);
        fits.then(|| Self(text.to_owned())).ok_or(KeyNameError)
    }
}

/// Which of a tenant's own keys one is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Slot {
    /// The one that is in use.
    Primary,
    /// The one that will be.
    Secondary,
    /// None: one of any number.
    None,
}

impl Slot {
    /// As it is stored.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Primary => "primary",
            Self::Secondary => "secondary",
            Self::None => "none",
        }
    }

    pub(super) fn stored(text: &str) -> Self {
        [Self::Primary, Self::Secondary].into_iter().find(|slot| slot.as_str() == text).unwrap_or(Self::None)
    }
}

/// How fast a key may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// Requests a second, for ever; at least 1.
    pub per_second: u32,
    /// Requests at once; at least 1.
    pub burst: u32,
}

/// What limits a key besides its roles. Can be changed while it lives.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct KeyLimits {
    /// What it may be used for.
    pub scopes: Scopes,
    /// Networks that it may be used from; empty for anywhere.
    pub ip_allowlist: Vec<IpNet>,
    /// How fast.
    pub rate: Option<Rate>,
    /// Until when.
    pub expires_at: Option<Millis>,
}

impl KeyLimits {
    /// Whether it may be used from `ip`. An address that is not known is on no list.
    #[must_use]
    pub fn allow_ip(&self, ip: Option<IpAddr>) -> bool {
        let listed =
            |ip: IpAddr| self.ip_allowlist.iter().any(|network| network.contains(&ip.to_canonical()));
        self.ip_allowlist.is_empty() || ip.is_some_and(listed)
    }
}

/// Reads a network, or one address. A v4 network that is spelled in v6 is the v4 network.
///
/// Errors: what is wrong.
pub fn parse_network(text: &str) -> Result<IpNet, String> {
    let wrong = || format!("`{text}` is not a network such as `203.0.113.0/24` or an address");
    let network =
        text.parse::<IpNet>().or_else(|_| text.parse::<IpAddr>().map(IpNet::from)).map_err(|_| wrong())?;
    match network {
        IpNet::V6(v6) => match (v6.addr().to_ipv4_mapped(), v6.prefix_len().checked_sub(96)) {
            (Some(v4), Some(length)) => {
                IpNet::new(IpAddr::V4(v4), length).map(|it| it.trunc()).map_err(|_| wrong())
            }
            _ => Ok(network.trunc()),
        },
        IpNet::V4(_) => Ok(network.trunc()),
    }
}

/// What a key is made from.
#[derive(Debug, Clone)]
pub struct NewApiKey {
    /// What people call it.
    pub name: KeyName,
    /// The roles that it has at most; all of its owner's when none are named.
    pub roles: Option<Vec<RoleName>>,
    /// What limits it; `expires_at` is overruled by `ttl`.
    pub limits: KeyLimits,
    /// How long it lives.
    pub ttl: Option<Duration>,
}

/// What becomes of a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Change<T> {
    /// It stays.
    #[default]
    Keep,
    /// There is none any more.
    Lift,
    /// It is this.
    Set(T),
}

impl<T> Change<T> {
    /// The limit that was `old`.
    pub fn of(self, old: Option<T>) -> Option<T> {
        match self {
            Self::Keep => old,
            Self::Lift => None,
            Self::Set(new) => Some(new),
        }
    }

    /// The same of what `read` makes of it.
    ///
    /// Errors: those of `read`.
    pub fn try_map<U, E>(self, read: impl FnOnce(T) -> Result<U, E>) -> Result<Change<U>, E> {
        Ok(match self {
            Self::Keep => Change::Keep,
            Self::Lift => Change::Lift,
            Self::Set(given) => Change::Set(read(given)?),
        })
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Change<T> {
    /// A field that is there: `null`, or a value (RFC 7396).
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Option::deserialize(deserializer)?.map_or(Self::Lift, Self::Set))
    }
}

/// What of a key is to change; `None` stays.
#[derive(Debug, Clone, Default)]
pub struct KeyChange {
    /// What people call it.
    pub name: Option<KeyName>,
    /// What it may be used for.
    pub scopes: Option<Scopes>,
    /// Networks that it may be used from.
    pub ip_allowlist: Option<Vec<IpNet>>,
    /// How fast it may be used.
    pub rate: Change<Rate>,
    /// How long it lives from now on.
    pub ttl: Change<Duration>,
}

/// A key as its owner sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiKey {
    /// Its id; safe to show and to log.
    pub id: ApiKeyId,
    /// Whose data it reaches.
    pub tenant_id: TenantId,
    /// Whose it is; none when it is the tenant's own.
    pub owner: Option<UserId>,
    /// Which of the tenant's own.
    pub slot: Slot,
    /// What people call it.
    pub name: String,
    /// The word in its text.
    pub env: String,
    /// The roles that it has, while its owner has them.
    pub roles: Vec<String>,
    /// What limits it.
    pub limits: KeyLimits,
    /// Who made it: a user id or a fixed word.
    pub created_by: String,
    /// When it was made.
    pub created_at: Millis,
    /// When it was last used, to the minute.
    pub last_used_at: Option<Millis>,
    /// Where from.
    pub last_used_ip: Option<String>,
    /// When it was revoked.
    pub revoked_at: Option<Millis>,
}

/// A key that was just made, with the only copy of its text.
#[derive(Debug, Clone)]
pub struct CreatedKey {
    /// The key.
    pub key: ApiKey,
    /// Its text.
    pub text: PlainToken,
}

/// A program with a live key.
#[derive(Debug, Clone)]
pub struct KeyCaller {
    /// The key.
    pub id: ApiKeyId,
    /// [`Self::id`] as text.
    pub name: String,
    /// Whose data it reaches.
    pub tenant_id: TenantId,
    /// Whose it is; none when it is the tenant's own.
    pub owner: Option<UserId>,
    /// Which of the tenant's own.
    pub slot: Slot,
    /// What it may be used for.
    pub scopes: Scopes,
}

impl fmt::Display for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn t23_lists_hold_canonical_addresses() {
        let allows = |list: &[&str], ip: &str| {
            let ip_allowlist = list.iter().map(|text| parse_network(text).unwrap()).collect();
            KeyLimits { ip_allowlist, ..KeyLimits::default() }.allow_ip(Some(ip.parse().unwrap()))
        };
        for (list, ip, allowed) in [
            (&["203.0.113.0/24"][..], "203.0.113.9", true),
            (&["203.0.113.0/24"], "::ffff:203.0.113.9", true),
            (&["203.0.113.0/24"], "203.0.114.9", false),
            (&["203.0.113.0/24"], "::ffff:203.0.114.9", false),
            (&["::ffff:203.0.113.0/120"], "203.0.113.9", true),
            (&["::ffff:203.0.113.9"], "203.0.113.9", true),
            (&["203.0.113.77/24"], "203.0.113.9", true),
            (&["2001:db8::/32"], "2001:db8:1::7", true),
            (&["2001:db8::/32"], "203.0.113.9", false),
            (&["::/0"], "203.0.113.9", false),
            (&["10.0.0.0/8", "192.0.2.1"], "192.0.2.1", true),
            (&["10.0.0.0/8", "192.0.2.1"], "192.0.2.2", false),
            (&[], "192.0.2.2", true),
        ] {
            assert_eq!(allows(list, ip), allowed, "{list:?} {ip}");
        }
        let listed = KeyLimits { ip_allowlist: vec!["0.0.0.0/0".parse().unwrap()], ..KeyLimits::default() };
        assert!(!listed.allow_ip(None), "nobody knows where it comes from");
        for wrong in ["", "203.0.113", "203.0.113.0/33", "fe80::1%eth0", " 10.0.0.1", "10.0.0.1:80", "*"] {
            assert!(parse_network(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn names_are_for_people() {
        for (text, good) in [("CI \u{1f916}", true), ("", false), ("a\nb", false), (&*"x".repeat(101), false)]
        {
            assert_eq!(text.parse::<KeyName>().is_ok(), good, "{text}");
        }
    }
}
