//! Users: the store through its service.

use std::sync::Arc;

use bailiwick::{
    audit::{self, Actor},
    base::{Limit, ManualClock, Millis, OsEntropy, TenantId, UserId},
    bus::{Bus, IdentityNews},
    storage::StorageError,
    users::{DisplayName, NewUser, Phc, UserError, UserService, UserStatus},
    write_tx,
};

use crate::{both, support::TestDb};

pub(crate) fn new_user(email: &str, username: Option<&str>) -> NewUser {
    NewUser {
        email: email.parse().unwrap(),
        username: username.map(|name| name.parse().unwrap()),
        name: Some("Someone".parse::<DisplayName>().unwrap()),
        status: UserStatus::Active,
        email_verified: false,
        phc: Some(Phc::new("$argon2id$one".to_owned())),
    }
}

pub(crate) fn service(test: &TestDb) -> UserService {
    let news = Arc::new(IdentityNews::new(Bus::local()));
    UserService::new(test.db.clone(), news, Arc::new(ManualClock::at(Millis(1_000))), Arc::new(OsEntropy))
}

const CLI: Actor<'static> = Actor { name: "cli", request_id: None };

pub(crate) async fn set_status(test: &TestDb, id: UserId, status: UserStatus) -> Result<(), UserError> {
    let users = service(test);
    write_tx!(test.db, "test.status", |tx| -> Result<(), UserError> {
        users.set_status_in(tx, (TenantId::DEFAULT, id), status, CLI).await
    })
}

both! {
    async fn a_user_is_found_by_id_address_and_name(backend: Backend) {
        let Some(test) = TestDb::new(backend).await else { return };
        let (users, tenant) = (service(&test), TenantId::DEFAULT);
        let made = users.create(tenant, &new_user("Ann@Example.com", Some("Ann")), CLI).await.unwrap();
        assert_eq!((made.email.as_deref(), made.username.as_deref(), made.token_epoch), (Some("Ann@Example.com"), Some("Ann"), 0));
        assert_eq!(users.get(tenant, made.id).await.unwrap().unwrap(), made);
        for norm in ["ann@example.com", "ann"] {
            let found = users.credentials_of(tenant, norm).await.unwrap().unwrap();
            assert_eq!(found.user, made);
            assert_eq!(found.phc.unwrap().expose(), "$argon2id$one");
        }
        assert_eq!(users.credentials(tenant, made.id).await.unwrap().unwrap().user, made);
        let records = audit::list(&mut &test.db, tenant, Limit::default()).await.unwrap();
        assert_eq!(records[0].action, "user_created");
        let elsewhere = TenantId::new(Millis(1), &OsEntropy).unwrap();
        assert!(users.get(elsewhere, made.id).await.unwrap().is_none(), "another tenant's user was found");
        assert!(users.credentials_of(elsewhere, "ann").await.unwrap().is_none());
        assert!(users.credentials(elsewhere, made.id).await.unwrap().is_none());
    }

    async fn look_alikes_are_the_same_user(backend: Backend) {
        let Some(test) = TestDb::new(backend).await else { return };
        let (users, tenant) = (service(&test), TenantId::DEFAULT);
        users.create(tenant, &new_user("admin@example.com", Some("Admin")), CLI).await.unwrap();
        let same_email = users.create(tenant, &new_user("ADMIN@\u{ff45}xample.com", None), CLI).await;
        assert!(matches!(same_email, Err(UserError::EmailTaken)));
        let same_name = users.create(tenant, &new_user("other@example.com", Some("aDMIN")), CLI).await;
        assert!(matches!(same_name, Err(UserError::UsernameTaken)));
        users.create(tenant, &new_user("b@example.com", None), CLI).await.unwrap();
        users.create(tenant, &new_user("c@example.com", None), CLI).await.unwrap();
    }

    async fn hashes_epochs_and_statuses_change(backend: Backend) {
        let Some(test) = TestDb::new(backend).await else { return };
        let (users, tenant) = (service(&test), TenantId::DEFAULT);
        let id = users.create(tenant, &new_user("a@example.com", None), CLI).await.unwrap().id;
        let (old, new) = (Phc::new("$argon2id$one".to_owned()), Phc::new("$argon2id$two".to_owned()));
        for expected in [true, false] {
            let done = write_tx!(test.db, "test", |tx| -> Result<bool, StorageError> {
                users.replace_phc_in(tx, tenant, id, &old, &new).await
            });
            assert_eq!(done.unwrap(), expected);
        }
        let third = Phc::new("$argon2id$three".to_owned());
        let done = write_tx!(test.db, "test", |tx| -> Result<i64, UserError> {
            users.set_phc_in(tx, tenant, id, &third).await?;
            users.bump_epoch_in(tx, tenant, id).await?;
            users.bump_epoch_in(tx, tenant, id).await
        });
        assert_eq!(done.unwrap(), 2);
        set_status(&test, id, UserStatus::Locked).await.unwrap();
        let now = users.credentials(tenant, id).await.unwrap().unwrap();
        assert_eq!((now.user.status, now.user.token_epoch), (UserStatus::Locked, 2));
        assert_eq!(now.phc.unwrap().expose(), "$argon2id$three");
        let nobody = UserId::new(Millis(1), &OsEntropy).unwrap();
        assert!(matches!(set_status(&test, nobody, UserStatus::Locked).await, Err(UserError::NotFound)));
        let done = write_tx!(test.db, "test", |tx| -> Result<i64, UserError> { users.bump_epoch_in(tx, tenant, nobody).await });
        assert!(matches!(done, Err(UserError::NotFound)));
    }
}
