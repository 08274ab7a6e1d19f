//! The numbers that `GET /metrics` shows (admin listener), in the OpenMetrics text format.
//!
//! ```text
//!  decision ──► handles of its store  ─┐  atomics of each thread, no lock, no allocation
//!  request ───► handles of its route  ─┼──► Registry ──┐
//!  compile, caller cache, bus ─────────┘               ├──► text
//!  state of the stores, read at each scrape ───────────┘
//! ```
//!
//! # Invariants
//! - Every metric is declared once, in [`CATALOG`]; README's table is made of it.
//! - Labels come from enums, route templates and names of stores that exist, never from what a caller sent:
//!   the number of series does not grow with traffic (T39).
//! - There is one registry for each application and none for the process, so tests run beside each other.

mod catalog;
mod histogram;
mod requests;
mod resolved;
mod scrape;
mod service;
mod stores;
mod sums;

pub use catalog::{CATALOG, Declared, Kind, markdown_table};
pub use requests::Method;
pub use scrape::{EntityGauges, Scrape, StoreGauges};
pub use service::{CallerLookup, LoginResult, Metrics};
pub use stores::Outcome;
