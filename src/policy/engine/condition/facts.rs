//! What conditions are evaluated over.

use std::{cell::OnceCell, collections::BTreeMap};

use elsa::FrozenVec;
use smol_str::SmolStr;

use super::value::Value;
use crate::policy::{
    EntitySlice, Query,
    engine::cedar::{
        Entities, Entity, Evaluator, Expr, Extensions, Literal, SlotEnv, Uid, Value as CoreValue, ValueKind,
    },
    index::Subject,
};

/// Values that evaluation made, such as of an extension type: kept while a decision takes, so that they too are
/// borrowed.
pub(in crate::policy::engine) type Made = FrozenVec<Box<CoreValue>>;

/// The request and the entities, borrowed.
pub(in crate::policy::engine) struct Facts<'a> {
    pub(super) principal: &'a Uid,
    pub(super) action: &'a Uid,
    pub(super) resource: &'a Uid,
    pub(super) context: &'a BTreeMap<SmolStr, CoreValue>,
    about: [Subject<'a>; 2],
    slice: &'a EntitySlice<'a>,
    made: &'a Made,
}

impl<'a> Facts<'a> {
    /// Principal and resource are looked up here, once.
    pub(in crate::policy::engine) fn new(
        query: &'a Query,
        slice: &'a EntitySlice<'a>,
        made: &'a Made,
    ) -> Self {
        let (principal, resource) = (query.principal().as_ref(), query.resource().as_ref());
        Self {
            principal,
            action: query.action().as_ref(),
            resource,
            context: query.values(),
            about: [slice.subject(principal), slice.subject(resource)],
            slice,
            made,
        }
    }

    /// Keeps a value that evaluation made.
    pub(super) fn keep(&self, value: CoreValue) -> Value<'a> {
        Value::from(self.made.push_get(Box::new(value)))
    }

    /// Principal and resource with what is known of them.
    pub(in crate::policy::engine) fn about(&self) -> [Subject<'a>; 2] {
        self.about
    }

    /// What is known of an entity.
    pub(super) fn entity(&self, uid: &Uid) -> Option<&'a Entity> {
        let subject = self.about.iter().find(|subject| std::ptr::eq(uid, subject.uid));
        subject.map_or_else(|| self.slice.entity(uid), |subject| subject.entity)
    }
}

/// Cedar's own evaluator, made ready when it is first needed.
pub(in crate::policy::engine) struct Cedar<'a> {
    query: &'a Query,
    slice: &'a EntitySlice<'a>,
    entities: &'a OnceCell<Entities>,
    evaluator: OnceCell<Evaluator<'a>>,
}

impl<'a> Cedar<'a> {
    /// `entities` is where the entities of the slice are kept once they are needed.
    pub(in crate::policy::engine) fn new(
        query: &'a Query,
        slice: &'a EntitySlice<'a>,
        entities: &'a OnceCell<Entities>,
    ) -> Self {
        Self { query, slice, entities, evaluator: OnceCell::new() }
    }

    /// Whether an expression without slots holds.
    ///
    /// Errors: as [`Cedar::holds_with`].
    pub(in crate::policy::engine) fn holds(&self, expression: &Expr) -> Result<bool, String> {
        self.holds_with(expression, &SlotEnv::new())
    }

    /// Whether an expression holds with these values of its slots.
    ///
    /// Errors: Cedar's message. A conjunction is a boolean or an error; anything else is an error here.
    pub(in crate::policy::engine) fn holds_with(
        &self,
        expression: &Expr,
        slots: &SlotEnv,
    ) -> Result<bool, String> {
        let evaluator = self.evaluator.get_or_init(|| {
            let entities = self.entities.get_or_init(|| self.slice.complete(self.query));
            Evaluator::new(self.query.to_request(), entities, Extensions::all_available())
        });
        let value = evaluator.interpret(expression, slots).map_err(|error| error.to_string())?;
        match value.value_kind() {
            ValueKind::Lit(Literal::Bool(holds)) => Ok(*holds),
            _ => Err(format!("the condition is `{value}`, not a boolean")),
        }
    }
}
