//! Roles: the store through its service.

use std::sync::Arc;

use bailiwick::{
    audit::{self, Actor},
    base::{Clock, Limit, ManualClock, Millis, OsEntropy, TenantId, UserId},
    bus::{Bus, IdentityNews},
    roles::{NewRole, RoleError, RoleName, RoleService},
    users::UserStatus,
};

use crate::{
    both,
    support::TestDb,
    users::{new_user, service as users, set_status},
};

const CLI: Actor<'static> = Actor { name: "cli", request_id: None };
const TENANT: TenantId = TenantId::DEFAULT;

fn service(test: &TestDb) -> RoleService {
    let clock: Arc<dyn Clock> = Arc::new(ManualClock::at(Millis(1_000)));
    let news = Arc::new(IdentityNews::new(Bus::local()));
    RoleService::new(test.db.clone(), news, clock, Arc::new(OsEntropy))
}

fn name(text: &str) -> RoleName {
    text.parse().unwrap()
}

fn role(own: &str, inherits: Option<&str>) -> NewRole {
    NewRole { name: name(own), description: "for a test".to_owned(), inherits: inherits.map(name) }
}

both! {
    async fn roles_form_a_hierarchy(backend: Backend) {
        let Some(test) = TestDb::new(backend).await else { return };
        let roles = service(&test);
        let builtin: Vec<_> = roles.list(TENANT).await.unwrap().into_iter().map(|role| role.name).collect();
        assert_eq!(builtin, ["admin", "manager", "super_admin", "user"]);
        let made = roles.create(TENANT, &role("auditor", Some("user")), CLI).await.unwrap();
        assert_eq!((made.inherits.as_deref(), made.builtin), (Some("user"), false));
        assert_eq!(roles.get(TENANT, &name("auditor")).await.unwrap().unwrap(), made);
        assert!(matches!(roles.create(TENANT, &role("auditor", None), CLI).await, Err(RoleError::Exists)));
        assert!(matches!(roles.create(TENANT, &role("a", Some("nobody")), CLI).await, Err(RoleError::NotFound)));
        assert!(matches!(roles.create(TENANT, &role("a", Some("a")), CLI).await, Err(RoleError::Cycle)));
        let user = users(&test).create(TENANT, &new_user("a@example.com", None), CLI).await.unwrap().id;
        for granted in ["auditor", "manager"] {
            roles.grant(TENANT, user, &name(granted), CLI).await.unwrap();
        }
        assert_eq!(roles.names_of(TENANT, user).await.unwrap(), ["auditor", "manager"]);
        let closure: Vec<_> =
            roles.closure_of_user(TENANT, user).await.unwrap().into_iter().map(|role| (role.name, role.inherits)).collect();
        let expected = [("auditor", Some("user")), ("manager", Some("user")), ("user", None)]
            .map(|(name, parent)| (name.to_owned(), parent.map(str::to_owned)));
        assert_eq!(closure, expected);
        let nobody = UserId::new(Millis(1), &OsEntropy).unwrap();
        assert!(roles.closure_of_user(TENANT, nobody).await.unwrap().is_empty());
    }

    async fn the_hierarchy_has_an_end(backend: Backend) {
        let Some(test) = TestDb::new(backend).await else { return };
        let roles = service(&test);
        roles.create(TENANT, &role("r1", None), CLI).await.unwrap();
        for depth in 2..=16 {
            let parent = format!("r{}", depth - 1);
            roles.create(TENANT, &role(&format!("r{depth}"), Some(&parent)), CLI).await.unwrap();
        }
        assert!(matches!(roles.create(TENANT, &role("r17", Some("r16")), CLI).await, Err(RoleError::TooDeep)));
    }

    async fn what_is_used_or_built_in_stays(backend: Backend) {
        let Some(test) = TestDb::new(backend).await else { return };
        let roles = service(&test);
        roles.create(TENANT, &role("parent", None), CLI).await.unwrap();
        roles.create(TENANT, &role("child", Some("parent")), CLI).await.unwrap();
        let user = users(&test).create(TENANT, &new_user("a@example.com", None), CLI).await.unwrap().id;
        roles.grant(TENANT, user, &name("child"), CLI).await.unwrap();
        for (own, expected) in [("user", "a built-in role cannot be removed"), ("nobody", "there is no such role"),
            ("parent", "the role is still granted or inherited"), ("child", "the role is still granted or inherited")] {
            assert_eq!(roles.delete(TENANT, &name(own), CLI).await.unwrap_err().to_string(), expected);
        }
        roles.revoke(TENANT, user, &name("child"), CLI).await.unwrap();
        roles.delete(TENANT, &name("child"), CLI).await.unwrap();
        roles.delete(TENANT, &name("parent"), CLI).await.unwrap();
        assert!(roles.get(TENANT, &name("parent")).await.unwrap().is_none());
    }

    async fn granting_twice_is_granting_once(backend: Backend) {
        let Some(test) = TestDb::new(backend).await else { return };
        let roles = service(&test);
        let user = users(&test).create(TENANT, &new_user("a@example.com", None), CLI).await.unwrap().id;
        let first = roles.grant(TENANT, user, &name("admin"), CLI).await.unwrap();
        let second = roles.grant(TENANT, user, &name("admin"), CLI).await.unwrap();
        assert!(first.created && !second.created && first.binding == second.binding);
        assert_eq!(roles.binding(TENANT, first.binding.id).await.unwrap().unwrap(), first.binding);
        let nobody = UserId::new(Millis(1), &OsEntropy).unwrap();
        assert!(matches!(roles.grant(TENANT, nobody, &name("admin"), CLI).await, Err(RoleError::UserNotFound)));
        assert!(matches!(roles.grant(TENANT, user, &name("nothing"), CLI).await, Err(RoleError::NotFound)));
        roles.grant(TENANT, user, &name("user"), CLI).await.unwrap();
        let page = roles.bindings(TENANT, None, None, Limit::new(1).unwrap()).await.unwrap();
        assert_eq!((page.data.len(), page.next.is_some()), (1, true));
        let rest = roles.bindings(TENANT, Some(user), page.next.as_ref(), Limit::default()).await.unwrap();
        assert_eq!((rest.data.len(), rest.next), (1, None));
        assert!(roles.bindings(TENANT, Some(nobody), None, Limit::default()).await.unwrap().data.is_empty());
        roles.revoke(TENANT, user, &name("admin"), CLI).await.unwrap();
        assert!(matches!(roles.revoke(TENANT, user, &name("admin"), CLI).await, Err(RoleError::BindingNotFound)));
        let actions: Vec<_> =
            audit::list(&mut &test.db, TENANT, Limit::default()).await.unwrap().into_iter().map(|record| record.action).collect();
        assert_eq!(actions.iter().filter(|action| *action == "role_granted").count(), 2);
        assert_eq!(actions.iter().filter(|action| *action == "role_revoked").count(), 1);
    }

    async fn t50_two_removals_leave_one_super_administrator(backend: Backend) {
        let Some(test) = TestDb::new(backend).await else { return };
        let (roles, users) = (service(&test), users(&test));
        let mut admins = Vec::new();
        for address in ["a@example.com", "b@example.com", "locked@example.com"] {
            let id = users.create(TENANT, &new_user(address, None), CLI).await.unwrap().id;
            roles.grant(TENANT, id, &name("super_admin"), CLI).await.unwrap();
            admins.push(id);
        }
        set_status(&test, admins[2], UserStatus::Locked).await.unwrap();
        let super_admin = name("super_admin");
        let (first, second) = tokio::join!(
            roles.revoke(TENANT, admins[0], &super_admin, CLI),
            roles.revoke(TENANT, admins[1], &super_admin, CLI)
        );
        assert!(first.is_ok() ^ second.is_ok(), "{first:?} {second:?}");
        let failed = first.and(second).unwrap_err();
        assert!(matches!(failed, RoleError::LastAdministrator), "{failed:?}");
        assert!(roles.has_super_admin(&mut &test.db, TENANT).await.unwrap());
    }
}
