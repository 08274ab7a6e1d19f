//! Sessions: rotation, reuse, and how they end.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use bailiwick::{
    audit::Actor,
    authn::AuthnError,
    base::{Clock, Entropy, Millis, OsEntropy, PlainToken, SeededEntropy, SessionId},
    sessions::{ClientInfo, NewSession, OpenedBy, SessionError},
    storage::Run as _,
    users::UserStatus,
    write_tx,
};
use futures_util::future::join_all;

use crate::{
    both,
    identity::{Node, TENANT, World},
};

pub(crate) const CLI: Actor<'static> = Actor { name: "cli", request_id: None };
pub(crate) const MAIL: &str = "ann@example.com";

pub(crate) fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

pub(crate) fn session_error<T: std::fmt::Debug>(answer: Result<T, AuthnError>) -> SessionError {
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
pub(crate) use refused;

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
        let new = NewSession { tenant_id: TENANT, user_id: user.id, epoch: user.token_epoch, amr: vec!["pwd".to_owned()], auth_time: world_now(&world), device: None, by: OpenedBy::User };
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

pub(crate) fn world_now(world: &World) -> Millis {
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
