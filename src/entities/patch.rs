//! JSON merge patch (RFC 7396) over the members of an entity.

use serde_json::{Map, Value};

/// The members of an entity after a patch.
///
/// As RFC 7396 has it, but a reference or an extension value (an object with `__entity` or `__extn`) is
/// one value: it is replaced, never merged with.
pub(super) fn merge(mut target: Map<String, Value>, patch: &Map<String, Value>) -> Map<String, Value> {
    for (name, change) in patch {
        match change {
            Value::Null => drop(target.remove(name)),
            Value::Object(inner) if !is_escape(inner) => {
                let below = match target.remove(name) {
                    Some(Value::Object(record)) if !is_escape(&record) => record,
                    // Laid over nothing, not taken as it is: its nulls must go.
                    _ => Map::new(),
                };
                target.insert(name.clone(), Value::Object(merge(below, inner)));
            }
            other => drop(target.insert(name.clone(), other.clone())),
        }
    }
    target
}

fn is_escape(record: &Map<String, Value>) -> bool {
    record.contains_key("__entity") || record.contains_key("__extn")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn merged(target: Value, patch: Value) -> Value {
        let (Value::Object(target), Value::Object(patch)) = (target, patch) else { panic!("objects") };
        Value::Object(merge(target, &patch))
    }

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
            assert_eq!(merged(target, patch.clone()), result, "{patch}");
        }
    }

    #[test]
    fn references_are_replaced_whole() {
        let ada = json!({"owner": {"__entity": {"type": "User", "id": "ada"}}, "r": {"x": 1}});
        let bob = json!({"owner": {"type": "User", "id": "bob"}});
        assert_eq!(merged(ada.clone(), bob)["owner"], json!({"type": "User", "id": "bob"}));
        let escaped = json!({"r": {"__extn": {"fn": "ip", "arg": "::1"}}});
        assert_eq!(merged(ada, escaped.clone())["r"], escaped["r"]);
    }
}
