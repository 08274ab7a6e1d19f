//! Decisions that are made twice: by the index, and by looking at every policy (`policy.verify_index`).
//!
//! The index, the shared and the compiled conditions are ours; what they must equal is Cedar's evaluator over
//! all policies. Where the two differ there is a bug: the answer is deny with an error, the log says so, a
//! metric counts it, and until the store's next activation every decision is made without the index.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use super::AuthorizeService;
use crate::policy::{EntitySlice, PolicyError, PolicyId, Query, QueryProblem, Snapshot, Verdict, decide_all};

/// What stands in the place of a policy's id, and says what is wrong, in the answer that a difference led to.
pub const WRONG_INDEX: (&str, &str) =
    ("bailiwick:index", "the policy index disagrees with a look at every policy; access is denied");

/// Parts of one that a share is counted in.
const WHOLE: u64 = 1 << 32;

/// Chooses a share of the decisions, evenly and without randomness.
#[derive(Debug)]
pub struct Sampling {
    step: u64,
    sum: AtomicU64,
}

/// A decision to be made over every policy. Owns what that needs, so that it may leave the thread.
#[derive(Debug)]
pub struct FullWalk {
    snapshot: Arc<Snapshot>,
    query: Query,
    slice: EntitySlice<'static>,
}

impl Sampling {
    /// Chooses `rate` of all, from 0 to 1.
    #[must_use]
    pub fn new(rate: f64) -> Self {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "from 0 to 2^32"
        )]
        let step = (rate.clamp(0.0, 1.0) * WHOLE as f64).ceil() as u64;
        Self { step, sum: AtomicU64::new(0) }
    }

    /// Whether none is chosen.
    pub(super) fn is_off(&self) -> bool {
        self.step == 0
    }

    /// Whether this one is chosen: each adds its share, and who fills the next whole one is.
    fn is_due(&self) -> bool {
        self.step > 0 && self.sum.fetch_add(self.step, Ordering::Relaxed) % WHOLE + self.step >= WHOLE
    }
}

impl FullWalk {
    /// The decision over every policy. Costs in proportion to them.
    #[must_use]
    pub fn decide(&self) -> Verdict {
        decide_all(&self.snapshot, &self.query, &self.slice)
    }
}

impl AuthorizeService {
    /// What must be decided over every policy as well: the decisions of a store whose index is distrusted, and a
    /// sample of the others.
    ///
    /// Errors: [`QueryProblem`] when the index is distrusted and the entities are too many for another way.
    pub fn full_walk(
        &self,
        snapshot: &Arc<Snapshot>,
        query: &Query,
        slice: &EntitySlice<'_>,
    ) -> Result<Option<Box<FullWalk>>, QueryProblem> {
        let required = self.policies.live().is_distrusted(snapshot.store());
        if !self.sampling.is_due() && !required {
            return Ok(None);
        }
        match slice.owned(snapshot, query) {
            Ok(slice) => {
                let (snapshot, query) = (Arc::clone(snapshot), query.clone());
                Ok(Some(Box::new(FullWalk { snapshot, query, slice })))
            }
            Err(problem) if required => Err(problem),
            Err(problem) => {
                tracing::warn!(store = %snapshot.store(), %problem, "a decision is too large to be made twice");
                Ok(None)
            }
        }
    }

    /// The answer to give, from the decision by the index and the one over every policy, which is made now, off
    /// the threads that answer requests.
    pub async fn settle(&self, fast: Verdict, walk: Box<FullWalk>) -> Verdict {
        let walked = tokio::task::spawn_blocking(move || (walk.decide(), walk.snapshot)).await;
        match walked {
            Ok((full, snapshot)) => self.settled(fast, full, &snapshot),
            Err(error) => {
                tracing::error!(%error, "a decision could not be verified");
                denied(fast.candidates)
            }
        }
    }

    /// As [`settle`](Self::settle), for two decisions that have been made.
    pub fn settled(&self, fast: Verdict, full: Verdict, snapshot: &Arc<Snapshot>) -> Verdict {
        let store = snapshot.store();
        if self.policies.live().is_distrusted(store) {
            return full;
        }
        let agreed = agree(&fast, &full);
        self.metrics.verified(store.as_str(), agreed);
        if agreed {
            return fast;
        }
        let ids = |verdict: &Verdict| verdict.determining.iter().map(|of| of.policy_id.to_string()).collect();
        let (by_index, by_all): (Vec<String>, Vec<String>) = (ids(&fast), ids(&full));
        tracing::error!(%store, version = %snapshot.version(), index_allows = fast.allow, all_allow = full.allow,
            ?by_index, ?by_all, "the policy index is wrong: access is denied, and the store is decided without it");
        self.policies.live().distrust(snapshot);
        denied(fast.candidates)
    }
}

/// Whether two verdicts say the same: decision, determining and erring policies. What Cedar says of an error is not
/// part of it.
fn agree(fast: &Verdict, full: &Verdict) -> bool {
    let erring = |verdict: &Verdict| verdict.errors.iter().map(|error| error.policy_id.clone()).collect();
    let (one, other): (Vec<PolicyId>, Vec<PolicyId>) = (erring(fast), erring(full));
    fast.allow == full.allow && fast.determining == full.determining && one == other
}

/// Deny, because nobody knows what is right.
fn denied(candidates: u32) -> Verdict {
    let (id, message) = WRONG_INDEX;
    let error = PolicyError { policy_id: PolicyId::new(id), message: message.to_owned() };
    Verdict { allow: false, determining: Vec::new(), errors: vec![error], candidates, reads_context: true }
}

#[cfg(test)]
mod tests {
    use super::{Sampling, agree};
    use crate::policy::{Determining, Effect, PolicyError, PolicyId, Verdict};

    fn verdict(allow: bool, determining: &[&str], errors: &[(&str, &str)]) -> Verdict {
        let effect = if allow { Effect::Permit } else { Effect::Forbid };
        let determining = determining.iter().map(|id| Determining { policy_id: PolicyId::new(*id), effect });
        let errors = errors
            .iter()
            .map(|(id, text)| PolicyError { policy_id: PolicyId::new(*id), message: (*text).to_owned() });
        let (determining, errors) = (determining.collect(), errors.collect());
        Verdict { allow, determining, errors, candidates: 0, reads_context: false }
    }

    #[test]
    fn verdicts_agree_in_decision_and_policies_but_not_in_words() {
        let one = verdict(true, &["a", "b"], &[("c", "overflow")]);
        assert!(agree(&one, &verdict(true, &["a", "b"], &[("c", "another text")])));
        for other in [
            verdict(false, &["a", "b"], &[("c", "overflow")]),
            verdict(true, &["a"], &[("c", "overflow")]),
            verdict(true, &["a", "x"], &[("c", "overflow")]),
            verdict(true, &["a", "b"], &[]),
            verdict(true, &["a", "b"], &[("d", "overflow")]),
        ] {
            assert!(!agree(&one, &other), "{other:?}");
        }
    }

    #[test]
    fn a_share_is_spread_evenly() {
        for (rate, of, wanted) in [(0.0, 1_000, 0), (1.0, 1_000, 1_000), (0.5, 1_000, 500), (0.7, 1_000, 700)]
        {
            let sampling = Sampling::new(rate);
            let due = (0..of).filter(|_| sampling.is_due()).count();
            assert_eq!(due, wanted, "{rate}");
        }
        let sampling = Sampling::new(0.01);
        let due: Vec<usize> = (0..1_000).filter(|_| sampling.is_due()).collect();
        assert_eq!(due.len(), 10);
        assert!(due.windows(2).all(|pair| pair[1] - pair[0] == 100), "{due:?}");
    }
}
