//! Events: what happened, told to whoever acts on it, at least once and in order.
//!
//! ```text
//!  change ─┐
//!  audit   ├─ one transaction ─► outbox ─► claimed under a lease ─► consumers ─► published, with its `seq`
//!  event ──┘                                     ▲      each: its effect and its row in `inbox`, one transaction
//!                                                └── a consumer that failed: later, again
//! ```
//! Nobody writes an event by hand. [`audit::record`](crate::audit::record) does, from the row that [`CATALOG`] has
//! for the action: one call for each change, so no event is forgotten and none is written twice. Which actions are
//! no events is said there too, and `tests/repo` compares both lists with the code.
//!
//! A consumer is what a domain does because of what another did: [`Consumer`] is all that it implements, and
//! [`EventService::new`] is given it.
//!
//! - INVARIANT: an event is there exactly if its change is: both are one transaction.
//! - INVARIANT: a consumer's effect on the database happens exactly once, whatever dies when.
//! - Order: of one subject, as it happened; an event that a consumer cannot handle holds back the later ones of its
//!   subject, and of no other. Among subjects there is none until publication, whose order `seq` keeps.
//! - Events hold ids and fixed words: what a row of [`CATALOG`] takes from the audit record, never all of it.
//!   No secrets, no addresses, no names of people.
//! - `seq` is given at publication and not at the insert: numbers drawn by transactions are not in the order of
//!   their commits, and whoever reads on from one would miss the late.
//!
//! Source: events-and-ha.md §7.1, CloudEvents 1.0. Endpoints outside of this process are not served yet.

mod catalog;
mod error;
mod model;
mod service;
mod store;

pub use catalog::{CATALOG, Kind, UNTOLD};
pub use error::{EventError, HandleError};
pub use model::{Consumer, Event, Happening};
pub use service::EventService;
pub use store::put;
