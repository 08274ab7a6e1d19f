//! The conditions of a snapshot, each distinct one once.

use std::sync::Arc;

use foldhash::HashMap;

use super::{
    facts::{Cedar, Facts},
    read::read,
    tree::Tree,
    value::Value,
};
use crate::policy::{
    engine::{
        bare::bare,
        cedar::{Expr, ExprKind, Policy, Var},
    },
    pace::Pace,
};

/// One condition.
#[derive(Debug)]
struct Condition {
    tree: Tree,
    /// `true && condition`, without source locations.
    expression: Expr,
    /// Whether the context has a say in it.
    reads_context: bool,
}

/// The conditions of a snapshot, by their numbers.
#[derive(Debug)]
pub(in crate::policy::engine) struct Conditions(Vec<Condition>);

impl Conditions {
    /// Whether a condition holds.
    ///
    /// Errors: Cedar's message.
    pub(in crate::policy::engine) fn holds<'a>(
        &'a self,
        number: u32,
        facts: &Facts<'a>,
        cedar: &Cedar<'_>,
    ) -> Result<bool, String> {
        let Some(condition) = self.0.get(number as usize) else {
            return Err("the condition is not known".to_owned());
        };
        match condition.tree.evaluate(facts) {
            Some(Value::Bool(holds)) => Ok(holds),
            _ => cedar.holds(&condition.expression),
        }
    }

    /// Frees them one by one.
    pub(in crate::policy::engine) fn free(self, pace: &Pace) {
        for condition in self.0 {
            drop(condition);
            pace.step();
        }
    }

    /// Whether a condition names the context at all.
    pub(in crate::policy::engine) fn reads_context(&self, number: u32) -> bool {
        self.0.get(number as usize).is_none_or(|condition| condition.reads_context)
    }
}

/// Gathers the conditions of policies.
#[derive(Debug, Default)]
pub(in crate::policy::engine) struct ConditionsBuilder {
    conditions: Vec<Condition>,
    /// By their structure: equality and hash of expressions disregard source locations.
    numbers: HashMap<Arc<Expr>, u32>,
    /// By where they are in memory: links share the expression of their template.
    places: HashMap<*const Expr, u32>,
}

impl ConditionsBuilder {
    /// The number of a policy's condition; `true` is the condition of one that has none.
    pub(in crate::policy::engine) fn number(&mut self, policy: &Policy) -> u32 {
        let expression =
            policy.non_scope_constraints_arc().map_or_else(|| Arc::new(Expr::val(true)), Arc::clone);
        // INVARIANT: whatever is in `places` is kept alive by its policy.
        let place = policy.non_scope_constraints_arc().map(Arc::as_ptr);
        if let Some(known) = place.and_then(|place| self.places.get(&place)) {
            return *known;
        }
        let next = u32::try_from(self.conditions.len()).unwrap_or(u32::MAX);
        let number = *self.numbers.entry(expression).or_insert_with_key(|expression| {
            let expression = bare(expression);
            let tree = read(&expression);
            let reads_context = reads_context(&expression);
            let expression = Expr::and(Expr::val(true), expression);
            self.conditions.push(Condition { tree, expression, reads_context });
            next
        });
        self.places.extend(place.map(|place| (place, number)));
        number
    }

    pub(in crate::policy::engine) fn build(self) -> Conditions {
        Conditions(self.conditions)
    }
}

fn reads_context(expression: &Expr) -> bool {
    expression.subexpressions().any(|part| matches!(part.expr_kind(), ExprKind::Var(Var::Context)))
}
