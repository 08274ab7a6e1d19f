//! Values as trees see them: borrowed from the request, the entities and the policy.

use std::{collections::BTreeMap, sync::Arc};

use smol_str::SmolStr;

use crate::policy::engine::cedar::{Literal, Set, Uid, Value as CoreValue, ValueKind};

/// Sets up to this size are compared element by element, larger ones by their hash.
const FEW: usize = 8;

/// A value that evaluation came to.
#[derive(Debug, Clone, Copy)]
pub(super) enum Value<'a> {
    Bool(bool),
    Long(i64),
    Text(&'a SmolStr),
    Entity(&'a Uid),
    Set(&'a Set),
    Record(&'a BTreeMap<SmolStr, CoreValue>),
    /// Of an extension type.
    Extension(&'a CoreValue),
}

impl<'a> From<&'a CoreValue> for Value<'a> {
    fn from(value: &'a CoreValue) -> Self {
        match value.value_kind() {
            ValueKind::Lit(Literal::Bool(value)) => Self::Bool(*value),
            ValueKind::Lit(Literal::Long(value)) => Self::Long(*value),
            ValueKind::Lit(Literal::String(value)) => Self::Text(value),
            ValueKind::Lit(Literal::EntityUID(value)) => Self::Entity(value),
            ValueKind::Set(value) => Self::Set(value),
            ValueKind::Record(value) => Self::Record(value),
            ValueKind::ExtensionValue(_) => Self::Extension(value),
        }
    }
}

/// Equality as Cedar has it: values of different kinds differ.
impl PartialEq for Value<'_> {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Bool(a), Self::Bool(b)) => a == b,
            (Self::Long(a), Self::Long(b)) => a == b,
            (Self::Text(a), Self::Text(b)) => a == b,
            (Self::Entity(a), Self::Entity(b)) => std::ptr::eq(*a, *b) || a == b,
            (Self::Set(a), Self::Set(b)) => a == b,
            (Self::Record(a), Self::Record(b)) => a == b,
            (Self::Extension(a), Self::Extension(b)) => a == b,
            _ => false,
        }
    }
}

impl<'a> Value<'a> {
    /// The boolean; `None` when it is something else. The same for the other kinds.
    pub(super) fn bool(self) -> Option<bool> {
        if let Self::Bool(value) = self { Some(value) } else { None }
    }

    pub(super) fn long(self) -> Option<i64> {
        if let Self::Long(value) = self { Some(value) } else { None }
    }

    pub(super) fn text(self) -> Option<&'a SmolStr> {
        if let Self::Text(value) = self { Some(value) } else { None }
    }

    pub(super) fn entity(self) -> Option<&'a Uid> {
        if let Self::Entity(value) = self { Some(value) } else { None }
    }

    pub(super) fn set(self) -> Option<&'a Set> {
        if let Self::Set(value) = self { Some(value) } else { None }
    }

    /// The value as Cedar's, on its own.
    pub(super) fn to_core(self) -> CoreValue {
        match self {
            Self::Bool(value) => value.into(),
            Self::Long(value) => value.into(),
            Self::Text(value) => CoreValue::from(value.clone()),
            Self::Entity(value) => CoreValue::from(value.clone()),
            Self::Set(value) => CoreValue::new(ValueKind::Set(value.clone()), None),
            Self::Record(value) => CoreValue::record_arc(Arc::new(value.clone()), None),
            Self::Extension(value) => value.clone(),
        }
    }

    /// Whether it is an element of a set.
    pub(super) fn is_in(self, set: &Set) -> bool {
        let literal = match self {
            Self::Bool(value) => Some(Literal::Bool(value)),
            Self::Long(value) => Some(Literal::Long(value)),
            _ if set.len() <= FEW => None,
            Self::Text(value) => Some(Literal::String(value.clone())),
            Self::Entity(value) => Some(Literal::EntityUID(value.clone().into())),
            Self::Set(_) | Self::Record(_) | Self::Extension(_) => None,
        };
        match (literal, &set.fast) {
            (Some(literal), Some(literals)) => literals.contains(&literal),
            _ => set.iter().any(|element| Value::from(element) == self),
        }
    }
}
