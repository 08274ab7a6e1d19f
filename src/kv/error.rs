//! What can go wrong, by what the caller can do about it.

use std::time::Duration;

use super::MAX_VALUE_BYTES;

/// A failed operation.
#[derive(Debug, thiserror::Error)]
pub enum KvError {
    /// No answer now. Do without, or refuse; a write may have happened all the same.
    #[error("the shared state is unavailable")]
    Unavailable {
        /// Why, for the log.
        #[source]
        source: Outage,
    },
    /// The value under the key is not a number, or would leave the range of `i64`.
    #[error("the value is not a counter, or counting on would leave its range")]
    NotACounter,
    /// The key and the value together are larger than may be kept.
    #[error("{bytes} bytes are more than the {MAX_VALUE_BYTES} that may be kept")]
    TooLarge {
        /// What was offered.
        bytes: usize,
    },
    /// A time to live of zero: delete instead.
    #[error("an entry needs a time to live above zero")]
    NoTtl,
    /// The configured URL is not one of Redis. Only at start-up.
    #[error("the Redis URL cannot be used")]
    BadAddress {
        /// What is wrong with it.
        #[source]
        source: redis::RedisError,
    },
}

/// Why there was no answer.
#[derive(Debug, thiserror::Error)]
pub enum Outage {
    /// The time for one operation passed.
    #[error("no answer within {} ms", .0.as_millis())]
    Silent(Duration),
    /// Too many operations in a row failed; it is not asked for a while.
    #[error("not asked: too many failures in a row")]
    Resting,
    /// The connection broke, or the server refused.
    #[error("the operation failed")]
    Failed(#[source] redis::RedisError),
}

impl From<Outage> for KvError {
    fn from(source: Outage) -> Self {
        Self::Unavailable { source }
    }
}
