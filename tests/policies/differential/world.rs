//! A random schema: entity types with hierarchies, attributes of every type, tags, enumerations, actions in groups.

use std::fmt::Write as _;

use super::dice::Dice;

const TYPES: [&str; 8] =
    ["User", "Team", "Org", "Doc", "Folder", "Shop::Item", "Store::Order", "Deep::Down::Thing"];
/// Entities of a type are called `0`, `1`, …
pub(super) const IDS: usize = 4;
const NAMES: [&str; 8] = ["a", "b", "c", "owner", "level", "odd name", "list", "when"];

/// The type of a value. Entities are of one type in a schema, of any in expressions.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Ty {
    Bool,
    Long,
    Text,
    Entity(usize),
    Set(Box<Ty>),
    Record(Vec<Field>),
    Ip,
    Decimal,
    Datetime,
    Duration,
}

impl Ty {
    /// Whether values of both have the same kind of operations.
    pub(super) fn like(&self, other: &Self) -> bool {
        std::mem::discriminant(self) == std::mem::discriminant(other)
    }
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Field {
    pub(super) name: &'static str,
    pub(super) ty: Ty,
    pub(super) required: bool,
}

pub(super) struct EntityType {
    pub(super) name: &'static str,
    pub(super) parents: Vec<usize>,
    pub(super) fields: Vec<Field>,
    pub(super) tags: Option<Ty>,
    pub(super) is_enum: bool,
}

pub(super) struct World {
    pub(super) types: Vec<EntityType>,
    /// Names of actions and groups.
    pub(super) actions: Vec<String>,
    pub(super) groups: Vec<String>,
    pub(super) context: Vec<Field>,
    pub(super) schema: String,
}

/// A type of values for fields; sets and records of what is below.
pub(super) fn any_type(dice: &mut Dice, types: usize, depth: usize) -> Ty {
    match dice.below(if depth == 0 { 9 } else { 13 }) {
        0 => Ty::Bool,
        1 | 2 => Ty::Long,
        3 => Ty::Text,
        4 => Ty::Entity(dice.below(types)),
        5 => Ty::Ip,
        6 => Ty::Decimal,
        7 => Ty::Datetime,
        8 => Ty::Duration,
        9..=11 => Ty::Set(Box::new(any_type(dice, types, depth - 1))),
        _ => Ty::Record(fields(dice, types, depth - 1)),
    }
}

fn fields(dice: &mut Dice, types: usize, depth: usize) -> Vec<Field> {
    let names = dice.some_of(&NAMES, 2);
    let field = |name| Field { name, ty: any_type(dice, types, depth), required: !dice.once_in(3) };
    names.into_iter().map(field).collect()
}

impl World {
    pub(super) fn new(dice: &mut Dice) -> Self {
        let count = 3 + dice.below(TYPES.len() - 2);
        let kinds: Vec<EntityType> = (0..count)
            .map(|number| {
                // A parent is of the same or a later type, so that there is no cycle.
                let above: Vec<usize> = (number..count).collect();
                let is_enum = number > 2 && dice.once_in(6);
                EntityType {
                    name: TYPES[number],
                    parents: if is_enum { vec![] } else { dice.some_of(&above, 2) },
                    fields: if is_enum { vec![] } else { fields(dice, count, 2) },
                    tags: (!is_enum && dice.once_in(3)).then(|| any_type(dice, count, 1)),
                    is_enum,
                }
            })
            .collect();
        let many = if dice.once_in(8) { 66 + dice.below(70) } else { 1 + dice.below(6) };
        let mut world = Self {
            types: kinds,
            actions: (0..many).map(|number| format!("act{number}")).collect(),
            groups: (0..dice.below(5)).map(|number| format!("group {number}")).collect(),
            context: fields(dice, count, 2),
            schema: String::new(),
        };
        world.schema = world.write(dice);
        world
    }

    fn write(&self, dice: &mut Dice) -> String {
        let mut text = String::new();
        for of in &self.types {
            let (space, name) = of.name.rsplit_once("::").unwrap_or(("", of.name));
            let mut line = if of.is_enum {
                format!("entity {name} enum [\"0\", \"1\", \"2\"]")
            } else {
                let parents: Vec<&str> = of.parents.iter().map(|parent| self.types[*parent].name).collect();
                let tags = of.tags.as_ref().map_or(String::new(), |tags| format!(" tags {}", self.ty(tags)));
                format!("entity {name} in [{}] = {}{tags}", parents.join(", "), self.record(&of.fields))
            };
            line = if space.is_empty() {
                format!("{line};")
            } else {
                format!("namespace {space} {{ {line}; }}")
            };
            writeln!(text, "{line}").unwrap();
        }
        for (number, group) in self.groups.iter().enumerate() {
            let above = dice.some_of(&self.groups[number + 1..], 2);
            writeln!(text, "action \"{group}\"{};", within(&above)).unwrap();
        }
        let names: Vec<&str> = self.types.iter().map(|of| of.name).collect();
        writeln!(text, "type Context = {};", self.record(&self.context)).unwrap();
        for action in &self.actions {
            let groups = within(&dice.some_of(&self.groups, 3));
            let (principals, resources) = (dice.some_of(&names, 2), dice.some_of(&names, 2));
            let or_all = |some: Vec<&str>| if some.is_empty() { names.join(", ") } else { some.join(", ") };
            writeln!(
                text,
                "action \"{action}\"{groups} appliesTo {{ principal: [{}], resource: [{}], context: Context }};",
                or_all(principals),
                or_all(resources),
            )
            .unwrap();
        }
        text
    }

    fn record(&self, fields: &[Field]) -> String {
        let field = |field: &Field| {
            let optional = if field.required { "" } else { "?" };
            format!("\"{}\"{optional}: {}", field.name, self.ty(&field.ty))
        };
        format!("{{ {} }}", fields.iter().map(field).collect::<Vec<_>>().join(", "))
    }

    fn ty(&self, ty: &Ty) -> String {
        match ty {
            Ty::Bool => "Bool".to_owned(),
            Ty::Long => "Long".to_owned(),
            Ty::Text => "String".to_owned(),
            Ty::Entity(of) => self.types[*of].name.to_owned(),
            Ty::Set(of) => format!("Set<{}>", self.ty(of)),
            Ty::Record(fields) => self.record(fields),
            Ty::Ip => "ipaddr".to_owned(),
            Ty::Decimal => "decimal".to_owned(),
            Ty::Datetime => "datetime".to_owned(),
            Ty::Duration => "duration".to_owned(),
        }
    }

    /// An entity, of one of the first types more often; some are not stored.
    pub(super) fn entity(&self, dice: &mut Dice) -> String {
        let of = dice.below(self.types.len()).min(dice.below(self.types.len()));
        format!("{}::\"{}\"", self.types[of].name, dice.below(IDS))
    }
}

/// The groups that an action or group is in; none is not written.
fn within(groups: &[String]) -> String {
    let quoted: Vec<String> = groups.iter().map(|group| format!("\"{group}\"")).collect();
    if quoted.is_empty() { String::new() } else { format!(" in [{}]", quoted.join(", ")) }
}
