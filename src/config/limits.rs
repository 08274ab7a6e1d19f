//! `[limits]`.

use super::{Problems, section::section};

/// Most that a limit can allow.
const MOST: u64 = 1_000_000;

section! {
    /// How often strangers may try. An address counts with its network: an IPv6 address with its /64.
    struct LimitsConfig in "limits" {
        /// Sign-ins from one address, a minute.
        login_per_address: u32 = 20,
        /// Sign-ins with one identifier from one address, in 15 minutes.
        login_per_identifier: u32 = 10,
        /// Sign-ups from one address, an hour.
        register_per_address: u32 = 5,
        /// Mails asked for from one address, an hour: for a new password, to prove an address.
        mail_per_address: u32 = 10,
        /// The same to one recipient.
        mail_per_recipient: u32 = 3,
        /// Codes of a second factor, right or wrong, that are looked at for one user, an hour.
        second_factor_per_user: u32 = 20,
        /// Wrong passwords in a row after which an account is locked for devices that it does not know.
        lock_after: u32 = 10,
        /// How long it is locked the first time, seconds; each further time twice as long, up to a day.
        lock_secs: u64 = 900,
        /// Failed sign-ins within five minutes on one node from which on they may be an attack on many
        /// accounts.
        anomaly_failures: u32 = 200,
        /// Share of failures among those sign-ins that makes them one.
        anomaly_share: f64 = 0.9,
        /// Sign-ins from devices that are not known that are let through during such an attack, a minute.
        anomaly_logins: u32 = 60,
    }
}

impl LimitsConfig {
    pub(super) fn check(&self, found: &mut Problems) {
        for (key, value) in [
            ("limits.login_per_address", self.login_per_address),
            ("limits.login_per_identifier", self.login_per_identifier),
            ("limits.register_per_address", self.register_per_address),
            ("limits.mail_per_address", self.mail_per_address),
            ("limits.mail_per_recipient", self.mail_per_recipient),
            ("limits.second_factor_per_user", self.second_factor_per_user),
            ("limits.lock_after", self.lock_after),
            ("limits.anomaly_failures", self.anomaly_failures),
            ("limits.anomaly_logins", self.anomaly_logins),
        ] {
            found.within(key, u64::from(value), 1..=MOST);
        }
        found.within("limits.lock_secs", self.lock_secs, 1..=86_400);
        found.within_one("limits.anomaly_share", self.anomaly_share);
    }

    pub(super) fn weaknesses(&self, found: &mut Problems) {
        if self.lock_after > 100 {
            found.add("limits.lock_after", "NIST SP 800-63B-4 allows 100 wrong passwords in a row at most");
        }
    }
}
