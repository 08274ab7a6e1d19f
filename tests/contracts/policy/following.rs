//! Other nodes follow what one node switched.

use std::{sync::Arc, time::Duration};

use bailiwick::{base::Clock, bus::Bus, policy::Health};
use tokio_util::sync::CancellationToken;

use super::{Server, app, bundle, versions::put_files};
use crate::{both, support::TestDb};

both! {
    async fn another_node_follows(backend: Backend) {
        let Some(test) = TestDb::new(backend).await else { return };
        let (one, two) = (Server::start(test.db.clone(), 1), Server::start(test.second().await, 2));
        two.live.refresh().await.unwrap();
        assert!(two.live.snapshot(&app()).is_none());
        for (tag, number) in [("a", 1), ("b", 2)] {
            one.publish(&bundle(tag)).await.unwrap();
            one.activate(number, None).await.unwrap();
            two.live.refresh().await.unwrap();
            assert_eq!(two.answers_from(), number);
        }
        let held = two.live.snapshot(&app()).unwrap();
        one.roll_back(None).await.unwrap();
        two.live.refresh().await.unwrap();
        assert_eq!((two.answers_from(), held.version().0), (1, 2), "a request keeps the snapshot it began with");
    }

    /// A database put back from an old backup must not bring an old policy back to a running node.
    async fn a_node_never_goes_to_an_older_activation(backend: Backend) {
        let Some(test) = TestDb::new(backend).await else { return };
        let server = Server::start(test.db.clone(), 1);
        for (tag, number) in [("a", 1), ("b", 2)] {
            server.publish(&bundle(tag)).await.unwrap();
            server.activate(number, None).await.unwrap();
        }
        remove_last_activation(&server).await;
        server.live.refresh().await.unwrap();
        assert_eq!(server.answers_from(), 2);
    }

    async fn a_version_that_cannot_be_loaded_leaves_the_last_good_one(backend: Backend) {
        let Some(test) = TestDb::new(backend).await else { return };
        let (one, two) = (Server::start(test.db.clone(), 1), Server::start(test.second().await, 2));
        for tag in ["a", "b", "c"] {
            one.publish(&bundle(tag)).await.unwrap();
        }
        one.activate(1, None).await.unwrap();
        two.live.refresh().await.unwrap();
        one.activate(2, None).await.unwrap();
        put_files(&one, 2, &bundle("damaged")).await;
        two.live.refresh().await.unwrap();
        let status = two.service.status(&app()).await.unwrap();
        assert_eq!((two.answers_from(), status.health), (1, Health::Degraded));
        assert_eq!(status.findings.iter().next().unwrap().code, "damaged");
        put_files(&one, 2, &bundle("b")).await;
        two.live.refresh().await.unwrap();
        assert_eq!(two.answers_from(), 1, "it is not tried at every look");
        two.clock.advance(Duration::from_mins(1));
        two.live.refresh().await.unwrap();
        assert_eq!(two.answers_from(), 2);
        assert_eq!(two.service.status(&app()).await.unwrap().health, Health::Ok);
    }

    async fn an_outage_removes_nothing(backend: Backend) {
        let Some(test) = TestDb::new(backend).await else { return };
        let (one, two) = (Server::start(test.db.clone(), 1), Server::start(test.second().await, 2));
        one.publish(&bundle("a")).await.unwrap();
        one.activate(1, None).await.unwrap();
        two.live.refresh().await.unwrap();
        two.db.close().await;
        assert!(two.live.refresh().await.is_err());
        assert_eq!(two.answers_from(), 1);
    }

    async fn the_status_shows_every_node_that_lives(backend: Backend) {
        let Some(test) = TestDb::new(backend).await else { return };
        let (one, two) = (Server::start(test.db.clone(), 1), Server::start(test.second().await, 2));
        for tag in ["a", "b"] {
            one.publish(&bundle(tag)).await.unwrap();
        }
        one.activate(1, None).await.unwrap();
        two.live.refresh().await.unwrap();
        one.activate(2, None).await.unwrap();
        one.live.heartbeat().await.unwrap();
        two.live.heartbeat().await.unwrap();
        assert_eq!(nodes(&one).await, [("node-1".to_owned(), 2), ("node-2".to_owned(), 1)]);
        one.clock.advance(Duration::from_secs(61));
        one.live.heartbeat().await.unwrap();
        assert_eq!(nodes(&one).await, [("node-1".to_owned(), 2)]);
        assert_eq!(one.rows("nodes").await, 1);
        let status = one.service.status(&app()).await.unwrap();
        let active = status.active.unwrap();
        assert_eq!((active.number.0, active.semver.as_str(), active.by.seq), (2, "1.2.3", 2));
        assert_eq!(status.nodes[0].seen_at, one.clock.now());
        let stores = one.service.stores().await.unwrap();
        assert_eq!((stores.len(), stores[0].versions, stores[0].active.unwrap().0), (1, 2, 2));
    }

    /// The loop itself: what is active before it starts is live soon after, and it leaves when told.
    async fn the_loop_loads_and_leaves(backend: Backend) {
        let Some(test) = TestDb::new(backend).await else { return };
        let (one, two) = (Server::start(test.db.clone(), 1), Server::start(test.second().await, 2));
        one.publish(&bundle("a")).await.unwrap();
        one.activate(1, None).await.unwrap();
        let shutdown = CancellationToken::new();
        let running = Arc::clone(&two.live).run(shutdown.clone());
        let stopping = async {
            while nodes(&one).await.is_empty() {
                tokio::task::yield_now().await;
            }
            shutdown.cancel();
        };
        tokio::join!(running, stopping);
        assert_eq!((two.answers_from(), one.rows("nodes").await), (1, 0));
    }
}

both! {
    /// With a poll of an hour, only the message can have told the other node.
    async fn the_bus_tells_other_nodes(backend: Backend) {
        let Some(test) = TestDb::new(backend).await else { return };
        let (bus, poll) = (Bus::local(), Duration::from_hours(1));
        let one = Server::with_bus(test.db.clone(), 1, bus.clone(), poll);
        let two = Server::with_bus(test.second().await, 2, bus, poll);
        for tag in ["a", "b"] {
            one.publish(&bundle(tag)).await.unwrap();
        }
        one.activate(1, None).await.unwrap();
        let shutdown = CancellationToken::new();
        let running = Arc::clone(&two.live).run(shutdown.clone());
        let switching = async {
            answers(&two, 1).await;
            one.activate(2, None).await.unwrap();
            answers(&two, 2).await;
            shutdown.cancel();
        };
        tokio::join!(running, switching);
    }
}

async fn answers(server: &Server, number: i64) {
    while server.answers_from() != number {
        tokio::task::yield_now().await;
    }
}

async fn nodes(server: &Server) -> Vec<(String, i64)> {
    let status = server.service.status(&app()).await.unwrap();
    status.nodes.into_iter().map(|node| (node.name, node.number.0)).collect()
}

async fn remove_last_activation(server: &Server) {
    use bailiwick::{
        storage::{Run, StorageError},
        write_tx,
    };
    write_tx!(server.db, "test.restore", |tx| -> Result<u64, StorageError> {
        tx.sql("DELETE FROM policy_activations WHERE seq = 2").run().await
    })
    .unwrap();
}
