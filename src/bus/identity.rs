//! News of identity: which copies of what is known about users and roles are outdated.
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
use crate::base::{TenantId, UserId};

/// Counters of users and tenants; a power of two.
const SLOTS: usize = 4096;

/// A point in the order of changes, for one user or tenant. Two are comparable only if they are of the
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

    /// The present stamp of a user, or of a tenant's roles. It moves with every change of either, and
    /// when news may have been missed.
    ///
    /// INVARIANT: counters only grow, so their sum is the same only while none has moved.
    pub fn stamp(&self, tenant: TenantId, user: Option<UserId>) -> Stamp {
        let of = |slot: Option<&AtomicU64>| slot.map_or(0, |slot| slot.load(Ordering::SeqCst));
        let user = user.map_or(0, |user| of(self.slot(user.as_uuid().as_u128())));
        let tenant = of(self.slot(tenant.as_uuid().as_u128()));
        Stamp(user.wrapping_add(tenant).wrapping_add(of(Some(&self.everyone))))
    }

    /// Whether news of other nodes do not come.
    pub fn is_degraded(&self) -> bool {
        self.bus.is_degraded()
    }

    /// Says that a user changed, or without one the roles of a tenant: to this node at once, then to the
    /// others. Call it after the commit and before the answer. What fails here is made good by the short
    /// life of copies: no error.
    pub async fn tell(&self, tenant: TenantId, user: Option<UserId>) {
        self.mark(tenant, user);
        let payload = user.map_or_else(|| format!("{tenant} *"), |user| format!("{tenant} {user}"));
        if let Err(error) = self.bus.publish(Topic::Identity, &payload).await {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "a change of identity was not published"
            );
        }
    }

    /// Takes in what a message says: a tenant, and a user or `*`. It is hearsay, and costs a query.
    pub fn hear(&self, payload: &str) {
        let Some((tenant, user)) = payload.split_once(' ') else { return };
        match (tenant.parse(), user, user.parse()) {
            (Ok(tenant), "*", _) => self.mark(tenant, None),
            (Ok(tenant), _, Ok(user)) => self.mark(tenant, Some(user)),
            _ => {}
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

    fn mark(&self, tenant: TenantId, user: Option<UserId>) {
        let id = user.map_or_else(|| tenant.as_uuid(), |user| user.as_uuid());
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
        let stamps =
            || (news.stamp(tenant, Some(ann)), news.stamp(tenant, Some(bob)), news.stamp(tenant, None));
        let (a0, b0, t0) = stamps();
        assert_eq!(stamps(), (a0, b0, t0));
        news.tell(tenant, Some(ann)).await;
        let (a1, b1, t1) = stamps();
        assert!(a1 != a0 && b1 == b0 && t1 == t0);
        news.tell(tenant, None).await;
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
        let stamp = || news.stamp(tenant, Some(ann));
        for (payload, moves) in [
            (format!("{tenant} {ann}"), true),
            (format!("{tenant} *"), true),
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
