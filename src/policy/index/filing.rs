//! Where a policy is filed: what its scope, and the conjuncts that its condition begins with, say of each side.

use std::sync::Arc;

use crate::policy::engine::cedar::{
    BinaryOp, EntityReference, EntityType, Expr, ExprKind, Literal, Policy, ScopeConstraint, Uid, Var,
};

/// What a scope names on one side.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) enum Node {
    #[default]
    Any,
    Is(Arc<EntityType>),
    Eq(Arc<Uid>),
    In(Arc<Uid>),
}

/// One side of a filing: the entity must match the node, and be of the type, where one is demanded.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Side {
    pub(super) node: Node,
    pub(super) of_type: Option<Arc<EntityType>>,
}

/// Where a policy is filed on both sides.
#[derive(Debug, Default)]
pub(in crate::policy) struct Filing {
    pub(super) principal: Side,
    pub(super) resource: Side,
}

impl Filing {
    /// Reads the scope, then the conjuncts of its forms at the front of the condition.
    pub(in crate::policy) fn of(policy: &Policy) -> Self {
        let mut filing = Self::default();
        filing.principal.scope(policy.principal_constraint().into_inner());
        filing.resource.scope(policy.resource_constraint().into_inner());
        if let Some(condition) = policy.non_scope_constraints() {
            filing.front_of(condition);
        }
        filing
    }

    /// Whether neither principal nor resource narrows down who is asked about it.
    pub(in crate::policy) fn says_nothing(&self) -> bool {
        self.principal.node == Node::Any && self.resource.node == Node::Any
    }

    /// Narrows by the conjuncts in their order, up to the first of another form: that one may err.
    fn front_of(&mut self, condition: &Expr) {
        let mut ahead = vec![condition];
        while let Some(next) = ahead.pop() {
            match next.expr_kind() {
                ExprKind::And { left, right } => ahead.extend([&**right, &**left]),
                _ if self.conjunct(next) => {}
                _ => break,
            }
        }
    }

    /// Narrows by one conjunct; false when it is not of a form that a scope could have.
    fn conjunct(&mut self, conjunct: &Expr) -> bool {
        let (variable, node) = match conjunct.expr_kind() {
            ExprKind::BinaryApp { op: BinaryOp::Eq, arg1, arg2 } => {
                match (variable(arg1), literal(arg2), literal(arg1), variable(arg2)) {
                    (Some(variable), Some(uid), ..) | (.., Some(uid), Some(variable)) => {
                        (variable, Node::Eq(uid))
                    }
                    _ => return false,
                }
            }
            ExprKind::BinaryApp { op: BinaryOp::In, arg1, arg2 } => match (variable(arg1), literal(arg2)) {
                (Some(variable), Some(uid)) => (variable, Node::In(uid)),
                _ => return false,
            },
            ExprKind::Is { expr, entity_type } => match variable(expr) {
                Some(variable) => (variable, Node::Is(Arc::new(entity_type.clone()))),
                None => return false,
            },
            _ => return false,
        };
        match variable {
            Var::Principal => self.principal.narrow(node),
            Var::Resource => self.resource.narrow(node),
            Var::Action | Var::Context => return variable == Var::Action, // an action cannot err either
        }
        true
    }
}

impl Side {
    fn scope(&mut self, constraint: ScopeConstraint) {
        let (of_type, node) = match constraint {
            ScopeConstraint::Any => (None, None),
            ScopeConstraint::Is(of_type) => (Some(of_type), None),
            ScopeConstraint::Eq(entity) => (None, named(entity).map(Node::Eq)),
            ScopeConstraint::In(entity) => (None, named(entity).map(Node::In)),
            ScopeConstraint::IsIn(of_type, entity) => (Some(of_type), named(entity).map(Node::In)),
        };
        of_type.map(Node::Is).into_iter().chain(node).for_each(|node| self.narrow(node));
    }

    /// Takes in one more thing that must hold. What has no room beside the rest is left to the condition;
    /// a scope always has room.
    fn narrow(&mut self, node: Node) {
        match (&self.node, node) {
            (Node::Any, node) => self.node = node,
            (Node::Is(of_type), node @ (Node::Eq(_) | Node::In(_))) => {
                self.of_type = Some(Arc::clone(of_type));
                self.node = node;
            }
            (Node::Eq(_) | Node::In(_), Node::Is(of_type)) if self.of_type.is_none() => {
                self.of_type = Some(of_type);
            }
            _ => {}
        }
    }
}

/// The entity of a scope. A slot without one is of a template, which is no policy.
fn named(entity: EntityReference) -> Option<Arc<Uid>> {
    match entity {
        EntityReference::EUID(uid) => Some(uid),
        EntityReference::Slot(_) => None,
    }
}

fn variable(expression: &Expr) -> Option<Var> {
    match expression.expr_kind() {
        ExprKind::Var(variable) => Some(*variable),
        _ => None,
    }
}

fn literal(expression: &Expr) -> Option<Arc<Uid>> {
    match expression.expr_kind() {
        ExprKind::Lit(Literal::EntityUID(uid)) => Some(Arc::clone(uid)),
        _ => None,
    }
}
