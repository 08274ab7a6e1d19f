//! How a store is doing: what is active, what is wrong, which node answers from which version.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
};

use serde::{Deserialize, Serialize};

use super::{
    ActivatedBy, Findings, NodeStatus, PolicyService, PolicyServiceError, StoreName, VersionNumber,
    live::NODE_GONE_AFTER, nodes, store,
};
use crate::base::{Digest32, Millis};

/// Whether what is active is also what was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Health {
    /// Nothing is wrong.
    Ok,
    /// The findings say what keeps a newer version from answering, or what is wrong with the one that does.
    Degraded,
}

/// Where new versions of a store come from, beside the API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// This folder is watched: an edit in it is published and activated.
    Folder(PathBuf),
    /// Nowhere else.
    Api,
}

/// The version that answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActiveVersion {
    /// Its number.
    pub number: VersionNumber,
    /// What names its content.
    pub digest: Digest32,
    /// The version its manifest states.
    pub semver: String,
    /// Who activated it, when and why.
    pub by: ActivatedBy,
}

/// How one store is doing.
#[derive(Debug, Clone)]
pub struct StoreStatus {
    /// The store.
    pub store: StoreName,
    /// The version that answers; none before the first activation.
    pub active: Option<ActiveVersion>,
    /// Whether this node has any trouble with the store.
    pub health: Health,
    /// What the trouble is.
    pub findings: Findings,
    /// Where new versions come from.
    pub source: Source,
    /// The nodes that have the store loaded and were seen within the last minute.
    pub nodes: Vec<NodeStatus>,
}

/// One store in the list of all.
#[derive(Debug, Clone)]
pub struct StoreSummary {
    /// The store.
    pub store: StoreName,
    /// The version that answers.
    pub active: Option<VersionNumber>,
    /// How many versions are stored.
    pub versions: i64,
    /// Whether this node has any trouble with the store.
    pub health: Health,
}

/// What keeps stores of this node from what was asked of them.
#[derive(Debug, Default)]
pub(super) struct Troubles(Mutex<BTreeMap<StoreName, Trouble>>);

#[derive(Debug, Default)]
struct Trouble {
    folder: Option<PathBuf>,
    /// What is wrong in the watched folder.
    edit: Findings,
    /// What could not be loaded.
    load: Option<FailedLoad>,
    /// What is wrong with the index of what is live.
    index: Findings,
}

#[derive(Debug)]
struct FailedLoad {
    /// The activation that wanted it.
    seq: i64,
    tried_at: Millis,
    findings: Findings,
}

impl Troubles {
    /// The findings about a store, and its watched folder.
    pub(super) fn of(&self, store: &StoreName) -> (Findings, Source) {
        let stores = self.lock();
        let Some(trouble) = stores.get(store) else { return (Findings::default(), Source::Api) };
        let load = trouble.load.iter().flat_map(|load| &load.findings);
        let findings = trouble.edit.iter().chain(load).chain(&trouble.index);
        let findings = Findings::new(findings.cloned().collect());
        (findings, trouble.folder.clone().map_or(Source::Api, Source::Folder))
    }

    /// Stores that this node has something to say about: a watched folder, or trouble.
    pub(super) fn stores(&self) -> Vec<StoreName> {
        self.lock().keys().cloned().collect()
    }

    /// Whether this activation could not be loaded when it was tried after `since`.
    pub(super) fn load_failed(&self, store: &StoreName, seq: i64, since: Millis) -> bool {
        let stores = self.lock();
        let load = stores.get(store).and_then(|trouble| trouble.load.as_ref());
        load.is_some_and(|load| load.seq == seq && load.tried_at > since)
    }

    /// Takes why an activation cannot be loaded; answers whether that is news.
    pub(super) fn cannot_load(&self, store: &StoreName, seq: i64, now: Millis, findings: Findings) -> bool {
        let mut stores = self.lock();
        let trouble = stores.entry(store.clone()).or_default();
        let news = trouble.load.as_ref().is_none_or(|load| load.seq != seq || load.findings != findings);
        trouble.load = Some(FailedLoad { seq, tried_at: now, findings });
        news
    }

    /// Takes that the active version is loaded.
    pub(super) fn loaded(&self, store: &StoreName) {
        if let Some(trouble) = self.lock().get_mut(store) {
            trouble.load = None;
            trouble.index = Findings::default();
        }
    }

    /// Takes that the index of what is live was found wrong.
    pub(super) fn distrusted(&self, store: &StoreName, findings: Findings) {
        self.lock().entry(store.clone()).or_default().index = findings;
    }

    /// Takes that a folder is watched.
    pub(super) fn watch(&self, store: &StoreName, folder: &Path) {
        self.lock().entry(store.clone()).or_default().folder = Some(folder.to_owned());
    }

    /// Takes what is wrong in the folder, nothing when all is well; answers whether that is news.
    pub(super) fn edited(&self, store: &StoreName, findings: Findings) -> bool {
        let mut stores = self.lock();
        let trouble = stores.entry(store.clone()).or_default();
        let news = trouble.edit != findings;
        trouble.edit = findings;
        news
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<StoreName, Trouble>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Health {
    pub(super) fn of(findings: &Findings) -> Self {
        if findings.is_empty() { Self::Ok } else { Self::Degraded }
    }
}

impl PolicyService {
    /// Every store, by name.
    ///
    /// Errors: `Storage`.
    pub async fn stores(&self) -> Result<Vec<StoreSummary>, PolicyServiceError> {
        let active = store::last_activations(&mut &self.db).await?;
        let mut stores = store::stores(&mut &self.db).await?;
        for named in self.live.troubles.stores() {
            if !stores.iter().any(|(store, _)| *store == named) {
                stores.push((named, 0));
            }
        }
        stores.sort();
        let summary = |(store, versions): (StoreName, i64)| {
            let active = active.iter().find(|active| active.store == store).map(|active| active.number);
            let health = Health::of(&self.live.troubles.of(&store).0);
            StoreSummary { store, active, versions, health }
        };
        Ok(stores.into_iter().map(summary).collect())
    }

    /// How a store is doing.
    ///
    /// Errors: `UnknownStore`; `Storage`.
    pub async fn status(&self, store: &StoreName) -> Result<StoreStatus, PolicyServiceError> {
        let (findings, source) = self.live.troubles.of(store);
        let last = store::last_activation(&mut &self.db, store).await?;
        let active = match &last {
            Some(last) => store::summaries(&mut &self.db, store, None, Some(last.number), 1).await?.pop(),
            None => None,
        };
        if active.is_none() && !self.stores().await?.iter().any(|known| known.store == *store) {
            return Err(PolicyServiceError::UnknownStore(store.clone()));
        }
        let active = active.zip(last).map(|(version, last)| ActiveVersion {
            number: version.number,
            digest: version.digest,
            semver: version.semver,
            by: last.by,
        });
        let since = self.clock.now().minus(NODE_GONE_AFTER);
        let nodes = nodes::of_store(&mut &self.db, store, since).await?;
        let health = Health::of(&findings);
        Ok(StoreStatus { store: store.clone(), active, health, findings, source, nodes })
    }
}
