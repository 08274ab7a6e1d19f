//! What is not counted but read when somebody looks.

use std::{borrow::Cow, sync::atomic::AtomicU64, time::Duration};

use prometheus_client::{
    metrics::{family::Family, gauge::Gauge},
    registry::Registry,
};

use super::catalog::{
    BUS_DEGRADED, ENTITIES, ENTITIES_REVISION, INDEX_DISTRUSTED, POLICIES, POLICIES_UNINDEXED,
    POLICY_VERSION, SNAPSHOT_AGE, STREAMS,
};

/// The state of a node at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Scrape {
    /// Every store that answers.
    pub stores: Vec<StoreGauges>,
    /// Whether messages of other nodes do not arrive.
    pub bus_degraded: bool,
    /// How many streams of revocations are open.
    pub streams: usize,
}

/// The state of one store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreGauges {
    /// Its name.
    pub store: String,
    /// The version that answers.
    pub version: i64,
    /// For how long.
    pub age: Duration,
    /// How many policies it has.
    pub policies: usize,
    /// How many of them every decision looks at.
    pub unindexed: usize,
    /// Whether it is decided without its index.
    pub index_distrusted: bool,
    /// What applications have stored, if anything.
    pub entities: Option<EntityGauges>,
}

/// The state of a store's entities.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EntityGauges {
    /// How many there are.
    pub count: usize,
    /// Their revision.
    pub revision: u64,
}

type ByStore = [(&'static str, Cow<'static, str>); 1];
type Seconds = Gauge<f64, AtomicU64>;

impl Scrape {
    /// A registry with these values alone: a store that is gone leaves nothing behind.
    pub(super) fn registry(&self) -> Registry {
        let mut registry = Registry::default();
        let whole = |value: &dyn Fn(&StoreGauges) -> Option<u64>| {
            let family = Family::<ByStore, Gauge>::default();
            for store in &self.stores {
                if let Some(value) = value(store) {
                    let value = i64::try_from(value).unwrap_or(i64::MAX);
                    family.get_or_create(&labels(store)).set(value);
                }
            }
            family
        };
        let count = |count: usize| Some(u64::try_from(count).unwrap_or(u64::MAX));
        INDEX_DISTRUSTED.register(&mut registry, whole(&|store| Some(store.index_distrusted.into())));
        POLICIES.register(&mut registry, whole(&|store| count(store.policies)));
        POLICIES_UNINDEXED.register(&mut registry, whole(&|store| count(store.unindexed)));
        POLICY_VERSION.register(&mut registry, whole(&|store| u64::try_from(store.version).ok()));
        let age = Family::<ByStore, Seconds>::default();
        for store in &self.stores {
            age.get_or_create(&labels(store)).set(store.age.as_secs_f64());
        }
        SNAPSHOT_AGE.register(&mut registry, age);
        ENTITIES.register(&mut registry, whole(&|store| count(store.entities?.count)));
        ENTITIES_REVISION.register(&mut registry, whole(&|store| Some(store.entities?.revision)));
        let streams: Gauge = Gauge::default();
        streams.set(i64::try_from(self.streams).unwrap_or(i64::MAX));
        STREAMS.register(&mut registry, streams);
        let degraded: Gauge = Gauge::default();
        degraded.set(self.bus_degraded.into());
        BUS_DEGRADED.register(&mut registry, degraded);
        registry
    }
}

fn labels(store: &StoreGauges) -> ByStore {
    [("store", Cow::Owned(store.store.clone()))]
}
