//! From candidates to a verdict.

use super::cedar::{Evaluator, Expr, Extensions, Literal, Loc, Policy, SlotEnv, Template, ValueKind};
use crate::policy::{Determining, Effect, EntitySlice, PolicyError, Query, Snapshot, Verdict};

/// A policy made ready: scope and clauses as one expression, with the values of its slots.
#[derive(Debug)]
pub(in crate::policy) struct Program {
    condition: Expr,
    slots: SlotEnv,
}

impl Program {
    /// Prepares a policy, linked or not.
    pub(in crate::policy) fn new(policy: &cedar_policy::Policy) -> Self {
        let policy: &Policy = policy.as_ref();
        Self { condition: policy.condition(), slots: policy.env().clone() }
    }

    /// Whether the policy applies.
    ///
    /// Errors: Cedar's message. A condition is a conjunction, so its value is a boolean; anything else is an error.
    fn holds(&self, evaluator: &Evaluator<'_>) -> Result<bool, String> {
        let value = evaluator.interpret(&self.condition, &self.slots).map_err(|error| error.to_string())?;
        match value.value_kind() {
            ValueKind::Lit(Literal::Bool(holds)) => Ok(*holds),
            _ => Err(format!("the condition is `{value}`, not a boolean")),
        }
    }
}

/// Where a policy begins in the text that it was parsed from, in bytes.
pub(in crate::policy) fn policy_offset(policy: &cedar_policy::Policy) -> Option<usize> {
    let policy: &Policy = policy.as_ref();
    policy.loc().map(Loc::start)
}

/// Where a template begins in the text that it was parsed from, in bytes.
pub(in crate::policy) fn template_offset(template: &cedar_policy::Template) -> Option<usize> {
    let template: &Template = template.as_ref();
    template.loc().map(Loc::start)
}

/// Decides, failing closed: as [`evaluate`], but an error in any forbid denies (policy-lifecycle.md §8).
///
/// Total: an error is part of the verdict. The forbid that erred is among `errors`; it is not a
/// determining policy, since nobody knows whether it applies.
#[must_use]
pub fn decide(snapshot: &Snapshot, query: &Query, slice: &EntitySlice<'_>) -> Verdict {
    let (mut verdict, forbid_erred) = run(snapshot, query, slice);
    if forbid_erred && verdict.allow {
        verdict.allow = false;
        verdict.determining.clear();
    }
    verdict
}

/// Answers as Cedar's own authorizer would over all policies: decision, determining and erring policies.
#[must_use]
pub fn evaluate(snapshot: &Snapshot, query: &Query, slice: &EntitySlice<'_>) -> Verdict {
    run(snapshot, query, slice).0
}

/// The verdict as Cedar's, and whether a forbid erred. Policies are in the order of their ids.
fn run(snapshot: &Snapshot, query: &Query, slice: &EntitySlice<'_>) -> (Verdict, bool) {
    let entities = slice.complete(query);
    let evaluator = Evaluator::new(query.to_request(), &entities, Extensions::all_available());
    let (mut permits, mut forbids, mut errors, mut forbid_erred) = (vec![], vec![], vec![], false);
    for (policy, program) in snapshot.candidates(query, slice) {
        match (program.holds(&evaluator), policy.effect) {
            (Ok(false), _) => {}
            (Ok(true), Effect::Permit) => permits.push(policy.id.clone()),
            (Ok(true), Effect::Forbid) => forbids.push(policy.id.clone()),
            (Err(message), effect) => {
                forbid_erred |= effect == Effect::Forbid;
                errors.push(PolicyError { policy_id: policy.id.clone(), message });
            }
        }
    }
    let allow = forbids.is_empty() && !permits.is_empty();
    let (effect, ids) = if allow { (Effect::Permit, permits) } else { (Effect::Forbid, forbids) };
    let determining = ids.into_iter().map(|policy_id| Determining { policy_id, effect }).collect();
    (Verdict { allow, determining, errors }, forbid_erred)
}
