//! The tree of a condition.

use smol_str::SmolStr;

use crate::policy::engine::cedar::{EntityType, ExtensionFunction, Pattern, Uid, Value};

/// A set of entities that a policy spells out.
pub(super) type Uids = foldhash::HashSet<Uid>;

/// An expression. Depth is bounded by [`super::read::MAX_DEPTH`], so recursion over it needs little stack.
#[derive(Debug)]
pub(super) enum Tree {
    /// Whatever this is, it is left to Cedar.
    Unsure,
    Constant(Value),
    Principal,
    Action,
    Resource,
    Context,
    /// All of a chain of `&&`, in order.
    All(Box<[Tree]>),
    /// Any of a chain of `||`, in order.
    Any(Box<[Tree]>),
    /// Test, then, else.
    If(Box<[Tree; 3]>),
    Unary(Unary, Box<Tree>),
    Binary(Binary, Box<[Tree; 2]>),
    Attribute(Box<Tree>, SmolStr),
    /// Whether a chain of attributes is there.
    Has(Box<Tree>, Box<[SmolStr]>),
    Like(Box<Tree>, Pattern),
    Is(Box<Tree>, EntityType),
    /// `in` a set that the policy spells out.
    InKnown(Box<Tree>, Box<Uids>),
    /// `in` a set of expressions.
    InAny(Box<Tree>, Box<[Tree]>),
    /// A set of expressions that contains a value.
    ListContains(Box<[Tree]>, Box<Tree>),
    /// A set of expressions anywhere else.
    List(Box<[Tree]>),
    Record(Box<[(SmolStr, Tree)]>),
    /// A function of an extension.
    Call(&'static ExtensionFunction, Box<[Tree]>),
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Unary {
    Not,
    Negate,
    IsEmpty,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Binary {
    Equal,
    Less,
    LessOrEqual,
    Add,
    Subtract,
    Multiply,
    In,
    Contains,
    ContainsAll,
    ContainsAny,
    Tag,
    HasTag,
}
