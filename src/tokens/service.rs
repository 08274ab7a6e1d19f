//! Use cases around tokens and keys.

use std::sync::{Arc, atomic::AtomicU64};

use arc_swap::ArcSwap;
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use tokio::sync::Mutex;

use super::{
    AccessClaims, AccessSubject, AccessToken, JwkSet, KeyState, TokenError, TokenSettings,
    issue::{claims, sign},
    keys::{self, Ring},
    store,
    verify::{Access, verify},
};
use crate::{
    base::{Clock, Entropy, MasterKey, Millis, PlainToken, SealingKey},
    bus::Bus,
    jws::{Kind, Refusal},
    storage::Db,
    write_tx,
};

/// What the service is made of.
#[derive(Debug)]
pub struct TokenParts {
    /// Where the keys are.
    pub db: Db,
    /// News of keys to and from other nodes.
    pub bus: Bus,
    /// What is the same in all tokens.
    pub settings: TokenSettings,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub entropy: Arc<dyn Entropy>,
}

/// Issues and verifies access tokens.
#[derive(Debug)]
pub struct TokenService {
    pub(super) db: Db,
    pub(super) bus: Bus,
    pub(super) sealing: SealingKey,
    pub(super) settings: TokenSettings,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) entropy: Arc<dyn Entropy>,
    pub(super) ring: ArcSwap<Ring>,
    /// How often keys were dropped.
    pub(super) dropped: AtomicU64,
    /// When an unknown `kid` last made this node look for keys.
    pub(super) reloaded_at: Mutex<Option<Millis>>,
}

impl TokenService {
    /// Opens the stored keys, after making the first one if there is none. Nodes that start at once agree
    /// on one key.
    ///
    /// Errors: `KeyUnusable` (another master key), `Storage`, `Entropy`.
    pub async fn start(parts: TokenParts, master: &MasterKey) -> Result<Self, TokenError> {
        let TokenParts { db, bus, settings, clock, entropy } = parts;
        let sealing = master.sealing_key("signing-keys");
        write_tx!(db, "tokens.first_key", |tx| -> Result<(), TokenError> {
            if store::count_active(tx).await? == 0 {
                let (alg, now) = (settings.signing_alg, clock.now());
                let key = keys::generate(alg, KeyState::Active, now, &sealing, &*entropy)?;
                store::insert(tx, &key).await?;
            }
            Ok(())
        })?;
        let (ring, unusable) = Ring::open(&store::usable(&mut &db).await?, &sealing);
        if let Some(kid) = unusable.into_iter().next() {
            return Err(TokenError::KeyUnusable { kid });
        }
        let (ring, dropped, reloaded_at) = (ArcSwap::from_pointee(ring), AtomicU64::new(0), Mutex::new(None));
        Ok(Self { db, bus, sealing, settings, clock, entropy, ring, dropped, reloaded_at })
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
            token: PlainToken::new(sign(key, Access::TYP, &claims)?),
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

    /// The key that a verified token names as its own.
    #[must_use]
    pub fn signer_of(&self, token: &str) -> Option<String> {
        let header = BASE64_URL_SAFE_NO_PAD.decode(token.split('.').next()?).ok()?;
        let header: serde_json::Value = serde_json::from_slice(&header).ok()?;
        header.get("kid")?.as_str().map(str::to_owned)
    }

    /// Whether tokens of this key count.
    #[must_use]
    pub fn knows_key(&self, kid: &str) -> bool {
        self.ring.load().get(kid).is_some()
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
        self.verify_kind::<Access>(token, Some(&self.settings.audience))
    }

    pub(super) fn verify_kind<K: Kind>(
        &self,
        token: &str,
        audience: Option<&str>,
    ) -> Result<K::Claims, Refusal> {
        let ring = self.ring.load();
        verify::<K>(token, &self.settings, audience, self.clock.now(), |kid| ring.get(kid))
    }
}
