//! Bodies out of the OpenAPI document: one of the right form for each operation, and what it is made of.

use serde_json::{Map, Value, json};

use crate::{
    app::PASSWORD,
    contract::{Operation, resolve},
    forge::with_checksum,
};

/// A body that has the right form, out of the examples of the document.
pub(crate) fn sample(operation: &Operation) -> Value {
    let mut body = sample_of(operation.body().unwrap());
    if body.get("refresh_token").is_some() {
        body["refresh_token"] = json!(with_checksum("bwk_rt_AAAAAAAAAAAAAAAAAAAAAA.000001"));
    }
    if operation.path.starts_with("/v1/authorize") && body.get("token").is_some() {
        body["token"] = Value::Null; // it would be found wrong before the rest
    }
    if body.get("current_password").is_some() {
        body["current_password"] = json!(PASSWORD);
    }
    body
}

fn sample_of(schema: &'static Value) -> Value {
    let schema = resolve(schema);
    if let Some(example) = schema.get("example").or_else(|| schema["examples"].get(0)) {
        return example.clone();
    }
    if let Some(choice) =
        schema["oneOf"].as_array().and_then(|choices| choices.iter().find(|one| one["type"] != "null"))
    {
        return sample_of(choice);
    }
    if let Some(word) = schema["enum"].get(0) {
        return word.clone();
    }
    match types_of(schema).first().copied() {
        Some("object") => {
            let properties = schema["properties"].as_object().into_iter().flatten();
            Value::Object(properties.map(|(name, property)| (name.clone(), sample_of(property))).collect())
        }
        Some("string") => json!("text"),
        Some("integer") => json!(1),
        Some("boolean") => json!(false),
        Some("array") => json!([]),
        _ => json!({}),
    }
}

/// The JSON types that a schema takes; none: any.
pub(crate) fn types_of(schema: &'static Value) -> Vec<&'static str> {
    let schema = resolve(schema);
    if let Some(choices) = schema["oneOf"].as_array() {
        return choices.iter().flat_map(types_of).collect();
    }
    match &schema["type"] {
        Value::String(one) => vec![one],
        Value::Array(many) => many.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

/// Every object in a schema with its JSON pointer, and every member with its own.
pub(crate) fn objects(
    schema: &'static Value,
    at: &str,
    found: &mut Vec<(String, &'static Map<String, Value>)>,
) {
    let schema = resolve(schema);
    for choice in schema["oneOf"].as_array().into_iter().flatten() {
        objects(choice, at, found);
    }
    if let Some(properties) = schema["properties"].as_object() {
        found.push((at.to_owned(), properties));
        for (name, property) in properties {
            objects(property, &format!("{at}/{name}"), found);
        }
    }
}

/// Every member of a body with its JSON pointer and its schema.
pub(crate) fn members(operation: &Operation) -> Vec<(String, &'static Value)> {
    let mut found = Vec::new();
    objects(operation.body().unwrap(), "", &mut found);
    let named = |(at, properties): (String, &'static Map<String, Value>)| {
        properties.iter().map(move |(name, schema)| (format!("{at}/{name}"), schema)).collect::<Vec<_>>()
    };
    found.into_iter().flat_map(named).collect()
}

/// The sample with one member replaced; `None` when the sample has no such place.
pub(crate) fn replaced(operation: &Operation, pointer: &str, value: Value) -> Option<Value> {
    let mut body = sample(operation);
    *body.pointer_mut(pointer)? = value;
    Some(body)
}
