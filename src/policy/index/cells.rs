//! The policies by principal node and resource node, in flat arrays.

use std::ops::Range;

use foldhash::HashMap;

use super::{
    actions::ActionSet,
    nodes::{NodeNumber, TypeNumber},
};
use crate::policy::pace::Pace;

/// A policy under its number, with the number of its condition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::policy) struct Posting {
    pub(in crate::policy) condition: u32,
    pub(in crate::policy) policy: u32,
}

/// What the postings of a group have in common: all of them match a request that matches the cell, or none does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Demand {
    pub(super) actions: ActionSet,
    pub(super) principal_type: Option<TypeNumber>,
    pub(super) resource_type: Option<TypeNumber>,
}

/// A policy with where it belongs. Their order is the order of the arrays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Filed {
    pub(super) principal: NodeNumber,
    pub(super) resource: NodeNumber,
    pub(super) demand: Demand,
    pub(super) posting: Posting,
}

#[derive(Debug)]
struct Cell {
    resource: NodeNumber,
    groups: Range<u32>,
}

#[derive(Debug)]
struct Group {
    demand: Demand,
    postings: Range<u32>,
}

/// All cells that hold a policy.
#[derive(Debug, Default)]
pub(super) struct Cells {
    /// The cells of each principal node.
    rows: Vec<Range<u32>>,
    all: Vec<Cell>,
    groups: Vec<Group>,
    postings: Vec<Posting>,
    /// The place of a cell among `all`.
    places: HashMap<(NodeNumber, NodeNumber), u32>,
}

impl Cells {
    /// Puts the policies in their places. `principals` is how many principal nodes there are.
    pub(super) fn new(mut filed: Vec<Filed>, principals: NodeNumber, pace: &Pace) -> Self {
        filed.sort_unstable();
        let mut made = Self { rows: vec![0..0; principals as usize], ..Self::default() };
        for row in filed.chunk_by(|a, b| a.principal == b.principal) {
            pace.step();
            let start = length(&made.all);
            for cell in row.chunk_by(|a, b| a.resource == b.resource) {
                made.cell(cell);
            }
            let end = length(&made.all);
            if let Some(row) = row.first().and_then(|first| made.rows.get_mut(first.principal as usize)) {
                *row = start..end;
            }
        }
        made
    }

    fn cell(&mut self, filed: &[Filed]) {
        let Some(Filed { principal, resource, .. }) = filed.first().copied() else { return };
        let start = length(&self.groups);
        for group in filed.chunk_by(|a, b| a.demand == b.demand) {
            let first = length(&self.postings);
            self.postings.extend(group.iter().map(|filed| filed.posting));
            let postings = first..length(&self.postings);
            self.groups.extend(group.first().map(|filed| Group { demand: filed.demand, postings }));
        }
        self.places.insert((principal, resource), length(&self.all));
        self.all.push(Cell { resource, groups: start..length(&self.groups) });
    }

    /// Adds to `into` the postings of all cells at these nodes whose demand is met. Both lists ascend.
    ///
    /// For each principal node this looks at its cells or at the resource nodes, whichever are fewer, so that
    /// the work is bounded by the number of cells however many ancestors a request has.
    pub(super) fn collect(
        &self,
        principals: &[NodeNumber],
        resources: &[NodeNumber],
        met: impl Fn(&Demand) -> bool,
        into: &mut Vec<Posting>,
    ) {
        let mut open = |cell: &Cell| {
            for group in slice(&self.groups, &cell.groups) {
                if met(&group.demand) {
                    into.extend_from_slice(slice(&self.postings, &group.postings));
                }
            }
        };
        for principal in principals {
            let Some(row) = self.rows.get(*principal as usize) else { continue };
            let row_cells = slice(&self.all, row);
            if row_cells.len() <= resources.len() {
                let reached = |cell: &&Cell| resources.binary_search(&cell.resource).is_ok();
                row_cells.iter().filter(reached).for_each(&mut open);
            } else {
                let place = |resource: &NodeNumber| self.places.get(&(*principal, *resource));
                let cells = resources.iter().filter_map(place);
                cells.filter_map(|place| self.all.get(*place as usize)).for_each(&mut open);
            }
        }
    }
}

fn length<T>(list: &[T]) -> u32 {
    u32::try_from(list.len()).unwrap_or(u32::MAX)
}

fn slice<'a, T>(list: &'a [T], range: &Range<u32>) -> &'a [T] {
    list.get(range.start as usize..range.end as usize).unwrap_or_default()
}
