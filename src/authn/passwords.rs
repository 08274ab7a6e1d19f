//! Password hashing: argon2id (RFC 9106) in a bounded pool of threads; forms of other products are verified
//! there too (see `stored`).
//!
//! Each thread owns its memory, so what hashing can take is workers × memory, and the queue is short: who
//! comes when it is full is told to come back, instead of everyone waiting. Sign-ins and sign-ups take a
//! place before they ask the database anything, or a storm of them would queue up there (threat T10).

use std::{
    fmt,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread,
};

use argon2::{Algorithm, Block, Params, Version};
use password_hash::phc::{Ident, Output, ParamsString, PasswordHash, Salt};
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::{Semaphore, SemaphorePermit, oneshot};
use zeroize::Zeroizing;

use super::{
    rules::normalise,
    stored::{Recipe, Stored},
};
use crate::{
    base::{Entropy, EntropyError, constant_time_eq},
    config::PasswordsConfig,
    users::Phc,
};

/// Bytes of a new salt, and of a new hash (RFC 9106 §4).
const SALT_BYTES: usize = 16;
const HASH_BYTES: usize = 32;

/// A password that could not be hashed now.
#[derive(Debug, Clone, Copy, thiserror::Error)]
pub enum PasswordError {
    /// The queue is full, or there is no memory.
    #[error("too many passwords are being hashed")]
    Overloaded,
    /// There is no randomness for a salt.
    #[error(transparent)]
    Entropy(#[from] EntropyError),
}

/// What comparing a password came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verdict {
    /// Whether the password is the right one.
    pub matches: bool,
    /// Whether it was hashed with other parameters than today's, and should be hashed again.
    pub is_outdated: bool,
    /// Whether what is stored has a form, or a cost, that is not computed here.
    pub is_unusable: bool,
}

/// One hash to compute.
struct Job {
    password: Zeroizing<Vec<u8>>,
    recipe: Recipe,
    length: usize,
    reply: oneshot::Sender<Option<Vec<u8>>>,
}

/// The pool. Its threads end when it is dropped.
pub struct Passwords {
    jobs: SyncSender<Job>,
    places: Semaphore,
    params: Params,
    hashes: Arc<AtomicU64>,
    entropy: Arc<dyn Entropy>,
}

impl fmt::Debug for Passwords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Passwords").field("params", &self.params).finish_non_exhaustive()
    }
}

impl Passwords {
    /// Starts the threads.
    ///
    /// Errors: the parameters are not argon2's, or a thread cannot be started.
    pub fn start(config: &PasswordsConfig, entropy: Arc<dyn Entropy>) -> std::io::Result<Self> {
        let params = Params::new(config.argon2_memory_kib, config.argon2_passes, 1, Some(HASH_BYTES))
            .map_err(|error| std::io::Error::new(std::io::ErrorKind::InvalidInput, error.to_string()))?;
        let cores = || thread::available_parallelism().map_or(1, usize::from);
        let workers = config.workers.unwrap_or_else(cores).max(1);
        // As many as are computed, and as many as wait.
        let places = workers.saturating_mul(config.queue_per_worker.max(1).saturating_add(1));
        let (jobs, queue) = sync_channel(places);
        let (queue, hashes) = (Arc::new(Mutex::new(queue)), Arc::new(AtomicU64::new(0)));
        for worker in 0..workers {
            let (queue, hashes, resting) = (Arc::clone(&queue), Arc::clone(&hashes), params.block_count());
            thread::Builder::new()
                .name(format!("argon2-{worker}"))
                .spawn(move || work(&queue, &hashes, resting))?;
        }
        let places = Semaphore::new(places.min(Semaphore::MAX_PERMITS));
        Ok(Self { jobs, places, params, hashes, entropy })
    }

    /// Takes one of as many places as there are in the pool and its queue, until it is dropped: for whoever
    /// comes from outside, before they cost anything else.
    ///
    /// Errors: `Overloaded`.
    pub fn enter(&self) -> Result<SemaphorePermit<'_>, PasswordError> {
        self.places.try_acquire().map_err(|_| PasswordError::Overloaded)
    }

    /// Hashes a new password.
    ///
    /// Shape: out is a PHC string, `$argon2id$v=19$m=…,t=…,p=1$salt$hash`.
    /// Errors: `Overloaded`, `Entropy`.
    pub async fn hash(&self, password: &SecretString) -> Result<Phc, PasswordError> {
        let salt: [u8; SALT_BYTES] = self.entropy.bytes()?;
        // What is too long was refused by the rules; it never reaches this as a new password.
        let password = normalise(password.expose_secret()).unwrap_or_default();
        let hash = self.compute(password.as_bytes(), self.recipe(&salt), HASH_BYTES).await?;
        let phc = (|| {
            Some(PasswordHash {
                algorithm: Ident::new("argon2id").ok()?,
                version: Some(Version::V0x13.into()),
                params: ParamsString::try_from(&self.params).ok()?,
                salt: Some(Salt::new(&salt).ok()?),
                hash: Some(Output::new(&hash).ok()?),
            })
        })();
        phc.map(|phc| Phc::new(phc.to_string())).ok_or(PasswordError::Overloaded)
    }

    /// Compares a password with a stored hash. Computes exactly one hash, whatever is stored: where there
    /// is none, or one that will not be computed, another of the usual cost.
    ///
    /// Errors: `Overloaded`.
    pub async fn verify(
        &self,
        password: &SecretString,
        stored: Option<&Phc>,
    ) -> Result<Verdict, PasswordError> {
        let normal = normalise(password.expose_secret());
        let known = stored.map(Stored::read);
        let is_unusable = matches!(known, Some(None));
        let wrong = Verdict { matches: false, is_outdated: false, is_unusable };
        let (Some(normal), Some(stored)) = (normal, known.flatten()) else {
            self.compute(&[], self.recipe(&[0; SALT_BYTES]), HASH_BYTES).await?;
            return Ok(wrong);
        };
        let is_outdated = stored.is_outdated(&self.params, HASH_BYTES);
        let hash = self.compute(normal.as_bytes(), stored.recipe, stored.hash.len()).await?;
        let matches = constant_time_eq(&hash, &stored.hash);
        Ok(Verdict { matches, is_outdated: matches && is_outdated, is_unusable })
    }

    /// Whether a stored hash has a form that is verified, within the caps: what an import asks.
    #[must_use]
    pub fn accepts(stored: &Phc) -> bool {
        Stored::read(stored).is_some()
    }

    /// How many hashes were computed since the start.
    #[must_use]
    pub fn hashes(&self) -> u64 {
        self.hashes.load(Ordering::SeqCst)
    }

    /// How new hashes are made.
    fn recipe(&self, salt: &[u8]) -> Recipe {
        Recipe::Argon2 { algorithm: Algorithm::Argon2id, params: self.params.clone(), salt: salt.to_vec() }
    }

    async fn compute(
        &self,
        password: &[u8],
        recipe: Recipe,
        length: usize,
    ) -> Result<Vec<u8>, PasswordError> {
        let (reply, answer) = oneshot::channel();
        let password = Zeroizing::new(password.to_vec());
        let job = Job { password, recipe, length, reply };
        self.jobs.try_send(job).map_err(|_| PasswordError::Overloaded)?;
        answer.await.ok().flatten().ok_or(PasswordError::Overloaded)
    }
}

/// A thread's life: one job after another in memory of its own, until the pool is dropped.
fn work(queue: &Mutex<Receiver<Job>>, hashes: &AtomicU64, resting: usize) {
    let mut memory: Vec<Block> = Vec::new();
    loop {
        let job = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(job) = job else { return };
        if job.reply.is_closed() {
            continue; // who asked has gone
        }
        hashes.fetch_add(1, Ordering::SeqCst);
        let hash = job.recipe.compute(&job.password, job.length, &mut memory);
        memory.truncate(resting);
        memory.shrink_to(resting);
        let _ = job.reply.send(hash);
    }
}

#[cfg(test)]
#[path = "tests/passwords.rs"]
mod tests;
