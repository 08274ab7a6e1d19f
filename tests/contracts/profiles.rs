//! Profiles: the store through its service.

use std::sync::Arc;

use bailiwick::{
    audit::Actor,
    base::{Clock, IfMatch, ManualClock, MasterKey, Millis, OsEntropy, TenantId, UserId},
    profiles::{ProfileError, ProfileParts, ProfileService, Resealed},
    storage::{Run, StorageError},
    telemetry::metrics::Metrics,
    write_tx,
};
use serde_json::{Map, Value, json};

use crate::{
    both,
    support::TestDb,
    users::{new_user, service as users},
};

const CLI: Actor<'static> = Actor { name: "cli", request_id: None };
const TENANT: TenantId = TenantId::DEFAULT;

fn service_with(test: &TestDb, master: &MasterKey) -> ProfileService {
    let clock: Arc<dyn Clock> = Arc::new(ManualClock::at(Millis(2_000)));
    let parts = ProfileParts {
        db: test.db.clone(),
        users: users(test),
        metrics: Arc::new(Metrics::new()),
        clock,
        entropy: Arc::new(OsEntropy),
    };
    ProfileService::new(parts, master)
}

fn service(test: &TestDb) -> ProfileService {
    service_with(test, &MasterKey::new([1; 32]))
}

fn object(value: Value) -> Map<String, Value> {
    value.as_object().unwrap().clone()
}

async fn user(test: &TestDb, name: &str) -> UserId {
    users(test).create(TENANT, &new_user(&format!("{name}@example.com"), None), CLI).await.unwrap().id
}

async fn rows(test: &TestDb) -> i64 {
    test.db.sql("SELECT CAST(COUNT(*) AS BIGINT) FROM profiles").scalar().await.unwrap()
}

both! {
    async fn a_profile_is_of_its_user_and_tenant(backend: Backend) {
        let Some(test) = TestDb::new(backend).await else { return };
        let (profiles, ann) = (service(&test), user(&test, "ann").await);
        let empty = profiles.get(TENANT, ann).await.unwrap();
        assert_eq!((empty.revision, empty.updated_at, empty.claims.len(), rows(&test).await), (0, None, 0, 0));
        let patch = object(json!({"nickname": "Annie", "metadata": {"a": 1}}));
        let made = profiles.patch((TENANT, ann), patch, &IfMatch::Exists, CLI).await.unwrap();
        assert_eq!((made.revision, made.updated_at), (1, Some(Millis(2_000))));
        assert_eq!(profiles.get(TENANT, ann).await.unwrap(), made);

        let elsewhere = TenantId::new(Millis(1), &OsEntropy).unwrap();
        let nobody = UserId::new(Millis(1), &OsEntropy).unwrap();
        for (tenant, user) in [(elsewhere, ann), (TENANT, nobody)] {
            assert!(matches!(profiles.get(tenant, user).await, Err(ProfileError::NotFound)));
            let patch = object(json!({"nickname": "x"}));
            let refused = profiles.patch((tenant, user), patch, &IfMatch::Anything, CLI).await;
            assert!(matches!(refused, Err(ProfileError::NotFound)));
        }
        assert_eq!(rows(&test).await, 1);
    }

    async fn a_profile_goes_with_its_user(backend: Backend) {
        let Some(test) = TestDb::new(backend).await else { return };
        let (profiles, ann) = (service(&test), user(&test, "ann").await);
        profiles.patch((TENANT, ann), object(json!({"nickname": "x"})), &IfMatch::Anything, CLI).await.unwrap();
        write_tx!(test.db, "test.delete", |tx| -> Result<u64, StorageError> {
            tx.sql("DELETE FROM users WHERE id = $1").bind(ann).run().await
        }).unwrap();
        assert_eq!(rows(&test).await, 0);
    }

    async fn writers_of_one_profile_do_not_lose_each_other(backend: Backend) {
        let Some(test) = TestDb::new(backend).await else { return };
        let (profiles, ann) = (service(&test), user(&test, "ann").await);
        let write = |name: &str| profiles.patch((TENANT, ann), object(json!({"metadata": { name: 1 }})), &IfMatch::Anything, CLI);
        let done = tokio::join!(write("a"), write("b"), write("c"), write("d"));
        for done in [done.0, done.1, done.2, done.3] {
            done.unwrap();
        }
        let now = profiles.get(TENANT, ann).await.unwrap();
        assert_eq!((now.revision, Value::Object(now.metadata)), (4, json!({"a": 1, "b": 1, "c": 1, "d": 1})));
    }

    async fn profiles_are_sealed_anew_for_another_master_key(backend: Backend) {
        let Some(test) = TestDb::new(backend).await else { return };
        let (old, new) = (MasterKey::new([1; 32]), MasterKey::new([2; 32]));
        let before = service_with(&test, &old);
        let mut all = Vec::new();
        for n in 0..3 {
            let user = user(&test, &format!("u{n}")).await;
            let patch = object(json!({"nickname": format!("U{n}"), "metadata": {"n": n}}));
            all.push(before.patch((TENANT, user), patch, &IfMatch::Anything, CLI).await.unwrap());
        }
        let alone = service_with(&test, &new);
        let told = alone.get(TENANT, all[0].user_id).await.unwrap_err().to_string();
        assert!(told.contains("its key is neither the present one nor the one before it"), "{told}");

        let both = service_with(&test, &new.clone().replacing(&old));
        assert_eq!(both.get(TENANT, all[0].user_id).await.unwrap(), all[0]);
        // One that nobody can open does not keep the others from it.
        let damage = "UPDATE profiles SET metadata_sealed = claims_sealed WHERE user_id = $1";
        write_tx!(test.db, "test.damage", |tx| -> Result<u64, StorageError> {
            tx.sql(damage).bind(all[1].user_id).run().await
        }).unwrap();
        assert!(matches!(both.reseal().await, Err(ProfileError::Unreadable { user, .. }) if user == all[1].user_id));
        for n in [0, 2] {
            assert_eq!(alone.get(TENANT, all[n].user_id).await.unwrap(), all[n], "as it was, revision included");
        }
        write_tx!(test.db, "test.remove", |tx| -> Result<u64, StorageError> {
            tx.sql("DELETE FROM profiles WHERE user_id = $1").bind(all[1].user_id).run().await
        }).unwrap();
        assert_eq!(both.reseal().await.unwrap(), Resealed { resealed: 0, kept: 2 });
        assert!(before.get(TENANT, all[0].user_id).await.is_err(), "the old key opens nothing any more");
    }
}
