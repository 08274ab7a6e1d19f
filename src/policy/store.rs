//! The tables of this module: `policy_versions`, `policy_activations`.
//!
//! Rows are only ever added. INVARIANT: `number` and `seq` have no gaps, because the transaction
//! that takes the next one is serializable.

use serde_json::value::RawValue;

use super::{
    ActivatedBy, Activation, Bundle, BundleError, Findings, Provenance, StoreName, VersionNumber,
    VersionState, VersionSummary, versions::GitState,
};
use crate::{
    base::{Digest32, Millis},
    storage::{Result, Run, StorageError},
};

/// A version about to be stored.
#[derive(Debug)]
pub(super) struct NewVersion<'a> {
    pub(super) store: &'a StoreName,
    pub(super) digest: Digest32,
    pub(super) semver: &'a str,
    pub(super) provenance: &'a Provenance,
    /// The bundle's stored form.
    pub(super) bundle: &'a [u8],
    /// Findings as JSON.
    pub(super) check_report: &'a str,
    /// Test report as JSON.
    pub(super) test_report: &'a str,
    pub(super) created_at: Millis,
}

/// What a version has beside its summary.
#[derive(Debug)]
pub(super) struct Reports {
    pub(super) findings: Findings,
    pub(super) test_report: Box<RawValue>,
}

#[derive(sqlx::FromRow)]
struct SummaryRow {
    number: VersionNumber,
    digest: String,
    semver: String,
    parent: Option<VersionNumber>,
    author: String,
    message: String,
    git_commit: Option<String>,
    git_dirty: Option<bool>,
    created_at_ms: Millis,
    seq: Option<i64>,
    actor: Option<String>,
    reason: Option<String>,
    at_ms: Option<Millis>,
    last_seq: Option<i64>,
}

#[derive(sqlx::FromRow)]
struct ActivationRow {
    store: StoreName,
    seq: i64,
    from_number: Option<VersionNumber>,
    to_number: VersionNumber,
    actor: String,
    reason: String,
    at_ms: Millis,
}

/// The number under which a content is stored.
pub(super) async fn number_of(
    on: &mut dyn Run,
    store: &StoreName,
    digest: Digest32,
) -> Result<Option<VersionNumber>> {
    let found: Option<(VersionNumber,)> = on
        .sql("SELECT number FROM policy_versions WHERE store = $1 AND digest = $2")
        .bind(store)
        .bind(digest.to_string())
        .optional()
        .await?;
    Ok(found.map(|(number,)| number))
}

/// What names the content of a version.
pub(super) async fn digest_of(
    on: &mut dyn Run,
    store: &StoreName,
    number: VersionNumber,
) -> Result<Option<Digest32>> {
    let row: Option<(String,)> = on
        .sql("SELECT digest FROM policy_versions WHERE store = $1 AND number = $2")
        .bind(store)
        .bind(number)
        .optional()
        .await?;
    row.map(|(text,)| parse_digest(&text)).transpose()
}

/// Stores a version under the next number, which it answers.
pub(super) async fn add_version(
    on: &mut dyn Run,
    version: &NewVersion<'_>,
    parent: Option<VersionNumber>,
) -> Result<VersionNumber> {
    let last: Option<i64> = on
        .sql("SELECT MAX(number) FROM policy_versions WHERE store = $1")
        .bind(version.store)
        .scalar()
        .await?;
    let number = VersionNumber(last.unwrap_or(0) + 1);
    let git = version.provenance.git.as_ref();
    // `DO NOTHING` turns a race into a serialization failure, which runs the transaction again.
    let added = on
        .sql(
            "INSERT INTO policy_versions (store, number, digest, semver, parent, author, message, git_commit, \
             git_dirty, bundle, check_report, test_report, created_at_ms) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) ON CONFLICT DO NOTHING",
        )
        .bind(version.store)
        .bind(number)
        .bind(version.digest.to_string())
        .bind(version.semver)
        .bind(parent)
        .bind(&version.provenance.author)
        .bind(&version.provenance.message)
        .bind(git.map(|git| &git.commit))
        .bind(git.map(|git| git.dirty))
        .bind(version.bundle)
        .bind(version.check_report)
        .bind(version.test_report)
        .bind(version.created_at)
        .run()
        .await?;
    if added == 1 { Ok(number) } else { Err(sqlx::Error::RowNotFound.into()) }
}

/// Versions, newest first: those below `before`, or the one that is `only`.
pub(super) async fn summaries(
    on: &mut dyn Run,
    store: &StoreName,
    before: Option<i64>,
    only: Option<VersionNumber>,
    rows: i64,
) -> Result<Vec<VersionSummary>> {
    on.sql(
        "SELECT v.number, v.digest, v.semver, v.parent, v.author, v.message, v.git_commit, v.git_dirty, \
         v.created_at_ms, a.seq, a.actor, a.reason, a.at_ms, \
         (SELECT MAX(l.seq) FROM policy_activations l WHERE l.store = v.store) AS last_seq \
         FROM policy_versions v LEFT JOIN policy_activations a ON a.store = v.store AND a.seq = \
         (SELECT MAX(b.seq) FROM policy_activations b WHERE b.store = v.store AND b.to_number = v.number) \
         WHERE v.store = $1 AND (CAST($2 AS BIGINT) IS NULL OR v.number < $2) \
         AND (CAST($3 AS BIGINT) IS NULL OR v.number = $3) ORDER BY v.number DESC LIMIT $4",
    )
    .bind(store)
    .bind(before)
    .bind(only)
    .bind(rows)
    .all::<SummaryRow>()
    .await?
    .into_iter()
    .map(summary)
    .collect()
}

/// The reports of a version.
pub(super) async fn reports(
    on: &mut dyn Run,
    store: &StoreName,
    number: VersionNumber,
) -> Result<Option<Reports>> {
    let row: Option<(String, String)> = on
        .sql("SELECT check_report, test_report FROM policy_versions WHERE store = $1 AND number = $2")
        .bind(store)
        .bind(number)
        .optional()
        .await?;
    row.map(|(check, tests)| {
        Ok(Reports {
            findings: serde_json::from_str(&check).map_err(damaged)?,
            test_report: serde_json::from_str(&tests).map_err(damaged)?,
        })
    })
    .transpose()
}

/// The files of a version; `Some(Err)` when the stored bytes are not what was stored.
pub(super) async fn bundle(
    on: &mut dyn Run,
    store: &StoreName,
    number: VersionNumber,
) -> Result<Option<Result<Bundle, BundleError>>> {
    let row: Option<(Vec<u8>, String)> = on
        .sql("SELECT bundle, digest FROM policy_versions WHERE store = $1 AND number = $2")
        .bind(store)
        .bind(number)
        .optional()
        .await?;
    let Some((bytes, digest)) = row else { return Ok(None) };
    // Megabytes to unpack and digest: not on a thread that answers requests.
    let decoding = tokio::task::spawn_blocking(move || Bundle::decode(&bytes)).await;
    let bundle = decoding.unwrap_or(Err(BundleError::Damaged));
    Ok(Some(bundle.and_then(|bundle| {
        if bundle.digest().to_string() == digest { Ok(bundle) } else { Err(BundleError::Damaged) }
    })))
}

/// Whether a store has any version.
pub(super) async fn has_versions(on: &mut dyn Run, store: &StoreName) -> Result<bool> {
    on.sql("SELECT EXISTS (SELECT 1 FROM policy_versions WHERE store = $1)").bind(store).scalar().await
}

/// The last activation of a store: what is active.
pub(super) async fn last_activation(on: &mut dyn Run, store: &StoreName) -> Result<Option<Activation>> {
    let row: Option<ActivationRow> = on
        .sql(
            "SELECT store, seq, from_number, to_number, actor, reason, at_ms FROM policy_activations \
             WHERE store = $1 ORDER BY seq DESC LIMIT 1",
        )
        .bind(store)
        .optional()
        .await?;
    Ok(row.map(activation))
}

/// The last activation of every store, by store.
pub(super) async fn last_activations(on: &mut dyn Run) -> Result<Vec<Activation>> {
    let rows: Vec<ActivationRow> = on
        .sql(
            "SELECT a.store, a.seq, a.from_number, a.to_number, a.actor, a.reason, a.at_ms \
             FROM policy_activations a \
             JOIN (SELECT store, MAX(seq) AS seq FROM policy_activations GROUP BY store) l \
             ON l.store = a.store AND l.seq = a.seq ORDER BY a.store",
        )
        .all()
        .await?;
    Ok(rows.into_iter().map(activation).collect())
}

/// Adds an activation. Its `seq` must be the next one.
pub(super) async fn add_activation(on: &mut dyn Run, activation: &Activation) -> Result<()> {
    let added = on
        .sql(
            "INSERT INTO policy_activations (store, seq, from_number, to_number, actor, reason, at_ms) \
             VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING",
        )
        .bind(&activation.store)
        .bind(activation.by.seq)
        .bind(activation.from)
        .bind(activation.number)
        .bind(&activation.by.actor)
        .bind(&activation.by.reason)
        .bind(activation.by.at)
        .run()
        .await?;
    if added == 1 { Ok(()) } else { Err(sqlx::Error::RowNotFound.into()) }
}

/// Every store with the number of its versions and its highest, by name.
pub(super) async fn stores(on: &mut dyn Run) -> Result<Vec<(StoreName, i64)>> {
    on.sql("SELECT store, COUNT(*) FROM policy_versions GROUP BY store ORDER BY store").all().await
}

fn summary(row: SummaryRow) -> Result<VersionSummary> {
    let activated = match (row.seq, row.actor, row.reason, row.at_ms) {
        (Some(seq), Some(actor), Some(reason), Some(at)) => Some(ActivatedBy { seq, actor, reason, at }),
        _ => None,
    };
    let state = match row.seq {
        None => VersionState::Tested,
        seq if seq == row.last_seq => VersionState::Active,
        Some(_) => VersionState::Retired,
    };
    let git = row.git_commit.map(|commit| GitState { commit, dirty: row.git_dirty.unwrap_or(false) });
    Ok(VersionSummary {
        number: row.number,
        digest: parse_digest(&row.digest)?,
        semver: row.semver,
        parent: row.parent,
        provenance: Provenance { author: row.author, message: row.message, git },
        state,
        created_at: row.created_at_ms,
        activated,
    })
}

fn activation(row: ActivationRow) -> Activation {
    let by = ActivatedBy { seq: row.seq, actor: row.actor, reason: row.reason, at: row.at_ms };
    Activation { store: row.store, number: row.to_number, from: row.from_number, by, changed: false }
}

/// Reads 64 hexadecimal digits.
fn parse_digest(text: &str) -> Result<Digest32> {
    let pair = |at: usize| u8::from_str_radix(text.get(at..at + 2)?, 16).ok();
    let bytes: Option<Vec<u8>> = (0..text.len()).step_by(2).map(pair).collect();
    bytes.and_then(|bytes| Digest32::from_slice(&bytes)).ok_or_else(|| damaged(BundleError::Damaged))
}

fn damaged(error: impl std::error::Error + Send + Sync + 'static) -> StorageError {
    sqlx::Error::Decode(Box::new(error)).into()
}
