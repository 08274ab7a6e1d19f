//! Random entities and requests: most fit the schema, some of a careless store do not.

use cedar_policy::{Context, Entities, EntityUid, Schema};
use serde_json::{Map, Value, json};

use super::{
    dice::Dice,
    world::{Field, IDS, Ty, World},
};

fn named(world: &World, of: usize, id: usize) -> Value {
    json!({"type": world.types[of].name, "id": id.to_string()})
}

fn value(dice: &mut Dice, world: &World, ty: &Ty) -> Value {
    let extension = |function: &str, argument: &str| json!({"__extn": {"fn": function, "arg": argument}});
    match ty {
        Ty::Bool => json!(dice.once_in(2)),
        Ty::Long => json!(dice.pick(&[0, 1, 2, 3, -1, i64::MAX, i64::MIN])),
        Ty::Text => json!(dice.pick(&["", "a", "ab", "b"])),
        Ty::Entity(of) => {
            let most = if world.types[*of].is_enum { 3 } else { IDS };
            json!({"__entity": named(world, *of, dice.below(most))})
        }
        Ty::Set(of) => {
            let most = dice.pick(&[0, 1, 3, 12]);
            (0..dice.below(most + 1)).map(|_| value(dice, world, of)).collect()
        }
        Ty::Record(fields) => Value::Object(record(dice, world, fields, false)),
        Ty::Ip => extension("ip", dice.pick(&["10.0.0.1", "10.0.0.0/8", "::1"])),
        Ty::Decimal => extension("decimal", dice.pick(&["1.5", "-0.1", "0.0"])),
        Ty::Datetime => extension("datetime", dice.pick(&["2024-01-01", "2031-05-06T07:08:09Z"])),
        Ty::Duration => extension("duration", dice.pick(&["1h", "-2d", "0ms"])),
    }
}

/// A careless record misses attributes that are required, and has others of a wrong type.
fn record(dice: &mut Dice, world: &World, fields: &[Field], careless: bool) -> Map<String, Value> {
    let mut record = Map::new();
    for field in fields {
        let missing = if field.required { careless && dice.once_in(4) } else { dice.once_in(2) };
        if !missing {
            let ty = if careless && dice.once_in(6) { &Ty::Long } else { &field.ty };
            record.insert(field.name.to_owned(), value(dice, world, ty));
        }
    }
    record
}

/// Entities of each type in a random hierarchy, with the actions of the schema.
pub(super) fn entities(dice: &mut Dice, world: &World, schema: &Schema, careless: bool) -> Entities {
    let mut listed = Vec::new();
    for (of, kind) in world.types.iter().enumerate().filter(|(_, kind)| !kind.is_enum) {
        for id in 0..IDS {
            if dice.once_in(6) {
                continue;
            }
            let mut parents = Vec::new();
            for above in &kind.parents {
                let most = match &world.types[*above] {
                    same if same.name == kind.name => id, // of the same type: one with a smaller number
                    other if other.is_enum => 3,
                    _ => IDS,
                };
                parents
                    .extend((0..most).filter(|_| dice.once_in(3)).map(|parent| named(world, *above, parent)));
            }
            let mut tags = Map::new();
            if let Some(ty) = &kind.tags {
                for tag in dice.some_of(&["", "a", "ab"], 2) {
                    tags.insert(tag.to_owned(), value(dice, world, ty));
                }
            }
            let attrs = record(dice, world, &kind.fields, careless);
            listed
                .push(json!({"uid": named(world, of, id), "attrs": attrs, "tags": tags, "parents": parents}));
        }
    }
    if !careless {
        return Entities::from_json_value(Value::Array(listed), Some(schema)).unwrap();
    }
    let loose = Entities::from_json_value(Value::Array(listed), None).unwrap();
    let actions = schema.action_entities().unwrap();
    Entities::from_entities(loose.iter().chain(actions.iter()).cloned(), None).unwrap()
}

/// A random context.
pub(super) fn context(dice: &mut Dice, world: &World, careless: bool) -> Context {
    let context = Value::Object(record(dice, world, &world.context, careless));
    Context::from_json_value(context, None).unwrap()
}

/// Principal, action and resource.
pub(super) fn request(dice: &mut Dice, world: &World) -> [EntityUid; 3] {
    let action = match dice.below(20) {
        0 => "Action::\"unknown\"".to_owned(),
        1 if !world.groups.is_empty() => format!("Action::\"{}\"", dice.one_of(&world.groups)),
        _ => format!("Action::\"{}\"", dice.one_of(&world.actions)),
    };
    [world.entity(dice), action, world.entity(dice)].map(|text| text.parse().unwrap())
}
