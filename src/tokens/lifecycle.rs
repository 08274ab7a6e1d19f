//! The life of signing keys: by schedule, by command, and in an emergency.

use serde_json::json;

use super::{
    KeyState, SigningKey, TokenError, TokenService, keys,
    schedule::{PUBLISHED_FOR, SIGNING_LAG, Step, due},
    store::{self, KeyRow},
};
use crate::{
    audit::{self, Actor},
    base::{Millis, Resealed, Rewrapped, TenantId},
    bus::Topic,
    revocations::{self, Ended},
    storage::Tx,
    write_tx,
};

/// Whose records tell of keys: those of the installation.
const TENANT: TenantId = TenantId::DEFAULT;

impl TokenService {
    /// Every key that there is or was, the newest first, 200 at most.
    ///
    /// Errors: `Storage`.
    pub async fn list(&self) -> Result<Vec<SigningKey>, TokenError> {
        Ok(store::list(&mut &self.db).await?)
    }

    /// Does what is due and brings this node's keys up to date. Any number of nodes may do so at once: the
    /// transaction looks again, and one of them finds something to do.
    ///
    /// Errors: `Storage`, `Entropy`; the known keys stay.
    pub async fn tend(&self) -> Result<(), TokenError> {
        let rows = self.reload().await?;
        if due(&rows, self.settings.key_life, self.clock.now()).is_empty() {
            return Ok(());
        }
        let changed = write_tx!(self.db, "tokens.tend_keys", |tx| -> Result<bool, TokenError> {
            let now = self.clock.now();
            let rows = store::usable(tx).await?;
            let steps = due(&rows, self.settings.key_life, now);
            for step in &steps {
                self.take(tx, step, &rows, now).await?;
            }
            Ok(!steps.is_empty())
        })?;
        self.reload().await?;
        if changed {
            self.announce_keys().await;
        }
        Ok(())
    }

    /// Has the signing key replaced as soon as verifiers can know the next one: publishes it if none waits,
    /// and says when it will sign. The present key signs until then.
    ///
    /// A key that waits but is of another algorithm than the configured one is dropped for a new one.
    /// Errors: `Storage`, `Entropy`.
    pub async fn rotate(&self, actor: Actor<'_>) -> Result<SigningKey, TokenError> {
        let key = write_tx!(self.db, "tokens.rotate_key", |tx| -> Result<SigningKey, TokenError> {
            let now = self.clock.now();
            let rows = store::usable(tx).await?;
            let waiting = rows.iter().find(|row| row.state == KeyState::Pending);
            let fits = |row: &&KeyRow| row.alg == self.settings.signing_alg.name();
            let key = if let Some(row) = waiting.filter(fits) {
                let at = row.created_at_ms.plus(PUBLISHED_FOR).max(now);
                let at = row.not_before_ms.map_or(at, |planned| planned.min(at));
                store::set_not_before(tx, &row.kid, at).await?;
                KeyRow { not_before_ms: Some(at), ..row.clone() }
            } else {
                if let Some(row) = waiting {
                    store::retire(tx, &row.kid, Some(now)).await?;
                }
                self.publish(tx, now.plus(PUBLISHED_FOR), now).await?
            };
            let detail = json!({ "alg": key.alg, "signs_at": key.not_before_ms.map(|at| at.to_string()) });
            let entry = actor.does(TENANT, "signing_key_rotation_ordered", &key.kid, detail);
            audit::record(tx, now, &*self.entropy, entry).await?;
            Ok(SigningKey::from(key))
        })?;
        self.reload().await?;
        self.announce_keys().await;
        Ok(key)
    }

    /// Drops a key at once: no token that it signed is accepted any more, on this node from now on, on the
    /// others with the bus's message, or after a few seconds without it. If it was the signing key, the key
    /// that waits signs from now on, or a new one.
    ///
    /// Errors: `KeyNotFound` (no such key is in use), `Storage`, `Entropy`.
    pub async fn revoke(&self, kid: &str, actor: Actor<'_>) -> Result<(), TokenError> {
        write_tx!(self.db, "tokens.revoke_key", |tx| -> Result<(), TokenError> {
            let now = self.clock.now();
            let rows = store::usable(tx).await?;
            let row = rows.iter().find(|row| row.kid == kid).ok_or(TokenError::KeyNotFound)?;
            store::retire(tx, kid, Some(now)).await?;
            revocations::record(tx, now, None, &Ended::SigningKey(kid)).await?;
            let mut successor = None;
            if row.state == KeyState::Active {
                let waiting = rows.iter().find(|row| row.state == KeyState::Pending);
                let next = match waiting {
                    Some(row) => row.clone(),
                    None => self.publish(tx, now, now).await?,
                };
                store::activate(tx, &next.kid, now, now).await?;
                successor = Some(next.kid);
            }
            let detail = json!({ "was": row.state.as_str(), "successor": successor });
            let entry = actor.does(TENANT, "signing_key_revoked", kid, detail);
            Ok(audit::record(tx, now, &*self.entropy, entry).await?)
        })?;
        self.reload().await?;
        self.announce_keys().await;
        Ok(())
    }

    /// Seals the private part of every key with the present master key, key by key: what an interruption
    /// leaves over, the next run does.
    ///
    /// Errors: `Storage`, `Entropy`.
    pub async fn rewrap(&self, actor: Actor<'_>) -> Result<Rewrapped, TokenError> {
        let mut done = Rewrapped::default();
        for KeyRow { kid, .. } in store::usable(&mut &self.db).await? {
            let came_to = write_tx!(self.db, "tokens.rewrap_key", |tx| -> Result<Resealed, TokenError> {
                let rows = store::usable(tx).await?;
                let Some(row) = rows.iter().find(|row| row.kid == kid) else { return Ok(Resealed::Kept) };
                let came_to = self.sealing.reseal(&keys::place(&kid), &row.private_sealed, &*self.entropy)?;
                if let Resealed::Anew(sealed) = &came_to {
                    store::reseal(tx, row, sealed).await?;
                    let entry = actor.does(TENANT, "signing_key_rewrapped", &kid, json!({}));
                    audit::record(tx, self.clock.now(), &*self.entropy, entry).await?;
                }
                Ok(came_to)
            })?;
            if came_to == Resealed::Lost {
                tracing::error!(kid, "the private part of a signing key does not open");
            }
            done.count(&came_to);
        }
        Ok(done)
    }

    async fn take(&self, tx: &mut Tx, step: &Step, rows: &[KeyRow], now: Millis) -> Result<(), TokenError> {
        let opens = |kid: &String| rows.iter().any(|row| row.kid == *kid && keys::opens(row, &self.sealing));
        let (action, kid) = match step {
            Step::Publish(at) => ("signing_key_published", self.publish(tx, *at, now).await?.kid),
            Step::Activate(kid) if !opens(kid) => {
                store::retire(tx, kid, Some(now)).await?;
                ("signing_key_unusable", kid.clone())
            }
            Step::Activate(kid) => {
                let alive = self.settings.access_ttl + self.settings.leeway;
                store::activate(tx, kid, now, now.plus(alive + SIGNING_LAG)).await?;
                ("signing_key_activated", kid.clone())
            }
            Step::Forget(kid) => {
                store::retire(tx, kid, None).await?;
                ("signing_key_retired", kid.clone())
            }
        };
        let entry = Actor::named("system").does(TENANT, action, &kid, json!({}));
        Ok(audit::record(tx, now, &*self.entropy, entry).await?)
    }

    /// Stores a new pending key that is to sign at `not_before`.
    async fn publish(&self, tx: &mut Tx, not_before: Millis, now: Millis) -> Result<KeyRow, TokenError> {
        let algorithm = self.settings.signing_alg;
        let made = keys::generate(algorithm, KeyState::Pending, now, &self.sealing, &*self.entropy)?;
        let key = KeyRow { not_before_ms: Some(not_before), ..made };
        store::insert(tx, &key).await?;
        Ok(key)
    }

    /// Tells the other nodes to look again. What fails here is made good by their poll: no error.
    async fn announce_keys(&self) {
        if let Err(error) = self.bus.publish(Topic::SigningKeys, "changed").await {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "a change of signing keys was not published"
            );
        }
    }
}
