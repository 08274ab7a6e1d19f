//! A snapshot: one compiled version of a store, ready to decide. Immutable and shared.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::Arc,
};

use cedar_policy::{Entities, EntityTypeName, EntityUid, Policy, PolicySet, Schema};

use super::{
    Effect, IdentityTypes, PolicyId, StoreName, VersionNumber,
    engine::{AttributeShape, Program, context_shape},
    names::Names,
    pace::Pace,
};
use crate::base::Digest32;

/// How a linked policy came to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// The template that it fills in.
    pub template: PolicyId,
    /// Slot (`?principal`, `?resource`) to entity, in Cedar's text form.
    pub slots: BTreeMap<String, String>,
    /// Path of the file that says so.
    pub file: Arc<str>,
    /// Line in that file, from 1.
    pub line: u32,
}

/// What is known of a policy besides its meaning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyRecord {
    /// Its `@id`, or the id of the link.
    pub id: PolicyId,
    /// Whether it permits or forbids.
    pub effect: Effect,
    /// Path of the file with its text; for a link, of its template.
    pub file: Arc<str>,
    /// Line in that file on which it begins, from 1; 0 when unknown.
    pub line: u32,
    /// Its annotations; one without a value is empty.
    pub annotations: BTreeMap<String, String>,
    /// For a linked policy, from what.
    pub link: Option<Link>,
}

/// A policy on its way into a snapshot.
#[derive(Debug)]
pub(super) struct Prepared {
    pub(super) record: PolicyRecord,
    pub(super) policy: Policy,
}

/// All that a snapshot is made of.
#[derive(Debug)]
pub(super) struct Parts {
    pub(super) store: StoreName,
    pub(super) digest: Digest32,
    pub(super) level: u32,
    pub(super) identity: IdentityTypes,
    /// Short names of entity types.
    pub(super) aliases: HashMap<String, EntityTypeName>,
    pub(super) schema: Schema,
    /// The action entities of the schema, each with all groups that it is in.
    pub(super) actions: Entities,
    /// The static entities, without the actions; each with all its ancestors.
    pub(super) statics: Entities,
    pub(super) policies: Vec<Prepared>,
}

/// One compiled version of a policy store. A clone is a reference to the same.
///
/// Invariants: policies are in the order of their ids; ids are unique; the index names every policy.
#[derive(Debug, Clone)]
pub struct Snapshot {
    version: VersionNumber,
    body: Arc<Body>,
}

#[derive(Debug)]
struct Body {
    parts: Parts,
    program: Program,
    by_id: HashMap<PolicyId, u32>,
    /// Actions by their bare name, for requests that give only that.
    actions_by_name: HashMap<String, Vec<EntityUid>>,
    /// What the context of each action holds.
    contexts: HashMap<EntityUid, BTreeMap<String, AttributeShape>>,
    names: Names,
}

impl Snapshot {
    /// Puts the parts together. The version is 0 until [`Snapshot::with_version`].
    pub(super) fn new(mut parts: Parts, pace: &Pace) -> Self {
        parts.policies.sort_by_cached_key(|prepared| prepared.record.id.clone());
        pace.step();
        let ids = parts.policies.iter().map(|prepared| prepared.record.id.clone());
        let ids = ids.inspect(|_| pace.step());
        let by_id = ids.zip(0_u32..).collect();
        let mut actions_by_name: HashMap<String, Vec<EntityUid>> = HashMap::new();
        let mut contexts = HashMap::new();
        // What applies to nothing is a group: a word for policies, not something that can be asked about.
        let applicable: HashSet<EntityUid> =
            parts.schema.request_envs().map(|environment| environment.action().clone()).collect();
        for action in parts.schema.actions().filter(|action| applicable.contains(*action)) {
            let name = action.id().unescaped().to_owned();
            actions_by_name.entry(name).or_default().push(action.clone());
            contexts.insert(action.clone(), context_shape(&parts.schema, action).unwrap_or_default());
        }
        let policies = parts.policies.iter().map(|prepared| &prepared.policy);
        let program = Program::new(policies, &parts.actions, pace);
        let names = Names::new(&parts);
        let body = Body { parts, program, by_id, actions_by_name, contexts, names };
        Self { version: VersionNumber(0), body: Arc::new(body) }
    }

    /// Frees what nobody else refers to, piece by piece.
    pub(super) fn free(self, pace: &Pace) {
        let Some(body) = Arc::into_inner(self.body) else { return };
        for policy in body.parts.policies {
            drop(policy);
            pace.step();
        }
        body.program.free(pace);
    }

    /// A snapshot of a policy set as Cedar holds it, linked policies included, under the ids of that set.
    ///
    /// For comparisons with Cedar: the rules of a bundle (ids, levels, strict validation) do not apply.
    ///
    /// Errors: when the schema's own action hierarchy is broken, Cedar's message.
    pub fn from_policy_set(store: StoreName, policies: &PolicySet, schema: Schema) -> Result<Self, String> {
        let actions = schema.action_entities().map_err(|error| error.to_string())?;
        let prepare = |policy: &Policy| {
            let record = PolicyRecord {
                id: PolicyId::new(policy.id().to_string()),
                effect: policy.effect().into(),
                file: Arc::from(""),
                line: 0,
                annotations: policy.annotations().map(|(k, v)| (k.to_owned(), v.to_owned())).collect(),
                link: None,
            };
            Prepared { record, policy: policy.clone() }
        };
        let parts = Parts {
            store,
            digest: Digest32::of([]),
            level: u32::MAX,
            identity: IdentityTypes::default(),
            aliases: HashMap::new(),
            schema,
            actions,
            statics: Entities::empty(),
            policies: policies.policies().map(prepare).collect(),
        };
        Ok(Self::new(parts, &Pace::full()))
    }

    /// The same policies under the number that their version was given.
    #[must_use]
    pub fn with_version(self, version: VersionNumber) -> Self {
        Self { version, ..self }
    }

    /// The store.
    #[must_use]
    pub fn store(&self) -> &StoreName {
        &self.body.parts.store
    }

    /// The number of the version; 0 when it was not published.
    #[must_use]
    pub fn version(&self) -> VersionNumber {
        self.version
    }

    /// What names the content of the version.
    #[must_use]
    pub fn digest(&self) -> Digest32 {
        self.body.parts.digest
    }

    /// How many steps from principal, action, resource and context a policy may look: the validated level.
    #[must_use]
    pub fn level(&self) -> u32 {
        self.body.parts.level
    }

    /// The types that identity maps to.
    #[must_use]
    pub fn identity(&self) -> &IdentityTypes {
        &self.body.parts.identity
    }

    /// The schema.
    #[must_use]
    pub fn schema(&self) -> &Schema {
        &self.body.parts.schema
    }

    /// The static entities of the version, each with all its ancestors.
    #[must_use]
    pub fn static_entities(&self) -> &Entities {
        &self.body.parts.statics
    }

    /// The policies in the order of their ids.
    pub fn policies(&self) -> impl Iterator<Item = &PolicyRecord> {
        self.body.parts.policies.iter().map(|prepared| &prepared.record)
    }

    /// What is known of one policy.
    #[must_use]
    pub fn policy(&self, id: &PolicyId) -> Option<&PolicyRecord> {
        self.prepared(id).map(|prepared| &prepared.record)
    }

    /// How many policies every request must evaluate, because their scope says nothing.
    #[must_use]
    pub fn unindexed(&self) -> usize {
        self.body.program.unindexed()
    }

    pub(super) fn prepared(&self, id: &PolicyId) -> Option<&Prepared> {
        self.numbered(*self.body.by_id.get(id)?)
    }

    /// The policy under a number, which is its place in the order of ids.
    pub(super) fn numbered(&self, number: u32) -> Option<&Prepared> {
        self.body.parts.policies.get(number as usize)
    }

    pub(super) fn program(&self) -> &Program {
        &self.body.program
    }

    pub(super) fn all_prepared(&self) -> &[Prepared] {
        &self.body.parts.policies
    }

    /// An entity whose type may be given by its short name, under the type's own name.
    pub(super) fn unalias(&self, uid: EntityUid) -> EntityUid {
        match self.body.parts.aliases.get(&uid.type_name().to_string()) {
            Some(full) => EntityUid::from_type_name_and_id(full.clone(), uid.id().clone()),
            None => uid,
        }
    }

    pub(super) fn actions(&self) -> &Entities {
        &self.body.parts.actions
    }

    /// The schema's types and actions by the names that requests give them, and the entities that stay.
    pub(super) fn names(&self) -> &Names {
        &self.body.names
    }

    /// The actions with this bare name, in any namespace.
    pub(super) fn actions_named(&self, name: &str) -> &[EntityUid] {
        self.body.actions_by_name.get(name).map_or(&[], Vec::as_slice)
    }

    /// What the context of an action holds; `None` for an unknown action.
    pub(super) fn context_of(&self, action: &EntityUid) -> Option<&BTreeMap<String, AttributeShape>> {
        self.body.contexts.get(action)
    }
}

impl From<cedar_policy::Effect> for Effect {
    fn from(effect: cedar_policy::Effect) -> Self {
        match effect {
            cedar_policy::Effect::Permit => Self::Permit,
            cedar_policy::Effect::Forbid => Self::Forbid,
        }
    }
}
