//! Asking the index.

use super::{
    actions::ActionSets,
    cells::{Cells, Demand, Posting},
    nodes::{NodeNumber, Nodes},
    places::Places,
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

/// An entity that a request names.
#[derive(Debug, Clone, Copy)]
pub(in crate::policy) struct Subject<'a> {
    pub(in crate::policy) uid: &'a Uid,
    /// What is known of it, with all its ancestors.
    pub(in crate::policy) entity: Option<&'a Entity>,
    /// What is remembered of this very entity, where it is kept.
    pub(in crate::policy) places: Option<&'a Places>,
}

impl Index {
    /// How many policies have a filing that says nothing, so that every request evaluates them.
    pub(in crate::policy) fn unindexed(&self) -> usize {
        self.unindexed
    }

    /// Leaves in `scratch` the postings of the policies whose scope a request matches, each once, in no order.
    pub(in crate::policy) fn search(
        &self,
        [principal, resource]: [Subject<'_>; 2],
        action: &Uid,
        scratch: &mut Scratch,
    ) {
        let Scratch { principals, resources, postings } = scratch;
        let principal_type = self.principals.matching(principal, principals);
        let resource_type = self.resources.matching(resource, resources);
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
