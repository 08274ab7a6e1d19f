//! The warning about policies that no scope narrows down.

use super::rules::Store;
use crate::policy::{
    Finding, Severity,
    engine::cedar::{Expr, ExprKind, Policy, Var},
    index::Filing,
    pace::Pace,
    snapshot::Prepared,
};

/// Most of these that are told.
const MAX_FINDINGS: usize = 100;

impl Store<'_> {
    /// Policies that every request for their actions evaluates although what they ask of principal and resource
    /// could be said in the scope, at least in part. One that looks at the context alone has nowhere else to be.
    pub(super) fn unindexed(&self, pace: &Pace, found: &mut Vec<Finding>) {
        let all = self.policies.iter().inspect(|_| pace.step());
        for Prepared { record, .. } in all.filter(|one| is_unindexed(one)).take(MAX_FINDINGS) {
            let message = format!(
                "the scope of `{}` names no principal and no resource, so every request for its actions evaluates it",
                record.id
            );
            let mut finding = self.at(record, Severity::Warning, "unindexed", message);
            let help = "put `is`, `in` or `==` for principal or resource into the scope, or write a template with \
                        `?principal` or `?resource` and link it";
            finding.help = Some(help.to_owned());
            found.push(finding);
        }
    }
}

fn is_unindexed(prepared: &Prepared) -> bool {
    let policy: &Policy = prepared.policy.as_ref();
    let asks = |part: &Expr| matches!(part.expr_kind(), ExprKind::Var(Var::Principal | Var::Resource));
    let condition = policy.non_scope_constraints();
    Filing::of(policy).says_nothing()
        && condition.is_some_and(|condition| condition.subexpressions().any(asks))
}
