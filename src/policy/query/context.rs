//! Fitting a context to what the schema declares, and saying where it does not.

use std::collections::BTreeMap;

use cedar_policy::{Context, EntityUid};
use serde_json::{Map, Value};

use super::{
    QueryProblem, QueryProblemKind,
    problem::{chain, escape},
};
use crate::policy::{
    Snapshot,
    engine::{AttributeShape, ValueShape},
};

/// The context of an action, read by its schema.
///
/// Errors: [`QueryProblem`] that points at the attribute which does not fit.
pub(super) fn fit(
    snapshot: &Snapshot,
    action: &EntityUid,
    given: &Map<String, Value>,
) -> Result<Context, QueryProblem> {
    let misfit = snapshot.context_of(action).and_then(|declared| in_record(declared, given, "/context"));
    if let Some((pointer, message)) = misfit {
        return Err(QueryProblem::new(pointer, QueryProblemKind::Context, message));
    }
    let read = |given: &Map<String, Value>| {
        let schema = snapshot.schema();
        let context = Context::from_json_value(Value::Object(given.clone()), Some((schema, action)));
        let context = context.map_err(|error| chain(&error))?;
        context.validate(schema, action).map(|()| context).map_err(|error| chain(&error))
    };
    let message = match read(given) {
        Ok(context) => return Ok(context),
        Err(message) => message,
    };
    // What is left is a value that only Cedar can judge, such as the text of an address, and its message
    // does not say which: leaving that one out heals the context, or changes the message.
    let without = |key: &String| {
        let mut rest = given.clone();
        rest.remove(key);
        read(&rest).err()
    };
    let healing = given.keys().find(|key| without(key).is_none());
    let culprit = healing.or_else(|| given.keys().find(|key| without(key).as_ref() != Some(&message)));
    let pointer = culprit.map_or_else(|| "/context".to_owned(), |key| format!("/context/{}", escape(key)));
    Err(QueryProblem::new(pointer, QueryProblemKind::Context, message))
}

/// Where a record has not the declared attributes, with what is wrong there.
fn in_record(
    declared: &BTreeMap<String, AttributeShape>,
    given: &Map<String, Value>,
    pointer: &str,
) -> Option<(String, String)> {
    let at = |name: &str| format!("{pointer}/{}", escape(name));
    if let Some(name) = given.keys().find(|name| !declared.contains_key(*name)) {
        return Some((at(name), format!("the schema declares no attribute `{name}` here")));
    }
    declared.iter().find_map(|(name, attribute)| match given.get(name) {
        Some(value) => in_value(&attribute.value, value, &at(name)),
        None => attribute.required.then(|| (at(name), format!("the attribute `{name}` is missing"))),
    })
}

/// Where a value has not the declared shape. What Cedar alone can judge passes.
fn in_value(shape: &ValueShape, value: &Value, pointer: &str) -> Option<(String, String)> {
    let expected = match (shape, value) {
        (ValueShape::Record(declared), Value::Object(given)) => return in_record(declared, given, pointer),
        (ValueShape::Set(element), Value::Array(given)) => {
            let mut each = given.iter().enumerate();
            return each.find_map(|(n, value)| in_value(element, value, &format!("{pointer}/{n}")));
        }
        (ValueShape::Other, _)
        | (ValueShape::Bool, Value::Bool(_))
        | (ValueShape::Text, Value::String(_))
        | (ValueShape::Extension(_), Value::String(_) | Value::Object(_))
        | (ValueShape::Entity(_), Value::Object(_)) => return None,
        (ValueShape::Long, Value::Number(number)) if number.is_i64() => return None,
        (ValueShape::Record(_), _) => "a record".to_owned(),
        (ValueShape::Set(_), _) => "a set".to_owned(),
        (ValueShape::Bool, _) => "a boolean".to_owned(),
        (ValueShape::Long, _) => "a whole number of 64 bits".to_owned(),
        (ValueShape::Text, _) => "a text".to_owned(),
        (ValueShape::Extension(name), _) => format!("a value of type `{name}`"),
        (ValueShape::Entity(name), _) => format!("an entity of type `{name}`"),
    };
    Some((pointer.to_owned(), format!("the schema declares {expected} here")))
}
