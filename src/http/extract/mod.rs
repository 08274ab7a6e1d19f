//! What a handler may ask for. Each extractor refuses with a problem document.
//!
//! Order in a signature: `app`, `permit`, path, query, body. [`Permit`] is the only way to learn who
//! is calling, and it has asked the policy engine before the handler runs.

mod checks;
mod client;
mod credential;
mod delivery;
mod expected;
mod form;
mod json;
mod member;
mod once;
mod path;
mod permit;
mod query;
mod service;

pub use checks::Checks;
pub(super) use client::is_trusted;
pub use client::{Client, address};
pub use credential::X_API_KEY;
pub use delivery::{Delivery, Mode, ModeQuery};
pub use expected::{Expected, entity_tag};
pub use form::Form;
pub use json::{BundleJson, Json, LargeBody, LargeJson, Written, field, problem_of};
pub use member::Member;
pub use once::{IDEMPOTENCY_KEY, IDEMPOTENCY_REPLAYED, IdempotencyKey, Once, Repeat};
pub use path::Path;
pub use permit::{Authenticated, OpenPermit, Permit, UserPermit, refused_use};
pub use query::{PageQuery, Query};
pub use service::{ServicePermit, StandingPermit};
