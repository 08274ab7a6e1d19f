//! The way from a question to an answer.

use std::{sync::Arc, time::Instant};

use serde_json::{Value, value::RawValue};

use super::{Answer, Ask, AuthorizeError, Guarded, Permission, Sampling, identity};
use crate::{
    base::{Clock, DecisionId, Entropy, TenantId},
    policy::{
        EntitySlice, Layers, PolicyService, QueryProblem, QueryProblemKind, RequestParts, ServerContext,
        Snapshot, StoreName, decide, explain,
    },
    roles::RoleService,
    telemetry::metrics::{Metrics, Outcome},
    users::UserService,
};

/// The policy decision point.
#[derive(Debug)]
pub struct AuthorizeService {
    /// The policy stores and their active versions.
    pub policies: Arc<PolicyService>,
    /// Users, as entities.
    pub users: UserService,
    /// Roles, as their parents.
    pub roles: RoleService,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// Which decisions are made twice.
    pub sampling: Sampling,
    /// The time in `context.bailiwick.now`.
    pub clock: Arc<dyn Clock>,
    /// Randomness of decision ids.
    pub entropy: Arc<dyn Entropy>,
    /// The store of a question that names none.
    pub default_store: StoreName,
}

impl AuthorizeService {
    /// Decides a question; identity is read in `tenant`.
    ///
    /// Errors: [`AuthorizeError`]: unknown store, no active version, a question that does not fit the
    /// schema, or an outage. None of them is an allow.
    /// Source: authorize.md §1.
    pub async fn check(&self, tenant: TenantId, ask: Ask) -> Result<Answer, AuthorizeError> {
        let store = ask.store.clone().unwrap_or_else(|| self.default_store.clone());
        let started = Instant::now();
        let answered = self.answer(tenant, store.clone(), ask).await;
        match &answered {
            Ok(answer) => {
                let outcome = Outcome::of(answer.verdict.allow);
                let candidates = answer.verdict.candidates;
                self.metrics.decided(store.as_str(), outcome, started.elapsed(), candidates);
            }
            Err(AuthorizeError::UnknownStore(_)) => {} // a name that a caller made up is no label
            Err(_) => self.metrics.undecided(store.as_str()),
        }
        answered
    }

    async fn answer(&self, tenant: TenantId, store: StoreName, ask: Ask) -> Result<Answer, AuthorizeError> {
        let snapshot = self.snapshot(&store).await?;
        let (principal, action, resource) = (raw(&ask.principal)?, raw(&ask.action)?, raw(&ask.resource)?);
        let context = ask.context.as_ref().map(raw).transpose()?;
        let parts = RequestParts {
            principal: &principal,
            action: &action,
            resource: &resource,
            context: context.as_deref(),
        };
        let server = ServerContext { now: Some(self.clock.now()), ..ask.server.clone() };
        let query = snapshot.query(parts, &server)?;
        let identity = identity::records(&self.users, &self.roles, tenant, snapshot.identity(), &ask).await?;
        let entities = identity.iter().map(|record| snapshot.identity_entity(record).map(Arc::new));
        let identity: Vec<_> = entities.collect::<Result<_, _>>()?;
        let inline = raw(&Value::Array(ask.entities))?;
        let layers = Layers { identity: &identity, inline: Some(&inline), ..Layers::default() };
        let slice = EntitySlice::new(&snapshot, layers)?;
        let mut verdict = decide(&snapshot, &query, &slice);
        let walk = self.full_walk(&snapshot, &query, &slice)?;
        let owned = if ask.explain { Some(slice.owned(&snapshot, &query)?) } else { None };
        let decision_id = DecisionId::new(self.clock.now(), &*self.entropy)?;
        let version = snapshot.version();
        drop(slice);
        if let Some(walk) = walk {
            verdict = self.settle(verdict, walk).await;
        }
        let explanation = if let Some(slice) = owned {
            let verdict = verdict.clone();
            // It may look at every policy of the store: not on a thread that answers requests.
            tokio::task::spawn_blocking(move || explain(&snapshot, &query, &slice, &verdict)).await.ok()
        } else {
            None
        };
        Ok(Answer { decision_id, store, version, verdict, explanation })
    }

    /// The entity type of our users in a store; `User` where the store does not say.
    #[must_use]
    pub fn user_type(&self, store: &StoreName) -> String {
        let snapshot = self.policies.live().snapshot(store);
        snapshot.and_then(|snapshot| snapshot.identity().user.clone()).unwrap_or_else(|| "User".to_owned())
    }

    async fn snapshot(&self, store: &StoreName) -> Result<Arc<Snapshot>, AuthorizeError> {
        match self.policies.live().snapshot(store) {
            Some(snapshot) => Ok(snapshot),
            None if self.policies.exists(store).await? => {
                Err(AuthorizeError::NoActiveVersion(store.to_string()))
            }
            None => Err(AuthorizeError::UnknownStore(store.to_string())),
        }
    }

    /// Decides whether our own API may go on, by the `system` store.
    ///
    /// Errors: as [`AuthorizeService::check`].
    /// Source: authorize.md §4.
    pub async fn guard(&self, tenant: TenantId, guarded: Guarded) -> Result<Permission, AuthorizeError> {
        let ask = Ask {
            store: Some(StoreName::system()),
            principal: guarded.principal.to_value(),
            action: Value::from(guarded.action),
            resource: guarded.resource.to_value(),
            context: None,
            entities: Vec::new(),
            explain: false,
            server: guarded.server,
        };
        let answer = self.check(tenant, ask).await?;
        tracing::debug!(
            decision_id = %answer.decision_id, action = guarded.action, allow = answer.verdict.allow,
            policy_version = answer.version.0, "own api guarded",
        );
        Ok(Permission { allow: answer.verdict.allow, decision_id: answer.decision_id })
    }
}

fn raw(value: &Value) -> Result<Box<RawValue>, AuthorizeError> {
    serde_json::value::to_raw_value(value).map_err(|error| {
        let (pointer, kind) = (String::new(), QueryProblemKind::Malformed);
        AuthorizeError::Query(QueryProblem { pointer, kind, message: error.to_string() })
    })
}
