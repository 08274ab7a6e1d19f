//! Asking the index.

use super::{
    actions::ActionSets,
    cells::{Cells, Demand, Posting},
    nodes::{NodeNumber, Nodes},
};
use crate::policy::engine::cedar::{Entity, Uid};

/// See the module.
#[derive(Debug)]
pub(in crate::policy) struct Index {
    pub(super) actions: ActionSets,
    pub(super) principals: Nodes,
    pub(super) resources: Nodes,
    pub(super) cells: Cells,
    pub(super) unindexed: usize,
}

/// Memory that one search after the other uses.
#[derive(Debug, Default)]
pub(in crate::policy) struct Scratch {
    principals: Vec<NodeNumber>,
    resources: Vec<NodeNumber>,
    /// What was found.
    pub(in crate::policy) postings: Vec<Posting>,
}

/// An entity that a request names, with what is known of it.
pub(in crate::policy) type Subject<'a> = (&'a Uid, Option<&'a Entity>);

impl Index {
    /// How many policies have a filing that says nothing, so that every request evaluates them.
    pub(in crate::policy) fn unindexed(&self) -> usize {
        self.unindexed
    }

    /// Leaves in `scratch` the postings of the policies whose scope a request matches, each once, in no order.
    pub(in crate::policy) fn search(
        &self,
        principal: Subject<'_>,
        action: &Uid,
        resource: Subject<'_>,
        scratch: &mut Scratch,
    ) {
        let Scratch { principals, resources, postings } = scratch;
        let principal_type = self.principals.matching(principal.0, principal.1, principals);
        let resource_type = self.resources.matching(resource.0, resource.1, resources);
        let action = self.actions.number(action);
        let met = |demand: &Demand| {
            self.actions.holds(demand.actions, action)
                && demand.principal_type.is_none_or(|wanted| principal_type == Some(wanted))
                && demand.resource_type.is_none_or(|wanted| resource_type == Some(wanted))
        };
        postings.clear();
        self.cells.collect(principals, resources, met, postings);
    }
}
