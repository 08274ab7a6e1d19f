//! How often strangers may try: before anything is looked up or hashed.
//!
//! | limit | of | counted in |
//! |---|---|---|
//! | `login-address` | an address's network | [`Kv`] |
//! | `login-identifier` | an identifier, known or not, from one network | [`Kv`] |
//! | `login-unknown-device` | everyone without a known device, while there is an anomaly | [`Kv`] |
//! | `register-address` | an address's network | [`Kv`] |
//! | `password` | a user who changes their password | [`Kv`] |
//! | `second-factor` | a user, who proves the second factor | [`Kv`] |
//! | `mail-address` | mail asked for from an address's network | [`Kv`] |
//! | `mail-recipient` | mail asked for to one address, known or not | [`Kv`] |
//!
//! While `Kv` is away these limits let pass, and a metric says so. Wrong passwords are counted in SQL in any
//! case: see `lockout`.

use std::{net::IpAddr, time::Duration};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};

use super::AuthnError;
use crate::{
    base::{MacKey, Millis},
    config::LimitsConfig,
    kv::{Allowance, Kv},
    telemetry::metrics::{LoginResult, Metrics},
};

const MINUTE: Duration = Duration::from_mins(1);
const QUARTER: Duration = Duration::from_mins(15);
const HOUR: Duration = Duration::from_hours(1);
/// Bytes of a tag that name a cell.
const NAME_BYTES: usize = 16;

/// What is limited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Limit {
    LoginAddress,
    LoginIdentifier,
    LoginUnknownDevice,
    RegisterAddress,
    Password,
    MailAddress,
    MailRecipient,
    SecondFactor,
}

/// A limit that was reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reached {
    /// Its name in `RateLimit-Policy`.
    pub name: &'static str,
    /// How many it allows.
    pub allowance: Allowance,
    /// How long until the next try is let through.
    pub wait: Duration,
}

/// The cells of all limits.
#[derive(Debug)]
pub(super) struct Throttle {
    kv: Kv,
    limits: LimitsConfig,
    key: MacKey,
}

impl Limit {
    fn name(self) -> &'static str {
        match self {
            Self::LoginAddress => "login-address",
            Self::LoginIdentifier => "login-identifier",
            Self::LoginUnknownDevice => "login-unknown-device",
            Self::RegisterAddress => "register-address",
            Self::Password => "password",
            Self::MailAddress => "mail-address",
            Self::MailRecipient => "mail-recipient",
            Self::SecondFactor => "second-factor",
        }
    }

    fn allowance(self, limits: &LimitsConfig) -> Allowance {
        let (burst, period) = match self {
            Self::LoginAddress => (limits.login_per_address, MINUTE),
            Self::LoginIdentifier | Self::Password => (limits.login_per_identifier, QUARTER),
            Self::LoginUnknownDevice => (limits.anomaly_logins, MINUTE),
            Self::RegisterAddress => (limits.register_per_address, HOUR),
            Self::MailAddress => (limits.mail_per_address, HOUR),
            Self::MailRecipient => (limits.mail_per_recipient, HOUR),
            Self::SecondFactor => (limits.second_factor_per_user, HOUR),
        };
        Allowance { burst, period }
    }
}

impl Throttle {
    pub(super) fn new(kv: Kv, limits: LimitsConfig, key: MacKey) -> Self {
        Self { kv, limits, key }
    }

    /// Takes one try of `limit` for `who`, whose parts do not show in the key.
    ///
    /// Errors: `TooManyAttempts`.
    pub(super) async fn admit(
        &self,
        limit: Limit,
        who: &[&str],
        now: Millis,
        metrics: &Metrics,
    ) -> Result<(), AuthnError> {
        let allowance = limit.allowance(&self.limits);
        let parts: Vec<&[u8]> = who.iter().map(|part| part.as_bytes()).collect();
        let tag = self.key.tag(&parts);
        let name = BASE64_URL_SAFE_NO_PAD.encode(tag.get(..NAME_BYTES).unwrap_or(&tag));
        match self.kv.take(&format!("limit:{}:{name}", limit.name()), allowance, now).await {
            Ok(taken) if taken.granted => Ok(()),
            Ok(taken) => {
                metrics.login_ended(LoginResult::Limited);
                Err(AuthnError::TooManyAttempts(Reached { name: limit.name(), allowance, wait: taken.wait }))
            }
            Err(error) => {
                metrics.limit_skipped();
                tracing::warn!(error = &error as &dyn std::error::Error, "a limit was not looked at");
                Ok(())
            }
        }
    }
}

/// The network of an address that is limited as one: an IPv4 address, or the /64 of an IPv6 one.
pub(super) fn network_of(ip: IpAddr) -> String {
    match ip.to_canonical() {
        IpAddr::V4(ip) => ip.to_string(),
        IpAddr::V6(ip) => {
            let [a, b, c, d, ..] = ip.segments();
            format!("{a:x}:{b:x}:{c:x}:{d:x}::/64")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_in_one_ipv6_network_count_together() {
        let network = |ip: &str| network_of(ip.parse().unwrap());
        assert_eq!(network("2001:db8:1:2:3:4:5:6"), network("2001:db8:1:2::1"));
        assert_ne!(network("2001:db8:1:2::1"), network("2001:db8:1:3::1"));
        assert_eq!(network("::ffff:192.0.2.1"), "192.0.2.1");
        assert_ne!(network("192.0.2.1"), network("192.0.2.2"));
    }
}
