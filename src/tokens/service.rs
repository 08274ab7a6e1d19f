//! Use cases around tokens and keys.

use std::{sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use tokio::sync::Mutex;

use super::{
    AccessClaims, AccessSubject, AccessToken, JwkSet, TokenError, TokenSettings,
    issue::{claims, sign},
    keys::{self, Ring},
    store,
    verify::{Access, verify},
};
use crate::{
    base::{Clock, Entropy, MasterKey, Millis, PlainToken, SealingKey},
    jws::{Kind, Refusal},
    storage::Db,
    write_tx,
};

/// How long a node waits before it looks for new keys again.
const RELOAD_EVERY: Duration = Duration::from_secs(30);

/// Issues and verifies access tokens.
#[derive(Debug)]
pub struct TokenService {
    db: Db,
    sealing: SealingKey,
    settings: TokenSettings,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    ring: ArcSwap<Ring>,
    reloaded_at: Mutex<Option<Millis>>,
}

impl TokenService {
    /// Opens the stored keys, after making the first one if there is none. Nodes that start at once agree
    /// on one key.
    ///
    /// Errors: `KeyUnusable` (another master key), `Storage`, `Entropy`.
    pub async fn start(
        db: Db,
        master: &MasterKey,
        settings: TokenSettings,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
    ) -> Result<Self, TokenError> {
        let sealing = master.sealing_key("signing-keys");
        write_tx!(db, "tokens.first_key", |tx| -> Result<(), TokenError> {
            if store::count_active(tx).await? == 0 {
                let key = keys::generate(&sealing, &*entropy)?;
                store::insert_active(tx, &key, clock.now()).await?;
            }
            Ok(())
        })?;
        let ring = Ring::open(&store::usable(&mut &db).await?, &sealing)?;
        let (ring, reloaded_at) = (ArcSwap::from_pointee(ring), Mutex::new(None));
        Ok(Self { db, sealing, settings, clock, entropy, ring, reloaded_at })
    }

    /// Issues an access token at `now`.
    ///
    /// Shape: in (`AccessSubject`, `now`) → out (`AccessToken`: a JWS of type `at+jwt`, its end, its `jti`).
    /// Errors: `NoKey`, `Entropy`.
    /// Source: RFC 9068 §2.
    pub fn issue(&self, subject: AccessSubject, now: Millis) -> Result<AccessToken, TokenError> {
        let ring = self.ring.load();
        let key = ring.active().ok_or(TokenError::NoKey)?;
        let claims = claims(subject, &self.settings, now, &*self.entropy)?;
        Ok(AccessToken {
            token: PlainToken::new(sign(key, Access::TYP, &claims)),
            expires_at: Millis(claims.exp.saturating_mul(1000)),
            claims,
        })
    }

    /// Verifies an access token: that we issued it, for us, and that its time has come and not passed.
    /// Whether its session still stands is not asked here.
    ///
    /// Errors: `Invalid`, `Expired`, `WrongType`; `Storage` or `KeyUnusable` when new keys were looked for.
    pub async fn verify(&self, token: &str) -> Result<AccessClaims, TokenError> {
        match self.verify_now(token) {
            Err(Refusal::UnknownKey) => {
                // Another request may have loaded the key while this one waited for it: look in any case.
                self.reload_if_due().await?;
                Ok(self.verify_now(token)?)
            }
            answer => Ok(answer?),
        }
    }

    /// The public keys.
    #[must_use]
    pub fn jwks(&self) -> JwkSet {
        self.ring.load().jwks().clone()
    }

    /// What is the same in all tokens.
    #[must_use]
    pub fn settings(&self) -> &TokenSettings {
        &self.settings
    }

    /// Whether there is a key to sign with.
    #[must_use]
    pub fn can_sign(&self) -> bool {
        self.ring.load().active().is_some()
    }

    fn verify_now(&self, token: &str) -> Result<AccessClaims, Refusal> {
        let ring = self.ring.load();
        verify::<Access>(token, &self.settings, self.clock.now(), |kid| ring.get(kid))
    }

    /// Looks for new keys, unless that was done in the last 30 seconds.
    async fn reload_if_due(&self) -> Result<(), TokenError> {
        let mut reloaded_at = self.reloaded_at.lock().await;
        let now = self.clock.now();
        if reloaded_at.is_some_and(|last| last <= now && now.since(last) < RELOAD_EVERY) {
            return Ok(());
        }
        *reloaded_at = Some(now); // before the look-up: a failing database is not to be stormed either
        let ring = Ring::open(&store::usable(&mut &self.db).await?, &self.sealing)?;
        self.ring.store(Arc::new(ring));
        Ok(())
    }
}
