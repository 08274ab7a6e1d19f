//! The watched folder: edit a file, and a moment later the edited version is live.
//!
//! ```text
//!   scan differs from the last one acted upon
//!     └▶ next scan is the same (settled) ─▶ read ─┬▶ cannot be read, empty ─▶ degraded, last good stays
//!                                                 ├▶ has errors ────────────▶ degraded, last good stays
//!                                                 ├▶ content as before ─────▶ well again
//!                                                 └▶ publish, activate ─────▶ well again
//! ```
//! Polling, not notifications: those are lost on network mounts and in containers.
//!
//! When the watch starts, content that was published before leaves the active version alone, so a
//! roll-back survives a restart; content never seen was edited meanwhile and is put live. A folder
//! that is missing, empty or cut short never changes what is live.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use tokio_util::sync::CancellationToken;

use super::{
    Bundle, Findings, FolderError, PolicyService, PolicyServiceError, StoreName,
    folder::{self, Scan},
    read_folder, stores_in,
};
use crate::base::Digest32;

/// Who publishes and activates what was edited.
const ACTOR: &str = "folder";

type Scanned = Result<Scan, FolderError>;

/// What is known of one store's folder.
#[derive(Debug, Default)]
struct Watched {
    path: PathBuf,
    /// The last scan.
    seen: Option<Scanned>,
    /// The scan that was acted upon.
    acted: Option<Scanned>,
    /// The content that was last put live, or found published at the start.
    applied: Option<Digest32>,
    /// Whether a content was read since the start; before it, known content does not switch.
    begun: bool,
}

/// Keeps stores in step with a folder that holds one folder a store.
#[derive(Debug)]
pub struct FolderWatch {
    service: Arc<PolicyService>,
    dir: PathBuf,
    interval: Duration,
    stores: BTreeMap<StoreName, Watched>,
    failing: bool,
}

impl FolderWatch {
    /// A watch over `dir`, looked at every `interval`.
    #[must_use]
    pub fn new(service: Arc<PolicyService>, dir: PathBuf, interval: Duration) -> Self {
        Self { service, dir, interval, stores: BTreeMap::new(), failing: false }
    }

    /// Takes the folder as it is now, without waiting for it to settle. Call it once, before serving:
    /// a store without a version gets its first.
    pub async fn start(&mut self) {
        self.step(true).await;
    }

    /// Looks once, and acts on what has settled since the last look.
    pub async fn tick(&mut self) {
        self.step(false).await;
    }

    /// Looks again and again until `shutdown`.
    pub async fn run(mut self, shutdown: CancellationToken) {
        let mut looks = tokio::time::interval(self.interval);
        looks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = shutdown.cancelled() => break,
                _ = looks.tick() => self.tick().await,
            }
        }
    }

    async fn step(&mut self, at_once: bool) {
        for (store, scanned) in self.look().await {
            let Some(watched) = self.stores.get_mut(&store) else { continue };
            let settled = at_once || watched.seen.as_ref() == Some(&scanned);
            watched.seen = Some(scanned.clone());
            if settled && watched.acted.as_ref() != Some(&scanned) {
                self.act(&store, scanned).await;
            }
        }
    }

    /// Scans every store that is or was in the folder.
    async fn look(&mut self) -> Vec<(StoreName, Scanned)> {
        let dir = self.dir.clone();
        let found = blocking(move || stores_in(&dir)).await;
        for (store, path) in found.into_iter().flatten() {
            if !self.stores.contains_key(&store) {
                self.service.live().troubles.watch(&store, &path);
                self.stores.insert(store, Watched { path, ..Watched::default() });
            }
        }
        let known: Vec<_> =
            self.stores.iter().map(|(store, watched)| (store.clone(), watched.path.clone())).collect();
        blocking(move || Ok(known.into_iter().map(|(store, path)| (store, folder::scan(&path))).collect()))
            .await
            .unwrap_or_default()
    }

    async fn act(&mut self, store: &StoreName, scanned: Scanned) {
        let Some(watched) = self.stores.get_mut(store) else { return };
        let bundle = match read_settled(&watched.path, &scanned).await {
            Ok(Some(bundle)) => bundle,
            Ok(None) => return, // edited while it was read: the next looks will tell
            Err(error) => {
                // What could not be read may be readable soon, without any sign in the next scan.
                let lasting = scanned.is_err() || matches!(error, FolderError::Bundle(_));
                watched.acted = lasting.then_some(scanned);
                return self.report(store, Findings::new(vec![error.finding()]));
            }
        };
        let first = !std::mem::replace(&mut watched.begun, true);
        let done = if watched.applied == Some(bundle.digest()) {
            Ok(())
        } else {
            apply(&self.service, store, &bundle, first, &watched.path).await
        };
        match done {
            Ok(()) => {
                (watched.acted, watched.applied) = (Some(scanned), Some(bundle.digest()));
                self.failing = false;
                self.report(store, Findings::default());
            }
            Err(PolicyServiceError::Refused(findings)) => {
                watched.acted = Some(scanned);
                self.report(store, findings);
            }
            Err(error) => {
                watched.begun = !first; // nothing was done: the next look tries again
                if !std::mem::replace(&mut self.failing, true) {
                    tracing::warn!(%store, error = &error as &dyn std::error::Error, "edited policies wait");
                }
            }
        }
    }

    fn report(&self, store: &StoreName, findings: Findings) {
        let text = findings.to_string();
        if !self.service.live().troubles.edited(store, findings) {
            return;
        }
        if text.is_empty() {
            tracing::info!(%store, "the policy folder is well again");
        } else {
            tracing::error!(%store, findings = text, "the policy folder cannot be used; the last good version stays");
        }
    }
}

/// Puts content live, unless it is a known one that was there at the start.
async fn apply(
    service: &PolicyService,
    store: &StoreName,
    bundle: &Bundle,
    first: bool,
    path: &Path,
) -> Result<(), PolicyServiceError> {
    if first && service.find(store, bundle).await?.is_some() && service.active(store).await?.is_some() {
        return Ok(());
    }
    let reason = format!("edited in {}", path.display());
    service.put_live(store, bundle, ACTOR, &reason).await.map(|_| ())
}

/// Reads the folder, if it is the same before and after.
async fn read_settled(path: &Path, scanned: &Scanned) -> Result<Option<Bundle>, FolderError> {
    let before = scanned.clone()?;
    let path = path.to_owned();
    blocking(move || {
        let bundle = read_folder(&path)?;
        Ok((folder::scan(&path)? == before).then_some(bundle))
    })
    .await
}

/// Runs file work off the runtime.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, FolderError> + Send + 'static,
) -> Result<T, FolderError> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| {
        Err(FolderError::Unreadable { path: String::new(), cause: error.to_string() })
    })
}
