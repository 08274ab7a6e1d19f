//! References to entities, as JSON has them.

use std::{borrow::Cow, fmt};

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, Visitor};

/// A text, borrowed where it has no escapes.
#[derive(Debug, Clone, Copy)]
pub(in crate::policy) struct Text;

/// A reference to an entity, not looked up yet.
#[derive(Debug)]
pub(in crate::policy) struct Reference<'de> {
    /// The name of its type.
    pub(in crate::policy) type_name: Cow<'de, str>,
    /// Its id.
    pub(in crate::policy) id: Cow<'de, str>,
}

/// The forms that a reference may have besides `{"type": …, "id": …}`.
#[derive(Debug, Clone, Copy)]
pub(in crate::policy) struct References {
    /// Text, `Type::"id"`.
    pub(in crate::policy) text: bool,
    /// `{"__entity": {"type": …, "id": …}}`.
    pub(in crate::policy) escape: bool,
}

/// What an error says when Cedar must look: it is never shown.
pub(super) fn unsure<E: Error>() -> E {
    E::custom("")
}

impl<'de> DeserializeSeed<'de> for Text {
    type Value = Cow<'de, str>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Text {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text")
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(text))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(text.to_owned()))
    }
}

impl<'de> Reference<'de> {
    /// The reference in a text of the form `Type::"id"`, when the id is written as it is: without escapes, or
    /// characters that Cedar may read in another way.
    pub(in crate::policy) fn plain(text: &Cow<'de, str>) -> Option<Self> {
        let at = text.find("::\"")?;
        let end = text.len().checked_sub(1)?;
        let id = text.get(at + 3..end).filter(|_| text.ends_with('"'))?;
        let odd = |char: char| char == '"' || char == '\\' || char.is_control();
        if id.contains(odd) {
            return None;
        }
        let part = |range: std::ops::Range<usize>| match text {
            Cow::Borrowed(text) => text.get(range).map(Cow::Borrowed),
            Cow::Owned(text) => text.get(range).map(|part| Cow::Owned(part.to_owned())),
        };
        Some(Self { type_name: part(0..at)?, id: part(at + 3..end)? })
    }

    /// The reference in a JSON text of the form `{"type":"T","id":"x"}`, when it is written so to the byte, as
    /// programs write it. `json` is JSON, so what has no backslash in it has no escape, and no control character.
    pub(in crate::policy) fn compact(json: &'de str) -> Option<Self> {
        let (type_name, rest) = json.strip_prefix("{\"type\":\"")?.split_once('"')?;
        let id = rest.strip_prefix(",\"id\":\"")?.strip_suffix("\"}")?;
        let is_plain = |text: &str| !text.bytes().any(|byte| matches!(byte, b'"' | b'\\'));
        (is_plain(type_name) && is_plain(id))
            .then_some(Self { type_name: Cow::Borrowed(type_name), id: Cow::Borrowed(id) })
    }

    /// Reads the members of a reference.
    ///
    /// Errors: anything unusual; what is left of the map is not read then.
    pub(in crate::policy) fn members<A: MapAccess<'de>>(
        map: &mut A,
        forms: References,
    ) -> Result<Self, A::Error> {
        let (mut type_name, mut id) = (None, None);
        while let Some(key) = map.next_key_seed(Text)? {
            match &*key {
                "type" if type_name.is_none() => type_name = Some(map.next_value_seed(Text)?),
                "id" if id.is_none() => id = Some(map.next_value_seed(Text)?),
                "__entity" if forms.escape && type_name.is_none() && id.is_none() => {
                    let inner = map.next_value_seed(References { text: false, escape: false })?;
                    return if map.next_key_seed(Text)?.is_none() { Ok(inner) } else { Err(unsure()) };
                }
                _ => return Err(unsure()),
            }
        }
        Ok(Self { type_name: type_name.ok_or_else(unsure)?, id: id.ok_or_else(unsure)? })
    }
}

impl<'de> DeserializeSeed<'de> for References {
    type Value = Reference<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for References {
    type Value = Reference<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a reference to an entity")
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Self::Value, E> {
        let plain = self.text.then(|| Reference::plain(&Cow::Borrowed(text))).flatten();
        plain.ok_or_else(unsure)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        let plain = self.text.then(|| Reference::plain(&Cow::Owned(text.to_owned()))).flatten();
        plain.ok_or_else(unsure)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        Reference::members(&mut map, self)
    }
}
