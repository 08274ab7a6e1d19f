//! Well-typed policies of one schema through bundle, compiler, index, slices and engine.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use bailiwick::policy::{
    Bundle, EntityKey, EntityRow, EntitySlice, EntityTable, Layers, RequestParts, Revision, ServerContext,
    Snapshot, compile, decide, evaluate,
};
use cedar_policy::{
    Context, Effect, Entities, Entity, EntityUid, PolicyId, PolicySet, Request, Schema, SlotId, Template,
};
use serde_json::{Value, json};

use super::dice::Dice;
use crate::{
    corpus::{Answer, plain},
    support::raw,
};

const SCHEMA: &str = "
entity Group in [Group];
entity User in [Group] = { n: Long, tag?: String, boss?: User };
entity Folder in [Folder];
entity Doc in [Folder] = { n: Long, owner: User };
action all;
action reads in [all];
action a0, a1 in [reads] appliesTo { principal: [User, Group], resource: [Doc, Folder], context: { flag: Bool, who?: User } };
action a2 in [all] appliesTo { principal: [User], resource: [Doc], context: { flag: Bool, who?: User } };
action a3 appliesTo { principal: [User], resource: [Doc, User], context: { flag: Bool, who?: User } };
";

fn entity(dice: &mut Dice, of: &str) -> String {
    format!("{of}::\"{}\"", dice.below(5))
}

/// One side of a scope: any, ==, in, is, is in; with slots in a template.
fn scope(dice: &mut Dice, variable: &str, types: &[&str], slot: Option<&mut bool>) -> String {
    let of = dice.pick(types);
    let target = match slot {
        Some(used) if dice.below(2) == 0 => {
            *used = true;
            format!("?{variable}")
        }
        _ => entity(dice, of),
    };
    match dice.below(5) {
        0 if !target.starts_with('?') => variable.to_owned(),
        1 if !target.starts_with('?') => format!("{variable} is {of}"),
        2 => format!("{variable} == {target}"),
        3 => format!("{variable} is {} in {target}", types[0]),
        _ => format!("{variable} in {target}"),
    }
}

/// Well-typed clauses; the ones with large numbers overflow for some entities.
const SOUND: [&str; 9] = [
    "",
    " when { context.flag }",
    " unless { context.flag }",
    " when { principal is User && principal.n + 9223372036854775805 > 0 }",
    " unless { resource is Doc && resource.n * 4611686018427387904 > 0 }",
    " when { principal is User && principal has boss && principal.boss.n > 2 }",
    " when { resource is Doc && principal == resource.owner }",
    " when { resource is Doc && resource.owner in Group::\"1\" }",
    " when { context has who && context.who in Group::\"2\" }",
];
/// Clauses that no schema would pass: errors of types and attributes.
const UNSOUND: [&str; 3] =
    [" when { principal.tag == \"x\" }", " when { 1 + \"a\" == 2 }", " unless { resource.nothing }"];

struct Made {
    id: String,
    text: String,
    /// The slots of a link, when the text is a template.
    link: Option<BTreeMap<String, String>>,
}

fn policy(dice: &mut Dice, number: u64, sound: bool) -> Made {
    let id = format!("p{number}");
    let template = dice.below(4) == 0;
    let (mut on_principal, mut on_resource) = (false, false);
    let principal = scope(dice, "principal", &["User", "Group"], template.then_some(&mut on_principal));
    let resource = scope(dice, "resource", &["Doc", "Folder"], template.then_some(&mut on_resource));
    let action = dice.pick(&[
        "action",
        "action == Action::\"a0\"",
        "action == Action::\"a2\"",
        "action in Action::\"reads\"",
        "action in Action::\"all\"",
        "action in [Action::\"a3\", Action::\"reads\"]",
        "action in [Action::\"a1\"]",
        "action in []",
    ]);
    let action = if sound && action.ends_with("[]") { "action" } else { action };
    let effect = dice.pick(&["permit", "permit", "forbid"]);
    let clause = match dice.below(6) {
        0 if !sound => dice.pick(&UNSOUND),
        _ => dice.pick(&SOUND),
    };
    let text = |id: &str| format!("@id(\"{id}\") {effect}({principal}, {action}, {resource}){clause};\n");
    if !(on_principal || on_resource) {
        return Made { text: text(&id), id, link: None };
    }
    let mut slots = BTreeMap::new();
    if on_principal {
        let of = dice.pick(&["User", "Group"]);
        slots.insert("?principal".to_owned(), entity(dice, of));
    }
    if on_resource {
        let of = dice.pick(&["Doc", "Folder"]);
        slots.insert("?resource".to_owned(), entity(dice, of));
    }
    Made { text: text(&format!("t{number}")), id, link: Some(slots) }
}

/// Entities with a random hierarchy; some are missing.
fn entities(dice: &mut Dice) -> Vec<Value> {
    let mut all = Vec::new();
    for of in ["User", "Group", "Doc", "Folder"] {
        for id in (0..5).filter(|_| dice.below(6) > 0).collect::<Vec<u64>>() {
            let above = if matches!(of, "User" | "Group") { "Group" } else { "Folder" };
            // A parent has a smaller number than its child, so that there is no cycle.
            let most = if of == above { id } else { 5 };
            let parents: Vec<Value> = (0..most)
                .filter(|_| dice.below(3) == 0)
                .map(|parent| json!({"type": above, "id": parent.to_string()}))
                .collect();
            let mut attrs = json!({});
            if matches!(of, "User" | "Doc") {
                attrs["n"] = json!(dice.below(6));
            }
            if of == "Doc" {
                attrs["owner"] = json!({"type": "User", "id": dice.below(5).to_string()});
            }
            if of == "User" && dice.below(2) == 0 {
                attrs["boss"] = json!({"type": "User", "id": dice.below(5).to_string()});
            }
            all.push(json!({"uid": {"type": of, "id": id.to_string()}, "attrs": attrs, "parents": parents}));
        }
    }
    all
}

fn set(made: &[Made]) -> PolicySet {
    let mut set = PolicySet::new();
    for one in made {
        let id = PolicyId::new(&one.id);
        let Some(slots) = &one.link else {
            set.add(cedar_policy::Policy::parse(Some(id), &one.text).unwrap()).unwrap();
            continue;
        };
        let template = PolicyId::new(format!("t{}", &one.id[1..]));
        set.add_template(Template::parse(Some(template.clone()), &one.text).unwrap()).unwrap();
        let slot = |name: &str| if name == "?principal" { SlotId::principal() } else { SlotId::resource() };
        let values: HashMap<_, EntityUid> =
            slots.iter().map(|(name, uid)| (slot(name), uid.parse().unwrap())).collect();
        set.link(template, id, values).unwrap();
    }
    set
}

fn bundle(made: &[Made]) -> Bundle {
    let mut files: BTreeMap<String, Arc<[u8]>> = BTreeMap::new();
    files.insert("schema/s.cedarschema".to_owned(), Arc::from(SCHEMA.as_bytes()));
    let join = |linked: bool| {
        let chosen = made.iter().filter(|one| one.link.is_some() == linked);
        Arc::from(chosen.map(|one| one.text.as_str()).collect::<String>().as_bytes())
    };
    files.insert("p.cedar".to_owned(), join(false));
    files.insert("templates/t.cedar".to_owned(), join(true));
    let links = made.iter().filter_map(|one| {
        let slots = one.link.as_ref()?;
        Some(json!({"template": format!("t{}", &one.id[1..]), "id": one.id, "slots": slots}))
    });
    let links = serde_json::to_vec(&links.collect::<Vec<_>>()).unwrap();
    files.insert("links/l.json".to_owned(), Arc::from(links));
    Bundle::new(files).unwrap()
}

struct Ask {
    principal: String,
    action: String,
    resource: String,
    context: Value,
}

fn ask(dice: &mut Dice) -> Ask {
    let (action, principals, resources): (&str, &[&str], &[&str]) = match dice.below(4) {
        0 => ("a0", &["User", "Group"], &["Doc", "Folder"]),
        1 => ("a1", &["User", "Group"], &["Doc", "Folder"]),
        2 => ("a2", &["User"], &["Doc"]),
        _ => ("a3", &["User"], &["Doc", "User"]),
    };
    let mut context = json!({"flag": dice.below(2) == 0});
    if dice.below(2) == 0 {
        context["who"] = json!({"type": "User", "id": dice.below(5).to_string()});
    }
    let (principal, resource) = (dice.pick(principals), dice.pick(resources));
    Ask {
        principal: entity(dice, principal),
        action: format!("Action::\"{action}\""),
        resource: entity(dice, resource),
        context,
    }
}

/// One random store and forty requests; answers how many decisions were allows, and how many had errors.
fn round(seed: u64, sound: bool) -> (usize, usize) {
    let mut dice = Dice::new(seed);
    let made: Vec<Made> = (0..30).map(|number| policy(&mut dice, number, sound)).collect();
    let policies = set(&made);
    let (schema, _) = Schema::from_cedarschema_str(SCHEMA).unwrap();
    let json = entities(&mut dice);
    let all = Entities::from_json_value(Value::Array(json.clone()), Some(&schema)).unwrap();
    let store = "random".parse().unwrap();
    let snapshot = if sound {
        compile(&bundle(&made), &store).unwrap_or_else(|findings| panic!("seed {seed}:\n{findings}")).snapshot
    } else {
        Snapshot::from_policy_set(store, &policies, schema.clone()).unwrap()
    };
    let (mut allowed, mut erred) = (0, 0);
    for number in 0..40 {
        let ask = ask(&mut dice);
        let action: EntityUid = ask.action.parse().unwrap();
        let context = Context::from_json_value(ask.context.clone(), Some((&schema, &action))).unwrap();
        let (principal, resource) = (ask.principal.parse().unwrap(), ask.resource.parse().unwrap());
        let request = Request::new(principal, action, resource, context, Some(&schema)).unwrap();
        let parts = RequestParts {
            principal: &raw(&json!(ask.principal)),
            action: &raw(&json!(ask.action)),
            resource: &raw(&json!(ask.resource)),
            context: Some(&raw(&ask.context)),
        };
        let query = snapshot.query(parts, &ServerContext::default()).unwrap();
        let inline = raw(&Value::Array(json.clone()));
        let layers = Layers { inline: Some(&inline), ..Layers::default() };
        let slice = if sound {
            EntitySlice::new(&snapshot, layers).unwrap()
        } else {
            EntitySlice::whole(all.clone())
        };
        let verdict = evaluate(&snapshot, &query, &slice);
        let cedar = plain(&request, &policies, &all);
        assert_eq!(Answer::from(&verdict), cedar, "seed {seed} sound {sound} request {number}: {request}");
        let forbid_erred = cedar
            .errors
            .iter()
            .any(|(id, _)| policies.policy(&PolicyId::new(id)).unwrap().effect() == Effect::Forbid);
        let closed = decide(&snapshot, &query, &slice);
        assert_eq!(closed.allow, verdict.allow && !forbid_erred, "seed {seed} request {number}");
        assert_eq!(closed.errors, verdict.errors);
        allowed += usize::from(closed.allow);
        erred += usize::from(!closed.errors.is_empty());
    }
    (allowed, erred)
}

#[test]
fn well_typed_stores_through_compiler_and_slices() {
    let sums = (0..12).map(|seed| round(seed, true)).fold((0, 0), |(a, e), (b, f)| (a + b, e + f));
    assert!(sums.0 > 50 && sums.1 > 20, "the cases must not be trivial: {sums:?}");
}

#[test]
fn any_policies_through_the_index() {
    let sums = (0..60).map(|seed| round(1000 + seed, false)).fold((0, 0), |(a, e), (b, f)| (a + b, e + f));
    assert!(sums.0 > 100 && sums.1 > 100, "the cases must not be trivial: {sums:?}");
}

/// The same stored entities under two versions in turn: what an index remembers of an entity is of no use to another.
fn versions(seed: u64) -> usize {
    let mut dice = Dice::new(seed);
    let made: Vec<Made> = (0..30).map(|number| policy(&mut dice, number, true)).collect();
    let (schema, _) = Schema::from_cedarschema_str(SCHEMA).unwrap();
    let all = Entities::from_json_value(Value::Array(entities(&mut dice)), Some(&schema)).unwrap();
    let store = "random".parse().unwrap();
    let version = |made: &[Made]| (compile(&bundle(made), &store).unwrap().snapshot, set(made));
    let versions = [version(&made), version(&made[10..]), version(&made[..10])];
    let mut table = EntityTable::from_rows(all.iter().filter_map(stored), Revision(1)).unwrap();
    let mut allowed = 0;
    for number in 0..60 {
        let ask = ask(&mut dice);
        let action: EntityUid = ask.action.parse().unwrap();
        let context = Context::from_json_value(ask.context.clone(), Some((&schema, &action))).unwrap();
        let (principal, resource) = (ask.principal.parse().unwrap(), ask.resource.parse().unwrap());
        let request = Request::new(principal, action, resource, context, Some(&schema)).unwrap();
        let parts = RequestParts {
            principal: &raw(&json!(ask.principal)),
            action: &raw(&json!(ask.action)),
            resource: &raw(&json!(ask.resource)),
            context: Some(&raw(&ask.context)),
        };
        // Half of the time the entities change: one loses its parents for this question, and gets them back.
        let moved = all.iter().filter_map(stored).filter(|row| !row.parents.is_empty()).nth(number % 5);
        let moved = moved.filter(|_| number % 2 == 0);
        let now = match &moved {
            None => all.clone(),
            Some(row) => without_parents(&all, &row.key),
        };
        if let Some(row) = &moved {
            let alone = EntityRow { parents: Vec::new(), ..row.clone() };
            table = table.upsert(alone, table.revision().next()).unwrap();
        }
        for (snapshot, policies) in &versions {
            let query = snapshot.query(parts, &ServerContext::default()).unwrap();
            let layers = Layers { stored: Some(&table), ..Layers::default() };
            let slice = EntitySlice::new(snapshot, layers).unwrap();
            let verdict = evaluate(snapshot, &query, &slice);
            let cedar = plain(&request, policies, &now);
            assert_eq!(Answer::from(&verdict), cedar, "seed {seed} request {number}: {request}");
            allowed += usize::from(verdict.allow);
        }
        if let Some(row) = moved {
            table = table.upsert(row, table.revision().next()).unwrap();
        }
    }
    allowed
}

/// An entity as a store keeps it; no action.
fn stored(entity: &Entity) -> Option<EntityRow> {
    let json = entity.to_json_value().unwrap();
    let parents = json["parents"].as_array().unwrap().iter();
    let key = |uid: &Value| {
        let part = |name: &str| uid[name].as_str().unwrap().to_owned();
        EntityKey::new(part("type"), part("id"))
    };
    let row = EntityRow {
        key: EntityKey::from(&entity.uid()),
        attrs: json["attrs"].to_string(),
        tags: "{}".to_owned(),
        parents: parents.map(key).collect(),
        revision: Revision(1),
    };
    (row.key.entity_type != "Action").then_some(row)
}

/// The entities when one of them is in nothing; what is in it is in nothing of its either.
fn without_parents(all: &Entities, alone: &EntityKey) -> Entities {
    let rows: Vec<EntityRow> = all.iter().filter_map(stored).collect();
    let mut table = EntityTable::from_rows(rows.clone(), Revision(1)).unwrap();
    let row = rows.iter().find(|row| row.key == *alone).unwrap();
    table = table.upsert(EntityRow { parents: Vec::new(), ..row.clone() }, Revision(2)).unwrap();
    let made = table.iter().map(|row| {
        let uid =
            |key: &EntityKey| EntityUid::from_json(json!({"type": key.entity_type, "id": key.id})).unwrap();
        let ancestors = table.ancestors(&row.key).iter().map(uid).collect();
        let known = all.get(&uid(&row.key)).unwrap();
        let (name, attrs, _) = known.clone().into_inner();
        Entity::new(name, attrs, ancestors).unwrap()
    });
    let actions = all.iter().filter(|entity| stored(entity).is_none()).cloned();
    Entities::from_entities(made.chain(actions), None).unwrap()
}

#[test]
fn stored_entities_under_versions_in_turn() {
    let allowed: usize = (0..12).map(versions).sum();
    assert!(allowed > 100, "the cases must not be trivial: {allowed}");
}
