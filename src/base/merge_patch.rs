//! JSON merge patch (RFC 7396).

use serde_json::{Map, Value};

/// The members of an object after a patch: what is absent stays, what is null goes, objects are merged.
///
/// An object of which `is_one_value` is true is replaced, never merged with; RFC 7396 knows no such thing, so
/// `|_| false` is the RFC's own patch. Depth is the caller's concern: a text that `serde_json` read has 128 levels
/// at most.
pub fn merge_patch(
    mut target: Map<String, Value>,
    patch: &Map<String, Value>,
    is_one_value: fn(&Map<String, Value>) -> bool,
) -> Map<String, Value> {
    for (name, change) in patch {
        match change {
            Value::Null => drop(target.remove(name)),
            Value::Object(inner) if !is_one_value(inner) => {
                let below = match target.remove(name) {
                    Some(Value::Object(record)) if !is_one_value(&record) => record,
                    // Laid over nothing, not taken as it is: its nulls must go.
                    _ => Map::new(),
                };
                target.insert(name.clone(), Value::Object(merge_patch(below, inner, is_one_value)));
            }
            other => drop(target.insert(name.clone(), other.clone())),
        }
    }
    target
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn patches_as_the_rfc_shows() {
        for (target, patch, result) in [
            (json!({"a": "b"}), json!({"a": "c"}), json!({"a": "c"})),
            (json!({"a": "b"}), json!({"b": "c"}), json!({"a": "b", "b": "c"})),
            (json!({"a": "b", "b": "c"}), json!({"a": null}), json!({"b": "c"})),
            (json!({"a": ["b"]}), json!({"a": "c"}), json!({"a": "c"})),
            (json!({"a": {"b": "c"}}), json!({"a": {"b": "d", "c": null}}), json!({"a": {"b": "d"}})),
            (json!({"a": [1]}), json!({"a": {"b": null, "c": 1}}), json!({"a": {"c": 1}})),
            (json!({}), json!({"a": {"bb": {"ccc": null}}}), json!({"a": {"bb": {}}})),
        ] {
            let (Value::Object(target), Value::Object(change)) = (target, patch.clone()) else { panic!() };
            assert_eq!(Value::Object(merge_patch(target, &change, |_| false)), result, "{patch}");
        }
    }
}
