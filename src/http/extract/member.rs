//! Members of a JSON merge patch (RFC 7396), where absent and null are not the same.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

/// What a patch says of a member. Its field needs `#[serde(default)]`.
#[derive(Debug, Default)]
pub enum Member<T> {
    /// Nothing.
    #[default]
    Kept,
    /// It goes.
    Removed,
    /// It becomes this, or is merged with this.
    Given(T),
}

impl<T> Member<T> {
    /// Whether the patch says nothing of it.
    pub fn is_kept(&self) -> bool {
        matches!(self, Self::Kept)
    }

    /// The member of a patch that this is, if it is one.
    pub fn json(self, value: fn(T) -> Value) -> Option<Value> {
        match self {
            Self::Kept => None,
            Self::Removed => Some(Value::Null),
            Self::Given(given) => Some(value(given)),
        }
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Member<T> {
    fn deserialize<D: Deserializer<'de>>(reader: D) -> Result<Self, D::Error> {
        Ok(Option::deserialize(reader)?.map_or(Self::Removed, Self::Given))
    }
}

impl<T: Serialize> Serialize for Member<T> {
    /// One that is kept must be skipped: nothing stands for it.
    fn serialize<S: Serializer>(&self, writer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Kept | Self::Removed => writer.serialize_none(),
            Self::Given(given) => given.serialize(writer),
        }
    }
}
