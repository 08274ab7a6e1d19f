//! News of identity: which copies of what is known about users, API keys and roles are outdated.
//!
//! Who caches such facts takes a [`Stamp`] *before* reading them and trusts the copy only while
//! [`IdentityNews::stamp`] still answers the same one. So nothing must be found and removed when
//! something changes, and a read that a change overtook is outdated the moment it is stored.
//!
//! ```text
//!  commit ─► tell ─┬─► counters of this node, before the API answers
//!                  └─► bus ─► hear: counters of the other nodes
//! ```
//! Counters are shared by what falls into the same slot: a change costs a neighbour a query, no more.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use tokio_util::sync::CancellationToken;

use super::{Bus, Event, Topic};
use crate::base::{ApiKeyId, ClientId, TenantId, UserId};

/// Counters of users and tenants; a power of two.
const SLOTS: usize = 4096;

/// What of a tenant a change is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Subject {
    /// The tenant itself and its roles, and with them everyone in it.
    Tenant,
    /// One user.
    User(UserId),
    /// One API key.
    Key(ApiKeyId),
    /// One client of OAuth 2.0.
    Client(ClientId),
}

/// A point in the order of changes, for one subject. Two are comparable only if they are of the
/// same one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp(u64);

/// Counts changes of identity and tells the other nodes.
#[derive(Debug)]
pub struct IdentityNews {
    bus: Bus,
    everyone: AtomicU64,
    slots: Box<[AtomicU64]>,
}

impl IdentityNews {
    /// Nothing has changed yet.
    #[must_use]
    pub fn new(bus: Bus) -> Self {
        Self { bus, everyone: AtomicU64::new(0), slots: (0..SLOTS).map(|_| AtomicU64::new(0)).collect() }
    }

    /// The present stamp of a subject. It moves with every change of it or of its tenant, and when news may
    /// have been missed.
    ///
    /// INVARIANT: counters only grow, so their sum is the same only while none has moved.
    pub fn stamp(&self, tenant: TenantId, subject: Subject) -> Stamp {
        let of = |slot: Option<&AtomicU64>| slot.map_or(0, |slot| slot.load(Ordering::SeqCst));
        let own = match subject {
            Subject::Tenant => 0,
            Subject::User(user) => of(self.slot(user.as_uuid().as_u128())),
            Subject::Key(key) => of(self.slot(key.as_uuid().as_u128())),
            Subject::Client(client) => of(self.slot(client.as_uuid().as_u128())),
        };
        let tenant = of(self.slot(tenant.as_uuid().as_u128()));
        Stamp(own.wrapping_add(tenant).wrapping_add(of(Some(&self.everyone))))
    }

    /// Whether news of other nodes do not come.
    pub fn is_degraded(&self) -> bool {
        self.bus.is_degraded()
    }

    /// Says that a subject changed: to this node at once, then to the others. Call it after the commit and
    /// before the answer. What fails here is made good by the short life of copies: no error.
    pub async fn tell(&self, tenant: TenantId, subject: Subject) {
        self.mark(tenant, subject);
        let payload = match subject {
            Subject::Tenant => format!("{tenant} *"),
            Subject::User(user) => format!("{tenant} {user}"),
            Subject::Key(key) => format!("{tenant} {key}"),
            Subject::Client(client) => format!("{tenant} {client}"),
        };
        if let Err(error) = self.bus.publish(Topic::Identity, &payload).await {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "a change of identity was not published"
            );
        }
    }

    /// Takes in what a message says: a tenant, and the id of a subject or `*`. It is hearsay, and costs a query.
    pub fn hear(&self, payload: &str) {
        let Some((tenant, id)) = payload.split_once(' ') else { return };
        let user = || id.parse().ok().map(Subject::User);
        let subject = if id == "*" { Some(Subject::Tenant) } else { user() };
        let subject = subject.or_else(|| id.parse().ok().map(Subject::Key));
        let subject = subject.or_else(|| id.parse().ok().map(Subject::Client));
        if let (Ok(tenant), Some(subject)) = (tenant.parse(), subject) {
            self.mark(tenant, subject);
        }
    }

    /// Says that anything may have changed.
    pub fn missed(&self) {
        self.everyone.fetch_add(1, Ordering::SeqCst);
    }

    /// Follows the bus until `shutdown`.
    pub async fn run(self: Arc<Self>, shutdown: CancellationToken) {
        let mut events = self.bus.subscribe();
        self.missed(); // what was cached before anybody listened
        loop {
            tokio::select! {
                () = shutdown.cancelled() => return,
                event = events.next() => match event {
                    Event::Message { topic: Topic::Identity, payload } => self.hear(&payload),
                    Event::Message { .. } => {}
                    Event::Gap => self.missed(),
                },
            }
        }
    }

    fn mark(&self, tenant: TenantId, subject: Subject) {
        let id = match subject {
            Subject::Tenant => tenant.as_uuid(),
            Subject::User(user) => user.as_uuid(),
            Subject::Key(key) => key.as_uuid(),
            Subject::Client(client) => client.as_uuid(),
        };
        if let Some(slot) = self.slot(id.as_u128()) {
            slot.fetch_add(1, Ordering::SeqCst);
        }
    }

    /// The counter of an id: by its last bits, which are random.
    fn slot(&self, id: u128) -> Option<&AtomicU64> {
        self.slots.get(id as usize % SLOTS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{Millis, SeededEntropy};

    fn user(seed: u64) -> UserId {
        UserId::new(Millis(1), &SeededEntropy::new(seed)).unwrap()
    }

    #[tokio::test]
    async fn a_stamp_moves_with_what_it_is_of() {
        let news = IdentityNews::new(Bus::local());
        let (tenant, ann, bob) = (TenantId::DEFAULT, user(1), user(2));
        let stamp = |subject| news.stamp(tenant, subject);
        let stamps = || (stamp(Subject::User(ann)), stamp(Subject::User(bob)), stamp(Subject::Tenant));
        let (a0, b0, t0) = stamps();
        assert_eq!(stamps(), (a0, b0, t0));
        news.tell(tenant, Subject::User(ann)).await;
        let (a1, b1, t1) = stamps();
        assert!(a1 != a0 && b1 == b0 && t1 == t0);
        news.tell(tenant, Subject::Tenant).await;
        let (a2, b2, t2) = stamps();
        assert!(a2 != a1 && b2 != b1 && t2 != t1, "a tenant's roles are everyone's");
        news.missed();
        let (a3, b3, t3) = stamps();
        assert!(a3 != a2 && b3 != b2 && t3 != t2);
    }

    #[test]
    fn hearsay_is_read_or_ignored() {
        let news = IdentityNews::new(Bus::local());
        let (tenant, ann) = (TenantId::DEFAULT, user(1));
        let key = ApiKeyId::from_uuid(ann.as_uuid()); // shares the slot
        let stamp = || news.stamp(tenant, Subject::User(ann));
        for (payload, moves) in [
            (format!("{tenant} {ann}"), true),
            (format!("{tenant} *"), true),
            (format!("{tenant} {key}"), true),
            (format!("{tenant}"), false),
            (format!("{ann} {tenant}"), false),
            (format!("{tenant} {ann} "), false),
            ("* *".to_owned(), false),
            (" ".to_owned(), false),
            (String::new(), false),
        ] {
            let before = stamp();
            news.hear(&payload);
            assert_eq!(stamp() != before, moves, "`{payload}`");
        }
    }
}
