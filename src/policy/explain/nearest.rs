//! Putting an explanation together.

use cedar_policy::Entities;

use super::{
    clauses::parts,
    model::{Determined, Explanation, NearMiss, PolicyView},
    render::{reason_admin, reason_user},
    scope::missed,
};
use crate::policy::{
    Effect, EntitySlice, PolicyRecord, Query, Snapshot, Verdict, snapshot::Prepared, stack::on_large_stack,
};

/// Most near misses told.
const MAX_MISSES: usize = 5;
/// Most permits whose clauses are evaluated for one explanation.
const MAX_EVALUATED: usize = 500;

/// Explains a verdict that [`crate::policy::decide`] gave for this query and slice.
///
/// CPU-bound, on a thread with a large stack: in the worst case it looks at every policy of the store.
#[must_use]
pub fn explain(
    snapshot: &Snapshot,
    query: &Query,
    slice: &EntitySlice<'_>,
    verdict: &Verdict,
) -> Explanation {
    let entities = Entities::from(slice.complete(query));
    on_large_stack(|| explain_here(snapshot, query, &entities, verdict)).unwrap_or_else(|reason| {
        Explanation {
            allow: verdict.allow,
            determining: vec![],
            erring: vec![],
            nearest_misses: vec![],
            reason_admin: format!("there is no explanation: {reason}"),
            reason_user: String::new(),
        }
    })
}

fn explain_here(snapshot: &Snapshot, query: &Query, entities: &Entities, verdict: &Verdict) -> Explanation {
    let determining = verdict.determining.iter().filter_map(|one| {
        let Prepared { record, policy } = snapshot.prepared(&one.policy_id)?;
        let clauses = parts(policy).iter().map(|part| part.view(query, entities)).collect();
        Some(Determined { policy: PolicyView::from(record), clauses })
    });
    let determining: Vec<Determined> = determining.collect();
    let erring = verdict.errors.iter().filter_map(|error| {
        Some((PolicyView::from(snapshot.policy(&error.policy_id)?), error.message.clone()))
    });
    let erring: Vec<(PolicyView, String)> = erring.collect();
    let by_default = !verdict.allow && determining.is_empty();
    let nearest_misses = if by_default { nearest(snapshot, query, entities) } else { vec![] };
    let mut explanation = Explanation {
        allow: verdict.allow,
        determining,
        erring,
        nearest_misses,
        reason_admin: String::new(),
        reason_user: String::new(),
    };
    explanation.reason_admin = reason_admin(&explanation);
    explanation.reason_user = reason_user(&explanation);
    explanation
}

/// The permits that came closest: by how much of the scope they miss, then by how many parts fail, then by how
/// many held, then by id.
fn nearest(snapshot: &Snapshot, query: &Query, entities: &Entities) -> Vec<NearMiss> {
    let permits = snapshot.all_prepared().iter().filter(|prepared| prepared.record.effect == Effect::Permit);
    let mut by_scope: Vec<_> =
        permits.map(|prepared| (missed(&prepared.policy, query, entities).len(), prepared)).collect();
    by_scope.sort_by_key(|(missing, _)| *missing);
    let mut misses: Vec<(usize, NearMiss)> = Vec::new();
    for (missing, prepared) in by_scope.into_iter().take(MAX_EVALUATED) {
        // Clauses are evaluated only where they can still matter.
        if misses.len() >= MAX_MISSES && misses.last().is_some_and(|(last, _)| *last < missing) {
            break;
        }
        misses.extend(miss(prepared, query, entities).map(|miss| (missing, miss)));
    }
    misses.sort_by_key(|(missing, miss)| (*missing, miss.conjuncts - miss.held, usize::MAX - miss.held));
    misses.into_iter().map(|(_, miss)| miss).take(MAX_MISSES).collect()
}

/// How one permit missed; `None` when it did not.
fn miss(prepared: &Prepared, query: &Query, entities: &Entities) -> Option<NearMiss> {
    let record: &PolicyRecord = &prepared.record;
    let mut out_of_scope = missed(&prepared.policy, query, entities).into_iter();
    let parts = parts(&prepared.policy);
    let held: Vec<bool> = parts.iter().map(|part| part.holds(query, entities)).collect();
    let first_failing = parts.iter().zip(&held).find(|(_, held)| !**held).map(|(part, _)| part);
    let scope_failure = out_of_scope.next();
    let scope_matches = scope_failure.is_none();
    let failing = scope_failure.or_else(|| first_failing.map(|part| part.view(query, entities)))?;
    Some(NearMiss {
        policy: PolicyView::from(record),
        scope_matches,
        held: held.iter().filter(|held| **held).count(),
        conjuncts: parts.len(),
        failing,
        advice: record.annotations.get("advice").filter(|advice| !advice.is_empty()).cloned(),
    })
}
