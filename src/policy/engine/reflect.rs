//! What a schema declares, as far as the server must know it.

use std::collections::BTreeMap;

use cedar_policy::{EntityTypeName, EntityUid, Schema};
use cedar_policy_core::validator::{types::EntityKind, types::Type};

/// An attribute of a record type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::policy) struct AttributeShape {
    /// Whether it must be there.
    pub(in crate::policy) required: bool,
    /// What it holds.
    pub(in crate::policy) value: ValueShape,
}

/// The kinds of values that the server tells apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::policy) enum ValueShape {
    /// `Bool`.
    Bool,
    /// `String`.
    Text,
    /// `Set<String>`.
    Texts,
    /// An extension type, by its name: `datetime`, `ipaddr`, …
    Extension(String),
    /// A reference to entities of one type.
    Entity(String),
    /// A record with these attributes.
    Record(BTreeMap<String, AttributeShape>),
    /// Anything else.
    Other,
}

/// The attributes of an action's context; `None` when the schema has no such action.
pub(in crate::policy) fn context_shape(
    schema: &Schema,
    action: &EntityUid,
) -> Option<BTreeMap<String, AttributeShape>> {
    match shape(schema.as_ref().context_type(action.as_ref())?, 2) {
        ValueShape::Record(attributes) => Some(attributes),
        _ => None,
    }
}

/// What a type of entities declares under an attribute's name.
pub(in crate::policy) fn declares(
    schema: &Schema,
    entity_type: &EntityTypeName,
    attribute: &str,
) -> Option<AttributeShape> {
    let declared = schema.as_ref().get_entity_type(entity_type.as_ref())?.attr(attribute)?;
    Some(AttributeShape { required: declared.is_required, value: shape(&declared.attr_type, 1) })
}

/// The shape of a type, records to `depth` levels.
fn shape(of: &Type, depth: u8) -> ValueShape {
    match of {
        Type::Bool(_) => ValueShape::Bool,
        Type::String => ValueShape::Text,
        Type::Set { element_type: Some(element) } if **element == Type::String => ValueShape::Texts,
        Type::ExtensionType { name } => ValueShape::Extension(name.to_string()),
        Type::Entity(EntityKind::Entity(union)) => {
            union.get_single_entity().map_or(ValueShape::Other, |one| ValueShape::Entity(one.to_string()))
        }
        Type::Record { attrs, .. } if depth > 0 => {
            let attributes = attrs.iter().map(|(name, attribute)| {
                let value = shape(&attribute.attr_type, depth - 1);
                (name.to_string(), AttributeShape { required: attribute.is_required, value })
            });
            ValueShape::Record(attributes.collect())
        }
        _ => ValueShape::Other,
    }
}
