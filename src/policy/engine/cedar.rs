//! The names of `cedar-policy-core` that this project uses. Nothing else names the crate.
//!
//! Its API may change with any release; it is pinned, and what a change breaks is broken here first.

pub(in crate::policy) use cedar_policy_core::{
    ast::{
        Context, Eid, Entity, EntityType, EntityUID as Uid, EntityUIDEntry, Expr, Literal, Name,
        PartialValue, Policy, Request, SlotEnv, Template, Value, ValueKind,
    },
    entities::{Dereference, Entities, NoEntitiesSchema, TCComputation},
    evaluator::Evaluator,
    extensions::Extensions,
    parser::Loc,
    validator::types::{EntityKind, Type},
};
