//! The way from a question to an answer.

use std::{sync::Arc, time::Instant};

use serde_json::value::RawValue;
use tokio::sync::Semaphore;

use super::{
    Answer, Ask, AuthorizeError, GuardMemo, Pinned, Sampling,
    identity::{IdentityCache, Named},
    verify::FullWalk,
};
use crate::{
    base::{Clock, DecisionId, Entropy, TenantId},
    entities::EntityService,
    policy::{
        Entity, EntitySlice, Layers, PolicyService, Query, RequestParts, StoreName, Verdict, decide, explain,
    },
    telemetry::metrics::{Metrics, Outcome},
};

/// The policy decision point.
#[derive(Debug)]
pub struct AuthorizeService {
    /// The policy stores and their active versions.
    pub policies: Arc<PolicyService>,
    /// What applications pushed.
    pub entities: Arc<EntityService>,
    /// Users and roles, as entities.
    pub identity: Arc<IdentityCache>,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// Which decisions are made twice.
    pub sampling: Sampling,
    /// The time in `context.bailiwick.now`.
    pub clock: Arc<dyn Clock>,
    /// Randomness of decision ids.
    pub entropy: Arc<dyn Entropy>,
    /// The store of a question that names none.
    pub default_store: StoreName,
    /// Guards whose answer stands.
    pub guards: GuardMemo,
    /// Turns of work that takes milliseconds.
    pub aside: Semaphore,
}

/// A verdict, and what is still to be done with it away from the threads that answer requests.
pub(super) struct Decided {
    pub(super) verdict: Verdict,
    pub(super) walk: Option<Box<FullWalk>>,
    /// All that the explanation looks at.
    slice: Option<Box<EntitySlice<'static>>>,
}

impl AuthorizeService {
    /// A store as it is now. Load it once a request, or once a batch.
    ///
    /// Errors: `UnknownStore`, `NoActiveVersion`, `Storage`.
    pub async fn pin(&self, store: &StoreName) -> Result<Pinned, AuthorizeError> {
        if let Some(snapshot) = self.policies.live().snapshot(store) {
            return Ok(Pinned { snapshot, entities: self.entities.table(store) });
        }
        Err(Box::pin(self.not_active(store)).await)
    }

    /// Why a store cannot be asked.
    async fn not_active(&self, store: &StoreName) -> AuthorizeError {
        match self.policies.exists(store).await {
            // A name that a caller made up is no label of a metric.
            Ok(false) => AuthorizeError::UnknownStore(store.to_string()),
            exists => {
                self.metrics.undecided(store.as_str());
                exists.map_or_else(Into::into, |_| AuthorizeError::NoActiveVersion(store.to_string()))
            }
        }
    }

    /// Decides a question; identity is read in `tenant`.
    ///
    /// Errors: [`AuthorizeError`]: a question that does not fit the schema, or an outage. None of them is an
    /// allow.
    /// Source: authorize.md §1.
    pub async fn check(
        &self,
        tenant: TenantId,
        pinned: &Pinned,
        ask: &Ask<'_>,
    ) -> Result<Answer, AuthorizeError> {
        let started = Instant::now();
        let answered = self.answer(tenant, pinned, ask).await;
        self.count(pinned, answered.as_ref().map(|answer| &answer.verdict).ok(), started);
        answered
    }

    async fn answer(
        &self,
        tenant: TenantId,
        pinned: &Pinned,
        ask: &Ask<'_>,
    ) -> Result<Answer, AuthorizeError> {
        let snapshot = &pinned.snapshot;
        let query = snapshot.query(ask.parts(), ask.server)?;
        let named = Named::in_texts(ask.texts(), snapshot.identity());
        let identity = self.identity.entities(snapshot, tenant, &named).await?;
        let decided = self.decide_once(pinned, &query, &identity, ask.entities, ask.explain)?;
        self.finish(pinned, &query, decided).await
    }

    /// Does what is still to be done with a verdict, and gives it its id.
    pub(super) async fn finish(
        &self,
        pinned: &Pinned,
        query: &Query,
        decided: Decided,
    ) -> Result<Answer, AuthorizeError> {
        let decision_id = DecisionId::new(self.clock.now(), &*self.entropy)?;
        let Decided { verdict, walk: None, slice: None } = decided else {
            return Ok(Box::pin(self.finish_aside(pinned, query, decided, decision_id)).await);
        };
        Ok(Answer { decision_id, verdict, explanation: None })
    }

    /// As [`AuthorizeService::finish`], with what is done away from the threads that answer requests.
    async fn finish_aside(
        &self,
        pinned: &Pinned,
        query: &Query,
        decided: Decided,
        decision_id: DecisionId,
    ) -> Answer {
        let Decided { mut verdict, walk, slice } = decided;
        if let Some(walk) = walk {
            verdict = self.settle(verdict, walk).await;
        }
        let explanation = if let Some(slice) = slice {
            let (snapshot, query, verdict) = (Arc::clone(&pinned.snapshot), query.clone(), verdict.clone());
            // It may look at every policy of the store.
            tokio::task::spawn_blocking(move || explain(&snapshot, &query, &slice, &verdict)).await.ok()
        } else {
            None
        };
        Answer { decision_id, verdict, explanation }
    }

    /// One decision, without waiting for anything.
    pub(super) fn decide_once(
        &self,
        pinned: &Pinned,
        query: &Query,
        identity: &[Arc<Entity>],
        inline: Option<&RawValue>,
        explain: bool,
    ) -> Result<Decided, AuthorizeError> {
        let layers = Layers { identity, stored: pinned.entities.as_ref(), inline };
        let slice = EntitySlice::new(&pinned.snapshot, layers)?;
        self.decide_on(pinned, query, &slice, explain)
    }

    /// One decision on a slice that is there.
    pub(super) fn decide_on(
        &self,
        pinned: &Pinned,
        query: &Query,
        slice: &EntitySlice<'_>,
        explain: bool,
    ) -> Result<Decided, AuthorizeError> {
        let snapshot = &pinned.snapshot;
        let verdict = decide(snapshot, query, slice);
        let walk = self.full_walk(snapshot, query, slice)?;
        let slice = if explain { Some(Box::new(slice.owned(snapshot, query)?)) } else { None };
        Ok(Decided { verdict, walk, slice })
    }

    /// Counts a decision, or that there was none.
    pub(super) fn count(&self, pinned: &Pinned, verdict: Option<&Verdict>, started: Instant) {
        let store = pinned.store().as_str();
        match verdict {
            Some(verdict) => {
                let outcome = Outcome::of(verdict.allow);
                self.metrics.decided(store, outcome, started.elapsed(), verdict.candidates);
            }
            None => self.metrics.undecided(store),
        }
    }
}

impl<'a> Ask<'a> {
    pub(super) fn parts(&self) -> RequestParts<'a> {
        let Self { principal, action, resource, context, .. } = *self;
        RequestParts { principal, action, resource, context }
    }

    /// Where users may be named.
    pub(super) fn texts(&self) -> impl Iterator<Item = &'a str> {
        let given = [Some(self.principal), Some(self.resource), self.context, self.entities];
        given.into_iter().flatten().map(RawValue::get)
    }
}
