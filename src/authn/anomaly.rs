//! Many failed sign-ins at once, each with another account from another address: no limit of one address or
//! account sees it, their share among all sign-ins does (threat T54).
//!
//! A node counts its own sign-ins of the last five minutes. Are enough of them failures, sign-ins from devices
//! that are not known are rationed (`limits.anomaly_logins`) until five minutes after the last sign of it. Who
//! comes with a known device notices nothing.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use serde_json::json;

use super::AuthnService;
use crate::{
    audit::{self, Actor, AuditError},
    base::{Millis, TenantId},
    config::LimitsConfig,
    write_tx,
};

/// Minutes that are counted together.
const MINUTES: u8 = 5;
/// How long sign-ins are rationed after the last sign of an anomaly.
const LASTS: Duration = Duration::from_mins(5);

/// The sign-ins of one minute.
#[derive(Debug, Clone, Copy, Default)]
struct Minute {
    number: i64,
    all: u64,
    failed: u64,
}

#[derive(Debug, Default)]
struct State {
    minutes: [Minute; MINUTES as usize],
    until: Option<Millis>,
}

/// What a node counts.
#[derive(Debug)]
pub(super) struct Anomaly {
    failures: u64,
    share: f64,
    state: Mutex<State>,
}

/// An anomaly that has just begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Began {
    all: u64,
    failed: u64,
}

impl Anomaly {
    pub(super) fn new(limits: &LimitsConfig) -> Self {
        Self {
            failures: u64::from(limits.anomaly_failures),
            share: limits.anomaly_share,
            state: Mutex::default(),
        }
    }

    /// Counts a sign-in; answers the anomaly that begins with it.
    pub(super) fn count(&self, has_failed: bool, now: Millis) -> Option<Began> {
        let number = now.0.div_euclid(60_000);
        let mut state = self.state();
        let slot = usize::try_from(number.rem_euclid(i64::from(MINUTES))).unwrap_or(0);
        if let Some(minute) = state.minutes.get_mut(slot) {
            if minute.number != number {
                *minute = Minute { number, ..Minute::default() };
            }
            minute.all += 1;
            minute.failed += u64::from(has_failed);
        }
        let recent = |minute: &&Minute| (0..i64::from(MINUTES)).contains(&(number - minute.number));
        let (mut all, mut failed) = (0, 0);
        for minute in state.minutes.iter().filter(recent) {
            all += minute.all;
            failed += minute.failed;
        }
        #[expect(clippy::cast_precision_loss, reason = "counts of five minutes")]
        let is_anomaly = failed >= self.failures && failed as f64 >= all as f64 * self.share;
        if !is_anomaly {
            return None;
        }
        let was_open = state.until.is_some_and(|until| until > now);
        state.until = Some(now.plus(LASTS));
        (!was_open).then_some(Began { all, failed })
    }

    /// Whether sign-ins are rationed.
    pub(super) fn is_on(&self, now: Millis) -> bool {
        self.state().until.is_some_and(|until| until > now)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl AuthnService {
    /// Counts a sign-in for the anomaly, and records the beginning of one. Failing to is no error of the
    /// sign-in.
    pub(super) async fn watch_for_anomaly(&self, tenant: TenantId, has_failed: bool) {
        let parts = &self.parts;
        let now = parts.clock.now();
        let Some(Began { all, failed }) = self.anomaly.count(has_failed, now) else { return };
        parts.metrics.login_anomaly_began();
        tracing::warn!(all, failed, "most sign-ins fail: those from unknown devices are rationed");
        let detail = json!({ "logins": all, "failed": failed });
        let done = write_tx!(parts.db, "authn.anomaly", |tx| -> Result<(), AuditError> {
            let entry = Actor::named("system").does(tenant, "login_anomaly", "login", detail.clone());
            audit::record(tx, now, &*parts.entropy, entry).await
        });
        if let Err(error) = done {
            tracing::error!(error = &error as &dyn std::error::Error, "an anomaly was not recorded");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_takes_many_failures_and_a_large_share() {
        let limits = LimitsConfig { anomaly_failures: 10, anomaly_share: 0.8, ..LimitsConfig::default() };
        let minute = |n: i64| Millis(n * 60_000);
        let quiet = Anomaly::new(&limits);
        for n in 0..100 {
            assert_eq!(quiet.count(n % 2 == 0, minute(0)), None, "half of them fail");
        }
        let slow = Anomaly::new(&limits);
        for n in 0..20 {
            assert_eq!(slow.count(true, minute(n)), None, "one a minute");
        }
        let stuffed = Anomaly::new(&limits);
        for _ in 0..9 {
            assert_eq!(stuffed.count(true, minute(0)), None);
        }
        assert!(!stuffed.is_on(minute(1)));
        assert_eq!(stuffed.count(true, minute(1)), Some(Began { all: 10, failed: 10 }));
        assert_eq!(stuffed.count(true, minute(2)), None, "it began before");
        assert!(stuffed.is_on(Millis(minute(7).0 - 1)) && !stuffed.is_on(minute(7)));
        assert_eq!(stuffed.count(true, minute(50)), None);
    }
}
