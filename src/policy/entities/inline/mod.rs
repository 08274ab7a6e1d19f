//! The entities of a request: read, and checked laid over what is below them.
//!
//! Most are read by the shapes of the schema (`fast.rs`). What is unusual is taken apart as JSON, laid
//! over the layers below as JSON and read by Cedar (`check.rs`), which also says what is wrong. Either
//! way an entity has its own attributes here; the layers are laid over each other when it is looked at.

mod check;
mod cycles;
mod fast;
mod read;

pub(super) use check::entity_json;
pub(super) use read::read;
pub use read::{MAX_INLINE_ENTITIES, MAX_INLINE_PARENTS};
