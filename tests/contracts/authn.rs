//! Signing up, in, on and out.

use bailiwick::{
    audit::Actor,
    authn::{AuthnError, Caller, PasswordChange, PasswordProblem, Registered, Registration},
    bus::Bus,
    config::RegistrationConfig,
    roles::RoleError,
    sessions::{ClientInfo, SessionError},
    storage::StorageError,
    tokens::TokenError,
    users::{NewUser, Phc, UserStatus},
    write_tx,
};
use futures_util::future::join_all;

use crate::{
    both,
    identity::{Node, PASSWORD, TENANT, World, secret},
};

const CLI: Actor<'static> = Actor { name: "cli", request_id: None };
const MAIL: &str = "ann@example.com";
const NEW_PASSWORD: &str = "a wholly different one";

fn change(current: &str, new: &str, keep_current: bool) -> PasswordChange {
    PasswordChange { current: secret(current), new: secret(new), keep_current, client: ClientInfo::default() }
}

async fn user_in(node: &Node, name: &str, status: UserStatus, phc: Option<Phc>) {
    let new = NewUser {
        email: format!("{name}@example.com").parse().unwrap(),
        username: Some(name.parse().unwrap()),
        name: None,
        status,
        email_verified: true,
        phc,
    };
    node.users.create(TENANT, &new, CLI).await.unwrap();
}

both! {
    /// T9: one hash on every path, one answer for every failure.
    async fn t09_every_login_is_one_hash(backend: Backend) {
        let Some(world) = World::new(backend).await else { return };
        let node = world.node().await;
        let phc = node.passwords.hash(&secret(PASSWORD)).await.unwrap();
        let bomb = Phc::new(phc.expose().replace("m=8,t=1", "m=4194304,t=1000"));
        for (name, status, phc) in [
            ("active", UserStatus::Active, Some(&phc)),
            ("locked", UserStatus::Locked, Some(&phc)),
            ("disabled", UserStatus::Disabled, Some(&phc)),
            ("pending", UserStatus::Pending, Some(&phc)),
            ("without", UserStatus::Active, None),
            ("imported", UserStatus::Active, Some(&bomb)),
        ] {
            user_in(&node, name, status, phc.cloned()).await;
        }
        let long = "x".repeat(100_000);
        for (identifier, password, expected) in [
            ("active", PASSWORD, "ok"),
            ("ACTIVE@Example.com", PASSWORD, "ok"),
            ("active", "wrong", "the user name or the password is wrong"),
            ("active", "", "the user name or the password is wrong"),
            ("active", &*long, "the user name or the password is wrong"),
            ("unknown", PASSWORD, "the user name or the password is wrong"),
            ("unknown@example.com", PASSWORD, "the user name or the password is wrong"),
            ("", PASSWORD, "the user name or the password is wrong"),
            (&*long, PASSWORD, "the user name or the password is wrong"),
            ("' OR 1=1--", PASSWORD, "the user name or the password is wrong"),
            ("locked", "wrong", "the user name or the password is wrong"),
            ("disabled", "wrong", "the user name or the password is wrong"),
            ("pending", "wrong", "the user name or the password is wrong"),
            ("without", PASSWORD, "the user name or the password is wrong"),
            ("without", "", "the user name or the password is wrong"),
            ("imported", PASSWORD, "the user name or the password is wrong"),
            ("locked", PASSWORD, "the account is locked"),
            ("disabled", PASSWORD, "the account is disabled"),
            ("pending", PASSWORD, "the e-mail address is not verified yet"),
        ] {
            let before = node.passwords.hashes();
            let answer = node.login_with(identifier, password).await;
            let said = answer.map_or_else(|error| error.to_string(), |_| "ok".to_owned());
            assert_eq!((&*said, node.passwords.hashes() - before), (expected, 1), "{identifier:.20} {password:.20}");
        }
    }

    async fn an_old_hash_is_renewed_at_the_next_login(backend: Backend) {
        let Some(world) = World::new(backend).await else { return };
        let node = world.node().await;
        let user = node.sign_up(MAIL).await;
        let old = world.node().await.passwords.hash(&secret(PASSWORD)).await.unwrap();
        let weak = bailiwick::config::PasswordsConfig { argon2_passes: 2, ..crate::identity::tiny_passwords() };
        let weak = bailiwick::authn::Passwords::start(&weak, std::sync::Arc::new(bailiwick::base::OsEntropy)).unwrap();
        let weak = weak.hash(&secret(PASSWORD)).await.unwrap();
        assert_ne!(old.expose(), weak.expose());
        let done = write_tx!(node.db, "test", |tx| -> Result<(), StorageError> {
            node.users.set_phc_in(tx, TENANT, user.id, &weak).await
        });
        done.unwrap();
        node.login(MAIL).await;
        let stored = node.users.credentials(TENANT, user.id).await.unwrap().unwrap().phc.unwrap();
        assert!(stored.expose().contains("m=8,t=1,p=1"), "{}", stored.expose());
        let before = node.passwords.hashes();
        node.login(MAIL).await;
        assert_eq!(node.passwords.hashes() - before, 1);
    }

    async fn a_sign_up_tells_nothing_unless_it_may(backend: Backend) {
        let Some(world) = World::new(backend).await else { return };
        let quiet = world.node().await;
        let open = RegistrationConfig { reveal_duplicates: true, ..RegistrationConfig::default() };
        let open = world.node_with(open, Bus::local()).await;
        let closed = RegistrationConfig { enabled: false, ..RegistrationConfig::default() };
        let closed = world.node_with(closed, Bus::local()).await;
        let registration = |email: &str, username: Option<&str>, password: &str| Registration {
            email: email.parse().unwrap(),
            username: username.map(|name| name.parse().unwrap()),
            name: None,
            password: secret(password),
            client: ClientInfo::default(),
        };
        let ann = registration(MAIL, Some("ann"), PASSWORD);
        for node in [&quiet, &quiet] {
            let before = node.passwords.hashes();
            assert!(matches!(node.authn.register(TENANT, &ann, None).await, Ok(Registered::Accepted)));
            assert_eq!(node.passwords.hashes() - before, 1);
        }
        let before = open.passwords.hashes();
        let again = registration("ANN@example.com", None, PASSWORD);
        assert!(matches!(open.authn.register(TENANT, &again, None).await, Err(AuthnError::EmailTaken)));
        let again = registration("b@example.com", Some("Ann"), PASSWORD);
        assert!(matches!(open.authn.register(TENANT, &again, None).await, Err(AuthnError::UsernameTaken)));
        assert_eq!(open.passwords.hashes() - before, 2);
        let made = open.authn.register(TENANT, &registration("b@example.com", None, PASSWORD), None).await.unwrap();
        let Registered::Created(made) = made else { panic!("not said") };
        assert_eq!(open.roles.names_of(TENANT, made.id).await.unwrap(), ["user"]);
        assert!(matches!(closed.authn.register(TENANT, &ann, None).await, Err(AuthnError::RegistrationClosed)));
        for (password, problem) in [
            ("too short", PasswordProblem::TooShort { least: 15 }),
            ("aaaaaaaaaaaaaaaaaaaa", PasswordProblem::TooWeak),
            ("Somebody@example.com", PasswordProblem::TooWeak),
        ] {
            let answer = open.authn.register(TENANT, &registration("somebody@example.com", None, password), None).await;
            assert!(matches!(answer, Err(AuthnError::Password(found)) if found == problem), "{password}");
        }
    }

    async fn a_changed_password_ends_everything(backend: Backend) {
        let Some(world) = World::new(backend).await else { return };
        let node = world.node().await;
        node.sign_up(MAIL).await;
        let (one, two) = (node.login(MAIL).await, node.login(MAIL).await);
        let caller = node.caller(&one).await.unwrap();
        let wrong = node.authn.change_password(&caller, &change("wrong", NEW_PASSWORD, false), None).await;
        assert!(matches!(wrong, Err(AuthnError::InvalidCredentials)));
        let weak = node.authn.change_password(&caller, &change(PASSWORD, "short", false), None).await;
        assert!(matches!(weak, Err(AuthnError::Password(PasswordProblem::TooShort { .. }))));
        assert!(node.caller(&two).await.is_ok(), "a refused change ended a session");

        let fresh = node.authn.change_password(&caller, &change(PASSWORD, NEW_PASSWORD, true), None).await;
        let fresh = fresh.unwrap().expect("a fresh session was asked for");
        assert_ne!(fresh.session.id, one.session.id);
        let other_node = world.node().await;
        for node in [&node, &other_node] {
            for old in [&one, &two] {
                assert!(matches!(node.caller(old).await, Err(AuthnError::Session(SessionError::Revoked))));
                let refreshed = node.refresh(old.refresh.expose()).await;
                assert!(matches!(refreshed, Err(AuthnError::Session(SessionError::Revoked))), "{refreshed:?}");
            }
            assert!(node.caller(&fresh).await.is_ok());
        }
        assert!(node.refresh(fresh.refresh.expose()).await.is_ok());
        assert!(matches!(node.login_with(MAIL, PASSWORD).await, Err(AuthnError::InvalidCredentials)));
        let again = node.login_with(MAIL, NEW_PASSWORD).await.unwrap();
        let caller = node.caller(&again).await.unwrap();
        let unasked = node.authn.change_password(&caller, &change(NEW_PASSWORD, PASSWORD, false), None).await.unwrap();
        assert!(unasked.is_none());
        assert!(matches!(node.caller(&again).await, Err(AuthnError::Session(SessionError::Revoked))));
        assert_eq!(node.recorded("password_changed").await, 2);
    }

    async fn of_two_password_changes_at_once_one_counts(backend: Backend) {
        let Some(world) = World::new(backend).await else { return };
        let node = world.node().await;
        node.sign_up(MAIL).await;
        let caller = node.caller(&node.login(MAIL).await).await.unwrap();
        let (first, second) = (change(PASSWORD, NEW_PASSWORD, false), change(PASSWORD, "yet another password", false));
        let (first, second) = tokio::join!(
            node.authn.change_password(&caller, &first, None),
            node.authn.change_password(&caller, &second, None)
        );
        assert!(first.is_ok() ^ second.is_ok(), "{first:?} {second:?}");
    }

    async fn a_caller_is_somebody_nobody_or_an_error(backend: Backend) {
        let Some(world) = World::new(backend).await else { return };
        let node = world.node().await;
        let user = node.sign_up(MAIL).await;
        assert!(matches!(node.authn.identify(None).await, Ok(Caller::Anonymous)));
        for junk in ["", "x", "a.b.c"] {
            assert!(matches!(node.authn.identify(Some(junk)).await, Err(AuthnError::Token(TokenError::Invalid(_)))));
        }
        let signed_in = node.login(MAIL).await;
        let refresh = node.authn.identify(Some(signed_in.refresh.expose())).await;
        assert!(matches!(refresh, Err(AuthnError::Token(TokenError::Invalid(_)))), "a refresh token was taken");
        let caller = node.caller(&signed_in).await.unwrap();
        assert_eq!((caller.user_id, caller.session_id), (user.id, signed_in.session.id));
        assert_eq!((&*caller.claims.acr, &caller.amr[..]), ("aal1", &["pwd".to_owned()][..]));
        assert_eq!(caller.claims.roles.as_deref(), Some(&["user".to_owned()][..]));
        assert_eq!(node.authn.me(&caller).await.unwrap().email.as_deref(), Some(MAIL));
        world.clock.advance(std::time::Duration::from_secs(906));
        assert!(matches!(node.caller(&signed_in).await, Err(AuthnError::Token(TokenError::Expired))));
        let refreshed = node.refresh(signed_in.refresh.expose()).await.unwrap();
        assert_eq!(node.caller(&refreshed).await.unwrap().claims.ver, 2);
    }

    async fn signing_out_works_twice_and_without_an_access_token(backend: Backend) {
        let Some(world) = World::new(backend).await else { return };
        let node = world.node().await;
        node.sign_up(MAIL).await;
        let (one, two, three) = (node.login(MAIL).await, node.login(MAIL).await, node.login(MAIL).await);
        let caller = node.caller(&one).await.unwrap();
        for _ in 0..2 {
            node.authn.logout(Some(&caller), None, false, None).await.unwrap();
        }
        assert!(matches!(node.caller(&one).await, Err(AuthnError::Session(SessionError::Revoked))));
        for refresh in [two.refresh.expose(), two.refresh.expose(), "junk", ""] {
            node.authn.logout(None, Some(refresh), false, None).await.unwrap();
        }
        assert!(node.refresh(two.refresh.expose()).await.is_err());
        assert!(node.caller(&three).await.is_ok());
        let four = node.login(MAIL).await;
        node.authn.logout(None, Some(four.refresh.expose()), true, None).await.unwrap();
        for ended in [&three, &four] {
            assert!(matches!(node.caller(ended).await, Err(AuthnError::Session(SessionError::Revoked))));
        }
        node.login(MAIL).await;
    }

    /// T42, T50: one token, one administrator.
    async fn t42_a_setup_token_works_once(backend: Backend) {
        let Some(world) = World::new(backend).await else { return };
        let node = world.node().await;
        let token = node.authn.ensure_setup_token().await.unwrap().expect("a new installation has one");
        assert!(node.authn.ensure_setup_token().await.unwrap().is_none(), "a second token was made");
        let email = |n: usize| format!("admin{n}@example.com").parse().unwrap();
        let before = node.passwords.hashes();
        let junk = node.authn.complete_setup("junk", &email(0), &secret(PASSWORD), None).await;
        assert!(matches!(junk, Err(AuthnError::SetupTokenInvalid)));
        assert_eq!(node.passwords.hashes(), before, "a stranger had a hash for nothing");
        let password = secret(PASSWORD);
        let emails: Vec<_> = (0..32).map(email).collect();
        let tries = join_all(emails.iter().map(|email| node.authn.complete_setup(token.expose(), email, &password, None))).await;
        let made: Vec<_> = tries.iter().flatten().collect();
        assert_eq!(made.len(), 1, "{tries:?}");
        for refused in tries.iter().filter_map(|answer| answer.as_ref().err()) {
            let spent = matches!(refused, AuthnError::SetupTokenInvalid | AuthnError::AlreadySetUp);
            assert!(spent, "{refused:?}");
        }
        assert_eq!(node.roles.names_of(TENANT, made[0].id).await.unwrap(), ["super_admin"]);
        assert!(node.authn.ensure_setup_token().await.unwrap().is_none());
        let last = node.roles.revoke(TENANT, made[0].id, &"super_admin".parse().unwrap(), CLI).await;
        assert!(matches!(last, Err(RoleError::LastAdministrator)));
        let locked = node.authn.set_user_status(TENANT, made[0].id, UserStatus::Locked, CLI).await;
        assert!(matches!(locked, Err(AuthnError::Role(RoleError::LastAdministrator))));
        node.login(made[0].email.as_deref().unwrap()).await;
    }

    async fn the_command_line_makes_administrators(backend: Backend) {
        let Some(world) = World::new(backend).await else { return };
        let node = world.node().await;
        let token = node.authn.ensure_setup_token().await.unwrap().unwrap();
        let email = "root@example.com".parse().unwrap();
        let made = node.authn.create_administrator(&email, &secret(PASSWORD)).await.unwrap();
        let closure = node.roles.closure_of_user(TENANT, made.id).await.unwrap();
        assert_eq!(closure.len(), 4);
        let late = node.authn.complete_setup(token.expose(), &"x@example.com".parse().unwrap(), &secret(PASSWORD), None).await;
        assert!(matches!(late, Err(AuthnError::AlreadySetUp)), "the token outlived the need for it");
        let again = node.authn.create_administrator(&email, &secret(PASSWORD)).await;
        assert!(matches!(again, Err(AuthnError::EmailTaken)));
    }
}
