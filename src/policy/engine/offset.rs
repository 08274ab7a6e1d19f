//! Where policies stand in their texts.

use super::cedar::{Loc, Policy, Template};

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
