//! The audit log.

use bailiwick::{
    audit::{self, Actor, AuditError},
    base::{Limit, Millis, SeededEntropy, TenantId},
    storage::StorageError,
    write_tx,
};
use serde_json::json;

use crate::{both, support::TestDb};

both! {
    async fn a_record_lives_and_dies_with_its_transaction(backend: Backend) {
        let Some(test) = TestDb::new(backend).await else { return };
        let (tenant, entropy) = (TenantId::DEFAULT, SeededEntropy::new(1));
        let actor = Actor { name: "usr_x", request_id: Some("req_1") };
        for (at, commit) in [(1, true), (2, false), (3, true)] {
            let done = write_tx!(test.db, "test.audit", |tx| -> Result<(), AuditError> {
                let entry = actor.does(tenant, "role_granted", "admin", json!({ "at": at }));
                audit::record(tx, Millis(at), &entropy, entry).await?;
                if commit { Ok(()) } else { Err(StorageError::from(sqlx::Error::RowNotFound).into()) }
            });
            assert_eq!(done.is_ok(), commit);
        }
        let records = audit::list(&mut &test.db, tenant, Limit::default()).await.unwrap();
        assert_eq!(records.iter().map(|record| record.at_ms.0).collect::<Vec<_>>(), [3, 1]);
        assert_eq!(records[1].detail, r#"{"at":1}"#);
        assert_eq!((records[0].actor.as_str(), records[0].action.as_str(), records[0].subject.as_str()), ("usr_x", "role_granted", "admin"));
        assert_eq!(records[0].request_id.as_deref(), Some("req_1"));
        let one = audit::list(&mut &test.db, tenant, Limit::new(1).unwrap()).await.unwrap();
        assert_eq!(one.len(), 1);
    }
}
