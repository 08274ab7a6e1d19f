//! The names of a snapshot, looked up once: its types and actions, and the entities that stay. Pure.
//!
//! Requests name types and actions in text. The tables here answer with what Cedar calls them and with
//! what is declared for them, so that a request is checked by look-ups; what is not in a table is for
//! Cedar's own checks, which say what is wrong.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use cedar_policy::EntityUid;

use super::{
    engine::{
        EntityShape, RecordShape, Shape,
        cedar::{Entity, EntityType, OpenTag, Uid, ValidatorEntityTypeKind},
    },
    query::{SERVER_CONTEXT, ServerShape},
    snapshot::Parts,
};

type Fast = foldhash::fast::RandomState;

/// The tables of one snapshot.
#[derive(Debug)]
pub(super) struct Names {
    types: Vec<NamedType>,
    /// Types by their full name; places in `types`.
    by_name: HashMap<Box<str>, usize, Fast>,
    /// Types by the short names of the manifest.
    by_alias: HashMap<Box<str>, usize, Fast>,
    actions: Vec<NamedAction>,
    /// Actions by their bare name; `None` where several have it. Places in `actions`.
    by_bare_name: HashMap<Box<str>, Option<usize>, Fast>,
    /// Actions by type and id.
    by_full_name: HashMap<Box<str>, HashMap<Box<str>, usize, Fast>, Fast>,
    /// Static entities and actions, each with all its ancestors.
    entities: HashMap<Uid, Arc<Entity>, Fast>,
}

/// An entity type, with what the schema declares for it.
#[derive(Debug)]
pub(super) struct NamedType {
    /// Its place in the table.
    number: usize,
    /// Its name and ids.
    pub(super) shape: EntityShape,
    /// Its attributes; `None` when it may have others too.
    pub(super) attributes: Option<RecordShape>,
    /// The type of its tags; `None` when it has none.
    pub(super) tags: Option<Shape>,
    /// The types that its entities may be in, directly or not.
    parents: HashSet<Box<str>, Fast>,
}

/// An action that can be asked about.
#[derive(Debug)]
pub(super) struct NamedAction {
    /// Its name.
    pub(super) uid: EntityUid,
    /// Types of principals, by their numbers.
    principals: Vec<bool>,
    /// Types of resources, by their numbers.
    resources: Vec<bool>,
    /// The whole context; `None` when it is not read by its shape.
    pub(super) context: Option<RecordShape>,
    /// The same without the server's part.
    pub(super) caller: Option<RecordShape>,
    /// The server's part.
    pub(super) server: ServerPart,
}

/// What an action declares of the server's part of the context.
#[derive(Debug)]
pub(super) enum ServerPart {
    /// Nothing.
    None,
    /// A record that the server fills.
    Filled(ServerShape),
    /// Something that it cannot fill.
    Unsure,
}

impl NamedType {
    /// Whether an entity of this type may be in one of another.
    pub(super) fn may_be_in(&self, parent: &NamedType) -> bool {
        self.parents.contains(&parent.shape.name)
    }
}

impl NamedAction {
    /// Whether the action is one for principals and resources of these types.
    pub(super) fn applies(&self, principal: &NamedType, resource: &NamedType) -> bool {
        let has = |types: &[bool], one: &NamedType| types.get(one.number).copied().unwrap_or_default();
        has(&self.principals, principal) && has(&self.resources, resource)
    }
}

impl Names {
    /// Builds the tables.
    pub(super) fn new(parts: &Parts) -> Self {
        let types = types(parts);
        let by_name: HashMap<Box<str>, usize, Fast> =
            types.iter().map(|one| (one.shape.name.clone(), one.number)).collect();
        let aliases = parts.aliases.iter();
        let by_alias = aliases.filter_map(|(short, full)| {
            Some((Box::from(short.as_str()), *by_name.get(full.to_string().as_str())?))
        });
        let by_alias = by_alias.collect();
        let mut names = Self {
            types,
            by_name,
            by_alias,
            actions: Vec::new(),
            by_bare_name: HashMap::default(),
            by_full_name: HashMap::default(),
            entities: HashMap::default(),
        };
        names.read_actions(parts);
        let entities = parts.statics.as_ref().iter().chain(parts.actions.as_ref().iter());
        names.entities = entities.map(|entity| (entity.uid().clone(), Arc::new(entity.clone()))).collect();
        names
    }

    fn read_actions(&mut self, parts: &Parts) {
        let mut seen = HashSet::new();
        for environment in parts.schema.request_envs() {
            let uid = environment.action();
            if !seen.insert(uid.clone()) {
                continue;
            }
            let place = self.actions.len();
            let Some(action) = self.read_action(parts, uid) else { continue };
            self.actions.push(action);
            let id: &str = uid.id().unescaped();
            self.by_bare_name.entry(id.into()).and_modify(|one| *one = None).or_insert(Some(place));
            let of_type = self.by_full_name.entry(uid.type_name().to_string().into()).or_default();
            of_type.insert(id.into(), place);
        }
    }

    fn read_action(&self, parts: &Parts, uid: &EntityUid) -> Option<NamedAction> {
        let schema = parts.schema.as_ref();
        let declared = schema.get_action_id(uid.as_ref())?;
        let numbers = |of: &mut dyn Iterator<Item = &EntityType>| {
            let mut listed = vec![false; self.types.len()];
            for place in of.filter_map(|one| self.by_name.get(one.to_string().as_str())) {
                if let Some(entry) = listed.get_mut(*place) {
                    *entry = true;
                }
            }
            listed
        };
        let record = || match Shape::new(&parts.schema, schema.context_type(uid.as_ref())?) {
            Shape::Record(record) => Some(record),
            _ => None,
        };
        let context = record();
        let server = match context.as_ref().and_then(|context| context.attribute(SERVER_CONTEXT)) {
            None => ServerPart::None,
            Some((Shape::Record(declared), _)) => {
                ServerShape::new(declared).map_or(ServerPart::Unsure, ServerPart::Filled)
            }
            Some(_) => ServerPart::Unsure,
        };
        let (of, id) = uid.as_ref().clone().components();
        Some(NamedAction {
            // Without the place in the schema.
            uid: Uid::from_components(of.with_loc(None), id, None).into(),
            principals: numbers(&mut declared.applies_to_principals()),
            resources: numbers(&mut declared.applies_to_resources()),
            caller: record().map(|record| record.without(SERVER_CONTEXT)),
            context,
            server,
        })
    }

    /// A type by its full name.
    pub(super) fn exact_type(&self, name: &str) -> Option<&NamedType> {
        self.types.get(*self.by_name.get(name)?)
    }

    /// A type by its full name or its short one.
    pub(super) fn entity_type(&self, name: &str) -> Option<&NamedType> {
        self.types.get(*self.by_name.get(name).or_else(|| self.by_alias.get(name))?)
    }

    /// The one action with this bare name.
    pub(super) fn bare_action(&self, name: &str) -> Option<&NamedAction> {
        self.actions.get((*self.by_bare_name.get(name)?)?)
    }

    /// An action by type and id.
    pub(super) fn action(&self, type_name: &str, id: &str) -> Option<&NamedAction> {
        self.actions.get(*self.by_full_name.get(type_name)?.get(id)?)
    }

    /// A static entity or an action, with all its ancestors.
    pub(super) fn entity(&self, uid: &Uid) -> Option<&Arc<Entity>> {
        self.entities.get(uid)
    }
}

/// The entity types of the schema that requests may name.
fn types(parts: &Parts) -> Vec<NamedType> {
    let schema = parts.schema.as_ref();
    let declared = schema.entity_types().filter_map(|declared| {
        let shape = EntityShape::new(&parts.schema, declared.name())?;
        let closed = declared.open_attributes() == OpenTag::ClosedAttributes;
        let tags = match &declared.kind {
            ValidatorEntityTypeKind::Standard(_) => declared.tag_type(),
            _ => None,
        };
        let parents = schema.entity_types().filter(|one| one.has_descendant_entity_type(declared.name()));
        Some(NamedType {
            number: 0,
            attributes: closed.then(|| RecordShape::new(&parts.schema, declared.attributes())),
            tags: tags.map(|tags| Shape::new(&parts.schema, tags)),
            parents: parents.map(|parent| parent.name().to_string().into()).collect(),
            shape,
        })
    });
    declared.enumerate().map(|(number, one)| NamedType { number, ..one }).collect()
}
