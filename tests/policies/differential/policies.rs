//! Random policies: every form of scope, templates with their links, conditions that are shared.

use std::collections::HashMap;

use cedar_policy::{EntityUid, Policy, PolicyId, PolicySet, SlotId, Template};

use super::{
    dice::Dice,
    expressions::expression,
    world::{Ty, World},
};

/// One side of a scope, and whether it has a slot.
fn side(dice: &mut Dice, world: &World, variable: &str, template: bool) -> (String, bool) {
    let of_type = dice.one_of(&world.types).name;
    let slot = template && dice.once_in(2);
    let target = if slot { format!("?{variable}") } else { world.entity(dice) };
    let text = match dice.below(8) {
        0..=2 if !slot => variable.to_owned(),
        3 if !slot => format!("{variable} is {of_type}"),
        4 => format!("{variable} == {target}"),
        5 => format!("{variable} is {of_type} in {target}"),
        _ => format!("{variable} in {target}"),
    };
    (text, slot)
}

fn action(dice: &mut Dice, world: &World) -> String {
    let all: Vec<&String> = world.actions.iter().chain(&world.groups).collect();
    let one = |dice: &mut Dice| match dice.below(12) {
        0 => "Action::\"unknown\"".to_owned(),
        1..=5 if !world.groups.is_empty() => format!("Action::\"{}\"", dice.one_of(&world.groups)),
        _ => format!("Action::\"{}\"", dice.pick(&all)),
    };
    match dice.below(8) {
        0..=2 => "action".to_owned(),
        3 | 4 => format!("action == {}", one(dice)),
        5 => format!("action in {}", one(dice)),
        _ => {
            let list: Vec<String> = (0..dice.below(4)).map(|_| one(dice)).collect();
            format!("action in [{}]", list.join(", "))
        }
    }
}

/// A conjunct that a scope could have, to be put at the front of a condition.
fn front(dice: &mut Dice, world: &World) -> String {
    let variable = dice.pick(&["principal", "resource", "principal", "resource", "action"]);
    let (entity, of_type) = (world.entity(dice), dice.one_of(&world.types).name);
    match dice.below(5) {
        0 => format!("{variable} == {entity}"),
        1 => format!("{entity} == {variable}"),
        2 => format!("{variable} in {entity}"),
        3 => format!("{variable} is {of_type} in {entity}"),
        _ => format!("{variable} is {of_type}"),
    }
}

fn clauses(dice: &mut Dice, world: &World, before: &mut Vec<String>) -> String {
    if !before.is_empty() && dice.once_in(3) {
        return dice.one_of(before).clone();
    }
    let mut text = String::new();
    for _ in 0..dice.below(3) {
        let kind = dice.pick(&["when", "when", "unless"]);
        let depth = 1 + dice.below(4);
        let mut parts: Vec<String> = (0..dice.below(3)).map(|_| front(dice, world)).collect();
        parts.push(expression(dice, world, &Ty::Bool, depth));
        text = format!("{text} {kind} {{ {} }}", parts.join(" && "));
    }
    before.push(text.clone());
    text
}

/// Adds random policies and links of templates to a set, under the ids `p0`, `p1`, …
pub(super) fn policies(dice: &mut Dice, world: &World, count: usize) -> PolicySet {
    let mut set = PolicySet::new();
    let mut before = Vec::new();
    for number in 0..count {
        let template = dice.once_in(4);
        let (principal, on_principal) = side(dice, world, "principal", template);
        let (resource, on_resource) = side(dice, world, "resource", template);
        let effect = dice.pick(&["permit", "permit", "forbid"]);
        let (action, clauses) = (action(dice, world), clauses(dice, world, &mut before));
        let text = format!("{effect}({principal}, {action}, {resource}){clauses};");
        if !(on_principal || on_resource) {
            let policy = Policy::parse(Some(PolicyId::new(format!("p{number}"))), &text);
            set.add(policy.unwrap_or_else(|error| panic!("{text}: {error:?}"))).unwrap();
            continue;
        }
        let name = PolicyId::new(format!("t{number}"));
        set.add_template(Template::parse(Some(name.clone()), &text).unwrap()).unwrap();
        for link in 0..=dice.below(3) {
            let mut values: HashMap<SlotId, EntityUid> = HashMap::new();
            for (used, slot) in [(on_principal, SlotId::principal()), (on_resource, SlotId::resource())] {
                if used {
                    values.insert(slot, world.entity(dice).parse().unwrap());
                }
            }
            set.link(name.clone(), PolicyId::new(format!("p{number}-{link}")), values).unwrap();
        }
    }
    set
}
