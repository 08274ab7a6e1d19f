//! A merge patch over the members of an entity.

use serde_json::{Map, Value};

use crate::base::merge_patch;

/// The members of an entity after a patch.
///
/// As RFC 7396 has it, but a reference or an extension value (an object with `__entity` or `__extn`) is
/// one value: it is replaced, never merged with.
pub(super) fn merge(target: Map<String, Value>, patch: &Map<String, Value>) -> Map<String, Value> {
    merge_patch(target, patch, |record| record.contains_key("__entity") || record.contains_key("__extn"))
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
    fn references_are_replaced_whole() {
        let ada = json!({"owner": {"__entity": {"type": "User", "id": "ada"}}, "r": {"x": 1}});
        let bob = json!({"owner": {"type": "User", "id": "bob"}});
        assert_eq!(merged(ada.clone(), bob)["owner"], json!({"type": "User", "id": "bob"}));
        let escaped = json!({"r": {"__extn": {"fn": "ip", "arg": "::1"}}});
        assert_eq!(merged(ada, escaped.clone())["r"], escaped["r"]);
    }
}
