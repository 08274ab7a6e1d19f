//! Background loops: started here and nowhere else, ended by one token, waited for at shutdown.

use std::{
    any::Any,
    panic::AssertUnwindSafe,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures_util::FutureExt;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::Instrument;

/// The loops of a process. Cheap to clone; clones share them.
#[derive(Debug, Clone, Default)]
pub struct Worker {
    tracker: TaskTracker,
    shutdown: CancellationToken,
    lost: Arc<AtomicUsize>,
}

/// Loops that did not end in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0} background tasks did not end in time")]
pub struct Unfinished(pub usize);

impl Worker {
    /// No loops yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The token that ends every loop. A loop takes it, and returns soon after it is cancelled.
    #[must_use]
    pub fn shutdown_token(&self) -> CancellationToken {
        self.shutdown.clone()
    }

    /// What counts the tasks, for devices that start tasks of their own (connections).
    #[must_use]
    pub fn tracker(&self) -> &TaskTracker {
        &self.tracker
    }

    /// Starts a loop. One that returns or panics before shutdown is an error in the log and is
    /// counted by [`Self::lost`]; the process goes on, since the loops have floors under them.
    pub fn spawn(&self, name: &'static str, task: impl Future<Output = ()> + Send + 'static) {
        let (shutdown, lost) = (self.shutdown.clone(), Arc::clone(&self.lost));
        let watched = async move {
            let outcome = AssertUnwindSafe(task).catch_unwind().await;
            if outcome.is_ok() && shutdown.is_cancelled() {
                tracing::debug!("ended");
                return;
            }
            lost.fetch_add(1, Ordering::Relaxed);
            match outcome {
                Ok(()) => tracing::error!("a background loop ended before shutdown"),
                Err(panic) => tracing::error!(panic = said(panic.as_ref()), "a background loop panicked"),
            }
        };
        self.tracker.spawn(watched.instrument(tracing::info_span!("worker", name)));
    }

    /// How many loops ended when they should not have. Above zero: the process should be replaced.
    #[must_use]
    pub fn lost(&self) -> usize {
        self.lost.load(Ordering::Relaxed)
    }

    /// Ends every loop and waits for them, at most `limit`.
    ///
    /// Errors: [`Unfinished`]; the rest is dropped with the runtime.
    pub async fn shutdown(&self, limit: Duration) -> Result<(), Unfinished> {
        self.shutdown.cancel();
        self.tracker.close();
        tokio::time::timeout(limit, self.tracker.wait()).await.map_err(|_| Unfinished(self.tracker.len()))
    }
}

/// What a panic said.
fn said(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("not text")
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_secs(5);

    #[tokio::test]
    async fn waits_for_its_loops() {
        let worker = Worker::new();
        let done = Arc::new(AtomicUsize::new(0));
        for _ in 0..3 {
            let (token, done) = (worker.shutdown_token(), Arc::clone(&done));
            worker.spawn("loop", async move {
                token.cancelled().await;
                done.fetch_add(1, Ordering::SeqCst);
            });
        }
        assert_eq!(worker.shutdown(LIMIT).await, Ok(()));
        assert_eq!((done.load(Ordering::SeqCst), worker.lost()), (3, 0));
    }

    #[tokio::test]
    async fn counts_loops_that_end_early() {
        let worker = Worker::new();
        worker.spawn("returns", async {});
        worker.spawn("panics", async { panic!("on purpose") });
        worker.tracker().close();
        worker.tracker().wait().await;
        assert_eq!(worker.lost(), 2);
        assert_eq!(worker.shutdown(LIMIT).await, Ok(()));
    }

    #[tokio::test]
    async fn gives_up_on_a_loop_that_does_not_listen() {
        let worker = Worker::new();
        worker.spawn("deaf", std::future::pending());
        assert_eq!(worker.shutdown(Duration::from_millis(10)).await, Err(Unfinished(1)));
    }

    #[test]
    fn a_panic_is_quoted() {
        assert_eq!(said(&"text"), "text");
        assert_eq!(said(&"owned".to_owned()), "owned");
        assert_eq!(said(&7_u8), "not text");
    }
}
