//! The entity slice: the entities that one decision may look at, put together from layers. Pure.
//!
//! Layers, later ones winning attribute by attribute: the static entities of the version, identity
//! (given by the caller of this module), then the entities in the request. Parents add up: a later
//! layer cannot take an entity out of a group. Entities of a request must fit the schema once laid
//! over what is below them; their parents are taken as they are, since whoever asks is the
//! enforcement point.
//!
//! A slice holds the principal, the resource and the entities named in the context, expanded to the
//! validated level of the version, each with *all* its ancestors, and every action with its groups.
//! Ancestors are names only: a policy that looks into one reaches it by an attribute, and then it
//! is in the slice for that. A policy within the level cannot tell a slice from all entities.

mod checked;
mod layers;
mod slice;
mod table;

pub use checked::CheckedEntity;
pub use slice::{EntityRecord, EntitySlice, MAX_INLINE_ENTITIES, MAX_INLINE_PARENTS};
pub use table::{Change, EntityKey, EntityRow, EntityTable, Revision, TableBuilder, TableError};
