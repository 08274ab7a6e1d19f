//! Publish, list, show, activate, roll back.

use std::collections::BTreeSet;

use bailiwick::{
    base::Limit,
    policy::{Bundle, PolicyServiceError, StoreName, VersionNumber, VersionState, shipped},
};
use futures_util::future::join_all;

use super::{Server, app, broken, bundle};
use crate::{both, support::TestDb};

both! {
    async fn the_same_content_is_one_version(backend: Backend) {
        let Some(test) = TestDb::new(backend).await else { return };
        let server = Server::start(test.db.clone(), 1);
        let first = server.publish(&bundle("a")).await.unwrap();
        assert!(first.created && first.number == VersionNumber(1));
        let again = server.publish(&bundle("a")).await.unwrap();
        assert!(!again.created && again.number == first.number && again.digest == first.digest);
        assert_eq!(again.test_report.get(), first.test_report.get());
        assert_eq!(server.publish(&bundle("b")).await.unwrap().number, VersionNumber(2));
        assert_eq!(server.rows("policy_versions").await, 2);
        assert_eq!(server.rows("audit_log").await, 2, "what changes nothing is not audited");
    }

    async fn a_refused_bundle_stores_nothing(backend: Backend) {
        let Some(test) = TestDb::new(backend).await else { return };
        let server = Server::start(test.db.clone(), 1);
        let Err(PolicyServiceError::Refused(findings)) = server.publish(&broken()).await else {
            panic!("a broken bundle was taken")
        };
        let finding = findings.iter().next().unwrap();
        assert_eq!(finding.file, "view.cedar");
        assert!(findings.any_error() && finding.line.is_some());
        assert_eq!(server.rows("policy_versions").await + server.rows("audit_log").await, 0);
        assert!(matches!(server.service.status(&app()).await, Err(PolicyServiceError::UnknownStore(_))));
    }

    /// Two nodes, the same and different bundles at once: numbers without gap, one row a content.
    async fn parallel_publishes_number_without_gaps(backend: Backend) {
        let Some(test) = TestDb::new(backend).await else { return };
        let nodes = [Server::start(test.db.clone(), 1), Server::start(test.second().await, 2)];
        let bundles: Vec<_> = (0..16).map(|n| bundle(&format!("{}", n / 2))).collect();
        let calls = bundles.iter().enumerate().map(|(n, bundle)| nodes[n % 2].publish(bundle));
        let done: Vec<_> = join_all(calls).await.into_iter().map(Result::unwrap).collect();
        let numbers: BTreeSet<i64> = done.iter().map(|published| published.number.0).collect();
        assert_eq!(numbers, (1..=8).collect());
        assert_eq!(done.iter().filter(|published| published.created).count(), 8);
        for pair in done.chunks(2) {
            assert_eq!(pair[0].number, pair[1].number);
        }
        assert_eq!(nodes[0].rows("policy_versions").await, 8);
    }

    async fn the_list_pages_newest_first_with_states(backend: Backend) {
        let Some(test) = TestDb::new(backend).await else { return };
        let server = Server::start(test.db.clone(), 1);
        for tag in ["a", "b", "c"] {
            server.publish(&bundle(tag)).await.unwrap();
        }
        server.activate(1, None).await.unwrap();
        server.activate(2, Some(1)).await.unwrap();
        let page = server.service.list(&app(), Limit::new(2).unwrap(), None).await.unwrap();
        let rest = server.service.list(&app(), Limit::default(), page.next).await.unwrap();
        let listed: Vec<_> = page.data.iter().chain(&rest.data).map(|v| (v.number.0, v.state)).collect();
        assert_eq!(listed, [(3, VersionState::Tested), (2, VersionState::Active), (1, VersionState::Retired)]);
        assert!(rest.next.is_none());
        let active = &page.data[1];
        assert_eq!((active.semver.as_str(), active.provenance.author.as_str()), ("1.2.3", "ada"));
        assert_eq!(active.activated.as_ref().map(|by| (by.seq, by.reason.as_str())), Some((2, "because")));
        server.publish(&bundle("d")).await.unwrap();
        let detail = server.service.show(&app(), VersionNumber(4)).await.unwrap();
        assert_eq!(detail.summary.parent, Some(VersionNumber(2)), "the parent is what was active");
        assert_eq!(detail.bundle.digest(), bundle("d").digest());
    }

    async fn what_does_not_exist_is_said(backend: Backend) {
        let Some(test) = TestDb::new(backend).await else { return };
        let server = Server::start(test.db.clone(), 1);
        let listed = server.service.list(&app(), Limit::default(), None).await;
        assert!(matches!(listed, Err(PolicyServiceError::UnknownStore(_))));
        server.publish(&bundle("a")).await.unwrap();
        assert!(matches!(server.activate(2, None).await, Err(PolicyServiceError::UnknownVersion { .. })));
        let shown = server.service.show(&app(), VersionNumber(2)).await;
        assert!(matches!(shown, Err(PolicyServiceError::UnknownVersion { .. })));
        let cursor = bailiwick::base::Cursor::after("x");
        let listed = server.service.list(&app(), Limit::default(), Some(cursor)).await;
        assert!(matches!(listed, Err(PolicyServiceError::Cursor(_))));
    }

    async fn of_parallel_activations_one_wins(backend: Backend) {
        let Some(test) = TestDb::new(backend).await else { return };
        let nodes = [Server::start(test.db.clone(), 1), Server::start(test.second().await, 2)];
        for tag in ["a", "b", "c"] {
            nodes[0].publish(&bundle(tag)).await.unwrap();
        }
        nodes[0].activate(1, None).await.unwrap();
        let calls = (0..16_u8).map(|n| nodes[usize::from(n % 2)].activate(2 + i64::from(n / 8), Some(1)));
        let done = join_all(calls).await;
        let won: Vec<_> = done.iter().flatten().collect();
        assert_eq!(won.len(), 1, "{done:?}");
        assert!(won[0].changed && won[0].by.seq == 2);
        for lost in done.iter().filter_map(|done| done.as_ref().err()) {
            assert!(matches!(lost, PolicyServiceError::Conflict { active } if *active == Some(won[0].number)), "{lost}");
        }
        assert_eq!(nodes[0].rows("policy_activations").await, 2);
    }

    async fn activating_what_is_active_changes_nothing(backend: Backend) {
        let Some(test) = TestDb::new(backend).await else { return };
        let server = Server::start(test.db.clone(), 1);
        server.publish(&bundle("a")).await.unwrap();
        let first = server.activate(1, None).await.unwrap();
        assert!(first.changed && first.from.is_none());
        assert_eq!(server.answers_from(), 1, "the node that switched answers from it at once");
        let again = server.activate(1, Some(1)).await.unwrap();
        assert!(!again.changed && again.by == first.by);
        assert_eq!(server.rows("policy_activations").await, 1);
    }

    /// Without a target the last switch is undone; twice ends where it began.
    async fn a_roll_back_undoes_the_last_switch(backend: Backend) {
        let Some(test) = TestDb::new(backend).await else { return };
        let server = Server::start(test.db.clone(), 1);
        assert!(matches!(server.roll_back(None).await, Err(PolicyServiceError::UnknownStore(_))));
        for (tag, number) in [("a", 1), ("b", 2), ("c", 3)] {
            server.publish(&bundle(tag)).await.unwrap();
            server.activate(number, None).await.unwrap();
            if number == 1 {
                assert!(matches!(server.roll_back(None).await, Err(PolicyServiceError::NothingBefore(_))));
            }
        }
        let back = server.roll_back(None).await.unwrap();
        assert_eq!((back.number.0, back.from, back.by.reason.as_str()), (2, Some(VersionNumber(3)), "it broke"));
        assert_eq!(server.answers_from(), 2);
        assert_eq!(server.roll_back(None).await.unwrap().number, VersionNumber(3));
        assert_eq!(server.roll_back(Some(1)).await.unwrap().number, VersionNumber(1));
        assert_eq!(server.answers_from(), 1);
    }

    async fn a_version_that_cannot_be_loaded_is_not_activated(backend: Backend) {
        let Some(test) = TestDb::new(backend).await else { return };
        let publisher = Server::start(test.db.clone(), 1);
        for tag in ["a", "b"] {
            publisher.publish(&bundle(tag)).await.unwrap();
        }
        publisher.activate(1, None).await.unwrap();
        put_files(&publisher, 2, &bundle("damaged")).await;
        let other = Server::start(test.second().await, 2); // remembers no snapshot
        assert!(matches!(other.activate(2, None).await, Err(PolicyServiceError::Refused(_))));
        assert_eq!(other.rows("policy_activations").await, 1);
    }

    async fn the_shipped_system_store_comes_back(backend: Backend) {
        let Some(test) = TestDb::new(backend).await else { return };
        let server = Server::start(test.db.clone(), 1);
        let system = StoreName::system();
        server.service.first_start(std::path::Path::new("no such folder")).await.unwrap();
        let edited = Server::start(test.second().await, 2);
        edited.service.put_live(&system, &bundle("lockout"), "mallory", "oops").await.unwrap();
        let restored = server.service.restore_system("host").await.unwrap();
        assert_eq!(restored.number, VersionNumber(1));
        let snapshot = server.live.snapshot(&system).unwrap();
        assert_eq!(snapshot.digest(), shipped(&system).unwrap().digest());
    }
}

/// Puts other files under a version, as nothing but a failing disk or an intruder would.
pub(super) async fn put_files(server: &Server, number: i64, bundle: &Bundle) {
    use bailiwick::{
        storage::{Run, StorageError},
        write_tx,
    };
    let wrong = bundle.encode().unwrap();
    write_tx!(server.db, "test.damage", |tx| -> Result<u64, StorageError> {
        tx.sql("UPDATE policy_versions SET bundle = $1 WHERE number = $2")
            .bind(&wrong[..])
            .bind(number)
            .run()
            .await
    })
    .unwrap();
}
