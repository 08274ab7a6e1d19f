//! Building the index.

use cedar_policy::Entities;

use super::{
    actions::{ActionSet, ActionSetsBuilder},
    cells::{Cells, Demand, Filed, Posting},
    filing::Filing,
    nodes::Nodes,
    places::Side,
    probe::Index,
};
use crate::policy::{engine::cedar::Policy, pace::Pace};

impl Index {
    /// Files policies under their numbers, which are their places, each with the number of its condition.
    ///
    /// `actions` are the action entities of the schema, each with all groups that it is in.
    pub(in crate::policy) fn new<'a>(
        policies: impl Iterator<Item = (&'a Policy, u32)>,
        actions: &Entities,
        pace: &Pace,
    ) -> Self {
        let mut sets = ActionSetsBuilder::new(actions);
        let (mut principals, mut resources) = (Nodes::new(Side::Principal), Nodes::new(Side::Resource));
        let (mut filed, mut unindexed) = (Vec::new(), 0);
        for (number, (policy, condition)) in (0_u32..).zip(policies) {
            let filing = Filing::of(policy);
            let actions = sets.set(policy.action_constraint());
            unindexed += usize::from(filing.says_nothing() && actions == ActionSet::EVERY);
            let (principal, principal_type) = principals.file(&filing.principal);
            let (resource, resource_type) = resources.file(&filing.resource);
            filed.push(Filed {
                principal,
                resource,
                demand: Demand { actions, principal_type, resource_type },
                posting: Posting { condition, policy: number },
            });
        }
        let cells = Cells::new(filed, principals.count(), pace);
        Self { actions: sets.build(), principals, resources, cells, unindexed }
    }
}
