//! Evaluation of trees. `None` is "not sure": Cedar decides.
//!
//! INVARIANT: `Some` only where Cedar's evaluator comes to the same value without an error.

use super::{
    facts::Facts,
    tree::{Binary, Tree, Unary},
    value::Value,
};
use crate::policy::engine::cedar::{
    BinaryOp, Entity, Extensions, Literal, PartialValue, Uid, Value as Core, ValueKind, binary_relation,
};

impl Tree {
    pub(super) fn evaluate<'a>(&'a self, facts: &Facts<'a>) -> Option<Value<'a>> {
        let value = match self {
            Self::Unsure => return None,
            Self::Constant(value) => value.into(),
            Self::Principal => Value::Entity(facts.principal),
            Self::Action => Value::Entity(facts.action),
            Self::Resource => Value::Entity(facts.resource),
            Self::Context => Value::Record(facts.context),
            Self::All(parts) => Value::Bool(until(parts, false, facts)?),
            Self::Any(parts) => Value::Bool(until(parts, true, facts)?),
            Self::If(parts) => {
                let [test, yes, no] = &**parts;
                let branch = if test.evaluate(facts)?.bool()? { yes } else { no };
                return branch.evaluate(facts);
            }
            Self::Unary(op, of) => unary(*op, of.evaluate(facts)?)?,
            Self::Binary(op, of) => {
                let [left, right] = &**of;
                return binary(*op, left.evaluate(facts)?, right.evaluate(facts)?, facts);
            }
            Self::Attribute(of, name) => attribute(of.evaluate(facts)?, name, facts)?,
            Self::Has(of, path) => {
                let mut at = of.evaluate(facts)?;
                let (last, way) = path.split_last()?;
                for name in way {
                    if !has(at, name, facts)? {
                        return Some(Value::Bool(false));
                    }
                    at = attribute(at, name, facts)?;
                }
                Value::Bool(has(at, last, facts)?)
            }
            Self::Like(of, pattern) => Value::Bool(pattern.wildcard_match(of.evaluate(facts)?.text()?)),
            Self::Is(of, entity_type) => {
                Value::Bool(of.evaluate(facts)?.entity()?.entity_type() == entity_type)
            }
            Self::InKnown(of, groups) => {
                let uid = of.evaluate(facts)?.entity()?;
                let mut above = facts.entity(uid).into_iter().flat_map(Entity::ancestors);
                Value::Bool(groups.contains(uid) || above.any(|ancestor| groups.contains(ancestor)))
            }
            Self::InAny(of, groups) => {
                let uid = of.evaluate(facts)?.entity()?;
                // All are evaluated, and must be entities, before any is compared.
                let groups = groups.iter().map(|group| group.evaluate(facts)?.entity());
                let groups: Vec<&Uid> = groups.collect::<Option<_>>()?;
                Value::Bool(within(uid, groups.into_iter(), facts))
            }
            Self::List(elements) => {
                let elements = elements.iter().map(|element| Some(element.evaluate(facts)?.to_core()));
                facts.keep(Core::set(elements.collect::<Option<Vec<_>>>()?, None))
            }
            Self::Record(members) => {
                let value = |member: &'a Tree| Some(member.evaluate(facts)?.to_core());
                let members = members.iter().map(|(name, member)| Some((name.clone(), value(member)?)));
                facts.keep(Core::record(members.collect::<Option<Vec<_>>>()?, None))
            }
            Self::Call(function, arguments) => {
                let arguments = arguments.iter().map(|argument| Some(argument.evaluate(facts)?.to_core()));
                match function.call(&arguments.collect::<Option<Vec<_>>>()?) {
                    Ok(PartialValue::Value(value)) => facts.keep(value),
                    _ => return None,
                }
            }
            Self::ListContains(elements, wanted) => {
                let elements = elements.iter().map(|element| element.evaluate(facts));
                let elements: Vec<Value<'_>> = elements.collect::<Option<_>>()?;
                let wanted = wanted.evaluate(facts)?;
                Value::Bool(elements.contains(&wanted))
            }
        };
        Some(value)
    }
}

/// Evaluates the parts of a chain up to the first that is `stop`: that is then the value of the chain.
fn until<'a>(parts: &'a [Tree], stop: bool, facts: &Facts<'a>) -> Option<bool> {
    for part in parts {
        if part.evaluate(facts)?.bool()? == stop {
            return Some(stop);
        }
    }
    Some(!stop)
}

fn unary(op: Unary, of: Value<'_>) -> Option<Value<'_>> {
    Some(match op {
        Unary::Not => Value::Bool(!of.bool()?),
        Unary::Negate => Value::Long(of.long()?.checked_neg()?),
        Unary::IsEmpty => Value::Bool(of.set()?.is_empty()),
    })
}

fn binary<'a>(op: Binary, left: Value<'a>, right: Value<'a>, facts: &Facts<'a>) -> Option<Value<'a>> {
    Some(match op {
        Binary::Equal => Value::Bool(left == right),
        Binary::Less => match (left, right) {
            (Value::Long(left), Value::Long(right)) => Value::Bool(left < right),
            _ => compare(BinaryOp::Less, left, right)?,
        },
        Binary::LessOrEqual => match (left, right) {
            (Value::Long(left), Value::Long(right)) => Value::Bool(left <= right),
            _ => compare(BinaryOp::LessEq, left, right)?,
        },
        Binary::Add => Value::Long(left.long()?.checked_add(right.long()?)?),
        Binary::Subtract => Value::Long(left.long()?.checked_sub(right.long()?)?),
        Binary::Multiply => Value::Long(left.long()?.checked_mul(right.long()?)?),
        Binary::In => {
            let uid = left.entity()?;
            Value::Bool(match right {
                Value::Entity(group) => within(uid, std::iter::once(group), facts),
                Value::Set(groups) => {
                    let groups = groups.iter().map(|group| Value::from(group).entity());
                    let groups: Vec<&Uid> = groups.collect::<Option<_>>()?;
                    within(uid, groups.into_iter(), facts)
                }
                _ => return None,
            })
        }
        Binary::Contains => Value::Bool(right.is_in(left.set()?)),
        Binary::ContainsAll => Value::Bool(right.set()?.is_subset(left.set()?)),
        Binary::ContainsAny => Value::Bool(!left.set()?.is_disjoint(right.set()?)),
        Binary::Tag => known(facts.entity(left.entity()?)?.get_tag(right.text()?)?)?,
        Binary::HasTag => {
            let (uid, tag) = (left.entity()?, right.text()?);
            Value::Bool(facts.entity(uid).is_some_and(|entity| entity.get_tag(tag).is_some()))
        }
    })
}

/// Order of values of extension types: those of one type, where it has an order.
fn compare<'a>(op: BinaryOp, left: Value<'a>, right: Value<'a>) -> Option<Value<'a>> {
    let (Value::Extension(left), Value::Extension(right)) = (left, right) else { return None };
    match binary_relation(op, left, right, Extensions::all_available()).ok()?.value_kind() {
        ValueKind::Lit(Literal::Bool(value)) => Some(Value::Bool(*value)),
        _ => None,
    }
}

/// Whether an entity is one of the groups or below one.
fn within<'a>(uid: &Uid, mut groups: impl Iterator<Item = &'a Uid>, facts: &Facts<'_>) -> bool {
    match facts.entity(uid) {
        Some(entity) => groups.any(|group| uid == group || entity.is_descendant_of(group)),
        None => groups.any(|group| uid == group),
    }
}

fn attribute<'a>(of: Value<'a>, name: &str, facts: &Facts<'a>) -> Option<Value<'a>> {
    match of {
        Value::Record(record) => record.get(name).map(Value::from),
        Value::Entity(uid) => known(facts.entity(uid)?.get(name)?),
        _ => None,
    }
}

/// Whether an attribute is there: an entity that nobody knows has none.
fn has(of: Value<'_>, name: &str, facts: &Facts<'_>) -> Option<bool> {
    match of {
        Value::Record(record) => Some(record.contains_key(name)),
        Value::Entity(uid) => Some(facts.entity(uid).is_some_and(|entity| entity.get(name).is_some())),
        _ => None,
    }
}

fn known(value: &PartialValue) -> Option<Value<'_>> {
    match value {
        PartialValue::Value(value) => Some(value.into()),
        PartialValue::Residual(_) => None,
    }
}
