//! What was asked for once is done once: requests that carry an `Idempotency-Key`.
//!
//! ```text
//!                  ┌──────────── the same request again ────────────┐
//!  claim ─► in progress ─┬─► answered ──► the same answer, for a day │
//!    ▲   (until a lease) ├─► refused (4xx): forgotten at once        │
//!    │                   └─► failed, crashed: once the lease is over ┘
//!    │                         │ is there an audit record of the request that claimed it?
//!    └──────── no: again ◄─────┴─► yes: it was done and its answer is lost, 409
//! ```
//! - INVARIANT: a key and the change that it stands for cannot disagree, not even after a crash. The change
//!   commits together with its audit record, which names the request; so the record, and nothing that is written
//!   before or after it, says whether the change was made. A change is made once or the caller is told that it was.
//! - INVARIANT: nobody takes a claim over while its request may still commit. A request is given up after
//!   `server.request_timeout_secs`; a lease is twice that, so a crash keeps a key busy for that long at most.
//!   What failed on our side may be tried again after [`SETTLED`](IdempotencyService).
//! - A request goes on when its connection is lost: that is what makes the second one find an answer.
//! - SECURITY: a key counts for one principal and one place; for strangers, for one body, because nothing else
//!   tells them apart. What is kept is sealed under a key that is derived from the master key *and* from the
//!   `Idempotency-Key`, of which only a tag is stored: neither the database nor the master key opens an answer
//!   (threats T40, T48). Bodies are kept as tags too, for a password may stand in one.
//! - Whoever is not permitted any more is refused before a key is looked at.
//! - Another master key forgets all keys.
//!
//! Source: identity.md §2.1; draft-ietf-httpapi-idempotency-key-header.

mod error;
mod model;
mod service;
mod store;

pub use error::IdempotencyError;
pub use model::{Answer, Attempt, Claim, RepeatKey, RepeatKeyError, Ticket};
pub use service::{IdempotencyParts, IdempotencyService};
