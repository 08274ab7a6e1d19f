//! Compiling off the runtime, one bundle at a time, and remembering the last few results.
//!
//! A compile takes milliseconds to seconds of one core. It never runs on a thread that serves
//! requests, a burst of publishes queues here instead of taking every core, and once requests are answered it rests as
//! long as it works.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Instant,
};

use tokio::sync::Semaphore;

use super::{
    Bundle, Compiled, Finding, Findings, Severity, Snapshot, StoreName, compile::compile_at, pace::Pace, rest,
};
use crate::{base::Digest32, telemetry::metrics::Metrics};

/// Snapshots that are kept, so that a roll-back to one of them needs no compile.
const REMEMBERED: usize = 8;

/// Compiles bundles.
#[derive(Debug)]
pub(super) struct Compiler {
    metrics: Arc<Metrics>,
    turn: Arc<Semaphore>,
    recent: Mutex<VecDeque<Arc<Snapshot>>>,
    /// Whether requests are answered, so that a compile must leave them the cores.
    beside_requests: AtomicBool,
}

impl Compiler {
    pub(super) fn new(metrics: Arc<Metrics>) -> Self {
        Self {
            metrics,
            turn: Arc::new(Semaphore::new(1)),
            recent: Mutex::default(),
            beside_requests: AtomicBool::new(false),
        }
    }

    /// From now on requests are answered beside the compiles.
    pub(super) fn serve(&self) {
        self.beside_requests.store(true, Ordering::Relaxed);
    }

    /// Compiles on the blocking pool, after those who came before.
    ///
    /// Errors: the findings, at least one of them an error.
    pub(super) async fn compile(&self, store: &StoreName, bundle: &Bundle) -> Result<Compiled, Findings> {
        let (name, files) = (store.clone(), bundle.clone());
        let (turn, metrics) = (Arc::clone(&self.turn).acquire_owned().await, Arc::clone(&self.metrics));
        let pace = self.pace();
        // The turn moves along: a caller who goes away must not let two compiles run.
        let done = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            let started = Instant::now();
            let done = compile_at(pace, &files, &name);
            metrics.compiled(started.elapsed());
            done
        })
        .await;
        match done {
            Ok(Ok(compiled)) if compiled.findings.any_error() => Err(compiled.findings),
            Ok(done) => done,
            Err(error) => {
                tracing::error!(%store, %error, "the policy compiler stopped unexpectedly");
                Err(whole("internal", "the compiler stopped unexpectedly"))
            }
        }
    }

    /// How a compile that begins now goes on.
    fn pace(&self) -> Pace {
        if self.beside_requests.load(Ordering::Relaxed) { rest::beside_requests() } else { Pace::full() }
    }

    /// Keeps a snapshot in place of the one that was not asked for the longest.
    pub(super) fn remember(&self, snapshot: &Arc<Snapshot>) {
        let mut recent = self.recent();
        recent.retain(|known| !is(known, snapshot.store(), snapshot.digest()));
        recent.push_front(Arc::clone(snapshot));
        recent.truncate(REMEMBERED);
    }

    /// The snapshot of this content, if it is still kept.
    pub(super) fn recall(&self, store: &StoreName, digest: Digest32) -> Option<Arc<Snapshot>> {
        let mut recent = self.recent();
        let at = recent.iter().position(|known| is(known, store, digest))?;
        let snapshot = recent.remove(at)?;
        recent.push_front(Arc::clone(&snapshot));
        Some(snapshot)
    }

    fn recent(&self) -> MutexGuard<'_, VecDeque<Arc<Snapshot>>> {
        self.recent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is(snapshot: &Snapshot, store: &StoreName, digest: Digest32) -> bool {
    snapshot.digest() == digest && snapshot.store() == store
}

/// One error finding about the bundle as a whole, for which the file is `.`.
pub(super) fn whole(code: &str, message: &str) -> Findings {
    Findings::new(vec![Finding {
        severity: Severity::Error,
        code: code.to_owned(),
        file: ".".to_owned(),
        line: None,
        column: None,
        message: message.to_owned(),
        help: None,
    }])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_rests_until_requests_are_answered() {
        let compiler = Compiler::new(Arc::default());
        assert_eq!(format!("{:?}", compiler.pace()), "Pace(full)");
        compiler.serve();
        assert_eq!(format!("{:?}", compiler.pace()), "Pace(with pauses)");
    }
}
