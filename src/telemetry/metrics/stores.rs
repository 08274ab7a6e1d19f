//! What is counted of decisions, store by store.

use std::{borrow::Cow, time::Duration};

use prometheus_client::{metrics::family::Family, registry::Registry};

use super::{
    catalog::{DECISION_CANDIDATES, DECISION_DURATION, DECISIONS, INDEX_MISMATCHES, INDEX_VERIFICATIONS},
    histogram::{CANDIDATES, DECISION_TIME, Histogram},
    resolved::Resolved,
    sums::Counter,
};

/// How a decision ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Access was allowed.
    Allow,
    /// Access was denied.
    Deny,
}

type ByStore = [(&'static str, Cow<'static, str>); 1];
type ByOutcome = [(&'static str, Cow<'static, str>); 2];
type Histograms = Family<ByStore, Histogram, fn() -> Histogram>;

/// Families with a label `store`.
#[derive(Debug)]
pub(super) struct Stores {
    decisions: Family<ByOutcome, Counter>,
    duration: Histograms,
    candidates: Histograms,
    verifications: Family<ByStore, Counter>,
    mismatches: Family<ByStore, Counter>,
    known: Resolved<StoreSeries>,
}

/// The series of one store.
#[derive(Debug)]
pub(super) struct StoreSeries {
    allow: Counter,
    deny: Counter,
    error: Counter,
    duration: Histogram,
    candidates: Histogram,
    pub(super) verifications: Counter,
    pub(super) mismatches: Counter,
}

impl Stores {
    pub(super) fn new(registry: &mut Registry) -> Self {
        let made = Self {
            decisions: Family::default(),
            duration: Family::new_with_constructor(|| Histogram::new(&DECISION_TIME)),
            candidates: Family::new_with_constructor(|| Histogram::new(&CANDIDATES)),
            verifications: Family::default(),
            mismatches: Family::default(),
            known: Resolved::default(),
        };
        DECISIONS.register(registry, made.decisions.clone());
        DECISION_DURATION.register(registry, made.duration.clone());
        DECISION_CANDIDATES.register(registry, made.candidates.clone());
        INDEX_VERIFICATIONS.register(registry, made.verifications.clone());
        INDEX_MISMATCHES.register(registry, made.mismatches.clone());
        made
    }

    /// Runs `run` with the series of a store that exists.
    pub(super) fn with(&self, store: &str, run: impl FnOnce(&StoreSeries)) {
        self.known.with(store, || self.series(store), run);
    }

    fn series(&self, store: &str) -> StoreSeries {
        let by_store: ByStore = [("store", Cow::Owned(store.to_owned()))];
        let outcome = |word: &'static str| {
            let labels = [("store", Cow::Owned(store.to_owned())), ("outcome", Cow::Borrowed(word))];
            self.decisions.get_or_create_owned(&labels)
        };
        StoreSeries {
            allow: outcome("allow"),
            deny: outcome("deny"),
            error: outcome("error"),
            duration: self.duration.get_or_create_owned(&by_store),
            candidates: self.candidates.get_or_create_owned(&by_store),
            verifications: self.verifications.get_or_create_owned(&by_store),
            mismatches: self.mismatches.get_or_create_owned(&by_store),
        }
    }
}

impl StoreSeries {
    pub(super) fn decided(&self, outcome: Outcome, took: Duration, candidates: u32) {
        match outcome {
            Outcome::Allow => self.allow.inc(),
            Outcome::Deny => self.deny.inc(),
        };
        self.duration.observe(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX));
        self.candidates.observe(u64::from(candidates));
    }

    pub(super) fn failed(&self) {
        self.error.inc();
    }
}

impl Outcome {
    /// The outcome of a decision.
    #[must_use]
    pub fn of(allow: bool) -> Self {
        if allow { Self::Allow } else { Self::Deny }
    }
}
