//! What a snapshot evaluates: the index over the scopes of its policies, and their conditions.

use cedar_policy::Entities;

use super::{
    cedar::Policy,
    condition::{Conditions, ConditionsBuilder},
};
use crate::policy::{index::Index, pace::Pace};

/// A policy set made ready. Policies go by their numbers, which are their places.
#[derive(Debug)]
pub(in crate::policy) struct Program {
    pub(super) index: Index,
    pub(super) conditions: Conditions,
}

impl Program {
    /// Prepares policies, linked or not.
    ///
    /// `actions` are the action entities of the schema, each with all groups that it is in.
    pub(in crate::policy) fn new<'a>(
        policies: impl Iterator<Item = &'a cedar_policy::Policy>,
        actions: &Entities,
        pace: &Pace,
    ) -> Self {
        let mut conditions = ConditionsBuilder::default();
        let numbered = policies.map(|policy| {
            pace.step();
            let policy: &Policy = policy.as_ref();
            (policy, conditions.number(policy))
        });
        let index = Index::new(numbered, actions, pace);
        Self { index, conditions: conditions.build() }
    }

    /// Frees it piece by piece.
    pub(in crate::policy) fn free(self, pace: &Pace) {
        self.conditions.free(pace);
    }

    /// How many policies every request must evaluate, because their scope says nothing.
    pub(in crate::policy) fn unindexed(&self) -> usize {
        self.index.unindexed()
    }
}
