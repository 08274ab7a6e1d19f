//! When sessions were last used: noted in memory, at most once a minute for each token, and written in batches.
//!
//! A use moves the end of an unused session, as a refresh does (R34). It never brings one back: what has ended, or
//! was unused for too long when its use is written, stays so. Copies that are older say an earlier end, after which
//! SQL is asked.

use std::{
    collections::BTreeMap,
    net::IpAddr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use tokio_util::sync::CancellationToken;

use super::{SessionError, SessionService, SessionSettings, devices, uses};
use crate::{
    base::{DeviceId, Millis, SessionId, TenantId, UserId},
    tokens::AccessClaims,
    write_tx,
};

/// How exact the time of the last use is, and how often uses are written.
const EVERY: Duration = Duration::from_mins(1);
/// Most uses that wait to be written; further ones are not noted.
const MAX_WAITING: usize = 50_000;
/// Uses that are written in one transaction; between two of them others write.
const CHUNK: usize = 200;

/// The last use of a session.
#[derive(Debug, Clone)]
pub(super) struct Use {
    pub(super) tenant: TenantId,
    pub(super) user: UserId,
    pub(super) device: DeviceId,
    pub(super) at: Millis,
    pub(super) ip: Option<IpAddr>,
}

/// In the order of their ids, so that two nodes that write at once do not wait for each other in a circle.
type Waiting = BTreeMap<SessionId, Use>;

/// Uses that wait to be written.
#[derive(Debug)]
pub(super) struct Usage {
    waiting: Mutex<Waiting>,
    every: Duration,
}

impl Usage {
    /// Nothing was used yet. Sessions that end by idleness within minutes are noted more often.
    pub(super) fn new(settings: &SessionSettings) -> Self {
        Self { waiting: Mutex::default(), every: EVERY.min(settings.idle_ttl / 4) }
    }

    fn note(&self, noted_at: &AtomicI64, id: SessionId, used: Use) {
        let last = noted_at.load(Ordering::Relaxed);
        let is_due = used.at.since(Millis(last)) >= self.every;
        let at = used.at.0;
        if !is_due || noted_at.compare_exchange(last, at, Ordering::Relaxed, Ordering::Relaxed).is_err() {
            return;
        }
        self.put([(id, used)]);
    }

    /// Adds uses; of two of one session the later one counts.
    fn put(&self, uses: impl IntoIterator<Item = (SessionId, Use)>) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        for (id, used) in uses {
            let is_full = waiting.len() >= MAX_WAITING;
            match waiting.get_mut(&id) {
                Some(known) if known.at < used.at => {
                    *known = Use { ip: used.ip.or(known.ip), ..used };
                }
                None if !is_full => drop(waiting.insert(id, used)),
                Some(_) | None => {}
            }
        }
    }

    fn take(&self) -> Waiting {
        std::mem::take(&mut *self.waiting.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl SessionService {
    /// Notes that a token of a session was used, unless that was noted within the minute. Costs no I/O.
    ///
    /// `noted_at` is kept beside the token, and says when it was noted last.
    pub fn note_use(&self, claims: &AccessClaims, noted_at: &AtomicI64, ip: Option<IpAddr>, at: Millis) {
        let used = Use { tenant: claims.tid, user: claims.sub, device: claims.did, at, ip };
        self.usage.note(noted_at, claims.sid, used);
    }

    /// Writes the uses that wait; answers of how many sessions.
    ///
    /// Errors: `Storage`; what was not written waits on.
    pub async fn write_usage(&self) -> Result<usize, SessionError> {
        let mut waiting: Vec<_> = self.usage.take().into_iter().collect();
        let mut written = 0;
        while !waiting.is_empty() {
            let rest = waiting.split_off(waiting.len().min(CHUNK));
            match self.write_uses(&waiting).await {
                Ok(()) => written += waiting.len(),
                Err(error) => {
                    self.usage.put(waiting.into_iter().chain(rest));
                    return Err(error);
                }
            }
            waiting = rest;
        }
        Ok(written)
    }

    async fn write_uses(&self, uses: &[(SessionId, Use)]) -> Result<(), SessionError> {
        let (now, idle_ttl) = (self.clock.now(), self.settings.idle_ttl);
        write_tx!(self.db, "sessions.usage", |tx| -> Result<(), SessionError> {
            for (_, used) in uses {
                devices::used(tx, (used.tenant, used.user), used.device, used.at).await?;
            }
            for (id, used) in uses {
                uses::used(tx, *id, used, used.at.plus(idle_ttl), now).await?;
            }
            Ok(())
        })
    }

    /// Writes uses every minute until `shutdown`, and then what is left.
    pub async fn run_usage(self: Arc<Self>, shutdown: CancellationToken) {
        loop {
            let pause = tokio::time::sleep(self.usage.every);
            let is_over = shutdown.run_until_cancelled(pause).await.is_none();
            if let Err(error) = self.write_usage().await {
                tracing::warn!(error = &error as &dyn std::error::Error, "uses of sessions were not written");
            }
            if is_over {
                return;
            }
        }
    }
}
