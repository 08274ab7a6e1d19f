//! Entities that applications push into policy stores (authorize.md §2).
//!
//! ```text
//!  PUT, PATCH, DELETE, batch, load ──▶ plan on the hot copy ──▶ one transaction ──▶ next hot copy ──▶ bus
//!                                            ▲                 entities, log,                        │
//!  decisions ◀── table(store) ◀── hot copy ──┘                 revision, audit                       ▼
//!                                   ▲                               │                          other nodes
//!                                   └─ changes since its revision ──┴── (whole when the log is shorter)
//! ```
//! - The truth is in SQL. A store has a **revision** that each write raises by one; the rows of a
//!   write carry it, and it is the entity tag of each.
//! - INVARIANT: a hot copy is the truth of one revision, whole. A write is planned on the copy of
//!   revision n and commits only if the truth is at n, as n + 1.
//! - INVARIANT: nothing removes a hot copy, no outage either: decisions go on with what was known.
//! - A write is one transaction with its audit record, whatever the number of its entities.
//! - Nodes follow by the bus, by a poll every five seconds (every second while the bus is down), and
//!   before each write of their own. They read what the log says was touched, and load all where it
//!   does not reach back: it is kept five minutes, and a write of very many entities is not in it.
//! - An entity fits the schema of the version that was active when it was written. A later version
//!   with another schema changes no entity.

mod commit;
mod error;
mod following;
mod live;
mod load;
mod model;
mod patch;
mod service;
mod store;
mod writes;

pub use error::{EntityError, LoadPlace};
pub use load::{Load, LoadForm};
pub use model::{BatchItem, EntityFilter, Written};
pub use service::{EntityParts, EntityService};
pub use writes::MAX_BATCH;
