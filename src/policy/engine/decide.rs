//! From a request to a verdict.

use std::cell::{Cell, OnceCell};

use super::{
    cedar::Policy,
    condition::{Cedar, Facts, Made},
};
use crate::policy::{
    Determining, Effect, EntitySlice, PolicyError, Query, Snapshot, Verdict, index::Scratch,
};

/// Postings that a thread keeps room for between decisions, so that one unusual request does not cost memory for good.
const KEPT_POSTINGS: usize = 16_384;

thread_local! {
    static SCRATCH: Cell<Scratch> = Cell::default();
}

/// Decides, failing closed: as [`evaluate`], but an error in any forbid denies (policy-lifecycle.md §8).
///
/// Total: an error is part of the verdict. The forbid that erred is among `errors`; it is not a
/// determining policy, since nobody knows whether it applies.
#[must_use]
pub fn decide(snapshot: &Snapshot, query: &Query, slice: &EntitySlice<'_>) -> Verdict {
    indexed(snapshot, query, slice).verdict(snapshot, true)
}

/// Answers as Cedar's own authorizer would over all policies: decision, determining and erring policies.
#[must_use]
pub fn evaluate(snapshot: &Snapshot, query: &Query, slice: &EntitySlice<'_>) -> Verdict {
    indexed(snapshot, query, slice).verdict(snapshot, false)
}

/// As [`decide`], walking every policy with Cedar's evaluator; shares no code with index and compiled conditions.
///
/// Costs in proportion to all policies: for verification, and for when that found a difference.
#[must_use]
pub fn decide_all(snapshot: &Snapshot, query: &Query, slice: &EntitySlice<'_>) -> Verdict {
    walked(snapshot, query, slice).verdict(snapshot, true)
}

/// As [`evaluate`], by the walk of [`decide_all`].
#[must_use]
pub fn evaluate_all(snapshot: &Snapshot, query: &Query, slice: &EntitySlice<'_>) -> Verdict {
    walked(snapshot, query, slice).verdict(snapshot, false)
}

/// What the policies that were looked at came to, by their numbers.
#[derive(Debug, Default)]
struct Outcome {
    candidates: u32,
    reads_context: bool,
    permits: Vec<u32>,
    forbids: Vec<u32>,
    errors: Vec<(u32, String)>,
}

fn indexed(snapshot: &Snapshot, query: &Query, slice: &EntitySlice<'_>) -> Outcome {
    let program = snapshot.program();
    let made = Made::new();
    let facts = Facts::new(query, slice, &made);
    let entities = OnceCell::new();
    let cedar = Cedar::new(query, slice, &entities);
    let mut scratch = SCRATCH.take();
    program.index.search(facts.about(), query.action().as_ref(), &mut scratch);
    let mut outcome = Outcome { candidates: length(&scratch.postings), ..Outcome::default() };
    // Policies of one condition beside each other: it is evaluated once.
    scratch.postings.sort_unstable();
    for policies in scratch.postings.chunk_by(|a, b| a.condition == b.condition) {
        let Some(first) = policies.first() else { continue };
        outcome.reads_context |= program.conditions.reads_context(first.condition);
        let holds = program.conditions.holds(first.condition, &facts, &cedar);
        if holds != Ok(false) {
            for posting in policies {
                outcome.add(snapshot, posting.policy, holds.clone());
            }
        }
    }
    scratch.postings.truncate(0);
    scratch.postings.shrink_to(KEPT_POSTINGS);
    SCRATCH.set(scratch);
    outcome
}

fn walked(snapshot: &Snapshot, query: &Query, slice: &EntitySlice<'_>) -> Outcome {
    let entities = OnceCell::new();
    let cedar = Cedar::new(query, slice, &entities);
    let candidates = length(snapshot.all_prepared());
    let mut outcome = Outcome { candidates, reads_context: true, ..Outcome::default() };
    for (number, prepared) in (0_u32..).zip(snapshot.all_prepared()) {
        let policy: &Policy = prepared.policy.as_ref();
        outcome.add(snapshot, number, cedar.holds_with(&policy.condition(), policy.env()));
    }
    outcome
}

impl Outcome {
    fn add(&mut self, snapshot: &Snapshot, number: u32, holds: Result<bool, String>) {
        match (holds, snapshot.numbered(number).map(|prepared| prepared.record.effect)) {
            (Ok(false), _) | (_, None) => {}
            (Ok(true), Some(Effect::Permit)) => self.permits.push(number),
            (Ok(true), Some(Effect::Forbid)) => self.forbids.push(number),
            (Err(message), Some(_)) => self.errors.push((number, message)),
        }
    }

    /// The verdict, as Cedar's or failing closed. Policies are numbered in the order of their ids.
    fn verdict(mut self, snapshot: &Snapshot, closed: bool) -> Verdict {
        let id = |number: u32| snapshot.numbered(number).map(|prepared| &prepared.record);
        let forbid_erred = || {
            let mut erring = self.errors.iter().filter_map(|(number, _)| id(*number));
            erring.any(|record| record.effect == Effect::Forbid)
        };
        let allowed = self.forbids.is_empty() && !self.permits.is_empty();
        let allow = allowed && !(closed && forbid_erred());
        let mut deciding = match (allow, allowed) {
            (true, _) => self.permits,
            (false, true) => vec![],
            (false, false) => self.forbids,
        };
        deciding.sort_unstable();
        self.errors.sort_unstable();
        let determining = deciding.into_iter().filter_map(id);
        let errors = self
            .errors
            .into_iter()
            .filter_map(|(number, message)| Some(PolicyError { policy_id: id(number)?.id.clone(), message }));
        Verdict {
            allow,
            determining: determining
                .map(|record| Determining { policy_id: record.id.clone(), effect: record.effect })
                .collect(),
            errors: errors.collect(),
            candidates: self.candidates,
            reads_context: self.reads_context,
        }
    }
}

fn length<T>(list: &[T]) -> u32 {
    u32::try_from(list.len()).unwrap_or(u32::MAX)
}
