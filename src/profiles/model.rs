//! A profile.

use serde_json::{Map, Value};

use crate::base::{Millis, UserId};

/// What is known of a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    /// Whose it is.
    pub user_id: UserId,
    /// Claims by name, each in its normal form.
    pub claims: Map<String, Value>,
    /// What applications keep.
    pub metadata: Map<String, Value>,
    /// How often it was changed; 0 for one that never was.
    pub revision: i64,
    /// When the person was last seen to do something.
    pub last_activity_at: Option<Millis>,
    /// When it was last changed.
    pub updated_at: Option<Millis>,
}

impl Profile {
    /// The profile of someone who has said nothing.
    pub(super) fn empty(user_id: UserId) -> Self {
        Self {
            user_id,
            claims: Map::new(),
            metadata: Map::new(),
            revision: 0,
            last_activity_at: None,
            updated_at: None,
        }
    }

    /// Names of the members in which `other` is not the same.
    pub(super) fn changed(&self, other: &Self) -> Vec<String> {
        let names = self.claims.keys().chain(other.claims.keys());
        let mut changed: Vec<String> =
            names.filter(|name| self.claims.get(*name) != other.claims.get(*name)).cloned().collect();
        if self.metadata != other.metadata {
            changed.push(super::metadata::NAME.to_owned());
        }
        changed.sort_unstable();
        changed.dedup();
        changed
    }
}

/// What sealing everything anew came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Resealed {
    /// Profiles that are sealed with the present key since.
    pub resealed: usize,
    /// Profiles that were so already.
    pub kept: usize,
}
