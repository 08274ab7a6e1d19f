//! Sessions: rotation, reuse, revocation across nodes.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use bailiwick::{
    audit::Actor,
    authn::AuthnError,
    base::{Clock, Entropy, Millis, OsEntropy, PlainToken, SeededEntropy, SessionId},
    bus::{Bus, Event, Topic},
    config::RegistrationConfig,
    kv::{Kv, RedisOptions},
    sessions::{ClientInfo, KeySalt, NewSession, SessionError, session_key},
    storage::Run as _,
    users::UserStatus,
    write_tx,
};
use futures_util::future::join_all;
use secrecy::SecretString;
use tokio_util::sync::CancellationToken;

use crate::{
    both,
    identity::{Node, SALT, TENANT, World},
};

const CLI: Actor<'static> = Actor { name: "cli", request_id: None };
const MAIL: &str = "ann@example.com";

fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

fn session_error<T: std::fmt::Debug>(answer: Result<T, AuthnError>) -> SessionError {
    match answer {
        Err(AuthnError::Session(error)) => error,
        other => panic!("not a session error: {other:?}"),
    }
}

macro_rules! refused {
    ($answer:expr, $variant:ident) => {
        let error = session_error($answer);
        assert!(matches!(error, SessionError::$variant), "{error:?}");
    };
}

async fn version(node: &Node, id: SessionId) -> i64 {
    node.db.sql("SELECT version FROM sessions WHERE id = $1").bind(id).scalar().await.unwrap()
}

both! {
    async fn t11_a_race_has_one_winner_that_all_share(backend: Backend) {
        let Some(world) = World::new(backend).await else { return };
        let node = world.node().await;
        node.sign_up(MAIL).await;
        let first = node.login(MAIL).await;
        let answers = join_all((0..64).map(|_| node.refresh(first.refresh.expose()))).await;
        let successors: BTreeSet<_> =
            answers.into_iter().map(|answer| answer.unwrap().refresh.expose().to_owned()).collect();
        assert_eq!(successors.len(), 1);
        assert_eq!(version(&node, first.session.id).await, 2);
        world.clock.advance(secs(31));
        refused!(node.refresh(first.refresh.expose()).await, RefreshReused);
        refused!(node.refresh(successors.first().unwrap()).await, Revoked);
        refused!(node.caller(&first).await, Revoked);
        assert_eq!(node.recorded("refresh_reused").await, 1);
    }

    async fn t12_a_lost_answer_is_given_again(backend: Backend) {
        let Some(world) = World::new(backend).await else { return };
        let node = world.node().await;
        node.sign_up(MAIL).await;
        let first = node.login(MAIL).await;
        let lost = node.refresh(first.refresh.expose()).await.unwrap();
        world.clock.advance(secs(29));
        let again = node.refresh(first.refresh.expose()).await.unwrap();
        assert_eq!(again.refresh.expose(), lost.refresh.expose());
        assert_eq!(version(&node, first.session.id).await, 2);
        assert!(node.caller(&again).await.is_ok());
        world.clock.advance(secs(1));
        assert!(node.refresh(first.refresh.expose()).await.is_ok(), "30 seconds are within the window");
    }

    async fn t12_the_window_forks_no_chain(backend: Backend) {
        let Some(world) = World::new(backend).await else { return };
        let node = world.node().await;
        node.sign_up(MAIL).await;
        let first = node.login(MAIL).await;
        let second = node.refresh(first.refresh.expose()).await.unwrap();
        let third = node.refresh(second.refresh.expose()).await.unwrap();
        world.clock.advance(secs(5));
        refused!(node.refresh(first.refresh.expose()).await, RefreshReused);
        refused!(node.refresh(third.refresh.expose()).await, Revoked);
    }

    async fn t13_old_generations_are_proof_and_made_up_ones_are_nothing(backend: Backend) {
        let Some(world) = World::new(backend).await else { return };
        let node = world.node().await;
        node.sign_up(MAIL).await;
        let first = node.login(MAIL).await;
        let mut tokens = vec![first.refresh.expose().to_owned()];
        for _ in 0..4 {
            world.clock.advance(secs(60));
            tokens.push(node.refresh(tokens.last().unwrap()).await.unwrap().refresh.expose().to_owned());
        }
        let current = tokens.last().unwrap();
        // The right session and generation and checksum, another secret: no state changes.
        let random = PlainToken::random(&OsEntropy).unwrap();
        let body = format!("{}{}{}", &current[..36], random.expose(), &current[79..101]);
        let forged = format!("{body}_{}", base62(crc32fast::hash(body.as_bytes())));
        assert_eq!(forged.len(), current.len());
        for wrong in [&*forged, "", "bwk_rt_", "a.b.c", &current[1..], &current.to_lowercase()] {
            refused!(node.refresh(wrong).await, RefreshInvalid);
        }
        assert!(node.caller(&first).await.is_ok());
        assert_eq!(node.recorded("refresh_reused").await, 0);
        refused!(node.refresh(&tokens[1]).await, RefreshReused);
        refused!(node.refresh(current).await, Revoked);
    }

    async fn t15_a_login_that_a_password_change_overtakes_opens_nothing(backend: Backend) {
        let Some(world) = World::new(backend).await else { return };
        let node = world.node().await;
        let user = node.sign_up(MAIL).await;
        let new = NewSession { tenant_id: TENANT, user_id: user.id, epoch: user.token_epoch, amr: vec!["pwd".to_owned()], auth_time: world_now(&world) };
        // Credentials read, password changed, session opened: refused.
        let change = |node: &Node| {
            let (db, users, sessions) = (node.db.clone(), node.users.clone(), Arc::clone(&node.sessions));
            async move {
                let ended = write_tx!(db, "test.change", |tx| -> Result<_, AuthnError> {
                    let epoch = users.bump_epoch_in(tx, TENANT, user.id).await?;
                    Ok(sessions.revoke_all_in(tx, (TENANT, user.id), epoch, "test", CLI).await?)
                });
                sessions.announce(&ended.unwrap()).await;
            }
        };
        change(&node).await;
        let late = node.sessions.open(&new, &ClientInfo::default(), CLI).await;
        assert!(matches!(late, Err(SessionError::Outdated)), "{late:?}");
        // Session opened, password changed: ended, on the node that knows and on one that does not.
        let second = world.node().await;
        let before = node.login(MAIL).await;
        second.sessions.pull().await.unwrap();
        change(&node).await;
        for node in [&node, &second] {
            refused!(node.refresh(before.refresh.expose()).await, Revoked);
            refused!(node.caller(&before).await, Revoked);
        }
        assert!(node.sessions.list(TENANT, user.id).await.unwrap().is_empty());
        // At the same time, many times over: never a live session of an old epoch.
        for _ in 0..8 {
            let epoch = node.users.get(TENANT, user.id).await.unwrap().unwrap().token_epoch;
            let new = NewSession { epoch, ..new.clone() };
            let client = ClientInfo::default();
            let (opened, ()) = tokio::join!(second.sessions.open(&new, &client, CLI), change(&node));
            assert!(node.sessions.list(TENANT, user.id).await.unwrap().is_empty());
            if let Ok(grant) = opened {
                assert!(node.sessions.rotate(grant.refresh.expose(), &client, None).await.is_err());
            }
        }
    }

    async fn t14_no_token_outlives_its_user(backend: Backend) {
        let Some(world) = World::new(backend).await else { return };
        let node = world.node().await;
        let user = node.sign_up(MAIL).await;
        for status in [UserStatus::Locked, UserStatus::Disabled, UserStatus::Pending] {
            let signed_in = node.login(MAIL).await;
            node.authn.set_user_status(TENANT, user.id, status, CLI).await.unwrap();
            refused!(node.caller(&signed_in).await, Revoked);
            refused!(node.refresh(signed_in.refresh.expose()).await, Revoked);
            refused!(world.node().await.caller(&signed_in).await, Revoked);
            node.authn.set_user_status(TENANT, user.id, UserStatus::Active, CLI).await.unwrap();
            refused!(node.caller(&signed_in).await, Revoked);
        }
        // The epoch alone is enough, even if the rows of the sessions were left as they are.
        let signed_in = node.login(MAIL).await;
        let done = write_tx!(node.db, "test.bump", |tx| -> Result<i64, AuthnError> {
            Ok(node.users.bump_epoch_in(tx, TENANT, user.id).await?)
        });
        done.unwrap();
        refused!(node.refresh(signed_in.refresh.expose()).await, Revoked);
        refused!(world.node().await.caller(&signed_in).await, Revoked);
        let signed_in = node.login(MAIL).await;
        let done = write_tx!(node.db, "test.suspend", |tx| -> Result<u64, SessionError> {
            Ok(tx.sql("UPDATE tenants SET status = 'suspended'").run().await?)
        });
        done.unwrap();
        refused!(node.refresh(signed_in.refresh.expose()).await, Revoked);
        assert!(matches!(node.login_with(MAIL, crate::identity::PASSWORD).await, Err(AuthnError::InvalidCredentials)));
    }

    async fn sessions_end_by_themselves(backend: Backend) {
        let Some(world) = World::new(backend).await else { return };
        let node = world.node().await;
        let user = node.sign_up(MAIL).await;
        let unused = node.login(MAIL).await;
        world.clock.advance(secs(604_800));
        refused!(node.refresh(unused.refresh.expose()).await, RefreshExpired);
        assert!(node.sessions.list(TENANT, user.id).await.unwrap().is_empty());
        let mut active = node.login(MAIL).await;
        for _ in 0..4 {
            world.clock.advance(secs(604_799));
            active = node.refresh(active.refresh.expose()).await.unwrap();
        }
        assert_eq!(active.session.idle_expires_at, active.session.abs_expires_at, "idle never passes absolute");
        world.clock.advance(secs(2_592_000 - 4 * 604_799));
        refused!(node.refresh(active.refresh.expose()).await, RefreshExpired);
    }

    async fn users_see_and_end_their_own_sessions(backend: Backend) {
        let Some(world) = World::new(backend).await else { return };
        let node = world.node().await;
        let (ann, bob) = (node.sign_up(MAIL).await, node.sign_up("bob@example.com").await);
        let (one, two, three) = (node.login(MAIL).await, node.login(MAIL).await, node.login(MAIL).await);
        world.clock.advance(secs(60));
        node.refresh(one.refresh.expose()).await.unwrap();
        let list = node.sessions.list(TENANT, ann.id).await.unwrap();
        assert_eq!(list.len(), 3);
        let shown = list.iter().find(|session| session.id == one.session.id).unwrap();
        assert_eq!(shown.device_name.as_deref(), Some("Phone"));
        assert_eq!((shown.ip_first.as_deref(), shown.ip_last.as_deref()), (Some("192.0.2.7"), Some("192.0.2.7")));
        assert_eq!(shown.last_seen_at_ms.since(shown.created_at_ms), secs(60));
        let stolen = node.sessions.revoke(TENANT, bob.id, one.session.id, "signed_out", CLI).await;
        assert!(matches!(stolen, Err(SessionError::NotFound)), "another user's session was ended");
        node.sessions.revoke(TENANT, ann.id, two.session.id, "signed_out", CLI).await.unwrap();
        refused!(node.caller(&two).await, Revoked);
        let again = node.sessions.revoke(TENANT, ann.id, two.session.id, "signed_out", CLI).await;
        assert!(matches!(again, Err(SessionError::NotFound)));
        assert_eq!(node.sessions.revoke_others(TENANT, ann.id, three.session.id, CLI).await.unwrap(), 1);
        refused!(node.caller(&one).await, Revoked);
        assert!(node.caller(&three).await.is_ok());
        let new = node.sessions.session_of(three.refresh.expose()).await.unwrap();
        assert_eq!(new.id, three.session.id);
    }

    /// T29: what node A ends, node B refuses: after its next poll, and after a message at once.
    async fn t29_other_nodes_learn_of_it(backend: Backend) {
        let Some(world) = World::new(backend).await else { return };
        let (a, b) = (world.node().await, world.node().await);
        let user = a.sign_up(MAIL).await;
        b.sessions.pull().await.unwrap();
        let (polled, told) = (a.login(MAIL).await, a.login(MAIL).await);
        for session in [&polled, &told] {
            b.caller(session).await.unwrap(); // B holds a hot copy now
            a.sessions.revoke(TENANT, user.id, session.session.id, "signed_out", CLI).await.unwrap();
            refused!(a.caller(session).await, Revoked);
            assert!(b.caller(session).await.is_ok(), "B was told nothing yet: its hot copy speaks");
        }
        b.sessions.hear(&format!("session:{}", told.session.id));
        refused!(b.caller(&told).await, Revoked);
        world.clock.advance(secs(5));
        b.sessions.pull().await.unwrap();
        refused!(b.caller(&polled).await, Revoked);
        // T7: a clock that jumps back revives nothing.
        world.clock.set(world_now(&world).minus(secs(300)));
        assert!(b.caller(&polled).await.is_err());
    }

    async fn a_forged_message_costs_a_query_and_nothing_else(backend: Backend) {
        let Some(world) = World::new(backend).await else { return };
        let node = world.node().await;
        let user = node.sign_up(MAIL).await;
        let signed_in = node.login(MAIL).await;
        node.sessions.pull().await.unwrap();
        for forged in [
            format!("user:{}:{}", user.id, i64::MAX),
            format!("session:{}", signed_in.session.id),
            "user:".to_owned(),
            "session:x".to_owned(),
            "user:x:9999999999999999999999".to_owned(),
            String::new(),
        ] {
            node.sessions.hear(&forged);
            assert!(node.caller(&signed_in).await.is_ok(), "`{forged}` was believed");
        }
    }

    /// The copy is tagged: who can write to the device can neither make up a session nor revive one.
    async fn a_forged_hot_copy_grants_nothing(backend: Backend) {
        let Some(world) = World::new(backend).await else { return };
        let node = world.node().await;
        let user = node.sign_up(MAIL).await;
        let signed_in = node.login(MAIL).await;
        let key = session_key(user.id, signed_in.session.device_id, &KeySalt::new(SecretString::from(SALT)).unwrap());
        let copy = node.kv.get(&key).await.unwrap().expect("login writes the hot copy");
        assert!(!String::from_utf8_lossy(&copy).contains(&user.id.to_string()));
        let other = world.node().await;
        other.sessions.pull().await.unwrap();
        node.sessions.revoke(TENANT, user.id, signed_in.session.id, "signed_out", CLI).await.unwrap();
        assert_eq!(node.kv.get(&key).await.unwrap(), None, "the copy outlived its session");
        let forged = String::from_utf8(copy).unwrap().replacen("\"version\":1", "\"version\":9", 1);
        other.kv.put(&key, forged.as_bytes(), secs(900)).await.unwrap();
        refused!(other.caller(&signed_in).await, Revoked);
    }

    async fn an_outage_is_neither_live_nor_revoked(backend: Backend) {
        let Some(world) = World::new(backend).await else { return };
        let node = world.node().await;
        node.sign_up(MAIL).await;
        let signed_in = node.login(MAIL).await;
        node.db.close().await;
        assert!(matches!(node.caller(&signed_in).await, Err(AuthnError::Storage(_))));
        assert!(matches!(node.refresh(signed_in.refresh.expose()).await, Err(AuthnError::Storage(_))));
        assert!(matches!(node.sessions.pull().await, Err(SessionError::Storage(_))));
    }

    async fn news_are_kept_as_long_as_they_matter(backend: Backend) {
        let Some(world) = World::new(backend).await else { return };
        let node = world.node().await;
        let user = node.sign_up(MAIL).await;
        let signed_in = node.login(MAIL).await;
        node.sessions.revoke(TENANT, user.id, signed_in.session.id, "signed_out", CLI).await.unwrap();
        world.clock.advance(secs(905));
        assert_eq!(node.sessions.prune().await.unwrap(), 0);
        world.clock.advance(secs(601));
        assert_eq!(node.sessions.prune().await.unwrap(), 1);
    }

    /// The loop itself: it pulls at its start, hears the bus, and stops when told.
    async fn the_loop_follows(backend: Backend) {
        let Some(world) = World::new(backend).await else { return };
        let bus = Bus::local();
        let a = world.node_with(RegistrationConfig::default(), bus.clone()).await;
        let b = world.node_with(RegistrationConfig::default(), bus).await;
        let user = a.sign_up(MAIL).await;
        let (early, late) = (a.login(MAIL).await, a.login(MAIL).await);
        a.sessions.revoke(TENANT, user.id, early.session.id, "signed_out", CLI).await.unwrap();
        let stop = CancellationToken::new();
        let mut events = b.bus.subscribe();
        let work = async {
            b.caller(&late).await.unwrap();
            a.sessions.revoke(TENANT, user.id, late.session.id, "signed_out", CLI).await.unwrap();
            let event = events.next().await;
            assert!(matches!(event, Event::Message { topic: Topic::Revocation, .. }), "{event:?}");
            while b.caller(&late).await.is_ok() {
                tokio::task::yield_now().await;
            }
            refused!(b.caller(&early).await, Revoked);
            stop.cancel();
        };
        tokio::join!(Arc::clone(&b.sessions).run(stop.clone()), work);
    }
}

/// Without `Kv` sessions are read from SQL, and what is revoked is refused.
#[tokio::test]
async fn a_lost_kv_costs_only_time() {
    let world = World::new(crate::support::Backend::Embedded).await.unwrap();
    let nowhere = RedisOptions {
        url: SecretString::from("redis://127.0.0.1:1"),
        prefix: "auth:".to_owned(),
        timeout: Duration::from_millis(50),
    };
    let kv = Kv::redis(&nowhere, Arc::clone(&world.clock) as Arc<dyn Clock>).await.unwrap();
    let node = world.node_on(RegistrationConfig::default(), Bus::local(), kv).await;
    let user = node.sign_up(MAIL).await;
    let signed_in = node.login(MAIL).await;
    node.sessions.pull().await.unwrap();
    assert!(node.caller(&signed_in).await.is_ok());
    let signed_in = node.refresh(signed_in.refresh.expose()).await.unwrap();
    assert!(node.caller(&signed_in).await.is_ok());
    node.sessions.revoke(TENANT, user.id, signed_in.session.id, "signed_out", CLI).await.unwrap();
    refused!(node.caller(&signed_in).await, Revoked);
    refused!(node.refresh(signed_in.refresh.expose()).await, Revoked);
}

/// Two nodes on one Redis: the hot copy is shared, and so is its end.
#[tokio::test]
async fn nodes_share_hot_copies() {
    let Some(url) = crate::support::redis_url() else { return };
    let world = World::new(crate::support::Backend::Embedded).await.unwrap();
    let shared = RedisOptions {
        url: SecretString::from(url),
        prefix: format!("auth-{}:", crate::support::unique()),
        timeout: Duration::from_secs(1),
    };
    let kv = Kv::redis(&shared, Arc::clone(&world.clock) as Arc<dyn Clock>).await.unwrap();
    let a = world.node_on(RegistrationConfig::default(), Bus::local(), kv.clone()).await;
    let b = world.node_on(RegistrationConfig::default(), Bus::local(), kv).await;
    let user = a.sign_up(MAIL).await;
    let signed_in = a.login(MAIL).await;
    b.sessions.pull().await.unwrap();
    assert!(b.caller(&signed_in).await.is_ok());
    a.sessions.revoke(TENANT, user.id, signed_in.session.id, "signed_out", CLI).await.unwrap();
    refused!(b.caller(&signed_in).await, Revoked);
}

/// What a history of refreshes, replays and ends does to a session, beside what it should do.
struct Model {
    issued: Vec<String>,
    rotated_at: Millis,
    is_live: bool,
}

impl Model {
    fn expected(&self, at: usize, now: Millis) -> &'static str {
        let newest = self.issued.len() - 1;
        match newest - at {
            _ if !self.is_live => "revoked",
            0 => "next",
            1 if now.since(self.rotated_at) <= secs(30) => "same",
            _ => "reused",
        }
    }
}

both! {
    /// T13, T14: over any history, each token does what its place in the chain says.
    async fn t13_histories(backend: Backend) {
        let Some(world) = World::new(backend).await else { return };
        let node = world.node().await;
        let user = node.sign_up(MAIL).await;
        let dice = SeededEntropy::new(11);
        let roll = |sides: usize| usize::from((&dice as &dyn Entropy).bytes::<1>().unwrap()[0]) % sides;
        for _ in 0..6 {
            let first = node.login(MAIL).await;
            let mut model = Model {
                issued: vec![first.refresh.expose().to_owned()],
                rotated_at: world_now(&world),
                is_live: true,
            };
            for _ in 0..12 {
                world.clock.advance(secs([0, 1, 29, 31][roll(4)]));
                if roll(16) == 0 {
                    node.authn.set_user_status(TENANT, user.id, UserStatus::Locked, CLI).await.unwrap();
                    node.authn.set_user_status(TENANT, user.id, UserStatus::Active, CLI).await.unwrap();
                    model.is_live = false;
                }
                let newest = model.issued.len() - 1;
                let at = newest - [0, 0, 0, 1, 1, 2][roll(6)].min(newest);
                let expected = model.expected(at, world_now(&world));
                let answer = node.refresh(&model.issued[at]).await;
                let found = match &answer {
                    Ok(next) if next.refresh.expose() == model.issued[newest] => "same",
                    Ok(_) => "next",
                    Err(AuthnError::Session(SessionError::Revoked)) => "revoked",
                    Err(AuthnError::Session(SessionError::RefreshReused)) => "reused",
                    Err(_) => "other",
                };
                assert_eq!(found, expected, "{answer:?}");
                match (found, answer) {
                    ("next", Ok(next)) => {
                        model.issued.push(next.refresh.expose().to_owned());
                        model.rotated_at = world_now(&world);
                    }
                    ("reused", _) => model.is_live = false,
                    _ => {}
                }
            }
        }
    }
}

fn world_now(world: &World) -> Millis {
    world.clock.now()
}

fn base62(mut number: u32) -> String {
    let digits = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let mut text = Vec::new();
    for _ in 0..6 {
        text.push(char::from(digits[(number % 62) as usize]));
        number /= 62;
    }
    text.iter().rev().collect()
}
