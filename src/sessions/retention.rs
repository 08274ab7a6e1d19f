//! Forgetting sessions that ended long ago, and devices on which nobody has been seen for longer.
//!
//! A session that ends early is kept to its idle end like any other and then for as long again as is configured: one
//! date decides. The audit log keeps what happened. A device that is forgotten is an unknown one at its next sign-in.
//! None of them has a live session: refreshing alone does not show on a device, so it is kept for at least as long as a
//! session can last.

use std::{sync::Arc, time::Duration};

use tokio_util::sync::CancellationToken;

use super::{SessionError, SessionService, devices, uses};

/// How many rows one statement removes: nobody waits for longer than that.
const AT_ONCE: i64 = 1_000;
/// How often a node looks.
const EVERY: Duration = Duration::from_hours(1);

impl SessionService {
    /// Forgets what is old until `shutdown`. SECURITY: in a loop of its own, for the first time may take minutes, in which
    /// the news of ended sessions must not wait (threat T29).
    pub async fn run_retention(self: Arc<Self>, shutdown: CancellationToken) {
        while shutdown.run_until_cancelled(tokio::time::sleep(EVERY)).await.is_some() {
            // Between two statements a stop comes through.
            if let Some(Err(error)) = shutdown.run_until_cancelled(self.forget_old()).await {
                tracing::warn!(error = &error as &dyn std::error::Error, "old sessions were not forgotten");
            }
        }
    }

    /// Forgets what `sessions.keep_ended_secs` and `sessions.keep_devices_secs` say; answers how many sessions and
    /// devices.
    ///
    /// Errors: `Storage`; what was forgotten until then is.
    pub async fn forget_old(&self) -> Result<(u64, u64), SessionError> {
        let now = self.clock.now();
        let (ended, unused) = (now.minus(self.settings.keep_ended), now.minus(self.settings.keep_devices));
        let (mut sessions, mut of_devices) = (0, 0);
        loop {
            let gone = uses::forget_ended(&self.db, ended, AT_ONCE).await?;
            let gone_devices = devices::forget_unused(&self.db, unused, AT_ONCE).await?;
            (sessions, of_devices) = (sessions + gone, of_devices + gone_devices);
            if gone == 0 && gone_devices == 0 {
                return Ok((sessions, of_devices));
            }
        }
    }
}
