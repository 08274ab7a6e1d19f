//! The names of `cedar-policy-core` that this project uses. Nothing else names the crate.
//!
//! Its API may change with any release; it is pinned, and what a change breaks is broken here first.

pub(in crate::policy) use cedar_policy_core::{
    ast::{
        ActionConstraint, BinaryOp, Context, Eid, Entity, EntityReference, EntityType, EntityUID as Uid,
        EntityUIDEntry, Expr, ExprBuilder, ExprKind, ExtensionFunction, Literal, Name, PartialValue, Pattern,
        Policy, PrincipalOrResourceConstraint as ScopeConstraint, Request, Set, SlotEnv, Template, UnaryOp,
        Value, ValueKind, Var,
    },
    entities::{Dereference, Entities, NoEntitiesSchema, TCComputation},
    evaluator::{Evaluator, binary_relation},
    expr_builder::ExprBuilder as BuildExpr,
    extensions::Extensions,
    parser::Loc,
    validator::{
        ValidatorEntityTypeKind,
        types::{Attributes, BoolType, EntityKind, OpenTag, Type},
    },
};
