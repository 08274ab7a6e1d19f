//! What goes into a table and what it refuses.

use std::fmt;

use cedar_policy::EntityUid;
use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

/// How often a store's pushed entities were written: 0 is the empty store, each write adds 1.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, sqlx::Type,
)]
#[sqlx(transparent)]
#[serde(transparent)]
pub struct Revision(pub i64);

impl Revision {
    /// The revision that the next write makes.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The name of an entity. Orders by type, then id, as the database does.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct EntityKey {
    /// Full name of its type, such as `App::User`.
    #[serde(rename = "type")]
    pub entity_type: SmolStr,
    /// Its id, any text.
    pub id: SmolStr,
}

impl EntityKey {
    /// The name with these two parts.
    pub fn new(entity_type: impl Into<SmolStr>, id: impl Into<SmolStr>) -> Self {
        Self { entity_type: entity_type.into(), id: id.into() }
    }
}

impl From<&EntityUid> for EntityKey {
    fn from(uid: &EntityUid) -> Self {
        Self::new(uid.type_name().to_string(), uid.id().unescaped())
    }
}

impl fmt::Display for EntityKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}::\"{}\"", self.entity_type, self.id.escape_debug())
    }
}

/// An entity as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntityRow {
    /// Its name.
    pub key: EntityKey,
    /// Its attributes: a JSON object in Cedar's form with every escape (`__entity`, `__extn`).
    pub attrs: String,
    /// Its tags, in the same form.
    pub tags: String,
    /// What it is directly in; sorted, each once.
    pub parents: Vec<EntityKey>,
    /// The write that made it what it is.
    pub revision: Revision,
}

/// One part of a write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// The entity is made, or replaced.
    Put(EntityRow),
    /// The entity is removed; one that is not there stays away.
    Remove(EntityKey),
}

/// A write that a table refuses, whole.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TableError {
    /// An entity would be in itself.
    #[error("`{0}` would be its own ancestor")]
    Cycle(EntityKey),
    /// An entity has too many parents.
    #[error("`{0}` has more than {limit} parents", limit = super::apply::MAX_PARENTS)]
    TooManyParents(EntityKey),
    /// An entity would be in too many others.
    #[error("`{0}` would have more than {limit} ancestors", limit = super::lineage::MAX_ANCESTORS)]
    TooManyAncestors(EntityKey),
    /// The type of an entity is not the name of a type.
    #[error("`{0}` has no name of a type before its id")]
    NotAType(EntityKey),
}

impl TableError {
    /// The entity that the write is refused for.
    #[must_use]
    pub fn key(&self) -> &EntityKey {
        match self {
            Self::Cycle(key)
            | Self::TooManyParents(key)
            | Self::TooManyAncestors(key)
            | Self::NotAType(key) => key,
        }
    }
}
