//! Callers that were verified a moment ago: what spares most requests a signature and a look-up.
//!
//! ```text
//!  bearer ─ SHA-256 ─► known? ─ no ─────────────────────────► verify, check the session ─► kept
//!                        │ yes                                          ▲
//!                        ├─ past its time ──────────────────────────────┤
//!                        └─ what do the news say of its session? ─ ask ─┘
//!                                            │ ended ─► refused    trust ─► the caller
//! ```
//! - SECURITY: no entry is believed by itself: *every* hit consults the news of ended sessions
//!   ([`SessionService::view`](crate::sessions::SessionService::view)), or what is known of the client
//!   ([`ClientService::check_live`](crate::clients::ClientService::check_live)), so a revocation bites as it does
//!   without this cache: on this node with its commit, on others by the bus or their poll (threat T29).
//! - SECURITY: an entry counts only while no signing key was dropped since before its verification: the
//!   key may have been the token's (threat T47).
//! - Only a caller who was let in is kept. What is refused is verified again each time.
//! - The key is a digest: a token is nowhere in memory because of this (threat T21).

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
    time::Duration,
};

use quick_cache::{Weighter, sync::Cache};

use super::Caller;
use crate::base::{Digest32, Millis};

/// Longest time that a verification counts.
const TTL: Duration = Duration::from_mins(5);
/// The same while the bus is down: then only the poll brings news of other nodes.
const DEGRADED_TTL: Duration = Duration::from_secs(5);
/// Memory that entries may take, bytes.
const MAX_BYTES: u64 = 32 * 1024 * 1024;
/// Bytes of an entry besides its texts.
const ENTRY_BYTES: usize = 512;
/// Entries that are expected; the table grows when there are more.
const EXPECTED_ENTRIES: usize = 4096;

/// A caller, and for how long the verification counts.
#[derive(Debug, Clone)]
struct Verified {
    caller: Caller,
    at: Millis,
    until: Millis,
    /// How often signing keys had been dropped before the verification.
    dropped_keys: u64,
}

/// Says how much memory an entry takes.
#[derive(Debug, Clone)]
struct Bytes;

impl Weighter<Digest32, Verified> for Bytes {
    fn weight(&self, _token: &Digest32, entry: &Verified) -> u64 {
        let bytes = match &entry.caller {
            Caller::User(user) => {
                let claims = &user.claims;
                let listed = claims.roles.iter().flatten().chain(&claims.amr).map(|text| text.len() + 32);
                let texts = [&claims.iss, &claims.client_id, &claims.jti, &claims.acr, &claims.scope];
                texts.iter().map(|text| text.len()).sum::<usize>() + 2 * listed.sum::<usize>()
            }
            Caller::Service(service) => {
                let claims = &service.claims;
                let listed = claims.roles.iter().flatten().map(|text| text.len() + 32);
                claims.iss.len() + claims.jti.len() + claims.scope.len() + listed.sum::<usize>()
            }
            Caller::Key(_) | Caller::Anonymous => 0, // neither comes by a token
        };
        (ENTRY_BYTES + bytes) as u64
    }
}

/// The callers that a node has verified, by the digests of their tokens.
#[derive(Debug)]
pub(super) struct Callers {
    verified: Cache<Digest32, Verified, Bytes>,
    /// How many verifications were done in full.
    misses: AtomicU64,
}

impl Callers {
    /// Nobody yet.
    pub(super) fn new() -> Self {
        let verified = Cache::with_weighter(EXPECTED_ENTRIES, MAX_BYTES, Bytes);
        Self { verified, misses: AtomicU64::new(0) }
    }

    /// Who presented this token before, if the verification still counts. The news were not asked yet.
    pub(super) fn get(
        &self,
        token: &Digest32,
        now: Millis,
        dropped_keys: u64,
        is_degraded: impl FnOnce() -> bool,
    ) -> Option<Caller> {
        let entry = self.verified.get(token)?;
        // A clock that jumped back behind the verification does not make it count for longer.
        let counts = entry.at <= now && now < entry.until && entry.dropped_keys == dropped_keys;
        let is_fresh = || now.since(entry.at) <= DEGRADED_TTL || !is_degraded();
        (counts && is_fresh()).then_some(entry.caller)
    }

    /// When a use of this token was last noted, whether or not its verification still counts.
    pub(super) fn noted_at(&self, token: &Digest32) -> Option<Arc<AtomicI64>> {
        self.verified.get(token)?.caller.user().map(|user| Arc::clone(&user.noted_at))
    }

    /// Keeps a caller who was verified in full at `now`, and whose token and session last to `ends`; answers until
    /// when. `dropped_keys` was read before the verification.
    pub(super) fn keep(
        &self,
        token: Digest32,
        caller: Caller,
        (now, ends): (Millis, Millis),
        dropped_keys: u64,
    ) -> Millis {
        self.misses.fetch_add(1, Ordering::Relaxed);
        let until = now.plus(TTL).min(ends);
        self.adopt(token, caller, (now, until), dropped_keys);
        until
    }

    /// Keeps a caller who was verified at `at`, here or by another node, until a moment.
    pub(super) fn adopt(
        &self,
        token: Digest32,
        caller: Caller,
        (at, until): (Millis, Millis),
        dropped_keys: u64,
    ) {
        if until > at {
            self.verified.insert(token, Verified { caller, at, until, dropped_keys });
        }
    }

    /// Forgets a caller.
    pub(super) fn forget(&self, token: &Digest32) {
        self.verified.remove(token);
    }

    /// How many verifications were done in full.
    pub(super) fn misses(&self) -> u64 {
        self.misses.load(Ordering::Relaxed)
    }
}
