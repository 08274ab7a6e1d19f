//! Every metric, declared once: its name, kind, labels and meaning.

use std::fmt::Write;

use prometheus_client::registry::{Metric, Registry, Unit};

/// What a metric counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Only grows; its name ends in `_total`.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Observations in buckets.
    Histogram,
}

/// One metric.
#[derive(Debug, Clone, Copy)]
pub struct Declared {
    /// Its whole name, with unit and `_total`.
    pub name: &'static str,
    /// What it counts.
    pub kind: Kind,
    /// What tells its series apart.
    pub labels: &'static [&'static str],
    /// What it means.
    pub meaning: &'static str,
}

macro_rules! catalog {
    ($($constant:ident $kind:ident $name:literal [$($label:literal)*] $meaning:literal;)+) => {
        $(pub(super) const $constant: Declared =
            Declared { name: $name, kind: Kind::$kind, labels: &[$($label,)*], meaning: $meaning };)+

        /// Every metric, in the order of README's table.
        pub const CATALOG: &[Declared] = &[$($constant,)+];
    };
}

catalog! {
    DECISIONS Counter "bailiwick_decisions_total" ["store" "outcome"]
        "Decisions: `allow`, `deny`, or `error` where there was none. Those that guard our own API are of the store `system`";
    DECISION_DURATION Histogram "bailiwick_decision_duration_seconds" ["store"]
        "Time from a question that was read to its verdict";
    DECISION_CANDIDATES Histogram "bailiwick_decision_candidates" ["store"]
        "Policies that the index named for one decision";
    INDEX_VERIFICATIONS Counter "bailiwick_index_verifications_total" ["store"]
        "Decisions made again over every policy, without the index (`policy.verify_index`)";
    INDEX_MISMATCHES Counter "bailiwick_index_mismatches_total" ["store"]
        "Verifications that came to another answer. Anything above 0 is a bug: please report it";
    INDEX_DISTRUSTED Gauge "bailiwick_index_distrusted" ["store"]
        "1 after a mismatch, while the store is decided without its index";
    POLICIES Gauge "bailiwick_policies" ["store"]
        "Policies of the active version, links included";
    POLICIES_UNINDEXED Gauge "bailiwick_policies_unindexed" ["store"]
        "Policies that every decision must look at, because their scope says nothing";
    POLICY_VERSION Gauge "bailiwick_policy_version" ["store"]
        "Number of the version that this node answers from";
    SNAPSHOT_AGE Gauge "bailiwick_policy_snapshot_age_seconds" ["store"]
        "Time since this node went over to that version";
    COMPILE_DURATION Histogram "bailiwick_policy_compile_duration_seconds" []
        "Time to compile a version, its tests included";
    ENTITIES Gauge "bailiwick_entities" ["store"]
        "Entities that applications have stored";
    ENTITIES_REVISION Gauge "bailiwick_entities_revision" ["store"]
        "Revision of those entities that this node answers from";
    CALLER_LOOKUPS Counter "bailiwick_caller_cache_lookups_total" ["result"]
        "Credentials of callers: `hit` known and good, `shared` known to another node, `miss` verified in full, `refused` known and no longer good";
    LOGINS Counter "bailiwick_logins_total" ["result"]
        "Sign-ins by password: `good`, `failed` for a wrong password, `refused` for a right one that was not let in, `limited` for too many";
    LOGIN_ANOMALIES Counter "bailiwick_login_anomalies_total" []
        "Times that most sign-ins began to fail, and those from unknown devices to be rationed";
    LIMITS_SKIPPED Counter "bailiwick_limits_skipped_total" []
        "Attempts that were let through uncounted because the shared state did not answer";
    HASHES_REFUSED Counter "bailiwick_password_hashes_refused_total" []
        "Stored password hashes of a form, or a cost, that is not computed. Above 0: look at what was imported";
    SEALS_REFUSED Counter "bailiwick_seals_refused_total" []
        "Sealed values that did not open: of another row, altered, or of a master key that is not known here. Above 0: find out who writes to the database";
    HTTP_REQUESTS Histogram "bailiwick_http_request_duration_seconds" ["route" "method" "status"]
        "Requests and the time to answer them, by route template and class of status; `unmatched` where there is no such path";
    STREAMS Gauge "bailiwick_revocation_streams" []
        "Services that follow revocations on this node, of `server.max_streams` that may";
    BUS_DEGRADED Gauge "bailiwick_bus_degraded" []
        "1 while messages of other nodes do not arrive and only polling is left";
}

impl Declared {
    /// Registers what this declares.
    pub(super) fn register(&self, registry: &mut Registry, metric: impl Metric) {
        // The encoder adds the suffixes of kind and unit, and a full stop to the meaning.
        let name = self.name.strip_suffix("_total").unwrap_or(self.name);
        match name.strip_suffix("_seconds") {
            Some(name) => registry.register_with_unit(name, self.meaning, Unit::Seconds, metric),
            None => registry.register(name, self.meaning, metric),
        }
    }
}

/// README's table of metrics.
#[must_use]
pub fn markdown_table() -> String {
    let mut out = String::from("| Metric | Kind | Labels | Meaning |\n|---|---|---|---|\n");
    for Declared { name, kind, labels, meaning } in CATALOG {
        let kind = match kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        };
        let labels: Vec<String> = labels.iter().map(|label| format!("`{label}`")).collect();
        let labels = if labels.is_empty() { "–".to_owned() } else { labels.join(", ") };
        // Writing to a text cannot fail.
        let _ = writeln!(out, "| `{name}` | {kind} | {labels} | {meaning}. |");
    }
    out
}
