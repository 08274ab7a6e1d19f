use super::*;
use crate::{
    base::{DeviceId, SeededEntropy, TenantId},
    tokens::Audience,
};

const NOW: Millis = Millis(1_000_000);

fn claims() -> AccessClaims {
    let entropy = SeededEntropy::new(1);
    AccessClaims {
        iss: String::new(),
        aud: Audience::One(String::new()),
        sub: UserId::new(NOW, &entropy).unwrap(),
        client_id: String::new(),
        tid: TenantId::DEFAULT,
        sid: SessionId::new(NOW, &entropy).unwrap(),
        did: DeviceId::new(NOW, &entropy).unwrap(),
        jti: String::new(),
        iat: 0,
        nbf: 0,
        exp: 0,
        auth_time: 0,
        amr: Vec::new(),
        acr: String::new(),
        ver: 1,
        ep: 3,
        scope: String::new(),
        roles: None,
        act: None,
        origin: None,
    }
}

fn news() -> News {
    let news = News::new(Duration::from_secs(905), Duration::from_secs(5));
    news.pulled(NOW);
    news
}

#[test]
fn knowledge_refuses_and_hearsay_only_asks() {
    let (claims, news) = (claims(), news());
    assert_eq!(news.view(&claims, NOW), View::Trust);
    news.hear_user(claims.sub, 3, NOW);
    assert_eq!(news.view(&claims, NOW), View::Trust, "the token is of that epoch");
    news.hear_user(claims.sub, i64::MAX, NOW);
    assert_eq!(news.view(&claims, NOW), View::Ask);
    news.refute(&claims, news.stamp());
    assert_eq!(news.view(&claims, NOW), View::Trust, "a forged epoch was believed");
    news.hear_session(claims.sid, NOW);
    assert_eq!(news.view(&claims, NOW), View::Ask);
    news.know_session(claims.sid, NOW);
    assert_eq!(news.view(&claims, NOW), View::Ended);
}

#[test]
fn an_answer_does_not_refute_what_was_told_after_the_question() {
    let (claims, news) = (claims(), news());
    let asked = news.stamp();
    news.hear_session(claims.sid, NOW);
    news.refute(&claims, asked);
    assert_eq!(news.view(&claims, NOW), View::Ask);
}

#[test]
fn epochs_only_grow() {
    let (claims, news) = (claims(), news());
    news.know_user(claims.sub, 4, NOW);
    news.know_user(claims.sub, 2, NOW);
    assert_eq!(news.view(&claims, NOW), View::Ended);
}

#[test]
fn news_that_are_old_or_incomplete_are_not_trusted() {
    let (claims, news) = (claims(), news());
    assert_eq!(news.view(&claims, NOW.plus(Duration::from_secs(15))), View::Trust);
    assert_eq!(news.view(&claims, NOW.plus(Duration::from_secs(16))), View::Ask);
    news.missed();
    assert_eq!(news.view(&claims, NOW), View::Ask);
    let unborn = News::new(Duration::from_secs(905), Duration::from_secs(5));
    assert_eq!(unborn.view(&claims, NOW), View::Ask);
}

#[test]
fn things_are_forgotten_with_the_tokens_they_concern() {
    let (claims, news) = (claims(), news());
    news.know_session(claims.sid, NOW);
    news.pulled(NOW.plus(Duration::from_secs(905)));
    assert_eq!(news.view(&claims, NOW.plus(Duration::from_secs(905))), View::Ended);
    news.pulled(NOW.plus(Duration::from_secs(906)));
    assert_eq!(news.view(&claims, NOW.plus(Duration::from_secs(906))), View::Trust);
    news.know_session(claims.sid, NOW);
    // T7: a clock that jumps back revives nothing.
    assert_eq!(news.view(&claims, NOW.minus(Duration::from_hours(1))), View::Ended);
}

#[test]
fn a_flood_of_hearsay_costs_no_memory_and_no_truth() {
    let (claims, news, entropy) = (claims(), news(), SeededEntropy::new(2));
    for _ in 0..=MAX_TOLD {
        news.hear_session(SessionId::new(NOW, &entropy).unwrap(), NOW);
    }
    assert_eq!(news.view(&claims, NOW), View::Ask, "an overflow must ask about everyone");
    assert!(news.read().told_sessions.len() <= MAX_TOLD);
}
