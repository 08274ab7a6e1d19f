//! How deeply a policy nests `if`, and the bound on it.

use super::text::Text;
use crate::policy::{
    Finding,
    engine::cedar::{Expr, ExprKind},
};

/// How deeply `if` may nest. Cedar's check of levels takes both branches of an `if` whose test it knows for the
/// same one, and so looks 2ⁿ times at what n of them enclose.
const MAX_IFS: usize = 12;

/// Refuses a condition that nests `if` more deeply than [`MAX_IFS`]; `at` is where its policy begins.
pub(super) fn check(condition: Option<&Expr>, text: Text<'_>, at: usize) -> Result<(), Finding> {
    let mut ahead: Vec<(&Expr, usize)> = condition.into_iter().map(|condition| (condition, 0)).collect();
    while let Some((next, mut ifs)) = ahead.pop() {
        ifs += usize::from(matches!(next.expr_kind(), ExprKind::If { .. }));
        if ifs > MAX_IFS {
            let message = format!("this policy nests `if` deeper than {MAX_IFS} levels");
            let mut finding = text.error("too_deep", Some(at), message);
            finding.help = Some("write alternatives with `||`, or as policies of their own".to_owned());
            return Err(finding);
        }
        ahead.extend(parts(next).into_iter().map(|part| (part, ifs)));
    }
    Ok(())
}

fn parts(expression: &Expr) -> Vec<&Expr> {
    match expression.expr_kind() {
        ExprKind::Lit(_) | ExprKind::Var(_) | ExprKind::Slot(_) | ExprKind::Unknown(_) => vec![],
        ExprKind::If { test_expr, then_expr, else_expr } => vec![test_expr, then_expr, else_expr],
        ExprKind::And { left, right } | ExprKind::Or { left, right } => vec![left, right],
        ExprKind::BinaryApp { arg1, arg2, .. } => vec![arg1, arg2],
        ExprKind::UnaryApp { arg, .. } => vec![arg],
        ExprKind::GetAttr { expr, .. }
        | ExprKind::HasAttr { expr, .. }
        | ExprKind::ExtHasAttr { expr, .. }
        | ExprKind::Like { expr, .. }
        | ExprKind::Is { expr, .. } => vec![expr],
        ExprKind::ExtensionFunctionApp { args, .. } => args.iter().collect(),
        ExprKind::Set(elements) => elements.iter().collect(),
        ExprKind::Record(members) => members.values().collect(),
    }
}
