//! What applications keep about a person: an object of their own making, bounded (R112).

use serde_json::{Map, Value};

/// Its name among the members of a profile.
pub(super) const NAME: &str = "metadata";
/// Most bytes of it, written without spaces.
pub const MAX_METADATA_BYTES: usize = 16 * 1024;
/// Most levels of objects and lists in it, itself included.
pub const MAX_METADATA_DEPTH: usize = 8;

/// Whether it is within the bounds.
///
/// Errors: what it must be.
pub(super) fn check(metadata: &Map<String, Value>) -> Result<(), String> {
    if depth_of_members(metadata.values()) > MAX_METADATA_DEPTH {
        return Err(format!("must have at most {MAX_METADATA_DEPTH} levels"));
    }
    let bytes = serde_json::to_vec(metadata).map_or(usize::MAX, |text| text.len());
    if bytes > MAX_METADATA_BYTES {
        return Err(format!("must have at most {MAX_METADATA_BYTES} bytes as JSON, and would have {bytes}"));
    }
    Ok(())
}

fn depth_of_members<'v>(members: impl Iterator<Item = &'v Value>) -> usize {
    let below = members.map(|member| match member {
        Value::Array(items) => depth_of_members(items.iter()),
        Value::Object(members) => depth_of_members(members.values()),
        _ => 0,
    });
    1 + below.max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of(value: Value) -> Result<(), String> {
        let Value::Object(members) = value else { panic!("an object") };
        check(&members)
    }

    #[test]
    fn depth_and_size_are_bounded() {
        let nested = |levels: usize| (1..levels).fold(json!({}), |inner, _| json!({ "a": inner }));
        let listed = |levels: usize| json!({"a": (2..levels).fold(json!([]), |inner, _| json!([inner]))});
        assert_eq!((of(nested(8)), of(listed(8))), (Ok(()), Ok(())));
        assert!(of(nested(9)).is_err() && of(listed(9)).is_err());
        let sized = |bytes: usize| json!({"a": "x".repeat(bytes - r#"{"a":""}"#.len())});
        assert_eq!(of(sized(MAX_METADATA_BYTES)), Ok(()));
        assert!(of(sized(MAX_METADATA_BYTES + 1)).unwrap_err().contains("16385"));
    }
}
