//! Invalidation messages between nodes: "look again", never "this is so".
//!
//! | | [`Bus::Local`] | [`Bus::Redis`] | [`Bus::Postgres`] |
//! |---|---|---|---|
//! | reach | this process | nodes with the same prefix | nodes on the same database |
//! | carried by | a broadcast channel | pub/sub on a connection of its own | `NOTIFY`, `LISTEN` on a connection of its own |
//!
//! ```text
//! publish ──> server ──> run() of every node ──> subscriptions
//!                          │ connection made (again)? ──> Gap
//! ```
//!
//! # Invariants
//! - SECURITY: a message carries no authority. Who hears one reads the truth from the database; a forged
//!   message costs a query.
//! - At most once, in no promised order: whatever may have been missed arrives as [`Event::Gap`], and
//!   the consumer's own poll is the floor under a lost message. Subscribe first, then read the truth.
//! - A node hears its own messages too, so consumers do the same thing twice without harm.
//! - A slow subscriber never holds up a publisher: it loses messages and is told by a `Gap`.
//! - Nothing arrives from other nodes unless [`Bus::run`] runs.
//!
//! [`IdentityNews`] is the one consumer that lives here: users, roles and sign-up tell it, decisions read it,
//! and none of them may import another for that.
//!
//! `LISTEN` needs a session: do not put a transaction-pooling proxy between a node and Postgres.

mod error;
mod identity;
mod link;
mod local;
mod model;
mod postgres;
mod redis;

pub use error::BusError;
pub use identity::{IdentityNews, Stamp, Subject};
pub use local::{Local, Subscription};
pub use model::{Bus, Event, MAX_PAYLOAD_BYTES, Topic};
pub use postgres::Postgres;
pub use redis::{Redis, RedisOptions};
