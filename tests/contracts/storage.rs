//! The database layer itself.

use std::sync::Arc;

use bailiwick::{
    storage::{Db, Fault, Pending, StorageError},
    write_tx,
};

use crate::{both, support::TestDb};

async fn bump(db: &Db) -> Result<i64, StorageError> {
    write_tx!(db, "test.bump", |tx| -> Result<i64, StorageError> {
        use bailiwick::storage::Run;
        let epoch: i64 = tx.sql("SELECT token_epoch FROM tenants").scalar().await?;
        tx.sql("UPDATE tenants SET token_epoch = $1").bind(epoch + 1).run().await?;
        Ok(epoch + 1)
    })
}

both! {
    /// Code that reads, then writes, is right on both: serializable, and tried again on a conflict.
    async fn read_then_write_loses_nothing(backend: Backend) {
        let Some(test) = TestDb::new(backend).await else { return };
        let db = Arc::new(test.db.clone());
        let tasks: Vec<_> = (0..16)
            .map(|_| {
                let db = Arc::clone(&db);
                async move { bump(&db).await }
            })
            .collect();
        let done = futures_util::future::join_all(tasks).await;
        let succeeded = i64::try_from(done.iter().filter(|bumped| bumped.is_ok()).count()).unwrap();
        let epoch: i64 = test.db.sql("SELECT token_epoch FROM tenants").scalar().await.unwrap();
        assert_eq!(epoch, succeeded, "an acknowledged write was lost");
        assert!(succeeded > 0);
        assert!(done.iter().flatten().collect::<std::collections::BTreeSet<_>>().len() == done.iter().flatten().count());
    }

    async fn a_failed_block_leaves_nothing(backend: Backend) {
        let Some(test) = TestDb::new(backend).await else { return };
        let failed = write_tx!(test.db, "test.fail", |tx| -> Result<(), StorageError> {
            use bailiwick::storage::Run;
            tx.sql("UPDATE tenants SET token_epoch = $1").bind(99_i64).run().await?;
            tx.sql("INSERT INTO tenants (id, name, status, created_at_ms) SELECT id, name, status, created_at_ms FROM tenants")
                .run()
                .await?;
            Ok(())
        });
        assert_eq!(failed.unwrap_err().fault(), Fault::Unique);
        assert_eq!(test.db.sql("SELECT token_epoch FROM tenants").scalar::<i64>().await.unwrap(), 0);
    }

    async fn values_and_lists_bind(backend: Backend) {
        let Some(test) = TestDb::new(backend).await else { return };
        let rows: Vec<(String, Option<String>, bool)> = test
            .db
            .sql("SELECT name, inherits, builtin FROM roles WHERE name IN (")
            .list(["admin", "user", "nobody"])
            .push(") ORDER BY name")
            .all()
            .await
            .unwrap();
        assert_eq!(rows.len(), 2);
        assert_eq!(rows[0], ("admin".to_owned(), Some("manager".to_owned()), true));
        let none: Vec<(String,)> =
            test.db.sql("SELECT name FROM roles WHERE name IN (").list::<&str>([]).push(")").all().await.unwrap();
        assert!(none.is_empty());
    }

    async fn a_missing_value_is_refused(backend: Backend) {
        let Some(test) = TestDb::new(backend).await else { return };
        let missing = test.db.sql("SELECT name FROM roles WHERE name = $1").optional::<(String,)>().await;
        assert_eq!(missing.unwrap_err().fault(), Fault::Other);
    }

    async fn migrating_again_is_nothing(backend: Backend) {
        let Some(test) = TestDb::new(backend).await else { return };
        assert_eq!(test.db.pending_migrations().await.unwrap(), Pending(0));
        test.second().await.migrate().await.unwrap();
    }
}
