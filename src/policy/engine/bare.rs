//! Expressions without source locations.
//!
//! Cedar's evaluator copies the location of every part that it evaluates into the value, and with it a
//! reference count that all threads share. A location is in no message, so evaluated trees have none.

use std::sync::Arc;

use super::cedar::{BuildExpr, Expr, ExprBuilder, ExprKind};

/// The same expression without source locations.
///
/// Recursive: for trees whose depth is bounded, or on a large stack.
pub(super) fn bare(expression: &Expr) -> Expr {
    let one = |part: &Arc<Expr>| Arc::new(bare(part));
    let kind = match expression.expr_kind() {
        ExprKind::If { test_expr, then_expr, else_expr } => {
            ExprKind::If { test_expr: one(test_expr), then_expr: one(then_expr), else_expr: one(else_expr) }
        }
        ExprKind::And { left, right } => ExprKind::And { left: one(left), right: one(right) },
        ExprKind::Or { left, right } => ExprKind::Or { left: one(left), right: one(right) },
        ExprKind::UnaryApp { op, arg } => ExprKind::UnaryApp { op: *op, arg: one(arg) },
        ExprKind::BinaryApp { op, arg1, arg2 } => {
            ExprKind::BinaryApp { op: *op, arg1: one(arg1), arg2: one(arg2) }
        }
        ExprKind::ExtensionFunctionApp { fn_name, args } => ExprKind::ExtensionFunctionApp {
            fn_name: fn_name.clone(),
            args: Arc::new(args.iter().map(bare).collect()),
        },
        ExprKind::GetAttr { expr, attr } => ExprKind::GetAttr { expr: one(expr), attr: attr.clone() },
        ExprKind::HasAttr { expr, attr } => ExprKind::HasAttr { expr: one(expr), attr: attr.clone() },
        ExprKind::ExtHasAttr { expr, attrs } => {
            ExprKind::ExtHasAttr { expr: one(expr), attrs: attrs.clone() }
        }
        ExprKind::Like { expr, pattern } => ExprKind::Like { expr: one(expr), pattern: pattern.clone() },
        ExprKind::Is { expr, entity_type } => {
            ExprKind::Is { expr: one(expr), entity_type: entity_type.clone() }
        }
        ExprKind::Set(elements) => ExprKind::Set(Arc::new(elements.iter().map(bare).collect())),
        ExprKind::Record(members) => {
            let members = members.iter().map(|(name, member)| (name.clone(), bare(member)));
            ExprKind::Record(Arc::new(members.collect()))
        }
        leaf @ (ExprKind::Lit(_) | ExprKind::Var(_) | ExprKind::Slot(_) | ExprKind::Unknown(_)) => {
            leaf.clone()
        }
    };
    <ExprBuilder<()> as BuildExpr>::new().with_expr_kind(kind)
}
