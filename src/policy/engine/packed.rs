//! Values out of canonical JSON: with every escape written out (`__entity`, `__extn`), as Cedar writes them.
//!
//! Such a text says by itself what each value is, so no schema is needed and no tree is made.

use std::{collections::BTreeMap, fmt};

use serde::{
    Deserializer,
    de::{DeserializeSeed, Error, IgnoredAny, MapAccess, SeqAccess, Visitor},
};
use smol_str::SmolStr;

use super::cedar::{Eid, EntityType, Extensions, Name, PartialValue, Uid, Value};

/// Finds Cedar's form of a type's name.
type Types<'t> = &'t dyn Fn(&str) -> Option<EntityType>;

/// Reads the attributes or tags of an entity. `types` finds the types of the entities that they name.
///
/// Errors: the text is not what Cedar writes.
pub(in crate::policy) fn read(
    text: &str,
    types: Types<'_>,
) -> Result<BTreeMap<SmolStr, PartialValue>, serde_json::Error> {
    if text == "{}" {
        return Ok(BTreeMap::new());
    }
    let mut reader = serde_json::Deserializer::from_str(text);
    let members = (&mut reader).deserialize_map(Members(types))?;
    reader.end()?;
    Ok(members.into_iter().map(|(name, value)| (name, PartialValue::Value(value))).collect())
}

/// The members of an object.
struct Members<'t>(Types<'t>);

impl<'de> Visitor<'de> for Members<'_> {
    type Value = BTreeMap<SmolStr, Value>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = BTreeMap::new();
        while let Some(name) = map.next_key::<SmolStr>()? {
            members.insert(name, map.next_value_seed(Any(self.0))?);
        }
        Ok(members)
    }
}

/// Any value.
#[derive(Clone, Copy)]
struct Any<'t>(Types<'t>);

impl<'de> DeserializeSeed<'de> for Any<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Any<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value of Cedar's")
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        i64::try_from(value).map(Value::from).map_err(E::custom)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Value, E> {
        Ok(SmolStr::new(text).into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Value, A::Error> {
        Ok(Value::set(elements(self.0, seq)?, None))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let Some(first) = map.next_key::<SmolStr>()? else { return Ok(Value::empty_record(None)) };
        let escaped = match first.as_str() {
            "__entity" => map.next_value_seed(Reference(self.0))?,
            "__extn" => map.next_value_seed(Call(self.0))?,
            _ => {
                let value = map.next_value_seed(self)?;
                let mut members = Members(self.0).visit_map(map)?;
                members.insert(first, value);
                return Ok(Value::record(members, None));
            }
        };
        match map.next_key::<SmolStr>()? {
            None => Ok(escaped),
            Some(name) => Err(A::Error::custom(format!("`{name}` beside an escape"))),
        }
    }
}

fn elements<'de, A: SeqAccess<'de>>(types: Types<'_>, mut seq: A) -> Result<Vec<Value>, A::Error> {
    let mut values = Vec::with_capacity(seq.size_hint().unwrap_or(0));
    while let Some(value) = seq.next_element_seed(Any(types))? {
        values.push(value);
    }
    Ok(values)
}

/// Implements `DeserializeSeed` by the visitor itself.
macro_rules! seed {
    ($name:ident, $value:ty, $read:ident) => {
        impl<'de> DeserializeSeed<'de> for $name<'_> {
            type Value = $value;

            fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<$value, D::Error> {
                deserializer.$read(self)
            }
        }
    };
}

/// What is in `__entity`.
struct Reference<'t>(Types<'t>);

seed!(Reference, Value, deserialize_map);

impl<'de> Visitor<'de> for Reference<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the type and id of an entity")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let (mut kind, mut id) = (None, None);
        while let Some(name) = map.next_key::<SmolStr>()? {
            match name.as_str() {
                "type" => kind = (self.0)(&map.next_value::<SmolStr>()?),
                "id" => id = Some(map.next_value::<SmolStr>()?),
                _ => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        let (Some(kind), Some(id)) = (kind, id) else {
            return Err(A::Error::custom("an entity without a type or an id"));
        };
        Ok(Uid::from_components(kind, Eid::new(id), None).into())
    }
}

/// What is in `__extn`.
struct Call<'t>(Types<'t>);

seed!(Call, Value, deserialize_map);

impl<'de> Visitor<'de> for Call<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a function and its arguments")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let (mut function, mut arguments) = (None, Vec::new());
        while let Some(name) = map.next_key::<SmolStr>()? {
            match name.as_str() {
                "fn" => function = Some(map.next_value::<SmolStr>()?),
                "arg" => arguments = vec![map.next_value_seed(Any(self.0))?],
                "args" => arguments = map.next_value_seed(Arguments(self.0))?,
                _ => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        let function = function.ok_or_else(|| A::Error::custom("a call without a function"))?;
        let name: Name = function.parse().map_err(A::Error::custom)?;
        let function = Extensions::all_available().func(&name).map_err(A::Error::custom)?;
        match function.call(&arguments).map_err(A::Error::custom)? {
            PartialValue::Value(value) => Ok(value),
            PartialValue::Residual(_) => Err(A::Error::custom("an unknown in a stored value")),
        }
    }
}

/// What is in `args`.
struct Arguments<'t>(Types<'t>);

seed!(Arguments, Vec<Value>, deserialize_seq);

impl<'de> Visitor<'de> for Arguments<'_> {
    type Value = Vec<Value>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Vec<Value>, A::Error> {
        elements(self.0, seq)
    }
}
