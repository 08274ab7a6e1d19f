//! Places for those who listen, and who may take how many.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::base::TenantId;

/// Of how many places one tenant's programs may take one; the installation's own may take all.
const SHARE: usize = 10;

/// The places of a node.
#[derive(Debug, Clone)]
pub(super) struct Places(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    most: usize,
    taken: Mutex<HashMap<TenantId, usize>>,
}

/// A place. Dropped, it is free for another.
#[derive(Debug)]
pub(super) struct Place {
    of: Places,
    tenant: TenantId,
}

impl Places {
    pub(super) fn new(most: usize) -> Self {
        Self(Arc::new(Shared { most, taken: Mutex::default() }))
    }

    /// A place for a program of `tenant`, unless all are taken, or as many as a tenant gets.
    pub(super) fn take(&self, tenant: TenantId) -> Option<Place> {
        let most = self.0.most;
        let share = if tenant == TenantId::DEFAULT { most } else { (most / SHARE).max(1) };
        let mut taken = self.taken();
        let own = taken.get(&tenant).copied().unwrap_or_default();
        if own >= share || taken.values().sum::<usize>() >= most {
            return None;
        }
        taken.insert(tenant, own + 1);
        Some(Place { of: self.clone(), tenant })
    }

    /// How many are taken.
    pub(super) fn count(&self) -> usize {
        self.taken().values().sum()
    }

    fn taken(&self) -> MutexGuard<'_, HashMap<TenantId, usize>> {
        self.0.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.of.taken();
        match taken.get_mut(&self.tenant) {
            Some(own) if *own > 1 => *own -= 1,
            _ => drop(taken.remove(&self.tenant)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{Millis, SeededEntropy};

    #[test]
    fn a_tenant_takes_a_share_and_the_installation_what_is_left() {
        let entropy = SeededEntropy::new(1);
        let tenant = |at| TenantId::new(Millis(at), &entropy).unwrap();
        let (acme, rival) = (tenant(1), tenant(2));
        let places = Places::new(20);
        let of_acme: Vec<_> = std::iter::from_fn(|| places.take(acme)).collect();
        assert_eq!(of_acme.len(), 2);
        let of_rival = places.take(rival).unwrap();
        let own: Vec<_> = std::iter::from_fn(|| places.take(TenantId::DEFAULT)).collect();
        assert_eq!((own.len(), places.count()), (17, 20));
        assert!(places.take(rival).is_none(), "all are taken");
        drop(of_acme);
        assert!(places.take(acme).is_some() && places.count() == 18);
        drop((of_rival, own));
        assert_eq!((places.count(), places.taken().len()), (0, 0), "nothing is kept of who is gone");
        assert!(Places::new(1).take(acme).is_some(), "at least one");
    }
}
