//! The entity slice: the entities that one decision may look at, put together from layers. Pure.
//!
//! ```text
//! static entities of the version ─┐
//! identity (users, roles, …) ─────┤
//! stored entities of the store ───┼─ later ones win, attribute by attribute ─► EntitySlice
//! entities of the request ────────┘
//! ```
//!
//! Parents add up: a later layer cannot take an entity out of a group. Entities of a request must fit
//! the schema once laid over what is below them; their parents are taken as they are, since whoever
//! asks is the enforcement point. Actions with their groups come from the schema alone.
//!
//! A slice makes an entity when a decision first looks at it, with *all* its ancestors, and keeps it.
//! Where Cedar's own evaluator wants everything beforehand ([`EntitySlice::owned`], verification), that
//! is principal, resource and the entities named in the context, expanded to the validated level of the
//! version. Ancestors, and entities in sets, are names only: no expression takes an element out of a
//! set, and a policy that looks into an ancestor reaches it by an attribute. A policy within the level
//! cannot tell this from all entities.

mod checked;
mod identity;
mod inline;
mod layers;
mod reach;
mod slice;
mod table;

pub use checked::CheckedEntity;
pub use identity::EntityRecord;
pub use inline::{MAX_INLINE_ENTITIES, MAX_INLINE_PARENTS};
pub use layers::Layers;
pub use slice::EntitySlice;
pub use table::{Change, EntityKey, EntityRow, EntityTable, KeptEntity, Revision, TableBuilder, TableError};
