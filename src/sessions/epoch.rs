//! What a node knows and what it was told about ended sessions.
//!
//! *Known* comes from SQL (an own commit, a poll, a look-up) and refuses at once. *Told* comes from the
//! bus, which anyone on it can forge: it only makes the node ask SQL instead of trusting a hot copy, and
//! the answer turns it into knowledge or into nothing. Epochs only grow: of two, the higher one counts.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{RwLock, RwLockReadGuard, RwLockWriteGuard},
    time::Duration,
};

use crate::{
    base::{Millis, SessionId, UserId},
    tokens::AccessClaims,
};

/// Most things that a node is told before it stops keeping count and asks SQL about everyone.
const MAX_TOLD: usize = 100_000;

/// What to do with a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum View {
    /// Its session is known to have ended.
    Ended,
    /// A hot copy may be trusted.
    Trust,
    /// Only SQL can say.
    Ask,
}

/// A point in the order in which things were told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(super) struct Stamp(u64);

#[derive(Debug, Clone, Copy)]
struct Mark {
    epoch: i64,
    until: Millis,
    stamp: Stamp,
}

#[derive(Debug, Default)]
struct Maps {
    known_sessions: HashMap<SessionId, Mark>,
    known_users: HashMap<UserId, Mark>,
    told_sessions: HashMap<SessionId, Mark>,
    told_users: HashMap<UserId, Mark>,
    stamp: Stamp,
    /// Told too much: everyone is asked about until then.
    ask_until: Option<Millis>,
    /// When the news were last pulled in full order.
    pulled_at: Option<Millis>,
}

/// The maps of a node. They hold a thing for as long as an access token can live.
#[derive(Debug)]
pub(super) struct News {
    maps: RwLock<Maps>,
    keep: Duration,
    /// How old the last pull may be before hot copies are no longer trusted.
    stale: Duration,
}

impl News {
    /// Nothing known yet: until the first pull, SQL is asked about everyone.
    pub(super) fn new(keep: Duration, poll: Duration) -> Self {
        Self { maps: RwLock::default(), keep, stale: poll * 3 }
    }

    /// What to do with a token that says `claims`.
    pub(super) fn view(&self, claims: &AccessClaims, now: Millis) -> View {
        let maps = self.read();
        let ended = |mark: Option<&Mark>| mark.is_some_and(|mark| mark.epoch > claims.ep);
        if maps.known_sessions.contains_key(&claims.sid) || ended(maps.known_users.get(&claims.sub)) {
            return View::Ended;
        }
        let told = maps.told_sessions.contains_key(&claims.sid) || ended(maps.told_users.get(&claims.sub));
        let stale = maps.pulled_at.is_none_or(|at| now.since(at) > self.stale);
        if told || stale || maps.ask_until.is_some_and(|until| until > now) { View::Ask } else { View::Trust }
    }

    /// SQL says that this session ended.
    pub(super) fn know_session(&self, session: SessionId, now: Millis) {
        let mut maps = self.write();
        maps.told_sessions.remove(&session);
        let mark = Mark { epoch: 0, until: now.plus(self.keep), stamp: Stamp::default() };
        maps.known_sessions.insert(session, mark);
    }

    /// SQL says that this user's epoch is `epoch`.
    pub(super) fn know_user(&self, user: UserId, epoch: i64, now: Millis) {
        let mut maps = self.write();
        if maps.told_users.get(&user).is_some_and(|told| told.epoch <= epoch) {
            maps.told_users.remove(&user);
        }
        let mark = Mark { epoch, until: now.plus(self.keep), stamp: Stamp::default() };
        merge(&mut maps.known_users, user, mark);
    }

    /// The bus says that this session ended.
    pub(super) fn hear_session(&self, session: SessionId, now: Millis) {
        let mut maps = self.write();
        if let Some(mark) = maps.next_told(0, now.plus(self.keep)) {
            maps.told_sessions.insert(session, mark);
        }
    }

    /// The bus says that this user's epoch is `epoch`.
    pub(super) fn hear_user(&self, user: UserId, epoch: i64, now: Millis) {
        let mut maps = self.write();
        if let Some(mark) = maps.next_told(epoch, now.plus(self.keep)) {
            merge(&mut maps.told_users, user, mark);
        }
    }

    /// Take this before asking SQL, and give it to [`News::refute`].
    pub(super) fn stamp(&self) -> Stamp {
        self.read().stamp
    }

    /// SQL, asked after `asked`, says that the session of `claims` is live: what was told before is untrue.
    /// What was told since may be newer than the answer, and stays.
    pub(super) fn refute(&self, claims: &AccessClaims, asked: Stamp) {
        let told = {
            let maps = self.read();
            maps.told_sessions.contains_key(&claims.sid) || maps.told_users.contains_key(&claims.sub)
        };
        if told {
            let mut maps = self.write();
            drop_until(&mut maps.told_sessions, &claims.sid, asked);
            drop_until(&mut maps.told_users, &claims.sub, asked);
        }
    }

    /// All news up to `at` were pulled. What has run out is forgotten.
    pub(super) fn pulled(&self, at: Millis) {
        let mut maps = self.write();
        maps.pulled_at = Some(at);
        let fresh = |mark: &Mark| mark.until >= at;
        maps.known_sessions.retain(|_, mark| fresh(mark));
        maps.known_users.retain(|_, mark| fresh(mark));
        maps.told_sessions.retain(|_, mark| fresh(mark));
        maps.told_users.retain(|_, mark| fresh(mark));
    }

    /// Something may have been missed: until the next pull, SQL is asked about everyone.
    pub(super) fn missed(&self) {
        self.write().pulled_at = None;
    }

    /// When the news were last pulled.
    pub(super) fn pulled_at(&self) -> Option<Millis> {
        self.read().pulled_at
    }

    fn read(&self) -> RwLockReadGuard<'_, Maps> {
        self.maps.read().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Maps> {
        self.maps.write().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Maps {
    /// The mark of the next thing told; none when that is one too many.
    fn next_told(&mut self, epoch: i64, until: Millis) -> Option<Mark> {
        self.stamp.0 += 1;
        if self.told_sessions.len() + self.told_users.len() >= MAX_TOLD {
            self.told_sessions.clear();
            self.told_users.clear();
            self.ask_until = Some(until);
        }
        self.ask_until.is_none_or(|ask| ask < until).then_some(Mark { epoch, until, stamp: self.stamp })
    }
}

fn merge(users: &mut HashMap<UserId, Mark>, user: UserId, mark: Mark) {
    let kept = users.entry(user).or_insert(mark);
    kept.epoch = kept.epoch.max(mark.epoch);
    kept.until = kept.until.max(mark.until);
    kept.stamp = kept.stamp.max(mark.stamp);
}

fn drop_until<K: Eq + Hash>(told: &mut HashMap<K, Mark>, key: &K, asked: Stamp) {
    if told.get(key).is_some_and(|mark| mark.stamp <= asked) {
        told.remove(key);
    }
}

#[cfg(test)]
#[path = "tests/epoch.rs"]
mod tests;
