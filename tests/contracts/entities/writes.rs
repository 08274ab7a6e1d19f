//! One write after the other, and batches.

use bailiwick::{
    audit,
    base::{IfMatch, Limit, TenantId},
    entities::{BatchItem, EntityError, EntityFilter, LoadPlace},
    policy::{EntityKey, QueryProblemKind, Revision, TableError},
};
use serde_json::{Value, json, value::to_raw_value};

use super::{ADA, Node, app, key, object, revisions, two};
use crate::{both, support::TestDb};

fn put(entity: Value) -> BatchItem {
    BatchItem::Put(to_raw_value(&entity).unwrap())
}

fn user(id: &str, attrs: Value) -> BatchItem {
    put(json!({"uid": {"type": "App::User", "id": id}, "attrs": attrs}))
}

async fn actions(node: &Node) -> Vec<(String, String, Value)> {
    let records = audit::list(&mut &node.db, TenantId::DEFAULT, Limit::new(200).unwrap()).await.unwrap();
    let ours = records.into_iter().filter(|record| record.action.starts_with("entit"));
    let mut ours: Vec<_> = ours.map(|it| (it.id, it.action, it.subject, it.detail)).collect();
    ours.sort_by_key(|record| (record.1.clone(), record.0)); // of one millisecond: in no order
    ours.into_iter()
        .map(|(_, action, subject, detail)| (action, subject, serde_json::from_str(&detail).unwrap()))
        .collect()
}

both! {
    async fn entities_are_written_read_and_removed(backend: Backend) {
        let Some(test) = TestDb::new(backend).await else { return };
        let node = Node::start(test.db.clone()).await;
        assert!(node.entities.table(&app()).is_none());
        let attrs = json!({"name": "Ada \u{1f50d} \"x\"", "age": 36, "boss": {"type": "App::User", "id": ""}, "nets": ["10.0.0.0/8"]});
        let written = node.put("User/ada", json!({"attrs": attrs, "tags": {"k": "v"}, "parents": [key("Team/t"), key("Team/t")]})).await.unwrap();
        assert_eq!((written.revision, written.created, written.put, written.removed), (Revision(1), true, 1, 0));
        let row = node.entities.get(&app(), key("User/ada")).await.unwrap();
        assert_eq!(written.entity.unwrap(), row);
        assert_eq!((row.revision, row.parents.as_slice()), (Revision(1), &[key("Team/t")][..]));
        let stored: Value = serde_json::from_str(&row.attrs).unwrap();
        assert_eq!(stored["boss"], json!({"__entity": {"type": "App::User", "id": ""}}));
        assert_eq!(stored["nets"], json!([{"__extn": {"fn": "ip", "arg": "10.0.0.0/8"}}]));
        assert_eq!(node.hot(), [row]);
        let again = node.put("User/ada", json!({})).await.unwrap();
        assert_eq!((again.revision, again.created), (Revision(2), false));
        let row = again.entity.unwrap();
        assert_eq!((row.attrs.as_str(), row.tags.as_str(), row.parents.len()), ("{}", "{}", 0));
        let gone = node.remove("User/ada").await.unwrap();
        assert_eq!((gone.revision, gone.removed, gone.entity), (Revision(3), 1, None));
        assert!(matches!(node.entities.get(&app(), key("User/ada")).await, Err(EntityError::NotFound(_))));
        assert!(matches!(node.remove("User/ada").await, Err(EntityError::NotFound(_))));
        assert!(node.hot().is_empty() && node.stored().await.is_empty());
        assert_eq!(node.revision(), 3);
        let (put, delete) = ("entity_put".to_owned(), "entity_deleted".to_owned());
        let subject = "App::User::\"ada\"".to_owned();
        let detail = json!({"store": "app"});
        assert_eq!(actions(&node).await, [delete, put.clone(), put].map(|it| (it, subject.clone(), detail.clone())));
    }

    async fn ids_are_any_text(backend: Backend) {
        let Some(test) = TestDb::new(backend).await else { return };
        let node = Node::start(test.db.clone()).await;
        let odd = ["", "A", "a", "a/b", "%2F", "\u{1}\n", "\"\\'", "é", "e\u{301}", " x ", "null", &*"y".repeat(1_024)];
        for id in odd {
            let id = EntityKey::new("App::User", id);
            let members = object(json!({"attrs": {"name": "x"}}));
            node.entities.put(&app(), id.clone(), &members, &IfMatch::Anything, ADA).await.unwrap();
            assert_eq!(node.entities.get(&app(), id.clone()).await.unwrap().key, id);
        }
        assert_eq!(node.hot().len(), odd.len());
        assert_eq!(node.hot(), node.stored().await);
        for id in ["\0".to_owned(), "y".repeat(1_025)] {
            let key = EntityKey::new("App::User", id);
            let refused = node.entities.put(&app(), key.clone(), &object(json!({})), &IfMatch::Anything, ADA).await;
            assert!(matches!(refused, Err(EntityError::Invalid(_))), "{refused:?}");
            assert!(matches!(node.entities.get(&app(), key.clone()).await, Err(EntityError::NotFound(_))));
            assert!(matches!(node.entities.delete(&app(), key, &IfMatch::Anything, ADA).await, Err(EntityError::NotFound(_))));
        }
    }

    async fn what_does_not_fit_is_refused_at_its_place(backend: Backend) {
        let Some(test) = TestDb::new(backend).await else { return };
        let node = Node::start(test.db.clone()).await;
        let folder = json!({"type": "App::Folder", "id": "f"});
        for (name, members, pointer) in [
            ("User/u", json!({"attrs": {"age": "old"}}), "/attrs/age"),
            ("User/u", json!({"attrs": {"shoe": 1}}), "/attrs/shoe"),
            ("User/u", json!({"attrs": {"boss": {"type": "App::Team", "id": "t"}}}), "/attrs/boss"),
            ("User/u", json!({"attrs": {"nets": ["1.2.3"]}}), "/attrs/nets"),
            ("User/u", json!({"attrs": {"name": null}}), "/attrs/name"),
            ("User/u", json!({"attrs": {"name": "a\u{0}"}}), "/attrs/name"),
            ("User/u", json!({"tags": {"k": 1}}), "/tags/k"),
            ("User/u", json!({"parents": [key("Team/t"), folder]}), "/parents/1"),
            ("User/u", json!({"parents": [{"type": "App::Team"}]}), "/parents/0/id"),
            ("User/u", json!({"parents": {}}), "/parents"),
            ("User/u", json!({"attrs": []}), "/attrs"),
            ("User/u", json!({"more": 1}), "/more"),
            ("User/u", json!({"uid": key("User/u")}), "/uid"),
            ("Document/d", json!({}), "/attrs/owner"),
            ("Document/d", json!({"attrs": {"owner": key("User/a"), "meta": {"pages": 1}}}), "/attrs/meta"),
            ("Team/t", json!({"tags": {"k": "v"}}), "/tags/k"),
            ("Nothing/x", json!({}), "/uid/type"),
            ("Action/view", json!({}), "/uid"),
            ("Colour/blue", json!({}), "/uid/id"),
        ] {
            let Err(EntityError::Invalid(problem)) = node.put(name, members.clone()).await else { panic!("{name} {members}") };
            assert_eq!(problem.pointer, pointer, "{name} {members}: {}", problem.message);
            let unknown = problem.kind == QueryProblemKind::UnknownType;
            assert_eq!(unknown, name.starts_with("Nothing"), "{name} {members}");
        }
        node.put("Colour/red", json!({})).await.unwrap();
        assert_eq!((node.revision(), node.rows("entities").await, actions(&node).await.len()), (1, 1, 1));
        let nowhere = "nowhere".parse().unwrap();
        let lost = node.entities.put(&nowhere, key("User/u"), &object(json!({})), &IfMatch::Anything, ADA).await;
        assert!(matches!(lost, Err(EntityError::UnknownStore(_))));
        assert!(matches!(node.entities.get(&nowhere, key("User/u")).await, Err(EntityError::UnknownStore(_))));
    }

    async fn a_patch_changes_what_it_names(backend: Backend) {
        let Some(test) = TestDb::new(backend).await else { return };
        let node = Node::start(test.db.clone()).await;
        let owner = json!({"type": "App::User", "id": "ada"});
        let first = json!({"attrs": {"owner": owner, "size": 1, "meta": {"title": "t", "pages": 3}}, "parents": [key("Folder/f")]});
        node.put("Document/d", first).await.unwrap();
        let patch = json!({"attrs": {"owner": {"type": "App::User", "id": "bob"}, "size": null, "meta": {"pages": null}}});
        let patch = node.entities.patch(&app(), key("Document/d"), &object(patch), &IfMatch::Exists, ADA).await.unwrap();
        let row = patch.entity.unwrap();
        let attrs: Value = serde_json::from_str(&row.attrs).unwrap();
        assert_eq!(attrs, json!({"owner": {"__entity": {"type": "App::User", "id": "bob"}}, "meta": {"title": "t"}}));
        assert_eq!((patch.revision, row.parents.as_slice()), (Revision(2), &[key("Folder/f")][..]));
        let moved = json!({"parents": [key("Folder/g")]});
        node.entities.patch(&app(), key("Document/d"), &object(moved), &IfMatch::Anything, ADA).await.unwrap();
        assert_eq!(node.above("Document/d"), ["g"]);
        for (patch, pointer) in [(json!({"attrs": {"owner": null}}), "/attrs/owner"), (json!({"attrs": null}), "/attrs/owner"), (json!({"x": 1}), "/x")] {
            let refused = node.entities.patch(&app(), key("Document/d"), &object(patch.clone()), &IfMatch::Anything, ADA).await;
            let Err(EntityError::Invalid(problem)) = refused else { panic!("{patch}: {refused:?}") };
            assert_eq!(problem.pointer, pointer);
        }
        let nobody = node.entities.patch(&app(), key("Document/x"), &object(json!({})), &IfMatch::Anything, ADA).await;
        assert!(matches!(nobody, Err(EntityError::NotFound(_))));
        assert_eq!(node.hot(), node.stored().await);
    }

    async fn a_write_may_expect_a_revision(backend: Backend) {
        let Some(test) = TestDb::new(backend).await else { return };
        let (node, other) = two(&test).await;
        node.put("User/ada", json!({})).await.unwrap();
        node.put("User/bob", json!({})).await.unwrap();
        let empty = object(json!({}));
        let changed = |written: Result<_, EntityError>| match written {
            Err(EntityError::Changed { revision }) => revision.map(|it| it.0),
            other => panic!("{other:?}"),
        };
        // The other node has heard of nothing and must still judge by the truth.
        assert_eq!(changed(other.entities.put(&app(), key("User/ada"), &empty, &revisions(&[2]), ADA).await), Some(1));
        assert_eq!(changed(other.entities.patch(&app(), key("User/x"), &empty, &IfMatch::Exists, ADA).await), None);
        assert_eq!(changed(other.entities.delete(&app(), key("User/bob"), &revisions(&[]), ADA).await), Some(2));
        let put = other.entities.put(&app(), key("User/ada"), &empty, &revisions(&[7, 1]), ADA).await.unwrap();
        assert_eq!(put.revision, Revision(3));
        assert_eq!(changed(node.entities.delete(&app(), key("User/ada"), &revisions(&[1]), ADA).await), Some(3));
        assert_eq!(node.entities.delete(&app(), key("User/ada"), &revisions(&[3]), ADA).await.unwrap().revision, Revision(4));
        assert_eq!((node.hot(), node.revision()), (node.stored().await, 4));
    }

    async fn a_batch_is_all_or_nothing(backend: Backend) {
        let Some(test) = TestDb::new(backend).await else { return };
        let node = Node::start(test.db.clone()).await;
        node.put("User/old", json!({})).await.unwrap();
        let mut items: Vec<_> = (0..1_200).map(|number| user(&format!("u{number}"), json!({"age": number}))).collect();
        items.extend([BatchItem::Remove(key("User/old")), BatchItem::Remove(key("User/nobody"))]);
        let written = node.entities.batch(&app(), items, ADA).await.unwrap();
        assert_eq!((written.revision, written.put, written.removed), (Revision(2), 1_200, 1));
        assert_eq!((node.hot().len(), node.hot()), (1_200, node.stored().await));
        let before = node.hot();
        let folder = |id: &str, parent: &str| put(json!({"uid": key(&format!("Folder/{id}")), "parents": [key(&format!("Folder/{parent}"))]}));
        for (items, place, wanted) in [
            (vec![user("a", json!({})), user("b", json!({"age": "x"}))], 1, "age"),
            (vec![user("a", json!({})), user("b", json!({})), user("a", json!({}))], 2, "given twice"),
            (vec![user("a", json!({})), BatchItem::Remove(key("User/a"))], 1, "given twice"),
            (vec![user("a", json!({})), folder("a", "b"), folder("b", "a")], 1, "its own ancestor"),
            (vec![user("a", json!({})), put(json!([]))], 1, "an entity must be an object"),
        ] {
            let refused = node.entities.batch(&app(), items, ADA).await;
            let Err(EntityError::At { place: LoadPlace::Element(at), source }) = refused else { panic!("{wanted}: {refused:?}") };
            assert!(at == place && source.to_string().contains(wanted), "{at} {source}");
        }
        assert_eq!((node.hot(), node.stored().await, node.revision()), (before.clone(), before, 2));
        let nothing = node.entities.batch(&app(), vec![BatchItem::Remove(key("User/nobody"))], ADA).await.unwrap();
        assert_eq!((nothing.revision, nothing.removed), (Revision(2), 0));
        let records = actions(&node).await;
        assert_eq!(records.len(), 2, "one record a write");
        assert_eq!(records[0], ("entities_written".to_owned(), "app".to_owned(), json!({"put": 1_200, "deleted": 1})));
    }

    async fn the_hierarchy_has_no_cycle(backend: Backend) {
        let Some(test) = TestDb::new(backend).await else { return };
        let (node, other) = two(&test).await;
        node.place("Folder/a", &["Folder/b"]).await;
        other.place("Folder/b", &["Folder/c"]).await;
        let closing = json!({"parents": [key("Folder/a")]});
        let refused = node.put("Folder/c", closing).await;
        assert!(matches!(refused, Err(EntityError::Refused(TableError::Cycle(_)))), "{refused:?}");
        assert_eq!((node.above("Folder/a"), node.rows("entities").await), (vec!["b".to_owned(), "c".to_owned()], 2));
    }

    async fn entities_are_listed_in_pages(backend: Backend) {
        let Some(test) = TestDb::new(backend).await else { return };
        let node = Node::start(test.db.clone()).await;
        let mut items = Vec::new();
        for number in 0..25 {
            let parent = if number % 2 == 0 { "even" } else { "odd" };
            items.push(put(json!({"uid": key(&format!("User/u{number:02}")), "parents": [key(&format!("Team/{parent}"))]})));
            items.push(put(json!({"uid": key(&format!("Team/t{number:02}"))})));
        }
        items.push(put(json!({"uid": key("Team/")})));
        node.entities.batch(&app(), items, ADA).await.unwrap();
        let named = |kind: &str, parent: &str| EntityFilter {
            entity_type: (!kind.is_empty()).then(|| kind.to_owned()),
            parent: (!parent.is_empty()).then(|| EntityKey::new("App::Team", parent)),
        };
        for (kind, parent, count) in [("", "", 51_usize), ("App::User", "", 25), ("App::Team", "", 26), ("", "even", 13), ("App::User", "odd", 12),
            ("App::Team", "odd", 0), ("App::Folder", "", 0), ("no type", "", 0), ("\0", "", 0), ("", "nobody", 0)] {
            let (mut seen, mut cursor, mut pages) = (Vec::new(), None, 0);
            loop {
                let page = node.entities.list(&app(), named(kind, parent), Limit::new(7).unwrap(), cursor.as_ref()).await.unwrap();
                assert!(page.data.len() <= 7);
                seen.extend(page.data.into_iter().map(|row| row.key));
                (cursor, pages) = (page.next, pages + 1);
                if cursor.is_none() {
                    break;
                }
            }
            assert!(seen.is_sorted(), "{kind} {parent}: {seen:?}");
            seen.dedup();
            assert_eq!((seen.len(), pages), (count, count.div_ceil(7).max(1)), "{kind:?} {parent}");
        }
        let cursor = bailiwick::base::Cursor::after("not ours");
        let refused = node.entities.list(&app(), EntityFilter::default(), Limit::default(), Some(&cursor)).await;
        assert!(matches!(refused, Err(EntityError::Cursor(_))));
    }
}
