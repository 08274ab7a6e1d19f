//! The issuer's public keys: read, held, and looked for again when a token names an unknown one.

use std::{
    collections::HashMap,
    error::Error,
    fmt,
    future::poll_fn,
    pin::Pin,
    sync::{Arc, PoisonError, RwLock},
    task::Poll,
};

use serde::Deserialize;
use serde_json::Value;
use tokio::sync::Mutex;

use crate::jws::VerifyingKey;

/// How long after a look for keys the next one may begin, milliseconds.
const REFRESH_EVERY_MS: i64 = 30_000;

type Cause = Box<dyn Error + Send + Sync>;
type Flight = Pin<Box<dyn Future<Output = Result<String, Cause>> + Send>>;

/// Keys that cannot be had. An outage, not a fault of the token.
#[derive(Debug, thiserror::Error)]
pub enum JwksError {
    /// The fetch function failed.
    #[error("the issuer's keys cannot be fetched")]
    Fetch(#[source] Cause),
    /// What was fetched is not a set of keys.
    #[error("the issuer's keys cannot be read")]
    Malformed(#[source] serde_json::Error),
    /// Two keys have one name.
    #[error("the issuer's keys name `{0}` twice")]
    Duplicate(String),
    /// There is no Ed25519 or P-256 key for signatures among them.
    #[error("the issuer has no Ed25519 or P-256 key for signatures")]
    NoKeys,
    /// Looking for them failed less than 30 seconds ago.
    #[error("the issuer's keys could not be had a moment ago")]
    Recently,
}

/// The keys of one document, by their exact `kid`.
#[derive(Debug, Clone, Default)]
pub struct Keys(HashMap<String, VerifyingKey>);

#[derive(Deserialize)]
struct Document {
    keys: Vec<Value>,
}

impl Keys {
    /// Reads a JWK set. Keys of other types, curves, algorithms or uses are passed over, and so are keys
    /// without a name.
    ///
    /// Errors: `Malformed`, `Duplicate`, `NoKeys`.
    /// Source: RFC 7517 §5, RFC 7518 §6.2, RFC 8037 §2.
    pub fn parse(document: &str) -> Result<Self, JwksError> {
        let document: Document = serde_json::from_str(document).map_err(JwksError::Malformed)?;
        let mut keys = HashMap::new();
        for value in document.keys {
            let Some((kid, key)) = VerifyingKey::from_jwk(&value) else { continue };
            if keys.insert(kid.clone(), key).is_some() {
                return Err(JwksError::Duplicate(kid));
            }
        }
        if keys.is_empty() { Err(JwksError::NoKeys) } else { Ok(Self(keys)) }
    }

    /// The key of this exact name.
    #[must_use]
    pub fn get(&self, kid: &str) -> Option<&VerifyingKey> {
        self.0.get(kid)
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none; so before the first fetch.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// The keys of the issuer as they are known now. Shared by all requests; reading them waits for nothing.
pub struct KeySet {
    fetch: Box<dyn Fn() -> Flight + Send + Sync>,
    keys: RwLock<Arc<Keys>>,
    search: Mutex<Search>,
}

/// The look for keys that is under way, or was last.
#[derive(Default)]
struct Search {
    began_ms: Option<i64>,
    failed: bool,
    flight: Option<Flight>,
}

impl KeySet {
    /// No keys yet: the first token makes them be fetched, or [`Self::refresh`].
    ///
    /// `fetch` answers the text of the issuer's `/.well-known/jwks.json`. It must end by itself, after a
    /// second or two: tokens with an unknown key wait for it, all others do not.
    pub fn new<F, Fut, E>(fetch: F) -> Self
    where
        F: Fn() -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<String, E>> + Send + 'static,
        E: Into<Box<dyn Error + Send + Sync>>,
    {
        let fetch = move || -> Flight {
            let answer = fetch();
            Box::pin(async move { answer.await.map_err(Into::into) })
        };
        Self { fetch: Box::new(fetch), keys: RwLock::default(), search: Mutex::default() }
    }

    /// The keys.
    #[must_use]
    pub fn keys(&self) -> Arc<Keys> {
        Arc::clone(&self.keys.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Puts `keys` in place of those that are known: from a file, say.
    pub fn replace(&self, keys: Keys) {
        *self.keys.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(keys);
    }

    /// Looks for new keys at `now_ms`, Unix milliseconds; on failure the known ones stay. A service that
    /// calls this at its start and every few minutes never makes a request wait.
    ///
    /// Errors: all of [`JwksError`] but `Recently`.
    pub async fn refresh(&self, now_ms: i64) -> Result<(), JwksError> {
        let mut search = self.search.lock().await;
        self.look(&mut search, now_ms).await
    }

    /// Looks for new keys, unless that began less than 30 seconds ago; waits for a look that is under way.
    ///
    /// Errors: all of [`JwksError`].
    pub async fn refresh_if_due(&self, now_ms: i64) -> Result<(), JwksError> {
        let mut search = self.search.lock().await;
        let recent = search.began_ms.is_some_and(|began| {
            began <= now_ms && now_ms.saturating_sub(began) < REFRESH_EVERY_MS // else the clock jumped back
        });
        match (recent && search.flight.is_none(), search.failed) {
            (true, true) => Err(JwksError::Recently),
            (true, false) => Ok(()),
            (false, _) => self.look(&mut search, now_ms).await,
        }
    }

    /// Goes on with the look that is under way, or begins one. A request that goes away while it waits here
    /// leaves the look to the next one, so that hanging up can neither prevent a look nor cause many.
    async fn look(&self, search: &mut Search, now_ms: i64) -> Result<(), JwksError> {
        if search.flight.is_none() {
            (search.began_ms, search.failed) = (Some(now_ms), true);
            search.flight = Some((self.fetch)());
        }
        let slot = &mut search.flight;
        let fetched = poll_fn(|context| {
            let Some(mut flight) = slot.take() else { return Poll::Pending }; // it was put there above
            let poll = flight.as_mut().poll(context);
            if poll.is_pending() {
                *slot = Some(flight); // not when it panics: it must not be polled again
            }
            poll
        });
        let document = fetched.await.map_err(JwksError::Fetch)?;
        self.replace(Keys::parse(&document)?);
        search.failed = false;
        Ok(())
    }
}

impl fmt::Debug for KeySet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeySet").field("keys", &self.keys()).finish_non_exhaustive()
    }
}

#[cfg(test)]
#[path = "tests/jwks.rs"]
mod tests;
