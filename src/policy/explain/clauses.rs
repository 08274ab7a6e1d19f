//! The clauses of a policy, taken apart and evaluated part by part.

use std::sync::Arc;

use cedar_policy::{
    Entities, EvalResult, Expression, Policy, eval_expression,
    pst::{BinaryOp, Clause, Expr, UnaryOp},
};

use super::model::{ClauseView, NamedValue};
use crate::policy::Query;

/// Most values told of one part.
const MAX_VALUES: usize = 12;

/// A part of a clause.
pub(super) struct Part {
    expression: Expr,
    /// Whether it stands in an `unless`, and so must be false.
    negated: bool,
}

/// The parts of a policy's clauses, in their order; all must hold.
pub(super) fn parts(policy: &Policy) -> Vec<Part> {
    let Ok(tree) = policy.to_pst() else { return vec![] };
    let mut parts = Vec::new();
    for clause in tree.body().clauses() {
        match clause {
            Clause::When(expression) => split(expression, false, &mut parts),
            Clause::Unless(expression) => split(expression, true, &mut parts),
        }
    }
    parts
}

fn split(expression: &Expr, negated: bool, into: &mut Vec<Part>) {
    let divider = if negated { BinaryOp::Or } else { BinaryOp::And };
    match expression {
        Expr::BinaryOp { op, left, right } if *op == divider => {
            split(left, negated, into);
            split(right, negated, into);
        }
        Expr::UnaryOp { op: UnaryOp::Not, expr } if !negated && is_operator(expr, BinaryOp::Or) => {
            split(expr, true, into);
        }
        other => into.push(Part { expression: other.clone(), negated }),
    }
}

fn is_operator(expression: &Expr, wanted: BinaryOp) -> bool {
    matches!(expression, Expr::BinaryOp { op, .. } if *op == wanted)
}

impl Part {
    /// Whether the part holds. One that cannot be evaluated does not.
    pub(super) fn holds(&self, query: &Query, entities: &Entities) -> bool {
        evaluate(&self.expression, query, entities) == Ok(EvalResult::Bool(!self.negated))
    }

    /// The part with what it reads.
    pub(super) fn view(&self, query: &Query, entities: &Entities) -> ClauseView {
        let word = if self.negated { "unless" } else { "when" };
        let mut reads = Vec::new();
        collect_reads(&self.expression, &mut reads);
        let mut values: Vec<NamedValue> = Vec::new();
        for read in reads {
            let expression = read.to_string();
            if values.len() < MAX_VALUES && values.iter().all(|known| known.expression != expression) {
                let value = evaluate(read, query, entities)
                    .map_or_else(|_| "(missing)".to_owned(), |value| value.to_string());
                values.push(NamedValue { expression, value });
            }
        }
        let error = evaluate(&self.expression, query, entities).err();
        ClauseView { text: format!("{word} {}", self.expression), values, error }
    }
}

fn evaluate(expression: &Expr, query: &Query, entities: &Entities) -> Result<EvalResult, String> {
    let parsed: Expression = expression.to_string().parse().map_err(|error| format!("{error}"))?;
    eval_expression(&query.to_request().into(), entities, &parsed).map_err(|error| error.to_string())
}

/// What an expression reads of the request: variables, and chains of attributes as a whole.
fn collect_reads<'a>(expression: &'a Expr, into: &mut Vec<&'a Expr>) {
    match expression {
        Expr::Var(_) | Expr::BinaryOp { op: BinaryOp::GetTag, .. } => into.push(expression),
        Expr::GetAttr { expr, .. } if is_chain(expr) => into.push(expression),
        Expr::GetAttr { expr, .. }
        | Expr::Like { expr, .. }
        | Expr::UnaryOp { expr, .. }
        | Expr::HasAttr { expr, .. } => collect_reads(expr, into),
        Expr::BinaryOp { left, right, .. } => collect_all([left, right], into),
        Expr::Is { expr, in_expr, .. } => collect_all(std::iter::once(expr).chain(in_expr), into),
        Expr::IfThenElse { cond, then_expr, else_expr } => collect_all([cond, then_expr, else_expr], into),
        Expr::Set(elements) => collect_all(elements, into),
        Expr::Record(members) => collect_all(members.values(), into),
        _ => {}
    }
}

fn collect_all<'a>(expressions: impl IntoIterator<Item = &'a Arc<Expr>>, into: &mut Vec<&'a Expr>) {
    for expression in expressions {
        collect_reads(expression, into);
    }
}

fn is_chain(expression: &Expr) -> bool {
    match expression {
        Expr::Var(_) => true,
        Expr::GetAttr { expr, .. } => is_chain(expr),
        _ => false,
    }
}
