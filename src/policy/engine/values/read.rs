//! Reading a value of a declared type.

use std::{collections::BTreeMap, fmt, sync::Arc};

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use smol_str::SmolStr;

use super::{RecordShape, Reference, References, Shape, Text, reference::unsure, shape::EntityShape};
use crate::policy::engine::cedar::{Eid, ExtensionFunction, Literal, PartialValue, Uid, Value};

/// A record whose required attributes are all there.
#[derive(Debug, Clone, Copy)]
pub(in crate::policy) struct Record<'s>(pub(in crate::policy) &'s RecordShape);

/// The attributes of an entity, required or not, or its tags: any name, values of one type.
#[derive(Debug, Clone, Copy)]
pub(in crate::policy) enum Tags<'s> {
    /// Declared attributes, of which any may be absent.
    Attributes(&'s RecordShape),
    /// Tags of this type.
    Tags(&'s Shape),
}

impl EntityShape {
    /// The entity that a reference names, if it is one of this type.
    pub(in crate::policy) fn named(&self, reference: &Reference<'_>) -> Option<Uid> {
        (*self.name == *reference.type_name && self.has(&reference.id)).then(|| self.uid(&reference.id))
    }

    /// The entity of this type with an id.
    pub(in crate::policy) fn uid(&self, id: &str) -> Uid {
        Uid::from_components(self.core.clone(), Eid::new(id), None)
    }
}

/// A value of an extension type from its text, by the function that makes one; `None` when the text is none of it.
pub(in crate::policy) fn extension_from_text(function: &ExtensionFunction, text: &str) -> Option<Value> {
    match function.call(&[Value::new(Literal::from(text), None)]) {
        Ok(PartialValue::Value(value)) => Some(value),
        _ => None,
    }
}

impl<'de> DeserializeSeed<'de> for &Shape {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for &Shape {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value of the declared type")
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        if matches!(self, Shape::Bool) { Ok(Value::new(value, None)) } else { Err(unsure()) }
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        if matches!(self, Shape::Long) { Ok(Value::new(value, None)) } else { Err(unsure()) }
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        self.visit_i64(i64::try_from(value).map_err(|_| unsure())?)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Value, E> {
        match self {
            Shape::Text => Ok(Value::new(text, None)),
            Shape::Extension(function, _) => extension_from_text(function, text).ok_or_else(unsure),
            _ => Err(unsure()),
        }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Value, A::Error> {
        let Shape::Set(shape) = self else { return Err(unsure()) };
        let mut values = Vec::new();
        while let Some(value) = elements.next_element_seed(&**shape)? {
            values.push(value);
        }
        Ok(Value::set(values, None))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        match self {
            Shape::Record(shape) => Ok(Value::record_arc(Arc::new(Record(shape).visit_map(map)?), None)),
            Shape::Entity(shape) => {
                let reference = Reference::members(&mut map, References { text: false, escape: true })?;
                shape.named(&reference).map(|uid| Value::new(uid, None)).ok_or_else(unsure)
            }
            Shape::Extension(function, name) => {
                let call = map.next_key_seed(Text)?;
                if call.as_deref() != Some("__extn") {
                    return Err(unsure());
                }
                let value = map.next_value_seed(Call { function, name })?;
                if map.next_key_seed(Text)?.is_none() { Ok(value) } else { Err(unsure()) }
            }
            _ => Err(unsure()),
        }
    }
}

/// `{"fn": …, "arg": …}` with the one function that makes the type from text.
struct Call<'s> {
    function: &'static ExtensionFunction,
    name: &'s str,
}

impl<'de> DeserializeSeed<'de> for Call<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Call<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a function and its argument")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let (mut function, mut argument) = (None, None);
        while let Some(key) = map.next_key_seed(Text)? {
            match &*key {
                "fn" if function.is_none() => function = Some(map.next_value_seed(Text)?),
                "arg" if argument.is_none() => argument = Some(map.next_value_seed(Text)?),
                _ => return Err(unsure()),
            }
        }
        match (function, argument) {
            (Some(function), Some(argument)) if function == self.name => {
                extension_from_text(self.function, &argument).ok_or_else(unsure)
            }
            _ => Err(unsure()),
        }
    }
}

impl<'de> DeserializeSeed<'de> for Record<'_> {
    type Value = BTreeMap<SmolStr, Value>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Record<'_> {
    type Value = BTreeMap<SmolStr, Value>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a record")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut values = BTreeMap::new();
        let mut required = 0;
        while let Some(key) = map.next_key_seed(Text)? {
            let member = self.0.member(&key).ok_or_else(unsure)?;
            let value = map.next_value_seed(&member.shape)?;
            if values.insert(member.name.clone(), value).is_some() {
                return Err(unsure());
            }
            required += usize::from(member.required);
        }
        if required == self.0.required() { Ok(values) } else { Err(unsure()) }
    }
}

impl<'de> DeserializeSeed<'de> for Tags<'_> {
    type Value = BTreeMap<SmolStr, PartialValue>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Tags<'_> {
    type Value = BTreeMap<SmolStr, PartialValue>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("attributes or tags")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut values = BTreeMap::new();
        while let Some(key) = map.next_key_seed(Text)? {
            let (name, shape) = match self {
                Tags::Attributes(shape) => {
                    let member = shape.member(&key).ok_or_else(unsure)?;
                    (member.name.clone(), &member.shape)
                }
                Tags::Tags(shape) => (SmolStr::new(&key), shape),
            };
            let value = map.next_value_seed(shape)?;
            if values.insert(name, PartialValue::Value(value)).is_some() {
                return Err(unsure());
            }
        }
        Ok(values)
    }
}
