//! Password hashing: argon2id (RFC 9106) in a bounded pool of threads.
//!
//! Each thread owns its memory, so what hashing can take is workers × memory, and the queue is short: who
//! comes when it is full is told to come back, instead of everyone waiting.

use std::{
    fmt,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread,
};

use argon2::{Algorithm, Argon2, Block, Params, Version};
use password_hash::phc::{Ident, Output, ParamsString, PasswordHash, Salt};
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::oneshot;
use zeroize::Zeroizing;

use super::rules::normalise;
use crate::{
    base::{Entropy, EntropyError, constant_time_eq},
    config::PasswordsConfig,
    users::Phc,
};

/// Bytes of a new salt, and of a new hash (RFC 9106 §4).
const SALT_BYTES: usize = 16;
const HASH_BYTES: usize = 32;
/// Largest stored parameters that are computed: an imported hash must not be a bomb (threat T33).
const MAX_MEMORY_KIB: u32 = 256 * 1024;
const MAX_PASSES: u32 = 10;
const MAX_LANES: u32 = 8;

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
}

/// One hash to compute.
struct Job {
    password: Zeroizing<Vec<u8>>,
    salt: Vec<u8>,
    params: Params,
    length: usize,
    reply: oneshot::Sender<Option<Vec<u8>>>,
}

/// The pool. Its threads end when it is dropped.
pub struct Passwords {
    jobs: SyncSender<Job>,
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
        let (jobs, queue) = sync_channel(workers.saturating_mul(config.queue_per_worker.max(1)));
        let (queue, hashes) = (Arc::new(Mutex::new(queue)), Arc::new(AtomicU64::new(0)));
        for worker in 0..workers {
            let (queue, hashes, resting) = (Arc::clone(&queue), Arc::clone(&hashes), params.block_count());
            thread::Builder::new()
                .name(format!("argon2-{worker}"))
                .spawn(move || work(&queue, &hashes, resting))?;
        }
        Ok(Self { jobs, params, hashes, entropy })
    }

    /// Hashes a new password.
    ///
    /// Shape: out is a PHC string, `$argon2id$v=19$m=…,t=…,p=1$salt$hash`.
    /// Errors: `Overloaded`, `Entropy`.
    pub async fn hash(&self, password: &SecretString) -> Result<Phc, PasswordError> {
        let salt: [u8; SALT_BYTES] = self.entropy.bytes()?;
        // What is too long was refused by the rules; it never reaches this as a new password.
        let password = normalise(password.expose_secret()).unwrap_or_default();
        let hash = self.compute(password.as_bytes(), &salt, self.params.clone(), HASH_BYTES).await?;
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
        let wrong = Verdict { matches: false, is_outdated: false };
        let normal = normalise(password.expose_secret());
        let stored = stored.and_then(|phc| {
            let known = Stored::read(phc);
            if known.is_none() {
                tracing::warn!("a stored password hash is not one that is computed here");
            }
            known
        });
        let (Some(normal), Some(stored)) = (normal, stored) else {
            self.compute(&[], &[0; SALT_BYTES], self.params.clone(), HASH_BYTES).await?;
            return Ok(wrong);
        };
        let params = stored.params.clone();
        let hash = self.compute(normal.as_bytes(), &stored.salt, params, stored.hash.len()).await?;
        if !constant_time_eq(&hash, &stored.hash) {
            return Ok(wrong);
        }
        let cost = |params: &Params| (params.m_cost(), params.t_cost(), params.p_cost());
        let is_outdated = cost(&stored.params) != cost(&self.params) || stored.hash.len() != HASH_BYTES;
        Ok(Verdict { matches: true, is_outdated })
    }

    /// How many hashes were computed since the start.
    #[must_use]
    pub fn hashes(&self) -> u64 {
        self.hashes.load(Ordering::SeqCst)
    }

    async fn compute(
        &self,
        password: &[u8],
        salt: &[u8],
        params: Params,
        length: usize,
    ) -> Result<Vec<u8>, PasswordError> {
        let (reply, answer) = oneshot::channel();
        let password = Zeroizing::new(password.to_vec());
        let job = Job { password, salt: salt.to_vec(), params, length, reply };
        self.jobs.try_send(job).map_err(|_| PasswordError::Overloaded)?;
        answer.await.ok().flatten().ok_or(PasswordError::Overloaded)
    }
}

/// A stored hash that will be computed.
struct Stored {
    params: Params,
    salt: Vec<u8>,
    hash: Vec<u8>,
}

impl Stored {
    fn read(phc: &Phc) -> Option<Self> {
        let parsed = PasswordHash::new(phc.expose()).ok()?;
        let current = parsed.version.is_none_or(|version| version == u32::from(Version::V0x13));
        if parsed.algorithm.as_str() != "argon2id" || !current {
            return None;
        }
        let params = Params::try_from(&parsed).ok()?;
        let keyed = !params.keyid().is_empty() || !params.data().is_empty();
        let bomb =
            params.m_cost() > MAX_MEMORY_KIB || params.t_cost() > MAX_PASSES || params.p_cost() > MAX_LANES;
        if keyed || bomb {
            return None;
        }
        Some(Self { params, salt: parsed.salt?.to_vec(), hash: parsed.hash?.as_bytes().to_vec() })
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
        let hash = compute(&mut memory, &job);
        memory.truncate(resting);
        memory.shrink_to(resting);
        let _ = job.reply.send(hash);
    }
}

fn compute(memory: &mut Vec<Block>, job: &Job) -> Option<Vec<u8>> {
    let blocks = job.params.block_count();
    memory.try_reserve_exact(blocks.saturating_sub(memory.len())).ok()?;
    if memory.len() < blocks {
        memory.resize(blocks, Block::new());
    }
    let mut hash = vec![0; job.length];
    Argon2::new(Algorithm::Argon2id, Version::V0x13, job.params.clone())
        .hash_password_into_with_memory(&job.password, &job.salt, &mut hash, memory.get_mut(..blocks)?)
        .ok()?;
    Some(hash)
}

#[cfg(test)]
#[path = "tests/passwords.rs"]
mod tests;
