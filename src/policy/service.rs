//! Publish, list, show, activate, roll back.

use std::{io, path::Path, sync::Arc};

use serde_json::{json, value::RawValue};
use tokio::sync::Mutex;

use super::{
    ActivatedBy, Activation, Bundle, Compiled, LivePolicies, PolicyServiceError, Provenance, Published,
    StoreName, VersionDetail, VersionNumber, VersionSummary, compiler, folder, rest, shipped, store,
    store::NewVersion,
};
use crate::{
    audit::{self, Actor},
    base::{Clock, Cursor, CursorError, Entropy, Limit, Page, TenantId},
    bus::{Bus, Topic},
    storage::{Db, StorageError},
    write_tx,
};

type Result<T, E = PolicyServiceError> = std::result::Result<T, E>;

/// Versions of policy stores. Clones nothing; share it in an `Arc`.
#[derive(Debug)]
pub struct PolicyService {
    pub(super) db: Db,
    pub(super) clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    bus: Bus,
    pub(super) live: Arc<LivePolicies>,
    /// One publish at a time, so that the same content is compiled once. Switches do not wait for it:
    /// a roll-back must not queue behind somebody's compile.
    publishing: Mutex<()>,
    /// Writers of this node queue here, so that a conflict in the database is only ever with another node.
    writing: Mutex<()>,
}

/// What is stored of a version: megabytes of text, written on no thread that answers requests.
#[derive(Debug)]
struct Texts {
    bundle: Vec<u8>,
    findings: String,
    tests: Box<RawValue>,
}

impl Texts {
    fn of(bundle: &Bundle, compiled: &Compiled) -> io::Result<Self> {
        Ok(Self {
            bundle: bundle.encode_at(&rest::beside_requests())?,
            findings: serde_json::to_string(&compiled.findings)?,
            tests: serde_json::value::to_raw_value(&compiled.tests)?,
        })
    }
}

impl PolicyService {
    /// The service of a node whose live policies are `live`.
    #[must_use]
    pub fn new(
        db: Db,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
        bus: Bus,
        live: Arc<LivePolicies>,
    ) -> Self {
        Self { db, clock, entropy, bus, live, publishing: Mutex::new(()), writing: Mutex::new(()) }
    }

    /// The live policies that this service swaps.
    #[must_use]
    pub fn live(&self) -> &Arc<LivePolicies> {
        &self.live
    }

    /// Stores the files as the next version, if they pass their check and their tests.
    ///
    /// The same content is stored once: publishing it again answers the number it has. Nothing is
    /// activated. The version's parent is the one that is active now.
    ///
    /// Errors: `Refused` with every finding, nothing stored; `Audit`; `Storage`.
    pub async fn publish(
        &self,
        store: &StoreName,
        bundle: &Bundle,
        provenance: Provenance,
    ) -> Result<Published> {
        let _turn = self.publishing.lock().await;
        let digest = bundle.digest();
        if let Some(number) = store::number_of(&mut &self.db, store, digest).await? {
            return self.published(store, number, bundle).await;
        }
        let compiled = self.live.check(store, bundle).await.map_err(PolicyServiceError::Refused)?;
        let files = bundle.clone();
        let writing = tokio::task::spawn_blocking(move || (Texts::of(&files, &compiled), compiled));
        let Ok((Ok(texts), compiled)) = writing.await else {
            let message = "the version could not be written down";
            return Err(PolicyServiceError::Refused(compiler::whole("internal", message)));
        };
        let version = NewVersion {
            store,
            digest,
            semver: &compiled.manifest.semver,
            provenance: &provenance,
            bundle: &texts.bundle,
            check_report: &texts.findings,
            test_report: texts.tests.get(),
            created_at: self.clock.now(),
        };
        let (number, created) = self.add(&version).await?;
        self.live.remember(number, compiled.snapshot);
        Ok(Published { number, created, digest, findings: compiled.findings, test_report: texts.tests })
    }

    async fn add(&self, version: &NewVersion<'_>) -> Result<(VersionNumber, bool)> {
        let (store, now) = (version.store, version.created_at);
        let _turn = self.writing.lock().await;
        write_tx!(self.db, "policy.publish", |tx| -> Result<(VersionNumber, bool)> {
            if let Some(known) = store::number_of(tx, store, version.digest).await? {
                return Ok((known, false)); // another node was faster
            }
            let parent = store::last_activation(tx, store).await?.map(|active| active.number);
            let number = store::add_version(tx, version, parent).await?;
            let detail = json!({ "version": number, "digest": version.digest.to_string(),
                "parent": parent, "message": version.provenance.message });
            let actor = Actor::named(&version.provenance.author);
            let entry = actor.does(TenantId::DEFAULT, "policy_version_published", store.as_str(), detail);
            audit::record(tx, now, &*self.entropy, entry).await?;
            Ok((number, true))
        })
    }

    async fn published(
        &self,
        store: &StoreName,
        number: VersionNumber,
        bundle: &Bundle,
    ) -> Result<Published> {
        let reports = store::reports(&mut &self.db, store, number)
            .await?
            .ok_or_else(|| PolicyServiceError::UnknownVersion { store: store.clone(), number })?;
        let (findings, test_report) = (reports.findings, reports.test_report);
        Ok(Published { number, created: false, digest: bundle.digest(), findings, test_report })
    }

    /// The number under which a content is stored.
    ///
    /// Errors: `Storage`.
    pub async fn find(&self, store: &StoreName, bundle: &Bundle) -> Result<Option<VersionNumber>> {
        Ok(store::number_of(&mut &self.db, store, bundle.digest()).await?)
    }

    /// Whether a store has any version.
    ///
    /// Errors: `Storage`.
    pub async fn exists(&self, store: &StoreName) -> Result<bool, StorageError> {
        store::has_versions(&mut &self.db, store).await
    }

    /// What is active in a store, by whom and why.
    ///
    /// Errors: `Storage`.
    pub async fn active(&self, store: &StoreName) -> Result<Option<Activation>> {
        Ok(store::last_activation(&mut &self.db, store).await?)
    }

    /// The versions of a store, newest first.
    ///
    /// Errors: `UnknownStore`; `Cursor`; `Storage`.
    pub async fn list(
        &self,
        store: &StoreName,
        limit: Limit,
        cursor: Option<Cursor>,
    ) -> Result<Page<VersionSummary>> {
        let before: Option<i64> =
            cursor.map(|cursor| cursor.key().parse().map_err(|_| CursorError)).transpose()?;
        let rows = store::summaries(&mut &self.db, store, before, None, limit.rows() + 1).await?;
        if rows.is_empty() && before.is_none() {
            return Err(PolicyServiceError::UnknownStore(store.clone()));
        }
        Ok(Page::cut(rows, limit, |version| version.number.to_string()))
    }

    /// A version with its files and reports.
    ///
    /// Errors: `UnknownVersion`; `Refused` when the stored files are damaged; `Storage`.
    pub async fn show(&self, store: &StoreName, number: VersionNumber) -> Result<VersionDetail> {
        let unknown = || PolicyServiceError::UnknownVersion { store: store.clone(), number };
        let summary = store::summaries(&mut &self.db, store, None, Some(number), 1).await?.pop();
        let reports = store::reports(&mut &self.db, store, number).await?;
        let (Some(summary), Some(reports)) = (summary, reports) else { return Err(unknown()) };
        let bundle = self.bundle(store, number).await?;
        Ok(VersionDetail { summary, findings: reports.findings, test_report: reports.test_report, bundle })
    }

    /// The files of a version.
    ///
    /// Errors: as [`show`](Self::show).
    pub async fn bundle(&self, store: &StoreName, number: VersionNumber) -> Result<Bundle> {
        self.live.bundle(store, number).await
    }

    /// Makes a version the active one, on this node at once, on the others by the bus or their poll.
    ///
    /// `expected_active` is the version the caller believes to be active; without it any is accepted.
    /// What is active already stays as it is.
    ///
    /// Errors: `Conflict` when another version is active than expected; `UnknownVersion`; `Refused`
    /// when the version does not compile any more; `Audit`; `Storage`. Nothing is switched then.
    pub async fn activate(
        &self,
        store: &StoreName,
        number: VersionNumber,
        expected_active: Option<VersionNumber>,
        actor: Actor<'_>,
        reason: &str,
    ) -> Result<Activation> {
        let snapshot = self.live.load(store, number).await?; // before anything is switched
        let turn = self.writing.lock().await;
        let active = self.switch(store, number, expected_active, actor, reason).await?;
        drop(turn);
        self.live.install(&active, snapshot);
        if active.changed {
            self.announce(store).await;
        }
        Ok(active)
    }

    async fn announce(&self, store: &StoreName) {
        if let Err(error) = self.bus.publish(Topic::Policy, store.as_str()).await {
            let error = &error as &dyn std::error::Error;
            tracing::warn!(%store, error, "the bus is down: other nodes learn of the activation by their poll");
        }
    }

    async fn switch(
        &self,
        store: &StoreName,
        number: VersionNumber,
        expected: Option<VersionNumber>,
        actor: Actor<'_>,
        reason: &str,
    ) -> Result<Activation> {
        let now = self.clock.now();
        write_tx!(self.db, "policy.activate", |tx| -> Result<Activation> {
            let last = store::last_activation(tx, store).await?;
            let from = last.as_ref().map(|last| last.number);
            if expected.is_some() && expected != from {
                return Err(PolicyServiceError::Conflict { active: from });
            }
            let seq = match last {
                Some(last) if last.number == number => return Ok(last),
                last => last.map_or(0, |last| last.by.seq) + 1,
            };
            let by = ActivatedBy { seq, actor: actor.name.to_owned(), reason: reason.to_owned(), at: now };
            let next = Activation { store: store.clone(), number, from, by, changed: true };
            store::add_activation(tx, &next).await?;
            let detail = json!({ "from": from, "to": number, "reason": reason });
            let entry = actor.does(TenantId::DEFAULT, "policy_version_activated", store.as_str(), detail);
            audit::record(tx, now, &*self.entropy, entry).await?;
            Ok(next)
        })
    }

    /// Goes back to version `to`; without it, to the version that was active before the present one.
    ///
    /// A roll-back is an activation like any other. Without `to` it undoes the last switch, so doing
    /// it twice ends where it began: a second click never goes further back than was looked at.
    ///
    /// Errors: as [`activate`](Self::activate); `UnknownStore` and `NothingBefore` without `to`.
    pub async fn roll_back(
        &self,
        store: &StoreName,
        to: Option<VersionNumber>,
        expected_active: Option<VersionNumber>,
        actor: Actor<'_>,
        reason: &str,
    ) -> Result<Activation> {
        if let Some(to) = to {
            return self.activate(store, to, expected_active, actor, reason).await;
        }
        let last = store::last_activation(&mut &self.db, store)
            .await?
            .ok_or_else(|| PolicyServiceError::UnknownStore(store.clone()))?;
        if expected_active.is_some_and(|expected| expected != last.number) {
            return Err(PolicyServiceError::Conflict { active: Some(last.number) });
        }
        let before = last.from.ok_or_else(|| PolicyServiceError::NothingBefore(store.clone()))?;
        // What is undone is the switch that was read, not one that happens meanwhile.
        self.activate(store, before, Some(last.number), actor, reason).await
    }

    /// Publishes and activates in one go; `actor` is author of both.
    ///
    /// Errors: as [`publish`](Self::publish) and [`activate`](Self::activate).
    pub async fn put_live(
        &self,
        store: &StoreName,
        bundle: &Bundle,
        actor: &str,
        reason: &str,
    ) -> Result<Activation> {
        let provenance = Provenance { author: actor.to_owned(), message: reason.to_owned(), git: None };
        let published = self.publish(store, bundle, provenance).await?;
        self.activate(store, published.number, None, Actor::named(actor), reason).await
    }

    /// Gives every store that has no active version its first one: from the folders in `dir`, or the
    /// shipped ones where there is no such folder. Stores with an active version are left alone.
    ///
    /// A store whose files cannot be used stays without a version; its status and the log say why.
    /// Errors: `Audit`; `Storage`.
    pub async fn first_start(&self, dir: &Path) -> Result<()> {
        let from = dir.to_owned();
        let read = tokio::task::spawn_blocking(move || folder::first_bundles(&from)).await;
        for (store, bundle) in read.unwrap_or_default() {
            if self.active(&store).await?.is_some() {
                continue;
            }
            let done = match bundle {
                Ok(bundle) => self.put_live(&store, &bundle, "system", "first start").await.map(|_| ()),
                Err(findings) => Err(PolicyServiceError::Refused(findings)),
            };
            match done {
                Err(PolicyServiceError::Refused(findings)) => {
                    tracing::error!(%store, %findings, "the policy store has no usable first version");
                    self.live.troubles.edited(&store, findings);
                }
                done => done?,
            }
        }
        Ok(())
    }

    /// Brings back the system store that this program was built with: the way in when an edited
    /// system store has locked everyone out. For the command line on the host.
    ///
    /// Errors: as [`activate`](Self::activate).
    pub async fn restore_system(&self, actor: &str) -> Result<Activation> {
        let system = StoreName::system();
        let bundle =
            shipped::shipped(&system).ok_or_else(|| PolicyServiceError::UnknownStore(system.clone()))?;
        self.put_live(&system, &bundle, actor, "restore the shipped version").await
    }
}
