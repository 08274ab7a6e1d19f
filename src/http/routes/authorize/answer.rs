//! Writing an answer straight from what the engine said.

use serde::{Serialize, Serializer};

use super::bodies::{AuthorizeResponse, Decision, DeterminingPolicy, EvaluationError};
use crate::{
    authorize::{Answer, Pinned},
    policy::{Determining, PolicyError},
};

/// The policies that decided.
#[derive(Debug)]
pub(in crate::http::routes) struct Policies<'a>(&'a [Determining]);

/// The policies that erred.
#[derive(Debug)]
pub(in crate::http::routes) struct Errors<'a>(&'a [PolicyError]);

impl Policies<'_> {
    /// None decided.
    pub(super) fn none() -> Self {
        Self(&[])
    }
}

impl Serialize for Policies<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let policies = self.0.iter();
        serializer.collect_seq(
            policies.map(|of| DeterminingPolicy { policy_id: of.policy_id.as_str(), effect: of.effect }),
        )
    }
}

impl Serialize for Errors<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let errors = self.0.iter();
        serializer.collect_seq(
            errors.map(|of| EvaluationError { policy_id: of.policy_id.as_str(), message: &of.message }),
        )
    }
}

impl<'a> AuthorizeResponse<'a> {
    /// The answer of a store.
    pub(in crate::http::routes) fn of(pinned: &'a Pinned, answer: &'a Answer) -> Self {
        Self {
            decision: if answer.verdict.allow { Decision::Allow } else { Decision::Deny },
            decision_id: answer.decision_id,
            policy_store: pinned.store().as_str(),
            policy_version: pinned.version().0,
            entity_revision: pinned.entity_revision().map(|revision| revision.0),
            determining_policies: Policies(&answer.verdict.determining),
            errors: Errors(&answer.verdict.errors),
            explanation: answer.explanation.as_ref(),
        }
    }
}
