//! From the text of a key to who uses it.

use std::{
    fmt,
    net::IpAddr,
    sync::{Arc, OnceLock, atomic::AtomicI64},
    time::Duration,
};

use quick_cache::sync::Cache;

use super::{
    ApiKey, ApiKeyError, ApiKeyService, KeyCaller, PresentedKey,
    limit::{Metered, Pace, client_of},
    store,
};
use crate::{
    base::{ApiKeyId, Millis, TenantId},
    bus::{IdentityNews, Stamp, Subject},
    storage::StorageError,
};

/// How long a key that was read counts.
const TTL: Duration = Duration::from_secs(10);
/// The same while no news of other nodes come.
const DEGRADED_TTL: Duration = Duration::from_secs(1);
/// How long an id that nobody has is remembered. None is ever given to a key afterwards.
const ABSENT_TTL: Duration = Duration::from_secs(30);

/// A key as it was read a moment ago.
pub(super) struct KnownKey {
    key: ApiKey,
    caller: Arc<KeyCaller>,
    secret_hash: Vec<u8>,
    is_kept_out: bool,
    at: Millis,
    stamps: (Stamp, Option<Stamp>),
    /// Where the policies let it be used from, as far as they were asked.
    permitted_from: OnceLock<Option<IpAddr>>,
    /// When a use was last noted.
    pub(super) noted_at: AtomicI64,
}

#[derive(Clone)]
enum Held {
    Absent { at: Millis },
    Key(Arc<KnownKey>),
}

/// The keys of this node.
pub(super) struct Known(Cache<ApiKeyId, Held>);

/// A use of a key whose form, secret, state, address and rate are right.
pub struct KeyUse {
    /// Who uses it.
    pub caller: Arc<KeyCaller>,
    /// What is left of its rate, if it has one.
    pub metered: Option<Metered>,
    known: Arc<KnownKey>,
    ip: Option<IpAddr>,
}

impl fmt::Debug for Known {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Known").field("len", &self.0.len()).finish()
    }
}

impl fmt::Debug for KeyUse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyUse").field("caller", &self.caller).field("ip", &self.ip).finish_non_exhaustive()
    }
}

impl KeyUse {
    /// When the key ends, if it does.
    #[must_use]
    pub fn ends_at(&self) -> Option<Millis> {
        self.known.key.limits.expires_at
    }

    /// Whether the policies were asked about this key and address since the key was read.
    #[must_use]
    pub fn is_permitted(&self) -> bool {
        self.known.permitted_from.get() == Some(&self.ip)
    }

    /// Says that the policies permit it.
    pub fn permitted(&self) {
        let _ = self.known.permitted_from.set(self.ip); // of two addresses, one is remembered
    }
}

impl Known {
    /// Nothing was read yet; `capacity` are held.
    pub(super) fn new(capacity: usize) -> Self {
        Self(Cache::new(capacity))
    }

    /// What counts of an id, if something does.
    fn get(&self, id: ApiKeyId, now: Millis, news: &IdentityNews) -> Option<Held> {
        let held = self.0.get(&id)?;
        let counts = match &held {
            Held::Absent { at } => *at <= now && now.since(*at) < ABSENT_TTL,
            Held::Key(known) => known.counts(now, news),
        };
        counts.then_some(held)
    }
}

impl KnownKey {
    fn counts(&self, now: Millis, news: &IdentityNews) -> bool {
        let old = now.since(self.at);
        // A clock that jumped back does not make it count for longer.
        let is_young = self.at <= now && (old < DEGRADED_TTL || (old < TTL && !news.is_degraded()));
        is_young && stamps(&self.key, news) == self.stamps
    }
}

impl ApiKeyService {
    /// Says who uses a key, if it is one of ours and may be used from `ip` now. Takes one from its rate.
    ///
    /// Errors: `Invalid`, `Revoked`, `Disabled`, `Expired`, `IpNotAllowed`, `TooFast`, `TooManyFailures`, `Storage`
    /// (nobody knows: neither an allow nor a 401).
    /// Source: identity.md §2.5.
    pub async fn verify(&self, text: &str, ip: Option<IpAddr>) -> Result<KeyUse, ApiKeyError> {
        self.verify_within(None, text, ip).await
    }

    /// [`ApiKeyService::verify`] for who may know of the keys of one tenant only: others are none.
    ///
    /// Errors: as there.
    pub async fn verify_within(
        &self,
        within: Option<TenantId>,
        text: &str,
        ip: Option<IpAddr>,
    ) -> Result<KeyUse, ApiKeyError> {
        let presented = PresentedKey::parse(text).ok_or(ApiKeyError::Invalid)?;
        let now = self.parts.clock.now();
        let known = match self.known.get(presented.id, now, &self.parts.news) {
            Some(Held::Key(known)) => known,
            Some(Held::Absent { .. }) => return Err(ApiKeyError::Invalid),
            None => self.look_up(&presented, ip, now).await?,
        };
        // SECURITY: nothing is said of a key to who has not its secret.
        if !presented.has_secret(&known.secret_hash) {
            return Err(ApiKeyError::Invalid);
        }
        let key = &known.key;
        if within.is_some_and(|tenant| tenant != key.tenant_id) {
            return Err(ApiKeyError::Invalid);
        }
        if key.revoked_at.is_some() {
            return Err(ApiKeyError::Revoked);
        }
        if known.is_kept_out {
            return Err(ApiKeyError::Disabled);
        }
        if key.limits.expires_at.is_some_and(|at| at <= now) {
            return Err(ApiKeyError::Expired);
        }
        if !key.limits.allow_ip(ip) {
            return Err(ApiKeyError::IpNotAllowed);
        }
        let metered = match key.limits.rate {
            Some(rate) => {
                let pace = Pace::new("api-key", rate.per_second, Duration::from_secs(1), rate.burst);
                Some(self.rates.take(&key.id, pace, now).map_err(ApiKeyError::TooFast)?)
            }
            None => None,
        };
        self.usage.note(&known.noted_at, (key.tenant_id, key.id), now, ip);
        Ok(KeyUse { caller: Arc::clone(&known.caller), metered, known, ip })
    }

    /// Reads a key, if its address may still be wrong.
    async fn look_up(
        &self,
        presented: &PresentedKey<'_>,
        ip: Option<IpAddr>,
        now: Millis,
    ) -> Result<Arc<KnownKey>, ApiKeyError> {
        let (client, pace) = (client_of(ip), self.failure_pace());
        let _turn = self.look_ups.wait(&client).await;
        // Whoever waited may find what those before them looked up: on a node that holds nothing yet, and whenever what
        // it holds has become old, all connections of a service come at once.
        let now = now.max(self.parts.clock.now());
        match self.known.get(presented.id, now, &self.parts.news) {
            Some(Held::Key(known)) => return Ok(known),
            Some(Held::Absent { .. }) => return Err(ApiKeyError::Invalid),
            None => {}
        }
        // Taken before the look-up and given back after a right one: many at once cannot slip past.
        self.failures.take(&client, pace, now).map_err(ApiKeyError::TooManyFailures)?;
        let found = self.read(presented.id, now).await;
        let is_failure = match &found {
            Ok(Some(known)) => !presented.has_secret(&known.secret_hash),
            Ok(None) => true,
            Err(_) => false,
        };
        if !is_failure {
            self.failures.give_back(&client, pace);
        }
        found?.ok_or(ApiKeyError::Invalid)
    }

    async fn read(&self, id: ApiKeyId, now: Millis) -> Result<Option<Arc<KnownKey>>, StorageError> {
        let db = &mut &self.parts.db;
        let Some(first) = store::presented(db, id).await? else {
            self.known.0.insert(id, Held::Absent { at: now });
            return Ok(None);
        };
        // INVARIANT: the stamps are taken before the read that counts. They need its tenant and owner, which do
        // not change: that is what the first one is for.
        let stamps = stamps(&first.key, &self.parts.news);
        let Some(stored) = store::presented(db, id).await? else { return Ok(None) };
        let key = stored.key;
        let caller = Arc::new(KeyCaller {
            id,
            name: id.to_string(),
            tenant_id: key.tenant_id,
            owner: key.owner,
            slot: key.slot,
            scopes: key.limits.scopes.clone(),
        });
        let noted_at = AtomicI64::new(key.last_used_at.map_or(0, |at| at.0));
        let known = Arc::new(KnownKey {
            key,
            caller,
            secret_hash: stored.secret_hash,
            is_kept_out: stored.is_kept_out,
            at: now,
            stamps,
            permitted_from: OnceLock::new(),
            noted_at,
        });
        self.known.0.insert(id, Held::Key(Arc::clone(&known)));
        Ok(Some(known))
    }
}

/// What moves when the key, its owner or their tenant changes.
fn stamps(key: &ApiKey, news: &IdentityNews) -> (Stamp, Option<Stamp>) {
    let of = |subject| news.stamp(key.tenant_id, subject);
    (of(Subject::Key(key.id)), key.owner.map(|owner| of(Subject::User(owner))))
}
