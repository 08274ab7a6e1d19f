//! What a policy can reach from a request.

use std::{collections::BTreeMap, sync::Arc};

use smol_str::SmolStr;

use crate::policy::{
    Query,
    engine::cedar::{Entity, Literal, PartialValue, Uid, Value, ValueKind},
};

/// Principal, resource, and what the context names outside sets.
pub(super) fn roots(query: &Query) -> Vec<Uid> {
    let mut roots = vec![query.principal().as_ref().clone(), query.resource().as_ref().clone()];
    in_record(query.values(), &mut roots);
    roots
}

/// What the attributes and tags of an entity name outside sets.
pub(super) fn named_in(entity: &Entity, into: &mut Vec<Uid>) {
    in_values(entity.attrs().chain(entity.tags()).map(|(_, value)| value), into);
}

/// What the tags of an entity name outside sets.
pub(super) fn named_in_tags(entity: &Entity, into: &mut Vec<Uid>) {
    in_values(entity.tags().map(|(_, value)| value), into);
}

fn in_values<'v>(values: impl Iterator<Item = &'v PartialValue>, into: &mut Vec<Uid>) {
    for value in values {
        if let PartialValue::Value(value) = value {
            in_value(value, into);
        }
    }
}

fn in_record(record: &Arc<BTreeMap<SmolStr, Value>>, into: &mut Vec<Uid>) {
    record.values().for_each(|value| in_value(value, into));
}

fn in_value(value: &Value, into: &mut Vec<Uid>) {
    match value.value_kind() {
        ValueKind::Lit(Literal::EntityUID(uid)) => into.push((**uid).clone()),
        ValueKind::Record(record) => in_record(record, into),
        // No expression takes an element out of a set.
        ValueKind::Lit(_) | ValueKind::Set(_) | ValueKind::ExtensionValue(_) => {}
    }
}
