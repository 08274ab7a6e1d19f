//! All entities of a store at once, as a stream.

use std::fmt::Write;

use bailiwick::{
    entities::{EntityError, LoadForm, LoadPlace, Written},
    policy::Revision,
};
use serde_json::{Value, json};

use super::{ADA, Node, app, key, two};
use crate::{both, support::TestDb};

/// More than a write that is logged.
const VERY_MANY: usize = 20_001;

/// Sends a text in pieces that respect no line.
async fn load(node: &Node, form: LoadForm, text: &str) -> Result<Written, EntityError> {
    let load = node.entities.begin_load(&app(), form).await?;
    for piece in text.as_bytes().chunks(4_099) {
        if !load.send(piece.to_vec()).await {
            break;
        }
    }
    node.entities.finish_load(load, ADA).await
}

fn lines(entities: impl Iterator<Item = Value>) -> String {
    let mut text = String::new();
    entities.for_each(|entity| writeln!(text, "{entity}").unwrap());
    text
}

fn user(number: usize, age: usize) -> Value {
    json!({"uid": key(&format!("User/u{number}")), "attrs": {"age": age}, "parents": [key("Team/t")]})
}

both! {
    async fn a_load_replaces_everything(backend: Backend) {
        let Some(test) = TestDb::new(backend).await else { return };
        let (one, two) = two(&test).await;
        one.put("User/old", json!({})).await.unwrap();
        let written = load(&one, LoadForm::Lines, &lines((0..300).map(|number| user(number, number)))).await.unwrap();
        assert_eq!((written.revision, written.put, written.removed), (Revision(2), 300, 1));
        assert_eq!((one.hot().len(), one.hot()), (300, one.stored().await));
        // The same again, as an array, with one other and one less: only that is written.
        let array = Value::Array((0..299).map(|number| user(number, if number == 7 { 1_000 } else { number })).collect());
        let written = load(&one, LoadForm::Array, &array.to_string()).await.unwrap();
        assert_eq!((written.revision, written.put, written.removed), (Revision(3), 1, 1));
        let changed: Vec<_> = one.hot().into_iter().filter(|row| row.revision == Revision(3)).map(|row| row.key).collect();
        assert_eq!(changed, [key("User/u7")]);
        let written = load(&one, LoadForm::Array, &array.to_string()).await.unwrap();
        assert_eq!((written.revision, written.put), (Revision(3), 0), "what is alike is no write");
        two.entities.refresh().await.unwrap();
        assert_eq!((two.hot(), two.revision()), (one.hot(), 3));
        let none = load(&two, LoadForm::Lines, "\n \r\n").await.unwrap();
        assert_eq!((none.revision, none.removed, two.stored().await.len()), (Revision(4), 299, 0));
        assert_eq!(load(&one, LoadForm::Array, " [ ] ").await.unwrap().revision, Revision(4));
    }

    async fn a_wrong_entity_stops_everything(backend: Backend) {
        let Some(test) = TestDb::new(backend).await else { return };
        let node = Node::start(test.db.clone()).await;
        node.put("User/old", json!({})).await.unwrap();
        let good = lines((0..40).map(|number| user(number, 1)));
        let element = |number, text: &str| Err::<(), _>((Some(LoadPlace::Element(number)), text.to_owned()));
        let line = |number, text: &str| Err::<(), _>((Some(LoadPlace::Line(number)), text.to_owned()));
        let whole = |text: &str| Err::<(), _>((None, text.to_owned()));
        for (form, text, wanted) in [
            (LoadForm::Lines, format!("{good}{}\n", json!({"uid": key("User/x"), "attrs": {"age": ""}})), line(41, "age")),
            (LoadForm::Lines, format!("\n{good}{{\"uid\":\n"), line(42, "EOF")),
            (LoadForm::Lines, format!("{good}{}", user(3, 1)), line(41, "given twice")),
            (LoadForm::Lines, format!("{good}{}", json!({"uid": key("Folder/f"), "parents": [key("Folder/f")]})), line(41, "own ancestor")),
            (LoadForm::Lines, format!("{good}\"{}", "x".repeat(1 << 20)), line(41, "at most 1048576 bytes")),
            (LoadForm::Lines, format!("{}\n{}\n", json!({"uid": key("Folder/a"), "parents": [key("Folder/b")]}),
                json!({"uid": key("Folder/b"), "parents": [key("Folder/a")]})), whole("own ancestor")),
            (LoadForm::Array, format!("[{},{}]", user(1, 1), json!({"uid": 1})), element(1, "an entity is")),
            (LoadForm::Array, format!("[{},{}]", user(1, 1), user(1, 1)), element(1, "given twice")),
            (LoadForm::Array, format!("[{}", user(1, 1)), whole("EOF")),
            (LoadForm::Array, "[] []".to_owned(), whole("trailing")),
            (LoadForm::Array, "{}".to_owned(), whole("an array of entities")),
            (LoadForm::Array, format!("[{}", "[".repeat(100_000)), whole("recursion limit")),
        ] {
            let (place, error) = match load(&node, form, &text).await.unwrap_err() {
                EntityError::At { place, source } => (Some(place), source.to_string()),
                error => (None, error.to_string()),
            };
            let Err((at, says)) = wanted else { unreachable!() };
            assert!(place == at && error.contains(&says), "{place:?} {error}, not {at:?} {says}");
        }
        let broken_off = node.entities.begin_load(&app(), LoadForm::Lines).await.unwrap();
        assert!(broken_off.send(good.into_bytes()).await);
        drop(broken_off);
        assert_eq!((node.revision(), node.hot().len(), node.stored().await), (1, 1, node.hot()));
    }

    /// A load that no log holds: other nodes read everything, and writers meanwhile lose nothing.
    async fn very_many_are_loaded_at_once(backend: Backend) {
        let Some(test) = TestDb::new(backend).await else { return };
        let (one, two) = two(&test).await;
        one.put("User/old", json!({})).await.unwrap();
        two.entities.refresh().await.unwrap();
        let under_way = one.entities.begin_load(&app(), LoadForm::Lines).await.unwrap();
        // The revision that the load began with is over when it ends.
        two.put("User/meanwhile", json!({})).await.unwrap();
        for number in 0..VERY_MANY {
            assert!(under_way.send(format!("{}\n", user(number, 1)).into_bytes()).await);
        }
        let written = one.entities.finish_load(under_way, ADA).await.unwrap();
        assert_eq!((written.revision, written.put, written.removed), (Revision(3), VERY_MANY, 2));
        assert!(one.hot().iter().all(|row| row.revision == Revision(3)));
        assert_eq!((one.rows("entity_changes").await, one.rows("entities").await), (0, i64::try_from(VERY_MANY).unwrap()));
        two.entities.refresh().await.unwrap();
        assert_eq!(two.hot(), one.hot());
        assert_eq!(two.above("User/u20000"), ["t"]);
    }
}
