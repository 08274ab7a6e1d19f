//! The entities that applications pushed into one policy store, ready to decide with: its hot copy. Pure.
//!
//! ```text
//! rows: name ─▶ (attributes and tags as text, revision) ─┐          memo: name ─▶ Cedar entity
//!                       │ lineage: parents, all ancestors ─┴─ entity() ──────────▶   (bounded)
//! children: name ─▶ names directly in it
//! ```
//! - An [`EntityTable`] is one revision and never changes; a clone is a reference. A write makes the
//!   next table, sharing all that it does not touch, so that readers never wait and keep what they
//!   began with.
//! - INVARIANT: the lineage of a row holds every ancestor that the table knows of. A write that moves
//!   an entity gives new lineages to it and its descendants, and to nothing else.
//! - INVARIANT: there is no cycle; a write that would close one is refused.
//! - A parent need not exist. It has no attributes and nothing above it; made later, with parents of
//!   its own, its descendants are in those too. Deleted, its descendants lose what was above it.
//! - Siblings share one lineage, and a name is kept once: a row of a million takes some 400 bytes
//!   with 100 of attributes. Cedar's own entity takes 1.5 KB and more, so it is made when first
//!   asked for and kept in a bounded memo, where it counts only for the very row that it was made of.

mod apply;
mod difference;
mod lineage;
mod memo;
mod model;
mod names;
mod rows;

pub use apply::TableBuilder;
pub use memo::KeptEntity;
pub use model::{Change, EntityKey, EntityRow, Revision, TableError};
pub use rows::EntityTable;
