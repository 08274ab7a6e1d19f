//! What a schema declares, as far as the server must know it.

use std::collections::BTreeMap;

use cedar_policy::{EntityTypeName, EntityUid, Schema};

use super::cedar::{EntityKind, Type};

/// How many levels of records and sets a shape tells; what is below is [`ValueShape::Other`].
const SHAPE_DEPTH: u8 = 8;

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
    /// `Long`.
    Long,
    /// `String`.
    Text,
    /// `Set<…>`.
    Set(Box<ValueShape>),
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
    match shape(schema.as_ref().context_type(action.as_ref())?, SHAPE_DEPTH) {
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
    Some(AttributeShape { required: declared.is_required, value: shape(&declared.attr_type, SHAPE_DEPTH) })
}

/// The shape of a type, records and sets to `depth` levels.
fn shape(of: &Type, depth: u8) -> ValueShape {
    match of {
        Type::Bool(_) => ValueShape::Bool,
        Type::String => ValueShape::Text,
        Type::Long => ValueShape::Long,
        Type::Set { element_type: Some(element) } if depth > 0 => {
            ValueShape::Set(Box::new(shape(element, depth - 1)))
        }
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
