//! What can go wrong when a message is sent.

use std::time::Duration;

/// A message was not sent, or nobody knows. The caller logs it and goes on: other nodes learn of the
/// change at their next poll.
#[derive(Debug, thiserror::Error)]
pub enum BusError {
    /// The server did not answer in time.
    #[error("the bus did not answer within {} ms", .0.as_millis())]
    Silent(Duration),
    /// Redis cannot be reached, or refused.
    #[error("redis failed to carry the message")]
    Redis(#[source] redis::RedisError),
    /// Postgres cannot be reached, or refused.
    #[error("postgres failed to carry the message")]
    Postgres(#[source] sqlx::Error),
    /// The server closed the listening connection.
    #[error("the connection ended")]
    Ended,
    /// The configured URL is not one of Redis. Only at start-up.
    #[error("the Redis URL cannot be used")]
    BadAddress(#[source] redis::RedisError),
}
