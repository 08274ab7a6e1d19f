//! Other nodes follow what one node wrote.

use std::{sync::Arc, time::Duration};

use bailiwick::{
    base::Clock,
    bus::Bus,
    storage::{Run, StorageError},
    write_tx,
};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::{ADA, Node, app, key, object, two};
use crate::{both, support::TestDb};

/// Longer than the log is kept.
const LONG: Duration = Duration::from_mins(6);

/// Waits until a node has followed; the test would hang otherwise.
async fn reaches(node: &Node, revision: i64) {
    while node.revision() != revision {
        tokio::task::yield_now().await;
    }
}

async fn sql(node: &Node, statements: &[&'static str]) {
    write_tx!(node.db, "test.change", |tx| -> Result<(), StorageError> {
        for statement in statements {
            tx.sql(statement).run().await?;
        }
        Ok(())
    })
    .unwrap();
}

both! {
    async fn another_node_follows_by_the_log(backend: Backend) {
        let Some(test) = TestDb::new(backend).await else { return };
        let (one, two) = two(&test).await;
        one.place("User/ada", &["Team/a"]).await;
        one.place("Folder/x", &["Folder/y"]).await;
        two.entities.refresh().await.unwrap();
        let held = two.entities.table(&app()).unwrap();
        one.place("Folder/y", &["Folder/z"]).await;
        one.put("User/ada", json!({"attrs": {"age": 1}})).await.unwrap();
        one.put("User/ada", json!({"attrs": {"age": 2}})).await.unwrap();
        one.remove("Folder/x").await.unwrap();
        // Only the log tells: were the rows read whole, this one would be seen.
        sql(&two, &["INSERT INTO entities (store, type, id, attrs, tags, parents, revision) \
                     VALUES ('app', 'App::User', 'stowaway', '{}', '{}', '[]', 1)"]).await;
        two.entities.refresh().await.unwrap();
        assert_eq!((two.revision(), two.hot()), (6, one.hot()));
        assert_eq!((held.len(), held.revision().0), (2, 2), "who held the older table keeps it");
        // A node that starts reads everything, that row too.
        let late = Node::start(test.second().await).await;
        assert_eq!((late.revision(), late.hot().len()), (6, 3));
    }

    async fn a_log_that_is_too_short_means_everything(backend: Backend) {
        let Some(test) = TestDb::new(backend).await else { return };
        let (one, two) = two(&test).await;
        one.place("User/ada", &["Team/a"]).await;
        two.entities.refresh().await.unwrap();
        one.place("Folder/x", &["Folder/y"]).await;
        assert_eq!(one.entities.prune().await.unwrap(), 0, "the log is young");
        one.clock.advance(LONG);
        one.place("Folder/y", &["Folder/z"]).await;
        assert_eq!(one.entities.prune().await.unwrap(), 2);
        assert_eq!(one.rows("entity_changes").await, 1);
        sql(&two, &["INSERT INTO entities (store, type, id, attrs, tags, parents, revision) \
                     VALUES ('app', 'App::User', 'proof', '{}', '{}', '[]', 1)"]).await;
        two.entities.refresh().await.unwrap();
        assert_eq!((two.revision(), two.hot()), (3, two.stored().await));
        assert_eq!(two.hot().len(), 4, "all rows were read");
        assert_eq!(two.above("Folder/x"), ["y", "z"]);
    }

    async fn a_restart_finds_everything(backend: Backend) {
        let Some(test) = TestDb::new(backend).await else { return };
        let first = Node::start(test.db.clone()).await;
        first.place("Folder/a", &["Folder/b"]).await;
        first.place("Folder/b", &["Folder/c"]).await;
        first.remove("Folder/b").await.unwrap();
        let again = Node::start(test.second().await).await;
        assert_eq!((again.revision(), again.hot(), again.above("Folder/a")), (3, first.hot(), vec!["b".to_owned()]));
        assert_eq!(again.place("Folder/b", &["Folder/d"]).await.revision.0, 4);
        assert_eq!(again.above("Folder/a"), ["b", "d"]);
    }

    async fn an_outage_removes_nothing(backend: Backend) {
        let Some(test) = TestDb::new(backend).await else { return };
        let (one, two) = two(&test).await;
        one.place("User/ada", &["Team/a"]).await;
        two.entities.refresh().await.unwrap();
        two.db.close().await;
        assert!(two.entities.refresh().await.is_err());
        assert!(two.put("User/bob", json!({})).await.is_err());
        assert_eq!((two.revision(), two.above("User/ada")), (1, vec!["a".to_owned()]));
    }

    /// A database put back from an old backup is the truth again.
    async fn a_truth_that_went_back_is_followed(backend: Backend) {
        let Some(test) = TestDb::new(backend).await else { return };
        let (one, two) = two(&test).await;
        for name in ["User/a", "User/b", "User/c"] {
            one.place(name, &[]).await;
        }
        two.entities.refresh().await.unwrap();
        sql(&one, &[
            "DELETE FROM entities WHERE revision > 1",
            "DELETE FROM entity_changes WHERE revision > 1",
            "UPDATE entity_revisions SET revision = 1",
        ]).await;
        two.entities.refresh().await.unwrap();
        assert_eq!((two.revision(), two.hot().len()), (1, 1));
        assert_eq!(one.place("User/d", &[]).await.revision.0, 2, "a writer finds out too");
        assert_eq!(one.hot(), one.stored().await);
    }

    async fn writers_on_two_nodes_lose_nothing(backend: Backend) {
        let Some(test) = TestDb::new(backend).await else { return };
        let (one, two) = two(&test).await;
        let (one, two) = (&one, &two);
        let writer = |node: &'static str, on: &Node| {
            let entities = Arc::clone(&on.entities);
            async move {
                for number in 0..20 {
                    let parents = json!({"parents": [key(&format!("Folder/{node}{}", number + 1))]});
                    let name = key(&format!("Folder/{node}{number}"));
                    let none = bailiwick::base::IfMatch::Anything;
                    entities.put(&app(), name, &object(parents), &none, ADA).await.unwrap();
                }
            }
        };
        tokio::join!(writer("a", one), writer("b", one), writer("c", two), writer("d", two));
        one.entities.refresh().await.unwrap();
        two.entities.refresh().await.unwrap();
        assert_eq!((one.revision(), one.hot().len()), (80, 80));
        assert_eq!((one.hot(), two.hot()), (two.hot(), one.stored().await));
        assert_eq!(one.above("Folder/a0").len(), 20);
        assert_eq!(two.above("Folder/a0").len(), 20);
        let mut written: Vec<i64> = one.hot().iter().map(|row| row.revision.0).collect();
        written.sort_unstable();
        assert_eq!(written, (1..=80).collect::<Vec<_>>(), "each write has a revision of its own");
    }

    /// With a poll of an hour, only the message can have told the other node.
    async fn the_bus_tells_other_nodes(backend: Backend) {
        let Some(test) = TestDb::new(backend).await else { return };
        let (bus, hour) = (Bus::local(), Duration::from_hours(1));
        let one = Node::with(test.db.clone(), bus.clone(), hour).await;
        let two = Node::with(test.second().await, bus, hour).await;
        one.place("User/a", &[]).await;
        let shutdown = CancellationToken::new();
        let running = Arc::clone(&two.entities).run(shutdown.clone());
        let writing = async {
            reaches(&two, 1).await; // the first look, at once
            one.place("User/b", &["Team/t"]).await;
            reaches(&two, 2).await;
            one.remove("User/a").await.unwrap();
            reaches(&two, 3).await;
            shutdown.cancel();
        };
        tokio::join!(running, writing);
        assert_eq!(two.hot(), one.hot());
    }

    /// Nodes that cannot hear each other: the poll finds what was written.
    async fn the_poll_is_the_floor(backend: Backend) {
        let Some(test) = TestDb::new(backend).await else { return };
        let one = Node::start(test.db.clone()).await;
        let two = Node::with(test.second().await, Bus::local(), Duration::from_millis(20)).await;
        let shutdown = CancellationToken::new();
        let running = Arc::clone(&two.entities).run(shutdown.clone());
        let writing = async {
            for (revision, name) in (1..).zip(["User/a", "User/b", "User/c"]) {
                one.place(name, &[]).await;
                reaches(&two, revision).await;
            }
            // The loop prunes as well, by the clock of its node.
            two.clock.set(one.clock.now().plus(LONG));
            while one.rows("entity_changes").await > 0 {
                tokio::task::yield_now().await;
            }
            shutdown.cancel();
        };
        tokio::join!(running, writing);
    }
}
