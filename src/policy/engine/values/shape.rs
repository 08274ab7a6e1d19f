//! The types of a schema, resolved once for reading.

use std::sync::Arc;

use cedar_policy::Schema;
use smol_str::SmolStr;

use crate::policy::engine::cedar::{
    Attributes, BoolType, EntityKind, EntityType, ExtensionFunction, Extensions, OpenTag, Type,
    ValidatorEntityTypeKind,
};

/// How deep a type is resolved; a value of what lies deeper is left to Cedar.
const DEPTH: u8 = 32;
/// The keys that Cedar reads as escapes in any record.
const ESCAPES: [&str; 3] = ["__entity", "__extn", "__expr"];

/// A declared type.
#[derive(Debug)]
pub(in crate::policy) enum Shape {
    /// `Bool`.
    Bool,
    /// `Long`.
    Long,
    /// `String`.
    Text,
    /// `Set<…>`.
    Set(Box<Shape>),
    /// Entities of one type.
    Entity(Arc<EntityShape>),
    /// An extension type, by the function that makes one from text.
    Extension(&'static ExtensionFunction, Box<str>),
    /// A closed record.
    Record(RecordShape),
    /// A type that is not read here.
    Other,
}

/// A type of entities.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::policy) struct EntityShape {
    /// Its name in full.
    pub(in crate::policy) name: Box<str>,
    /// The same for Cedar, without the place in the schema.
    pub(in crate::policy) core: EntityType,
    /// The ids that there are, of an enumerated type.
    choices: Option<Vec<SmolStr>>,
}

/// The attributes of a closed record.
#[derive(Debug, Default)]
pub(in crate::policy) struct RecordShape {
    members: Vec<Member>,
    required: usize,
}

/// A declared attribute.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) name: SmolStr,
    pub(super) required: bool,
    pub(super) shape: Shape,
}

impl EntityShape {
    /// A type of the schema; `None` for actions and for what another schema defines.
    pub(in crate::policy) fn new(schema: &Schema, of: &EntityType) -> Option<Self> {
        let declared = schema.as_ref().get_entity_type(of)?;
        if declared.is_external() || of.is_action() {
            return None;
        }
        let choices = match &declared.kind {
            ValidatorEntityTypeKind::Enum(choices) => {
                Some(choices.iter().map(|id| SmolStr::new(id.as_ref())).collect())
            }
            _ => None,
        };
        Some(Self { name: of.to_string().into(), core: of.with_loc(None), choices })
    }

    /// Whether there can be an entity with this id.
    pub(in crate::policy) fn has(&self, id: &str) -> bool {
        self.choices.as_ref().is_none_or(|choices| choices.iter().any(|choice| choice == id))
    }
}

impl RecordShape {
    /// The attributes of a closed record or of an entity type.
    pub(in crate::policy) fn new(schema: &Schema, attributes: &Attributes) -> Self {
        Self::at(schema, attributes, DEPTH)
    }

    fn at(schema: &Schema, attributes: &Attributes, depth: u8) -> Self {
        let members = attributes.iter().map(|(name, attribute)| Member {
            name: name.clone(),
            required: attribute.is_required,
            shape: Shape::at(schema, &attribute.attr_type, depth),
        });
        let members: Vec<Member> = members.collect();
        let required = members.iter().filter(|member| member.required).count();
        Self { members, required }
    }

    /// The same without one attribute.
    #[must_use]
    pub(in crate::policy) fn without(mut self, name: &str) -> Self {
        self.members.retain(|member| member.name != name);
        self.required = self.members.iter().filter(|member| member.required).count();
        self
    }

    /// How many attributes must be there.
    pub(in crate::policy) fn required(&self) -> usize {
        self.required
    }

    /// The names of the attributes that must be there.
    pub(in crate::policy) fn required_names(&self) -> impl Iterator<Item = &SmolStr> {
        self.members.iter().filter(|member| member.required).map(|member| &member.name)
    }

    /// The declared type of an attribute, and whether it must be there.
    pub(in crate::policy) fn attribute(&self, name: &str) -> Option<(&Shape, bool)> {
        self.member(name).map(|member| (&member.shape, member.required))
    }

    /// The names of all attributes.
    pub(in crate::policy) fn names(&self) -> impl Iterator<Item = &SmolStr> {
        self.members.iter().map(|member| &member.name)
    }

    // Records have a handful of attributes, which a walk finds sooner than a hash.
    pub(super) fn member(&self, name: &str) -> Option<&Member> {
        self.members.iter().find(|member| member.name == name)
    }
}

impl Shape {
    /// Resolves a type.
    pub(in crate::policy) fn new(schema: &Schema, of: &Type) -> Self {
        Self::at(schema, of, DEPTH)
    }

    fn at(schema: &Schema, of: &Type, depth: u8) -> Self {
        let Some(below) = depth.checked_sub(1) else { return Self::Other };
        match of {
            Type::Bool(BoolType::AnyBool) => Self::Bool,
            Type::Long => Self::Long,
            Type::String => Self::Text,
            Type::Set { element_type: Some(element) } => {
                Self::Set(Box::new(Self::at(schema, element, below)))
            }
            Type::Entity(EntityKind::Entity(union)) => {
                let one = union.get_single_entity().and_then(|one| EntityShape::new(schema, one));
                one.map_or(Self::Other, |one| Self::Entity(Arc::new(one)))
            }
            Type::ExtensionType { name } => {
                constructor(&name.to_string()).map_or(Self::Other, |(made, by)| Self::Extension(made, by))
            }
            Type::Record { attrs, open_attributes: OpenTag::ClosedAttributes }
                if !attrs.keys().any(|key| ESCAPES.contains(&key.as_str())) =>
            {
                Self::Record(RecordShape::at(schema, attrs, below))
            }
            _ => Self::Other,
        }
    }
}

/// The function that makes a value of an extension type from one text, with its name.
fn constructor(type_name: &str) -> Option<(&'static ExtensionFunction, Box<str>)> {
    let name = if type_name == "ipaddr" { "ip" } else { type_name };
    let function = Extensions::all_available().func(&name.parse().ok()?).ok()?;
    function.is_single_arg_constructor().then(|| (function, name.into()))
}
