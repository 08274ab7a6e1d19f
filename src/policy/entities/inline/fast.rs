//! Entities of a request read by the shapes of the schema.

use std::{collections::BTreeMap, fmt};

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use smol_str::SmolStr;

use super::read::MAX_INLINE_ENTITIES;
use crate::policy::{
    engine::{
        RecordShape, Reference, References, Shape, Tags, Text,
        cedar::{Entity, PartialValue, Uid},
    },
    names::{NamedType, Names},
};

/// The forms of a reference in an entity of a request.
const FORMS: References = References { text: true, escape: true };

/// An entity of a request that fits the schema but for attributes that may be missing.
pub(super) struct Read<'s> {
    of: &'s NamedType,
    pub(super) uid: Uid,
    pub(super) attrs: BTreeMap<SmolStr, PartialValue>,
    tags: BTreeMap<SmolStr, PartialValue>,
    pub(super) parents: Vec<Uid>,
    /// How many attributes are missing that must be there.
    pub(super) missing: usize,
}

impl Read<'_> {
    /// The attributes that must be there.
    pub(super) fn required(&self) -> impl Iterator<Item = &SmolStr> {
        self.of.attributes.iter().flat_map(RecordShape::required_names)
    }

    pub(super) fn into_entity(self) -> Entity {
        let parents = self.parents.into_iter().collect();
        let indirect = std::collections::HashSet::new();
        Entity::new_with_attr_partial_value(self.uid, self.attrs, indirect, parents, self.tags)
    }
}

/// All entities; `None` when one is wrong or unusual, or there are too many.
pub(super) fn all<'s>(raw: &RawValue, names: &'s Names) -> Option<Vec<Read<'s>>> {
    All(names).deserialize(&mut serde_json::Deserializer::from_str(raw.get())).ok()
}

/// One entity; `None` when it is wrong or unusual.
pub(super) fn one<'s>(raw: &RawValue, names: &'s Names) -> Option<Read<'s>> {
    One(names).deserialize(&mut serde_json::Deserializer::from_str(raw.get())).ok()
}

/// What an error says when `check.rs` must look: it is never shown.
fn unsure<E: Error>() -> E {
    E::custom("")
}

struct All<'s>(&'s Names);

impl<'de, 's> DeserializeSeed<'de> for All<'s> {
    type Value = Vec<Read<'s>>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de, 's> Visitor<'de> for All<'s> {
    type Value = Vec<Read<'s>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("entities")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Self::Value, A::Error> {
        let mut all = Vec::new();
        while let Some(one) = elements.next_element_seed(One(self.0))? {
            all.push(one);
            if all.len() > MAX_INLINE_ENTITIES {
                return Err(unsure());
            }
        }
        Ok(all)
    }
}

struct One<'s>(&'s Names);

/// A member of an entity: read, or kept until the type is known.
enum Member<'de, T> {
    Absent,
    Later(&'de RawValue),
    Read(T),
}

impl<'de, T> Member<'de, T> {
    fn take<A: MapAccess<'de>>(
        &mut self,
        map: &mut A,
        seed: Option<impl DeserializeSeed<'de, Value = T>>,
    ) -> Result<(), A::Error> {
        if !matches!(self, Self::Absent) {
            return Err(unsure());
        }
        *self = match seed {
            Some(seed) => Self::Read(map.next_value_seed(seed)?),
            None => Self::Later(map.next_value()?),
        };
        Ok(())
    }

    fn read<E: Error>(self, seed: impl DeserializeSeed<'de, Value = T>) -> Result<Option<T>, E> {
        match self {
            Self::Absent => Ok(None),
            Self::Read(value) => Ok(Some(value)),
            Self::Later(raw) => {
                let read = seed.deserialize(&mut serde_json::Deserializer::from_str(raw.get()));
                read.map(Some).map_err(|_| unsure())
            }
        }
    }
}

impl<'de, 's> DeserializeSeed<'de> for One<'s> {
    type Value = Read<'s>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de, 's> Visitor<'de> for One<'s> {
    type Value = Read<'s>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an entity")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut named: Option<(&'s NamedType, Uid)> = None;
        let (mut attrs, mut tags, mut parents) = (Member::Absent, Member::Absent, Vec::new());
        let mut seen_parents = false;
        while let Some(key) = map.next_key_seed(Text)? {
            let of = named.as_ref().map(|(of, _)| *of);
            match &*key {
                "uid" if named.is_none() => {
                    let reference = map.next_value_seed(FORMS)?;
                    named = Some(resolve(self.0, &reference).ok_or_else(unsure)?);
                }
                "attrs" => attrs.take(&mut map, of.map(attributes).transpose()?)?,
                "tags" => tags.take(&mut map, of.map(tags_of))?,
                "parents" if !seen_parents => {
                    seen_parents = true;
                    parents = map.next_value_seed(Parents(self.0))?;
                }
                _ => return Err(unsure()),
            }
        }
        let (of, uid) = named.ok_or_else(unsure)?;
        if !parents.iter().all(|(parent, _)| of.may_be_in(parent)) {
            return Err(unsure());
        }
        let attrs = attrs.read(attributes(of)?)?.unwrap_or_default();
        let tags = tags.read(tags_of(of))?.unwrap_or_default();
        let required = of.attributes.iter().flat_map(RecordShape::required_names);
        let missing = required.filter(|name| !attrs.contains_key(*name)).count();
        let parents = parents.into_iter().map(|(_, uid)| uid).collect();
        Ok(Read { of, uid, attrs, tags, parents, missing })
    }
}

fn attributes<E: Error>(of: &NamedType) -> Result<Tags<'_>, E> {
    of.attributes.as_ref().map(Tags::Attributes).ok_or_else(unsure)
}

fn tags_of(of: &NamedType) -> Tags<'_> {
    // Of a type without tags, there is no value that is one.
    Tags::Tags(of.tags.as_ref().unwrap_or(&Shape::Other))
}

fn resolve<'s>(names: &'s Names, reference: &Reference<'_>) -> Option<(&'s NamedType, Uid)> {
    let of = names.exact_type(&reference.type_name)?;
    of.shape.has(&reference.id).then(|| (of, of.shape.uid(&reference.id)))
}

struct Parents<'s>(&'s Names);

impl<'de, 's> DeserializeSeed<'de> for Parents<'s> {
    type Value = Vec<(&'s NamedType, Uid)>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de, 's> Visitor<'de> for Parents<'s> {
    type Value = Vec<(&'s NamedType, Uid)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("parents")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Self::Value, A::Error> {
        let mut parents = Vec::new();
        while let Some(reference) = elements.next_element_seed(FORMS)? {
            parents.push(resolve(self.0, &reference).ok_or_else(unsure)?);
        }
        Ok(parents)
    }
}
