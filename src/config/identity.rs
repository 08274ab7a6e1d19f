//! `[tokens]`, `[sessions]`, `[passwords]`, `[registration]`, `[tenants]` and `[api_keys]`.

use serde::{Deserialize, Serialize};

use super::{Problems, origin::check_origin, section::section};
use crate::jws::Algorithm;

/// Longest life that a setting can give, seconds: ten years.
const LONGEST_SECS: u64 = 315_360_000;
/// The most memory, KiB, and the most passes that a stored hash may ask for (threat T33), so new ones ask for no more.
pub const MOST_ARGON2_MEMORY_KIB: u32 = 256 * 1024;
/// See [`MOST_ARGON2_MEMORY_KIB`].
pub const MOST_ARGON2_PASSES: u32 = 10;
/// Memory in KiB times passes below which argon2id is weaker than the least that OWASP recommends.
const LEAST_ARGON2_WORK: u64 = 7_168 * 5;

section! {
    /// Access tokens (RFC 9068).
    struct TokensConfig in "tokens" {
        /// `iss` of every token; no trailing slash, never changed. Default: `server.public_url`.
        issuer: Option<String> = None,
        /// `aud` of access tokens. Default: the issuer.
        audience: Option<String> = None,
        /// Life of an access token, seconds.
        access_ttl_secs: u64 = 900,
        /// Clock difference that is forgiven, seconds.
        leeway_secs: u64 = 5,
        /// What new keys sign with. A change takes effect with the next key: `bailiwick keys rotate`.
        signing_alg: Algorithm = Algorithm::EdDsa,
        /// How long a key signs before the next one takes its place, days.
        key_life_days: u32 = 90,
        /// Whether answers with tokens name the access token in `X-Access-Token` too, for clients that read it there.
        expose_header: bool = false,
    }
}

section! {
    /// Sessions and refresh tokens.
    struct SessionsConfig in "sessions" {
        /// Life of an unused session, seconds; each use begins it anew.
        idle_ttl_secs: u64 = 604_800,
        /// Life of a session however much it is used, seconds.
        absolute_ttl_secs: u64 = 2_592_000,
        /// How long a refresh token that was just used gives the same successor again, seconds (0 to 600).
        refresh_grace_secs: u64 = 30,
        /// How often a node pulls revocations that the bus may have lost, seconds.
        revocation_poll_secs: u64 = 5,
        /// Sessions that a user may have at once (1 to 10 000); with one more, the oldest ends.
        max_per_user: u32 = 50,
        /// How long a session that can end no more is kept after its idle end, seconds (at least 3600).
        keep_ended_secs: u64 = 2_592_000,
        /// How long a device is known on which nobody is seen, seconds; at least the absolute life of a session.
        keep_devices_secs: u64 = 31_536_000,
        /// How long ago a caller may have proved who they are, for changes of the address, the second factor, API keys and
        /// other sessions, seconds (30 to 86 400).
        sudo_secs: u64 = 300,
        /// What a refresh by another browser or program than the sign-in's leads to: nothing (`off`), a record in the
        /// audit log (`warn`), another sign-in (`step_up`), or the end of the session (`revoke`).
        on_other_agent: FingerprintPolicy = FingerprintPolicy::Warn,
        /// The same for a refresh from another platform.
        on_other_platform: FingerprintPolicy = FingerprintPolicy::Revoke,
    }
}

/// What a client that looks different leads to (R56).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FingerprintPolicy {
    /// Nothing.
    Off,
    /// A record in the audit log.
    Warn,
    /// No refresh: the user signs in again. The session stays for the client that has it.
    StepUp,
    /// The end of the session.
    Revoke,
}

section! {
    /// Password hashing (argon2id, RFC 9106) and rules (NIST SP 800-63B-4).
    struct PasswordsConfig in "passwords" {
        /// Memory of one hash, KiB.
        argon2_memory_kib: u32 = 19_456,
        /// Passes over the memory.
        argon2_passes: u32 = 2,
        /// Hashes computed at once. Default: one a core.
        workers: Option<usize> = None,
        /// Hashes that may wait for each worker before callers are told to come back.
        queue_per_worker: usize = 8,
        /// Shortest password, code points.
        min_length: usize = 15,
        /// Longest password, code points (512 bytes at most in any case).
        max_length: usize = 128,
    }
}

section! {
    /// Sign-up.
    struct RegistrationConfig in "registration" {
        /// Whether strangers may sign up.
        enabled: bool = true,
        /// Whether sign-up says that an address is taken (409) and names the new user (201). When not, the
        /// answer is the same 202 for a new and a known address (R12, C20).
        reveal_duplicates: bool = false,
        /// Whether a new account waits until its address is proven, by the link that is mailed to it.
        verify_email: bool = false,
        /// Whether who signs up is signed in at once: sign-up answers tokens. Only with `reveal_duplicates`.
        auto_login: bool = false,
    }
}

section! {
    /// Tenants: companies that share the installation, each with its own users, roles and keys.
    struct TenantsConfig in "tenants" {
        /// Whether strangers may register a tenant (`POST /v1/client/register`).
        self_registration: bool = false,
        /// What tenants can book, as `name=rate`: requests a second of each of the tenant's own API keys, 0 for no
        /// limit.
        plans: Vec<String> = ["free=10", "pro=100", "enterprise=0"].map(str::to_owned).to_vec(),
    }
}

section! {
    /// API keys.
    struct ApiKeysConfig in "api_keys" {
        /// The word in `bwk_<word>_…`: 1 to 12 lower-case letters and digits, not `rt`.
        environment: String = "prod".to_owned(),
        /// Keys that a user may have at once.
        max_per_user: u32 = 100,
        /// Unknown keys that an address may send in a minute before it is told to wait; each node counts by itself.
        failures_per_minute: u32 = 30,
    }
}

impl TokensConfig {
    pub(super) fn check(&self, found: &mut Problems) {
        if let Some(issuer) = &self.issuer {
            check_origin(found, "tokens.issuer", issuer);
        }
        if self.audience.as_ref().is_some_and(|audience| audience.trim().is_empty()) {
            found.add("tokens.audience", "must not be empty");
        }
        found.within("tokens.access_ttl_secs", self.access_ttl_secs, 1..=86_400);
        found.within("tokens.leeway_secs", self.leeway_secs, 0..=300);
        found.within("tokens.key_life_days", u64::from(self.key_life_days), 1..=3650);
    }

    pub(super) fn weaknesses(&self, found: &mut Problems) {
        if self.access_ttl_secs > 3600 {
            found.add(
                "tokens.access_ttl_secs",
                "services that verify tokens by themselves trust one this long",
            );
        }
        if self.key_life_days > 366 {
            found.add("tokens.key_life_days", "a key that leaked unseen signs this long");
        }
    }
}

impl SessionsConfig {
    pub(super) fn check(&self, found: &mut Problems) {
        found.within("sessions.absolute_ttl_secs", self.absolute_ttl_secs, 1..=LONGEST_SECS);
        found.within("sessions.idle_ttl_secs", self.idle_ttl_secs, 1..=LONGEST_SECS);
        if self.idle_ttl_secs > self.absolute_ttl_secs {
            let limit = self.absolute_ttl_secs;
            found.add(
                "sessions.idle_ttl_secs",
                format!("is over `sessions.absolute_ttl_secs`, which is {limit}"),
            );
        }
        found.within("sessions.keep_ended_secs", self.keep_ended_secs, 3600..=LONGEST_SECS);
        found.within(
            "sessions.keep_devices_secs",
            self.keep_devices_secs,
            self.absolute_ttl_secs..=LONGEST_SECS,
        );
        found.within("sessions.refresh_grace_secs", self.refresh_grace_secs, 0..=600);
        found.within("sessions.sudo_secs", self.sudo_secs, 30..=86_400);
        found.within("sessions.max_per_user", u64::from(self.max_per_user), 1..=10_000);
        found.within("sessions.revocation_poll_secs", self.revocation_poll_secs, 1..=3600);
    }

    pub(super) fn weaknesses(&self, found: &mut Problems) {
        if self.sudo_secs > 900 {
            found.add("sessions.sudo_secs", "whoever finds an open session can change the account this long");
        }
        if self.revocation_poll_secs > 60 {
            found
                .add("sessions.revocation_poll_secs", "a lost message lets a revoked session live this long");
        }
    }
}

impl PasswordsConfig {
    pub(super) fn check(&self, found: &mut Problems) {
        found.within(
            "passwords.argon2_memory_kib",
            u64::from(self.argon2_memory_kib),
            8..=u64::from(MOST_ARGON2_MEMORY_KIB),
        );
        found.within(
            "passwords.argon2_passes",
            u64::from(self.argon2_passes),
            1..=u64::from(MOST_ARGON2_PASSES),
        );
        if let Some(workers) = self.workers {
            found.within("passwords.workers", workers as u64, 1..=1024);
        }
        found.within("passwords.queue_per_worker", self.queue_per_worker as u64, 1..=10_000);
        found.within("passwords.max_length", self.max_length as u64, 1..=512);
        found.within("passwords.min_length", self.min_length as u64, 1..=512);
        if self.min_length > self.max_length {
            let limit = self.max_length;
            found.add("passwords.min_length", format!("is over `passwords.max_length`, which is {limit}"));
        }
    }

    pub(super) fn weaknesses(&self, found: &mut Problems) {
        if u64::from(self.argon2_memory_kib) * u64::from(self.argon2_passes) < LEAST_ARGON2_WORK {
            found.add("passwords.argon2_memory_kib", "with so few passes a stolen hash is cheap to guess");
        }
        if self.min_length < 15 {
            found.add(
                "passwords.min_length",
                "NIST SP 800-63B-4 asks for 15 where a password is the only factor",
            );
        }
        if self.max_length < 64 {
            found.add("passwords.max_length", "NIST SP 800-63B-4 asks to take at least 64");
        }
    }
}

impl TenantsConfig {
    pub(super) fn check(&self, found: &mut Problems) {
        let is_plan = |text: &String| {
            text.split_once('=').is_some_and(|(name, rate)| {
                let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
                (1..=32).contains(&name.len()) && name.bytes().all(fits) && rate.parse::<u32>().is_ok()
            })
        };
        if let Some(wrong) = self.plans.iter().find(|text| !is_plan(text)) {
            found.add("tenants.plans", format!("`{wrong}` is not a name and a rate, such as `pro=100`"));
        }
        if self.plans.is_empty() {
            found.add("tenants.plans", "must not be empty");
        }
    }
}

impl ApiKeysConfig {
    pub(super) fn check(&self, found: &mut Problems) {
        let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let word = &self.environment;
        if !(1..=12).contains(&word.len()) || !word.bytes().all(fits) || word == "rt" {
            found.add("api_keys.environment", "must be 1 to 12 lower-case letters and digits, and not `rt`");
        }
        found.within("api_keys.max_per_user", u64::from(self.max_per_user), 1..=10_000);
        found.within("api_keys.failures_per_minute", u64::from(self.failures_per_minute), 1..=100_000);
    }
}

impl RegistrationConfig {
    pub(super) fn check(&self, found: &mut Problems) {
        if self.auto_login && !self.reveal_duplicates {
            found.add(
                "registration.auto_login",
                "needs `registration.reveal_duplicates`: tokens for new addresses alone tell which are known",
            );
        }
        if self.auto_login && self.verify_email {
            found.add(
                "registration.auto_login",
                "cannot be with `registration.verify_email`: such an account waits for its address",
            );
        }
    }

    pub(super) fn weaknesses(&self, found: &mut Problems) {
        if self.reveal_duplicates {
            found.add("registration.reveal_duplicates", "strangers can learn who has an account");
        }
    }
}
