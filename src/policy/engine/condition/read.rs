//! From Cedar's expression to a tree.

use super::tree::{Binary, Tree, Uids, Unary};
use crate::policy::engine::cedar::{
    BinaryOp, Expr, ExprKind, ExtensionFunction, Extensions, Literal, PartialValue, UnaryOp, Value, Var,
};

/// How deep a tree may be; what is below is left to Cedar. A chain of `&&` or `||` is one level.
pub(super) const MAX_DEPTH: usize = 64;

/// Reads an expression. There is always a tree: what it has no form for is [`Tree::Unsure`].
pub(super) fn read(expression: &Expr) -> Tree {
    below(expression, MAX_DEPTH)
}

fn below(expression: &Expr, depth: usize) -> Tree {
    let Some(depth) = depth.checked_sub(1) else { return Tree::Unsure };
    let one = |part: &Expr| Box::new(below(part, depth));
    let many = |parts: &[Expr]| parts.iter().map(|part| below(part, depth)).collect();
    match expression.expr_kind() {
        ExprKind::Var(Var::Principal) => Tree::Principal,
        ExprKind::Var(Var::Action) => Tree::Action,
        ExprKind::Var(Var::Resource) => Tree::Resource,
        ExprKind::Var(Var::Context) => Tree::Context,
        ExprKind::Lit(literal) => Tree::Constant(literal.clone().into()),
        ExprKind::Set(elements) => {
            folded(many(elements), Tree::List, |values| Some(Value::set(values, None)))
        }
        ExprKind::Record(members) => {
            let (names, values): (Vec<_>, Vec<_>) = members.iter().unzip();
            folded(
                values.into_iter().map(|value| below(value, depth)).collect(),
                |parts| Tree::Record(names.iter().copied().cloned().zip(parts).collect()),
                |values| Some(Value::record(names.iter().copied().cloned().zip(values), None)),
            )
        }
        ExprKind::ExtensionFunctionApp { fn_name, args } => match Extensions::all_available().func(fn_name) {
            Ok(function) => {
                folded(many(args), |parts| Tree::Call(function, parts), |values| call(function, &values))
            }
            Err(_) => Tree::Unsure,
        },
        ExprKind::And { .. } => {
            Tree::All(chain(expression, and).into_iter().map(|part| below(part, depth)).collect())
        }
        ExprKind::Or { .. } => {
            Tree::Any(chain(expression, or).into_iter().map(|part| below(part, depth)).collect())
        }
        ExprKind::If { test_expr, then_expr, else_expr } => {
            Tree::If(Box::new([below(test_expr, depth), below(then_expr, depth), below(else_expr, depth)]))
        }
        ExprKind::UnaryApp { op, arg } => {
            let op = match op {
                UnaryOp::Not => Unary::Not,
                UnaryOp::Neg => Unary::Negate,
                UnaryOp::IsEmpty => Unary::IsEmpty,
            };
            Tree::Unary(op, one(arg))
        }
        ExprKind::BinaryApp { op, arg1, arg2 } => match (op, arg2.expr_kind()) {
            (BinaryOp::In, ExprKind::Set(elements)) => match uids(elements) {
                Some(uids) => Tree::InKnown(one(arg1), Box::new(uids)),
                None => Tree::InAny(one(arg1), many(elements)),
            },
            _ => match (op, below(arg1, depth)) {
                (BinaryOp::Contains, Tree::List(elements)) => Tree::ListContains(elements, one(arg2)),
                (_, first) => Tree::Binary(binary(*op), Box::new([first, below(arg2, depth)])),
            },
        },
        ExprKind::GetAttr { expr, attr } => Tree::Attribute(one(expr), attr.clone()),
        ExprKind::HasAttr { expr, attr } => Tree::Has(one(expr), Box::new([attr.clone()])),
        ExprKind::ExtHasAttr { expr, attrs } => Tree::Has(one(expr), attrs.iter().cloned().collect()),
        ExprKind::Like { expr, pattern } => Tree::Like(one(expr), pattern.clone()),
        ExprKind::Is { expr, entity_type } => Tree::Is(one(expr), entity_type.clone()),
        ExprKind::Slot(_) | ExprKind::Unknown(_) => Tree::Unsure,
    }
}

/// The two sides of a link of a chain.
type Link = for<'a> fn(&'a Expr) -> Option<[&'a Expr; 2]>;

fn and(expression: &Expr) -> Option<[&Expr; 2]> {
    if let ExprKind::And { left, right } = expression.expr_kind() { Some([left, right]) } else { None }
}

fn or(expression: &Expr) -> Option<[&Expr; 2]> {
    if let ExprKind::Or { left, right } = expression.expr_kind() { Some([left, right]) } else { None }
}

/// The parts of a chain in their order, however it is nested: both operators are associative, errors included.
fn chain(expression: &Expr, link: Link) -> Vec<&Expr> {
    let (mut parts, mut ahead) = (Vec::new(), vec![expression]);
    while let Some(next) = ahead.pop() {
        match link(next) {
            Some([left, right]) => ahead.extend([right, left]),
            None => parts.push(next),
        }
    }
    parts
}

/// A tree over parts, or, when all of them are spelled out, what it comes to; an error then is Cedar's to tell.
fn folded(
    parts: Box<[Tree]>,
    tree: impl FnOnce(Box<[Tree]>) -> Tree,
    value: impl FnOnce(Vec<Value>) -> Option<Value>,
) -> Tree {
    let constant = |part: &Tree| if let Tree::Constant(value) = part { Some(value.clone()) } else { None };
    match parts.iter().map(constant).collect() {
        Some(values) => value(values).map_or(Tree::Unsure, Tree::Constant),
        None => tree(parts),
    }
}

/// What a function of an extension answers; such functions depend on nothing but their arguments.
fn call(function: &ExtensionFunction, arguments: &[Value]) -> Option<Value> {
    match function.call(arguments) {
        Ok(PartialValue::Value(value)) => Some(value),
        _ => None,
    }
}

/// The elements when all of them are entities that are spelled out.
fn uids(elements: &[Expr]) -> Option<Uids> {
    let uid = |element: &Expr| match element.expr_kind() {
        ExprKind::Lit(Literal::EntityUID(uid)) => Some(uid.as_ref().clone()),
        _ => None,
    };
    elements.iter().map(uid).collect()
}

fn binary(op: BinaryOp) -> Binary {
    match op {
        BinaryOp::Eq => Binary::Equal,
        BinaryOp::Less => Binary::Less,
        BinaryOp::LessEq => Binary::LessOrEqual,
        BinaryOp::Add => Binary::Add,
        BinaryOp::Sub => Binary::Subtract,
        BinaryOp::Mul => Binary::Multiply,
        BinaryOp::In => Binary::In,
        BinaryOp::Contains => Binary::Contains,
        BinaryOp::ContainsAll => Binary::ContainsAll,
        BinaryOp::ContainsAny => Binary::ContainsAny,
        BinaryOp::GetTag => Binary::Tag,
        BinaryOp::HasTag => Binary::HasTag,
    }
}
