//! The metrics of one application.

use std::{borrow::Cow, time::Duration};

use prometheus_client::{
    encoding::text,
    metrics::{counter::Counter, family::Family},
    registry::Registry,
};

use super::{
    Method, Outcome, Scrape,
    catalog::{
        CALLER_LOOKUPS, COMPILE_DURATION, HASHES_REFUSED, LIMITS_SKIPPED, LOGIN_ANOMALIES, LOGINS,
        SEALS_REFUSED,
    },
    histogram::{COMPILE_TIME, Histogram},
    requests::Requests,
    stores::Stores,
};

/// What became of the credentials of a caller in the cache of verified callers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallerLookup {
    /// Known and still good.
    Hit,
    /// Unknown: verified in full.
    Miss,
    /// Known, and revoked or expired since.
    Refused,
}

/// What became of a sign-in by password.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoginResult {
    /// Let in.
    Good,
    /// A wrong password.
    Failed,
    /// A right password that was not let in.
    Refused,
    /// One too many.
    Limited,
}

/// Every metric. Counting takes tens of nanoseconds and no lock.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    stores: Stores,
    requests: Requests,
    lookups: [Counter; 3],
    logins: [Counter; 4],
    anomalies: Counter,
    limits_skipped: Counter,
    hashes_refused: Counter,
    seals_refused: Counter,
    compile: Histogram,
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// Nothing counted yet.
    #[must_use]
    pub fn new() -> Self {
        let mut registry = Registry::default();
        let stores = Stores::new(&mut registry);
        let requests = Requests::new(&mut registry);
        let lookups = Family::<[(&'static str, Cow<'static, str>); 1], Counter>::default();
        let result = |word| lookups.get_or_create_owned(&[("result", Cow::Borrowed(word))]);
        let by_result = ["hit", "miss", "refused"].map(result);
        CALLER_LOOKUPS.register(&mut registry, lookups);
        let logins = Family::<[(&'static str, Cow<'static, str>); 1], Counter>::default();
        let by_end = ["good", "failed", "refused", "limited"]
            .map(|word| logins.get_or_create_owned(&[("result", Cow::Borrowed(word))]));
        LOGINS.register(&mut registry, logins);
        let mut counter = |declared: &super::Declared| {
            let counter = Counter::default();
            declared.register(&mut registry, counter.clone());
            counter
        };
        let anomalies = counter(&LOGIN_ANOMALIES);
        let limits_skipped = counter(&LIMITS_SKIPPED);
        let hashes_refused = counter(&HASHES_REFUSED);
        let seals_refused = counter(&SEALS_REFUSED);
        let compile = Histogram::new(&COMPILE_TIME);
        COMPILE_DURATION.register(&mut registry, compile.clone());
        Self {
            registry,
            stores,
            requests,
            lookups: by_result,
            logins: by_end,
            anomalies,
            limits_skipped,
            hashes_refused,
            seals_refused,
            compile,
        }
    }

    /// Counts a question to a store that exists, answered within `took` after looking at `candidates` policies.
    pub fn decided(&self, store: &str, outcome: Outcome, took: Duration, candidates: u32) {
        self.stores.with(store, |series| series.decided(outcome, took, candidates));
    }

    /// Counts a question to a store that exists, which got no decision.
    pub fn undecided(&self, store: &str) {
        self.stores.with(store, super::stores::StoreSeries::failed);
    }

    /// Counts a decision that was made again without the index.
    pub fn verified(&self, store: &str, agreed: bool) {
        self.stores.with(store, |series| {
            series.verifications.inc();
            if !agreed {
                series.mismatches.inc();
            }
        });
    }

    /// Counts a look-up of a caller's credentials.
    pub fn caller_looked_up(&self, result: CallerLookup) {
        if let Some(counter) = self.lookups.get(result as usize) {
            counter.inc();
        }
    }

    /// Counts a sign-in by password.
    pub fn login_ended(&self, result: LoginResult) {
        if let Some(counter) = self.logins.get(result as usize) {
            counter.inc();
        }
    }

    /// Counts that most sign-ins began to fail.
    pub fn login_anomaly_began(&self) {
        self.anomalies.inc();
    }

    /// Counts an attempt that no limit was asked about.
    pub fn limit_skipped(&self) {
        self.limits_skipped.inc();
    }

    /// Counts a stored hash that is not computed.
    pub fn hash_refused(&self) {
        self.hashes_refused.inc();
    }

    /// Counts a sealed value that did not open.
    pub fn seal_refused(&self) {
        self.seals_refused.inc();
    }

    /// Counts an answer. `route` is a template of the router, never a path as it was sent.
    pub fn answered(&self, route: &str, method: Method, status: u16, took: Duration) {
        self.requests.answered(route, method, status, took);
    }

    /// Counts a compile.
    pub fn compiled(&self, took: Duration) {
        self.compile.observe(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX));
    }

    /// Everything, in the OpenMetrics text format.
    ///
    /// Source: OpenMetrics 1.0, text format.
    #[must_use]
    pub fn text(&self, scrape: &Scrape) -> String {
        for store in &scrape.stores {
            self.stores.with(&store.store, |_| ()); // a store that nobody asked shows zeros
        }
        let mut out = String::new();
        // Writing to a text cannot fail.
        let _ = text::encode_registry(&mut out, &self.registry);
        let _ = text::encode_registry(&mut out, &scrape.registry());
        let _ = text::encode_eof(&mut out);
        out
    }
}
