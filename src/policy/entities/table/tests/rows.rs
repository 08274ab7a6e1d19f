use std::collections::{BTreeMap, BTreeSet};

use cedar_policy::{Entity, EntityUid};
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::policy::{Change, TableError};

fn key(name: &str) -> EntityKey {
    EntityKey::new("App::Thing", name)
}

fn uid(key: &EntityKey) -> EntityUid {
    let json = json!({"type": key.entity_type, "id": key.id});
    EntityUid::from_json(json).unwrap()
}

fn row(name: &str, attrs: &str, parents: &[&str]) -> EntityRow {
    EntityRow {
        key: key(name),
        attrs: attrs.to_owned(),
        tags: "{}".to_owned(),
        parents: parents.iter().map(|parent| key(parent)).collect(),
        revision: Revision(1),
    }
}

fn table(rows: &[(&str, &[&str])]) -> EntityTable {
    let rows = rows.iter().map(|(name, parents)| row(name, "{}", parents));
    EntityTable::from_rows(rows, Revision(1)).unwrap()
}

fn above(table: &EntityTable, name: &str) -> Vec<String> {
    let mut names: Vec<_> = table.ancestors(&key(name)).into_iter().map(|it| it.id.to_string()).collect();
    names.sort();
    names
}

/// What the table must answer, by the plainest means.
type Naive = BTreeMap<EntityKey, (String, BTreeSet<EntityKey>)>;

/// Everything above an entity.
fn naive_closure(model: &Naive, of: &EntityKey) -> BTreeSet<EntityKey> {
    let (mut found, mut open) = (BTreeSet::new(), vec![of.clone()]);
    while let Some(next) = open.pop() {
        for parent in model.get(&next).into_iter().flat_map(|(_, parents)| parents) {
            if found.insert(parent.clone()) {
                open.push(parent.clone());
            }
        }
    }
    found
}

fn check(table: &EntityTable, model: &Naive) {
    assert_eq!(table.len(), model.len());
    let mut below: BTreeMap<&EntityKey, Vec<&EntityKey>> = BTreeMap::new();
    for (key, (attrs, parents)) in model {
        let closure = naive_closure(model, key);
        let answered = table.ancestors(key);
        assert_eq!(answered.len(), closure.len(), "{key}: a name twice");
        assert_eq!(answered.into_iter().collect::<BTreeSet<_>>(), closure, "{key}");
        let stored = table.row(key).unwrap();
        assert_eq!(
            (&stored.attrs, stored.parents.iter().collect::<BTreeSet<_>>()),
            (attrs, parents.iter().collect())
        );
        let entity = table.entity(&uid(key)).unwrap();
        let core: &CoreEntity = entity.as_ref().as_ref();
        let names = |of: Vec<_>| {
            of.into_iter().map(|it: cedar_policy::EntityUid| EntityKey::from(&it)).collect::<BTreeSet<_>>()
        };
        assert_eq!(names(core.parents().cloned().map(Into::into).collect()), *parents);
        assert_eq!(names(core.ancestors().cloned().map(Into::into).collect()), closure);
        assert_eq!(entity.to_json_value().unwrap()["attrs"].to_string(), *attrs, "{key}: an old entity");
        for parent in parents {
            below.entry(parent).or_default().push(key);
        }
    }
    for (parent, children) in below {
        let listed: Vec<_> =
            table.children(parent, None, None, usize::MAX).into_iter().map(|row| row.key).collect();
        assert_eq!(listed.iter().collect::<Vec<_>>(), children, "in {parent}");
        for (at, child) in children.iter().enumerate() {
            let rest = table.children(parent, None, Some(child), 2).len();
            assert_eq!(rest, (children.len() - at - 1).min(2));
        }
    }
}

/// One part of a write: which entity; its number and parents, or nothing for a removal.
type Step = (u8, Option<(u8, Vec<u8>)>);

fn name(number: u8) -> EntityKey {
    EntityKey::new(if number.is_multiple_of(3) { "Team" } else { "App::Thing" }, format!("e{number}"))
}

fn change((of, what): &Step) -> Change {
    match what {
        None => Change::Remove(name(*of)),
        Some((number, parents)) => Change::Put(EntityRow {
            key: name(*of),
            attrs: json!({ "n": number }).to_string(),
            tags: "{}".to_owned(),
            parents: parents.iter().map(|parent| name(*parent)).collect(),
            revision: Revision(i64::from(*number)),
        }),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    /// After every write: closures, children and entities as by the plainest means, and every table that
    /// came before as it was.
    #[test]
    fn writes_are_right_and_old_tables_stay(
        writes in prop::collection::vec(
            prop::collection::vec(
                (0_u8..14, prop::option::weighted(0.8, (any::<u8>(), prop::collection::vec(0_u8..14, 0..3)))), 1..4),
            1..30)
    ) {
        let mut table = EntityTable::default();
        let mut model = Naive::new();
        let mut before = vec![(table.clone(), model.clone())];
        for (number, steps) in (1..).zip(&writes) {
            let mut wanted = model.clone();
            for (of, what) in steps {
                match what {
                    None => drop(wanted.remove(&name(*of))),
                    Some((number, parents)) => {
                        let parents = parents.iter().map(|parent| name(*parent)).collect();
                        wanted.insert(name(*of), (json!({ "n": number }).to_string(), parents));
                    }
                }
            }
            let cyclic = wanted.keys().any(|key| naive_closure(&wanted, key).contains(key));
            match table.apply(steps.iter().map(change), Revision(number)) {
                Ok(next) => {
                    prop_assert!(!cyclic);
                    prop_assert_eq!(next.revision(), Revision(number));
                    (table, model) = (next, wanted);
                }
                Err(TableError::Cycle(on)) => {
                    // A change that closes a cycle of one is refused wherever it stands in the write.
                    let itself = steps.iter().any(|(of, what)| what.as_ref().is_some_and(|(_, up)| up.contains(of)));
                    prop_assert!(cyclic || itself);
                    prop_assert!(itself || naive_closure(&wanted, &on).contains(&on), "{} is on no cycle", on);
                }
                Err(error) => return Err(TestCaseError::fail(error.to_string())),
            }
            check(&table, &model);
            before.push((table.clone(), model.clone()));
        }
        for (table, model) in &before {
            check(table, model);
        }
        let rows = model.keys().map(|key| table.row(key).unwrap());
        check(&EntityTable::from_rows(rows, table.revision()).unwrap(), &model);
    }
}

#[test]
fn a_parent_need_not_exist() {
    let first = table(&[("doc", &["folder"]), ("leaf", &["doc"])]);
    assert_eq!((above(&first, "leaf"), first.len()), (vec!["doc".to_owned(), "folder".to_owned()], 2));
    assert!(first.entity(&uid(&key("folder"))).is_none());
    let made = first.upsert(row("folder", "{}", &["root"]), Revision(2)).unwrap();
    assert_eq!(above(&made, "leaf"), ["doc", "folder", "root"]);
    let gone = made.delete(key("folder"), Revision(3)).unwrap();
    assert_eq!(above(&gone, "leaf"), ["doc", "folder"]);
    assert_eq!(above(&made, "leaf"), ["doc", "folder", "root"], "the older table stays");
    assert_eq!(gone.delete(key("folder"), Revision(4)).unwrap().len(), 2, "a second removal changes nothing");
}

#[test]
fn only_the_outcome_must_be_without_cycles() {
    let first = table(&[("a", &["b"]), ("b", &[])]);
    let swapped = [Change::Put(row("b", "{}", &["a"])), Change::Put(row("a", "{}", &[]))];
    assert_eq!(above(&first.apply(swapped, Revision(2)).unwrap(), "b"), ["a"]);
    for (name, parents) in [("b", &["a"][..]), ("b", &["b"]), ("b", &["x", "a"])] {
        let refused = first.upsert(row(name, "{}", parents), Revision(2)).unwrap_err();
        assert!(matches!(refused, TableError::Cycle(_)), "{refused}");
    }
    // Through an entity that does not exist yet.
    let dangling = table(&[("a", &["ghost"]), ("b", &["a"])]);
    let refused = dangling.upsert(row("ghost", "{}", &["b"]), Revision(2)).unwrap_err();
    assert_eq!(refused.to_string(), "`App::Thing::\"a\"` would be its own ancestor");
    assert_eq!(above(&dangling, "b"), ["a", "ghost"]);
}

#[test]
fn there_are_bounds() {
    let many: Vec<String> = (0..10_001).map(|number| format!("p{number}")).collect();
    let parents: Vec<&str> = many.iter().map(String::as_str).collect();
    let most = &parents[..10_000];
    let empty = EntityTable::default();
    assert_eq!(above(&empty.upsert(row("e", "{}", most), Revision(1)).unwrap(), "e").len(), 10_000);
    let refused = empty.upsert(row("e", "{}", &parents), Revision(1)).unwrap_err();
    assert_eq!(refused, TableError::TooManyParents(key("e")));
    let full = empty.upsert(row("p0", "{}", &["root"]), Revision(1)).unwrap();
    assert_eq!(
        full.upsert(row("e", "{}", most), Revision(2)).unwrap_err(),
        TableError::TooManyAncestors(key("e"))
    );
    let mut nameless = row("e", "{}", &[]);
    nameless.key.entity_type = "no type".into();
    assert_eq!(empty.upsert(nameless.clone(), Revision(1)).unwrap_err(), TableError::NotAType(nameless.key));
}

#[test]
fn siblings_share_what_they_are_in() {
    let first = table(&[("a", &["f"]), ("b", &["f"]), ("f", &["root"])]);
    let lineage = |table: &EntityTable, name: &str| table.0.find(&key(name)).unwrap().1.lineage().clone();
    assert!(Arc::ptr_eq(&lineage(&first, "a"), &lineage(&first, "b")));
    let third = first.upsert(row("c", "{}", &["f"]), Revision(2)).unwrap();
    assert!(Arc::ptr_eq(&lineage(&third, "c"), &lineage(&third, "a")));
    let moved = third.upsert(row("f", "{}", &[]), Revision(3)).unwrap();
    assert!(Arc::ptr_eq(&lineage(&moved, "c"), &lineage(&moved, "a")));
    assert_eq!(
        (above(&moved, "c"), above(&third, "c")),
        (vec!["f".to_owned()], vec!["f".to_owned(), "root".to_owned()])
    );
}

#[test]
fn an_entity_is_made_once_a_row() {
    let first = table(&[("a", &["f"]), ("b", &[])]);
    let of = |table: &EntityTable, name: &str| table.entity(&uid(&key(name))).unwrap();
    let made = of(&first, "a");
    assert!(Arc::ptr_eq(&made, &of(&first, "a")));
    let other = first.upsert(row("b", "{}", &["f"]), Revision(2)).unwrap();
    assert!(Arc::ptr_eq(&made, &of(&other, "a")), "a write elsewhere costs nothing here");
    let moved = other.upsert(row("f", "{}", &["root"]), Revision(3)).unwrap();
    assert!(!Arc::ptr_eq(&made, &of(&moved, "a")));
    assert!(of(&moved, "a").as_ref().as_ref().is_descendant_of(uid(&key("root")).as_ref()));
    assert!(
        !of(&other, "a").as_ref().as_ref().is_descendant_of(uid(&key("root")).as_ref()),
        "the older table"
    );
}

#[test]
fn every_kind_of_value_comes_back() {
    let schema = r#"
        entity User; entity App in [App] = {
            b: Bool, n: Long, s: String, u: User, ip: ipaddr, d: decimal, at: datetime, span: duration,
            set: Set<Long>, users: Set<User>, empty: Set<String>, "a key": String,
            record: { inner: { deep: Set<{ x: Long }> }, maybe?: Long },
        } tags Set<ipaddr>;"#;
    let schema: cedar_policy::Schema = schema.parse().unwrap();
    let given = json!({
        "uid": {"type": "App", "id": "it's \u{1}\"odd\""},
        "attrs": {
            "b": true, "n": i64::MIN, "s": "t\u{e9}xt\n", "u": {"type": "User", "id": ""}, "ip": "10.0.0.0/8",
            "d": "1.5", "at": "2026-11-21T09:00:00Z", "span": "1h", "set": [3, 1, 2, 1], "users": [{"type": "User", "id": "a"}],
            "empty": [], "a key": "", "record": {"inner": {"deep": [{"x": 1}, {"x": i64::MAX}]}},
        },
        "parents": [{"type": "App", "id": "p"}],
        "tags": {"net": ["::1", "127.0.0.1"], "none": []},
    });
    let read = Entity::from_json_value(given, Some(&schema)).unwrap();
    let json = read.to_json_value().unwrap();
    let stored = EntityRow {
        key: EntityKey::from(&read.uid()),
        attrs: json["attrs"].to_string(),
        tags: json["tags"].to_string(),
        parents: vec![EntityKey::new("App", "p")],
        revision: Revision(1),
    };
    let table = EntityTable::from_rows([stored.clone()], Revision(1)).unwrap();
    let made = table.entity(&read.uid()).unwrap();
    assert!(made.as_ref().as_ref().deep_eq(read.as_ref()), "{made:?}\n{read:?}");
    assert_eq!(table.row(&stored.key).unwrap(), stored);
}

#[test]
fn what_cedar_does_not_write_is_no_entity() {
    for attrs in [
        "",
        "[]",
        "{\"a\":null}",
        "{\"a\":1.5}",
        "{\"a\":{\"__entity\":{\"id\":\"x\"}}}",
        "{\"a\":{\"__extn\":{\"fn\":\"ip\",\"arg\":\"no\"}}}",
        "{\"a\":{\"__extn\":{\"arg\":\"no\"}}}",
        "{\"a\":{\"__entity\":{\"id\":\"x\",\"type\":\"T\"},\"b\":1}}",
        "{} {}",
    ] {
        let damaged = EntityTable::from_rows([row("e", attrs, &[])], Revision(1)).unwrap();
        assert!(damaged.entity(&uid(&key("e"))).is_none(), "{attrs}");
    }
}
