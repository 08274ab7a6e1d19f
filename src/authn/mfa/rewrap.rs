//! Sealing the secrets of second factors anew, when the master key is another.

use serde_json::json;

use super::{operations::place, store};
use crate::{
    audit::{self, Actor},
    authn::{AuthnError, AuthnService},
    base::{Resealed, Rewrapped, TenantId, UserId},
    write_tx,
};

/// Secrets that one transaction seals.
const BATCH: i64 = 100;

impl AuthnService {
    /// Seals the secret of every second factor, of whatever tenant, with the present master key, so many at a time:
    /// what an interruption leaves over, the next run does.
    ///
    /// Errors: `Storage`, `Entropy`.
    pub async fn rewrap_second_factors(&self, actor: Actor<'_>) -> Result<Rewrapped, AuthnError> {
        let (mut done, mut after) = (Rewrapped::default(), None);
        loop {
            let batch = self.rewrap_batch(after, actor).await?;
            let Some((last, _)) = batch.last() else { return Ok(done) };
            after = Some(*last);
            for (user, came_to) in &batch {
                if *came_to == Resealed::Lost {
                    tracing::error!(%user, "the secret of a second factor does not open");
                }
                done.count(came_to);
            }
        }
    }

    /// Seals the secrets of the users next after one; answers what each came to.
    async fn rewrap_batch(
        &self,
        after: Option<UserId>,
        actor: Actor<'_>,
    ) -> Result<Vec<(UserId, Resealed)>, AuthnError> {
        let parts = &self.parts;
        write_tx!(parts.db, "authn.rewrap", |tx| -> Result<Vec<(UserId, Resealed)>, AuthnError> {
            let (mut batch, mut resealed) = (Vec::new(), 0);
            for row in store::secrets_after(tx, after, BATCH).await? {
                let user = row.user_id;
                let came_to = self.mfa_key.reseal(&place(user), &row.sealed, &*parts.entropy)?;
                if let Resealed::Anew(sealed) = &came_to {
                    store::reseal(tx, &row, sealed).await?;
                    resealed += 1;
                }
                batch.push((user, came_to));
            }
            if resealed > 0 {
                let detail = json!({ "count": resealed });
                let entry = actor.does(TenantId::DEFAULT, "second_factors_rewrapped", "totp_factors", detail);
                audit::record(tx, parts.clock.now(), &*parts.entropy, entry).await?;
            }
            Ok(batch)
        })
    }
}
