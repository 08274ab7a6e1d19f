//! When keys were last used: noted in memory, at most once a minute for each key, and written in batches.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use tokio_util::sync::CancellationToken;

use super::{ApiKeyError, ApiKeyService, store};
use crate::{
    base::{ApiKeyId, Millis, TenantId},
    write_tx,
};

/// How exact the time of the last use is, and how often uses are written.
const EVERY: Duration = Duration::from_mins(1);
/// Most uses that wait to be written; further ones are not noted.
const MAX_WAITING: usize = 50_000;

type Waiting = HashMap<(TenantId, ApiKeyId), (Millis, Option<IpAddr>)>;

/// Uses that wait to be written.
#[derive(Debug, Default)]
pub(super) struct Usage(Mutex<Waiting>);

impl Usage {
    /// Notes a use, unless one was noted within the minute.
    pub(super) fn note(
        &self,
        noted_at: &AtomicI64,
        key: (TenantId, ApiKeyId),
        now: Millis,
        ip: Option<IpAddr>,
    ) {
        let last = noted_at.load(Ordering::Relaxed);
        let is_due = now.since(Millis(last)) >= EVERY;
        if !is_due || noted_at.compare_exchange(last, now.0, Ordering::Relaxed, Ordering::Relaxed).is_err() {
            return;
        }
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.len() < MAX_WAITING || waiting.contains_key(&key) {
            waiting.insert(key, (now, ip));
        }
    }

    fn take(&self) -> Waiting {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl ApiKeyService {
    /// Writes the uses that wait.
    ///
    /// Errors: `Storage`; they are lost then.
    pub async fn write_usage(&self) -> Result<(), ApiKeyError> {
        let waiting = self.usage.take();
        if waiting.is_empty() {
            return Ok(());
        }
        write_tx!(self.parts.db, "api_keys.usage", |tx| -> Result<(), ApiKeyError> {
            for ((tenant, id), (at, ip)) in &waiting {
                let ip = ip.map(|ip| ip.to_canonical().to_string());
                store::used(tx, *tenant, *id, *at, ip.as_deref()).await?;
            }
            Ok(())
        })
    }

    /// Writes uses every minute until `shutdown`, and then what is left.
    pub async fn run(self: Arc<Self>, shutdown: CancellationToken) {
        loop {
            let is_over = shutdown.run_until_cancelled(tokio::time::sleep(EVERY)).await.is_none();
            if let Err(error) = self.write_usage().await {
                tracing::warn!(error = &error as &dyn std::error::Error, "uses of API keys were not written");
            }
            if is_over {
                return;
            }
        }
    }
}
