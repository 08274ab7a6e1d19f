//! Wrong passwords in a row, counted in SQL, and what follows from them.
//!
//! ```text
//!  wrong ─► count ─ under 10 ─► nothing yet
//!                 └ 10 and no lock runs ─► lock: 15 min, then 30 min, 1 h, … 24 h at most
//!  right ─► lock runs? ─ no ─► let in, count forgotten
//!                      └ yes ─► `account_locked`; from 100 wrong ones on, the same 401 as a wrong one
//! ```
//! - Whom the count is of: the user; the device, where it proved that it signed in before; the identifier as
//!   typed, where it is nobody's, so that known and unknown users cost the same (threat T9). So strangers
//!   cannot lock the owner of an account out of a device that it knows (threat T44).
//! - A lock never reaches further than a day from now, and what is tried while it runs does not lengthen it.
//! - INVARIANT: at most 100 guesses in a row are told apart (NIST SP 800-63B-4 §3.2.2).

use std::time::Duration;

use serde_json::json;

use super::{AuthnError, AuthnService, store};
use crate::{
    audit::{self, Actor},
    base::{DeviceId, Digest32, Millis, TenantId, UserId},
    storage::{Run, Tx},
};

/// Longest lock.
const LONGEST: Duration = Duration::from_hours(24);
/// Wrong passwords in a row from which on a right one is told from them only when no lock runs.
const MOST_FAILURES: i64 = 100;
/// How long a count is kept after the last failure.
const KEPT: Duration = Duration::from_hours(30 * 24);
/// The same for an identifier that is nobody's.
const KEPT_OF_NOBODY: Duration = Duration::from_hours(24);

/// Whose wrong passwords are counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Subject {
    User(UserId),
    Device(DeviceId),
    /// The codes of a user's second factor, whose count is its own.
    SecondFactor(UserId),
    Nobody(Digest32),
}

impl Subject {
    /// The device that is known, if one is.
    pub(super) fn device(&self) -> Option<DeviceId> {
        match self {
            Self::Device(id) => Some(*id),
            Self::User(_) | Self::SecondFactor(_) | Self::Nobody(_) => None,
        }
    }
}

impl std::fmt::Display for Subject {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::User(id) => id.fmt(f),
            Self::Device(id) => id.fmt(f),
            Self::SecondFactor(id) => write!(f, "mfa:{id}"),
            Self::Nobody(identifier) => identifier.fmt(f),
        }
    }
}

/// The count of a subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq, sqlx::FromRow)]
pub(super) struct Failures {
    /// Wrong passwords in a row.
    pub(super) in_a_row: i64,
    /// Locks since the last right one.
    pub(super) locks: i64,
    /// When the last lock ends, or ended.
    pub(super) locked_until_ms: Millis,
}

impl AuthnService {
    /// Counts a wrong password, and locks where it is one too many, with an audit record.
    ///
    /// Errors: `Storage`, `Entropy`.
    pub(super) async fn count_failure_in(
        &self,
        tx: &mut Tx,
        tenant: TenantId,
        subject: &Subject,
        request_id: Option<&str>,
    ) -> Result<(), AuthnError> {
        let parts = &self.parts;
        let now = parts.clock.now();
        let kept = if matches!(subject, Subject::Nobody(_)) { KEPT_OF_NOBODY } else { KEPT };
        let name = subject.to_string();
        store::forget_failures(tx, now).await?;
        let count = store::add_failure(tx, tenant, &name, now.plus(kept)).await?;
        if count.in_a_row < i64::from(parts.limits.lock_after) || count.locked_until_ms > now {
            return Ok(());
        }
        let until = now.plus(lock_time(count.locks, Duration::from_secs(parts.limits.lock_secs)));
        store::set_lock(tx, tenant, &name, until).await?;
        let detail = json!({ "failures": count.in_a_row, "until": until.to_string() });
        let entry = Actor { name: "system", request_id }.does(tenant, "login_locked", &name, detail);
        Ok(audit::record(tx, now, &*parts.entropy, entry).await?)
    }

    /// Lets a right password pass and forgets the wrong ones before it, unless a lock runs.
    ///
    /// Errors: `LoginLocked`, `InvalidCredentials` (after too many wrong ones), `Storage`.
    pub(super) async fn pass_lock_in(
        &self,
        tx: &mut Tx,
        tenant: TenantId,
        subject: &Subject,
    ) -> Result<(), AuthnError> {
        if self.failures_of(tx, tenant, subject).await?.is_some() {
            store::clear_failures(tx, tenant, &subject.to_string()).await?;
        }
        Ok(())
    }

    /// How many wrong passwords in a row there were before a right one, unless a lock runs.
    ///
    /// Errors: as [`AuthnService::pass_lock_in`].
    pub(super) async fn failures_of(
        &self,
        run: &mut dyn Run,
        tenant: TenantId,
        subject: &Subject,
    ) -> Result<Option<i64>, AuthnError> {
        let now = self.parts.clock.now();
        match store::failures(run, tenant, &subject.to_string()).await? {
            Some(count) if count.locked_until_ms > now => Err(if count.in_a_row >= MOST_FAILURES {
                AuthnError::InvalidCredentials
            } else {
                AuthnError::LoginLocked { until: count.locked_until_ms }
            }),
            count => Ok(count.map(|count| count.in_a_row)),
        }
    }
}

/// How long the next lock lasts after `locks` others.
fn lock_time(locks: i64, first: Duration) -> Duration {
    let doublings = u32::try_from(locks.clamp(0, 20)).unwrap_or(0);
    first.saturating_mul(1 << doublings).min(LONGEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locks_grow_to_a_day() {
        let minutes = |locks| lock_time(locks, Duration::from_mins(15)).as_secs() / 60;
        assert_eq!([0, 1, 2, 6, 7, 8, 1_000].map(minutes), [15, 30, 60, 960, 1440, 1440, 1440]);
        assert_eq!(lock_time(i64::MAX, Duration::from_hours(24)), LONGEST);
    }
}
