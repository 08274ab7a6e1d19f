//! What this node answers from: one compiled snapshot a store, swapped whole.
//!
//! ```text
//!   policy_activations ──refresh──▶ load ─▶ compile ─▶ swap ──▶ snapshot(store)   (no lock, no wait)
//!        ▲      bus message, gap or poll                │
//!     activate                                          └─▶ node_policies (heartbeat)
//! ```
//! INVARIANT: a swap never goes to an older activation than the one that is live. INVARIANT: nothing
//! removes what is live: not an outage of the database, not a version that cannot be loaded.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use arc_swap::ArcSwap;
use tokio::{sync::Notify, time::Instant};
use tokio_util::sync::CancellationToken;

use super::{
    Activation, Bundle, Compiled, Findings, Node, PolicyServiceError, Snapshot, StoreName, VersionNumber,
    compiler::{self, Compiler},
    keeper::Keeper,
    nodes::{self, Loaded},
    status::Troubles,
    store,
};
use crate::{
    base::{Clock, Millis, NodeId},
    bus::{Bus, Event, Topic},
    storage::{Db, StorageError},
    telemetry::metrics::Metrics,
    write_tx,
};

/// A node that was not seen for this long no longer counts.
pub(super) const NODE_GONE_AFTER: Duration = Duration::from_mins(1);

/// How long a version that could not be loaded is left alone: most causes last, and a compile is costly.
const LOAD_AGAIN_AFTER: Duration = Duration::from_mins(1);

/// How often the database is asked while the bus is down, where `poll` is not shorter.
const POLL_WITHOUT_BUS: Duration = Duration::from_secs(1);

/// What is live in one store.
#[derive(Debug, Clone)]
struct Live {
    snapshot: Arc<Snapshot>,
    number: VersionNumber,
    seq: i64,
    loaded_at: Millis,
    /// Whether a verification found its index wrong.
    distrusted: Arc<AtomicBool>,
}

/// One store as this node answers from it.
#[derive(Debug, Clone)]
pub struct LoadedStore {
    /// The snapshot, with its store and version.
    pub snapshot: Arc<Snapshot>,
    /// Since when.
    pub loaded_at: Millis,
    /// Whether a verification found its index wrong.
    pub distrusted: bool,
}

/// The live snapshot of every store, kept in step with the database.
#[derive(Debug)]
pub struct LivePolicies {
    db: Db,
    clock: Arc<dyn Clock>,
    bus: Bus,
    node: Node,
    poll: Duration,
    started_at: Millis,
    live: ArcSwap<BTreeMap<StoreName, Live>>,
    /// Whether any of them is distrusted: one look on the way of every decision.
    any_distrusted: AtomicBool,
    compiler: Compiler,
    keeper: Keeper,
    swapped: Notify,
    pub(super) troubles: Troubles,
}

impl LivePolicies {
    /// Nothing is live yet; [`refresh`](Self::refresh) loads what is active.
    ///
    /// `poll` is how often the database is asked for what the bus may have lost.
    #[must_use]
    pub fn new(
        db: Db,
        clock: Arc<dyn Clock>,
        bus: Bus,
        metrics: Arc<Metrics>,
        node: Node,
        poll: Duration,
    ) -> Self {
        let started_at = clock.now();
        Self {
            db,
            clock,
            bus,
            node,
            poll,
            started_at,
            live: ArcSwap::default(),
            any_distrusted: AtomicBool::new(false),
            compiler: Compiler::new(metrics),
            keeper: Keeper::default(),
            swapped: Notify::new(),
            troubles: Troubles::default(),
        }
    }

    /// The snapshot to decide with. Lock-free; load it once a request and keep it for all of it.
    #[must_use]
    pub fn snapshot(&self, store: &StoreName) -> Option<Arc<Snapshot>> {
        self.live.load().get(store).map(|live| Arc::clone(&live.snapshot))
    }

    /// What is live, by store.
    #[must_use]
    pub fn loaded(&self) -> Vec<LoadedStore> {
        let live = self.live.load();
        let loaded = |live: &Live| LoadedStore {
            snapshot: Arc::clone(&live.snapshot),
            loaded_at: live.loaded_at,
            distrusted: live.distrusted.load(Ordering::Relaxed),
        };
        live.values().map(loaded).collect()
    }

    /// Whether decisions of this store must not use its index, because a verification found it wrong.
    #[must_use]
    pub fn is_distrusted(&self, store: &StoreName) -> bool {
        self.any_distrusted.load(Ordering::Relaxed)
            && self.live.load().get(store).is_some_and(|live| live.distrusted.load(Ordering::Relaxed))
    }

    /// Whether any store is decided without its index.
    #[must_use]
    pub fn any_distrusted(&self) -> bool {
        self.any_distrusted.load(Ordering::Relaxed)
            && self.live.load().values().any(|live| live.distrusted.load(Ordering::Relaxed))
    }

    /// Takes that the index of a snapshot was found wrong: until the store's next activation it is decided
    /// without. Of no effect when another snapshot is live by now.
    pub fn distrust(&self, snapshot: &Arc<Snapshot>) {
        let live = self.live.load();
        let Some(live) = live.get(snapshot.store()).filter(|live| Arc::ptr_eq(&live.snapshot, snapshot))
        else {
            return;
        };
        live.distrusted.store(true, Ordering::Relaxed);
        self.any_distrusted.store(true, Ordering::Relaxed);
        let message = "its index and a look at every policy came to different decisions; it is decided \
                       without its index until the next activation";
        self.troubles.distrusted(snapshot.store(), compiler::whole("index_mismatch", message));
    }

    /// This node's id.
    #[must_use]
    pub fn node_id(&self) -> NodeId {
        self.node.id
    }

    /// Loads every activation that is newer than what is live.
    ///
    /// A version that cannot be loaded leaves the last good one live, is logged once, shows in the
    /// store's status and is tried again after a minute.
    /// Errors: the database failed; everything stays as it is.
    pub async fn refresh(&self) -> Result<(), StorageError> {
        for active in store::last_activations(&mut &self.db).await? {
            let (store, seq) = (&active.store, active.by.seq);
            let tried_since = self.clock.now().minus(LOAD_AGAIN_AFTER);
            if self.seq(store) >= seq || self.troubles.load_failed(store, seq, tried_since) {
                continue;
            }
            match self.load(store, active.number).await {
                Ok(snapshot) => self.install(&active, snapshot),
                Err(PolicyServiceError::Storage(error)) => return Err(error),
                Err(PolicyServiceError::Refused(findings)) => self.cannot_load(&active, findings),
                Err(error) => self.cannot_load(&active, compiler::whole("load", &error.to_string())),
            }
        }
        Ok(())
    }

    /// Follows activations until `shutdown`: on a message, on a gap, and at least every `poll`.
    pub async fn run(self: Arc<Self>, shutdown: CancellationToken) {
        self.compiler.serve();
        let mut events = self.bus.subscribe();
        let mut failing = false;
        let mut next = Instant::now();
        loop {
            tokio::select! {
                () = shutdown.cancelled() => break,
                () = tokio::time::sleep_until(next) => {}
                () = self.swapped.notified() => {}
                event = events.next() => {
                    if !matches!(event, Event::Gap | Event::Message { topic: Topic::Policy, .. }) {
                        continue;
                    }
                }
            }
            let followed = match self.refresh().await {
                Ok(()) => self.heartbeat().await,
                failed => failed,
            };
            if let (Err(error), false) = (&followed, failing) {
                tracing::warn!(
                    error = error as &dyn std::error::Error,
                    "policies cannot be followed; the last good ones stay"
                );
            }
            failing = followed.is_err();
            drop(self.keeper.sweep());
            let deaf = self.bus.is_degraded();
            next = Instant::now() + if deaf { self.poll.min(POLL_WITHOUT_BUS) } else { self.poll };
        }
        let _ = self.leave().await; // others forget this node by themselves
    }

    /// Writes down what this node answers from, and removes nodes that are gone.
    ///
    /// Errors: the database failed.
    pub async fn heartbeat(&self) -> Result<(), StorageError> {
        let (now, live) = (self.clock.now(), self.live.load_full());
        write_tx!(self.db, "policy.heartbeat", |tx| -> Result<(), StorageError> {
            nodes::see(tx, &self.node, self.started_at, now).await?;
            for (store, live) in live.iter() {
                let loaded = Loaded { store, number: live.number, seq: live.seq, at: live.loaded_at };
                nodes::see_loaded(tx, self.node.id, &loaded).await?;
            }
            Ok(())
        })?;
        // Outside the transaction: a scan inside it would conflict with every other node's heartbeat.
        for gone in nodes::stale(&mut &self.db, now.minus(NODE_GONE_AFTER)).await? {
            self.forget(gone).await?;
        }
        Ok(())
    }

    async fn leave(&self) -> Result<(), StorageError> {
        self.forget(self.node.id).await
    }

    async fn forget(&self, node: NodeId) -> Result<(), StorageError> {
        write_tx!(self.db, "policy.forget_node", |tx| -> Result<(), StorageError> {
            nodes::forget(tx, node).await
        })
    }

    /// Compiles a bundle that has no number yet.
    pub(super) async fn check(&self, store: &StoreName, bundle: &Bundle) -> Result<Compiled, Findings> {
        self.compiler.compile(store, bundle).await
    }

    /// Keeps the snapshot of a version that was just compiled, now that its number is known.
    pub(super) fn remember(&self, number: VersionNumber, snapshot: Snapshot) -> Arc<Snapshot> {
        let snapshot = self.keeper.keep(snapshot.with_version(number));
        self.compiler.remember(&snapshot);
        snapshot
    }

    /// The snapshot of a stored version.
    ///
    /// Errors: `UnknownVersion`; `Refused` when it does not compile any more; `Storage`.
    pub(super) async fn load(
        &self,
        store: &StoreName,
        number: VersionNumber,
    ) -> Result<Arc<Snapshot>, PolicyServiceError> {
        let digest = store::digest_of(&mut &self.db, store, number)
            .await?
            .ok_or_else(|| PolicyServiceError::UnknownVersion { store: store.clone(), number })?;
        if let Some(known) = self.compiler.recall(store, digest).filter(|known| known.version() == number) {
            return Ok(known);
        }
        let bundle = self.bundle(store, number).await?;
        let compiled = self.check(store, &bundle).await.map_err(PolicyServiceError::Refused)?;
        Ok(self.remember(number, compiled.snapshot))
    }

    /// The files of a stored version.
    ///
    /// Errors: `UnknownVersion`; `Refused` when they are not what was stored; `Storage`.
    pub(super) async fn bundle(
        &self,
        store: &StoreName,
        number: VersionNumber,
    ) -> Result<Bundle, PolicyServiceError> {
        store::bundle(&mut &self.db, store, number)
            .await?
            .ok_or_else(|| PolicyServiceError::UnknownVersion { store: store.clone(), number })?
            .map_err(|error| PolicyServiceError::Refused(compiler::whole("damaged", &error.to_string())))
    }

    /// Makes an activation live, unless a newer one is.
    pub(super) fn install(&self, active: &Activation, snapshot: Arc<Snapshot>) {
        let seq = active.by.seq;
        let distrusted = Arc::default(); // a new activation begins with trust
        let new = Live { snapshot, number: active.number, seq, loaded_at: self.clock.now(), distrusted };
        let before = self.live.rcu(|stores| {
            if stores.get(&active.store).is_some_and(|live| live.seq >= seq) {
                return Arc::clone(stores);
            }
            let mut stores = BTreeMap::clone(stores);
            stores.insert(active.store.clone(), new.clone());
            Arc::new(stores)
        });
        if before.get(&active.store).is_none_or(|live| live.seq < seq) {
            self.troubles.loaded(&active.store);
            self.swapped.notify_one();
            tracing::info!(store = %active.store, version = %active.number, seq, "policy version is live");
        }
    }

    fn seq(&self, store: &StoreName) -> i64 {
        self.live.load().get(store).map_or(0, |live| live.seq)
    }

    fn cannot_load(&self, active: &Activation, findings: Findings) {
        let text = findings.to_string();
        if self.troubles.cannot_load(&active.store, active.by.seq, self.clock.now(), findings) {
            tracing::error!(store = %active.store, version = %active.number, findings = text,
                "the active policy version cannot be loaded; the last good one stays");
        }
    }
}
