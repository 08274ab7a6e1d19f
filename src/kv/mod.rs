//! Short-lived shared state: bytes under a key that end by themselves.
//!
//! A device: it knows no key and no meaning. Sessions, nonces, rate limits and idempotency are
//! ordinary code on top, and each says in its own `mod.rs` what it does while this is unavailable.
//!
//! | | [`Kv::Memory`] | [`Kv::Redis`] |
//! |---|---|---|
//! | reach | this process | every node |
//! | bounded by | bytes; the soonest to expire makes room | the server's `maxmemory` |
//! | ends entries by | [`Clock`](crate::base::Clock) | the server's clock |
//! | fails | never | within the operation's time limit, then at once while the breaker is open |
//!
//! # Invariants
//! - Every entry has a time to live, rounded up to a millisecond, at most [`MAX_TTL`]; zero is refused.
//! - [`Kv::put_if_absent`], [`Kv::compare_and_set`], [`Kv::increment`] and [`Kv::take`] are each one atomic step.
//! - A key may vanish at any time (eviction, restart, failover). Nothing here is the truth.
//! - SECURITY: after [`KvError::Unavailable`] a write may or may not have happened. Code that must not
//!   accept something twice treats it as a refusal.
//!
//! Keys are sent to the server as `prefix` + key; operations touch one key, so a cluster may hold them.

mod breaker;
mod error;
mod memory;
mod model;
mod redis;

pub use error::{KvError, Outage};
pub use memory::{Memory, Usage};
pub use model::{Allowance, Kv, MAX_TTL, MAX_VALUE_BYTES, Taken};
pub use redis::{Redis, RedisOptions};
