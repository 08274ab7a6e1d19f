//! What a policy asks for beside its yes or no, by the annotation `@obligation`.
//!
//! There is one: `@obligation("step-up")` on a forbid. Its condition says when the proof is missing, as in
//! `when { !context.bailiwick.mfa }`, so whoever brings the proof does not meet the forbid any more. A denial that
//! only such forbids determined tells the caller which proof is wanted (RFC 9470); it stays a denial.

use super::{Effect, Snapshot, Verdict};

/// The annotation, and its one value.
const OBLIGATION: &str = "obligation";
const STEP_UP: &str = "step-up";

/// A proof of who one is that would lead to another answer.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct StepUp {
    /// The authentication context class that is wanted (`@acr`).
    pub acr: Option<String>,
    /// How old the proof may be at most, seconds (`@max_age`).
    pub max_age_secs: Option<u64>,
}

impl Snapshot {
    /// The proof that a denial of this snapshot asks for: if there is one, then every policy that determined the
    /// denial asks for it, and none erred.
    #[must_use]
    pub fn step_up(&self, verdict: &Verdict) -> Option<StepUp> {
        if verdict.allow || !verdict.errors.is_empty() || verdict.determining.is_empty() {
            return None;
        }
        let mut wanted = StepUp::default();
        for determining in &verdict.determining {
            let annotations = &self.policy(&determining.policy_id)?.annotations;
            if determining.effect != Effect::Forbid || annotations.get(OBLIGATION)? != STEP_UP {
                return None;
            }
            wanted.acr = wanted.acr.or_else(|| annotations.get("acr").cloned());
            let max_age_secs = annotations.get("max_age").and_then(|text| text.parse().ok());
            wanted.max_age_secs = wanted.max_age_secs.into_iter().chain(max_age_secs).min();
        }
        Some(wanted)
    }
}
