//! Revocations: what ended before its time, told to the other nodes and to services that verify by themselves.
//!
//! ```text
//!  change ──────┐                       ┌─ told: next `seq` ─┐
//!  audit, event ├─ one transaction ─► revocations ───────────┴─► list, streams
//!  revocation ──┘                       └─ by time ────────────► this node's own memory (`sessions`)
//!                    commit ─► bus, or a second ─► RevocationService ─► bell ─► streams look
//! ```
//! The truth is in the tables of what ended; here are its news, for as long as a token can live that they concern.
//! Whoever ends something calls [`record`] in the transaction that does it.
//!
//! - INVARIANT: a revocation is here exactly if its change is: both are one transaction.
//! - INVARIANT: a `seq` is given when a revocation is told, and not at its insert, by one node at a time, after all lower
//!   ones are there for everybody to read. Numbers drawn by transactions are not in the order of their commits, and
//!   whoever reads on from one would miss the late.
//! - What was forgotten is not passed over in silence: who reads on from before it is told that something is missing.
//! - A revocation is ids and numbers: no reason, no actor, no address.
//! - What the bus says carries no revocation. It rings the bell, and what is told comes from SQL; without it a look at
//!   the table, once a second while anybody listens, is the floor.
//!
//! Source: events-and-ha.md §7.2, R105.

mod model;
mod places;
mod service;
mod store;

pub use model::{Batch, Ended, Kind, Revocation};
pub use service::{Follower, RevocationParts, RevocationService};
pub use store::{News, prune, record, since};
