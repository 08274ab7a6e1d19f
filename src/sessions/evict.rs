//! How many sessions a user may have at once: with one more, the oldest ends (ASVS 5.0 §7.1.2).

use serde_json::json;

use super::{Ended, LiveSession, SessionError, SessionService, uses};
use crate::{
    audit::{self, Actor},
    write_tx,
};

impl SessionService {
    /// Follows up on a session that was opened, once its transaction has committed: puts its hot copy in place, and
    /// ends the oldest sessions of the user where there are too many. What fails here is made good by the next
    /// sign-in: no error.
    pub async fn opened(&self, session: &LiveSession) {
        self.warm(session).await;
        if let Err(error) = self.evict(session).await {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "sessions over the limit were not ended"
            );
        }
    }

    /// Ends the oldest sessions beside `newest` that are over the limit.
    ///
    /// Not in the transaction that opened it: to count there would make sign-ins of all users wait for each other.
    async fn evict(&self, newest: &LiveSession) -> Result<(), SessionError> {
        let (now, max) = (self.clock.now(), i64::from(self.settings.max_per_user));
        if uses::count_live(&mut &self.db, newest, now).await? <= max {
            return Ok(());
        }
        let (tenant, user) = (newest.tenant_id, newest.user_id);
        let name = user.to_string();
        let ended = write_tx!(self.db, "sessions.evict", |tx| -> Result<Ended, SessionError> {
            let mut ended = Ended::default();
            for (id,) in uses::oldest_live(tx, newest, max - 1, now).await? {
                ended.sessions.extend(
                    self.end_one(tx, tenant, user, id, "evicted").await?.unwrap_or_default().sessions,
                );
                let (subject, detail) = (id.to_string(), json!({ "user_id": user, "reason": "evicted" }));
                let entry = Actor::named(&name).does(tenant, "session_revoked", &subject, detail);
                audit::record(tx, now, &*self.entropy, entry).await?;
            }
            Ok(ended)
        })?;
        self.announce(&ended).await;
        Ok(())
    }
}
