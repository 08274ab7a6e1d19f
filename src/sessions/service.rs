//! Opening sessions, and saying whether one is live.

use std::{sync::Arc, time::Duration};

use serde_json::json;

use super::{
    ClientInfo, Grant, KeySalt, LiveSession, NewSession, OpenedBy, SessionError, SessionSettings, devices,
    epoch::{News, View},
    fingerprint::Fingerprint,
    hot::{HotSession, session_key},
    refresh::RefreshToken,
    store,
    usage::Usage,
};
use crate::{
    audit::{self, Actor},
    base::{Clock, DeviceId, Entropy, MacKey, MasterKey, Millis, SessionId},
    bus::Bus,
    kv::Kv,
    storage::{Db, Tx},
    tokens::AccessClaims,
    write_tx,
};

/// How much longer than a token's life a node remembers: a token may be issued, and a hot copy written, a
/// moment after the session was ended elsewhere.
const NEWS_MARGIN: Duration = Duration::from_mins(1);

/// What the service is made of.
#[derive(Debug)]
pub struct SessionParts {
    /// The truth.
    pub db: Db,
    /// The hot copies.
    pub kv: Kv,
    /// News to and from other nodes.
    pub bus: Bus,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub entropy: Arc<dyn Entropy>,
    /// How long things last.
    pub settings: SessionSettings,
    /// The salt of hot keys.
    pub salt: KeySalt,
}

/// Opens, rotates, checks and ends sessions.
#[derive(Debug)]
pub struct SessionService {
    pub(super) db: Db,
    pub(super) kv: Kv,
    pub(super) bus: Bus,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) entropy: Arc<dyn Entropy>,
    pub(super) settings: SessionSettings,
    pub(super) salt: KeySalt,
    pub(super) tag_key: MacKey,
    pub(super) hot_key: MacKey,
    pub(super) looks_key: MacKey,
    pub(super) news: News,
    pub(super) usage: Usage,
}

impl SessionService {
    /// The service; its keys derive from `master`.
    #[must_use]
    pub fn new(parts: SessionParts, master: &MasterKey) -> Self {
        let news = News::new(parts.settings.news_ttl + NEWS_MARGIN, parts.settings.poll);
        let usage = Usage::new(&parts.settings);
        Self {
            db: parts.db,
            kv: parts.kv,
            bus: parts.bus,
            clock: parts.clock,
            entropy: parts.entropy,
            settings: parts.settings,
            salt: parts.salt,
            tag_key: master.mac_key("refresh-tag"),
            hot_key: master.mac_key("session-copy"),
            looks_key: master.mac_key("fingerprint"),
            news,
            usage,
        }
    }

    /// Opens a session, with its audit record, and puts its hot copy in place.
    ///
    /// Shape: in (`NewSession`, `ClientInfo`) → out (`Grant`: version 1, refresh token of 108 characters).
    /// Errors: `Outdated` (the user changed since the credentials were read, or may not sign in; the key that opens
    /// the session has ended), `Storage`, `Entropy`.
    pub async fn open(
        &self,
        new: &NewSession,
        client: &ClientInfo,
        actor: Actor<'_>,
    ) -> Result<Grant, SessionError> {
        let grant = write_tx!(self.db, "sessions.open", |tx| -> Result<Grant, SessionError> {
            self.open_in(tx, new, client, actor).await
        })?;
        self.opened(&grant.session).await;
        Ok(grant)
    }

    /// [`SessionService::open`] inside a transaction of the caller's, who calls
    /// [`SessionService::opened`] after the commit.
    ///
    /// Errors: as there.
    pub async fn open_in(
        &self,
        tx: &mut Tx,
        new: &NewSession,
        client: &ClientInfo,
        actor: Actor<'_>,
    ) -> Result<Grant, SessionError> {
        let now = self.clock.now();
        let abs_expires_at = now.plus(self.settings.absolute_ttl);
        let session = LiveSession {
            id: SessionId::new(now, &*self.entropy)?,
            tenant_id: new.tenant_id,
            user_id: new.user_id,
            device_id: self.device_in(tx, new, client).await?,
            version: 1,
            epoch: new.epoch,
            amr: new.amr.clone(),
            auth_time: new.auth_time,
            by: new.by.clone(),
            rotated_at: now,
            idle_expires_at: now.plus(self.settings.idle_ttl).min(abs_expires_at),
            abs_expires_at,
        };
        let token = RefreshToken::new(session.id, session.version, &*self.entropy)?;
        // Who opens it with a key is not who will use it: that one shows at the first refresh.
        let looks = (new.by == OpenedBy::User).then(|| Fingerprint::of(client, &self.looks_key));
        if !store::insert(tx, &session, new, client, &token.digest(), looks.as_ref()).await? {
            return Err(SessionError::Outdated);
        }
        let subject = session.id.to_string();
        let detail = json!({ "user_id": new.user_id, "amr": new.amr, "by": new.by.kind() });
        let entry = actor.does(new.tenant_id, "session_opened", &subject, detail);
        audit::record(tx, now, &*self.entropy, entry).await?;
        Ok(Grant { session, refresh: token.encode(&self.tag_key) })
    }

    /// The device of a new session: the one that it proved to be, unless its user removed it; else a new one.
    async fn device_in(
        &self,
        tx: &mut Tx,
        new: &NewSession,
        client: &ClientInfo,
    ) -> Result<DeviceId, SessionError> {
        let (of, now) = ((new.tenant_id, new.user_id), self.clock.now());
        if let Some(known) = new.device
            && devices::see(tx, of, known, client, now).await?
        {
            return Ok(known);
        }
        let id = DeviceId::new(now, &*self.entropy)?;
        devices::add(tx, of, id, client, now).await?;
        Ok(id)
    }

    /// Puts the hot copy of a session in place. When that fails, requests ask SQL: no error.
    pub async fn warm(&self, session: &LiveSession) {
        let key = session_key(session.user_id, session.device_id, &self.salt);
        let copy = HotSession::of(session);
        let ttl = copy.ttl(self.clock.now());
        if ttl.is_zero() {
            return;
        }
        if let Err(error) = self.kv.put(&key, &copy.encode(&key, &self.hot_key), ttl).await {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "the hot copy of a session was not written"
            );
        }
    }

    /// What this node knows and was told about the session of `claims`, without asking anyone. For who
    /// has found it live before and wants to take that for granted.
    pub fn view(&self, claims: &AccessClaims, now: Millis) -> View {
        self.news.view(claims, now)
    }

    /// Whether news of other nodes come by the poll alone.
    pub fn is_bus_degraded(&self) -> bool {
        self.bus.is_degraded()
    }

    /// Whether the session of a verified access token is live. `Ok` is the only yes; it says when the
    /// session ends if it is not used.
    ///
    /// Order: what this node knows, the hot copy unless something speaks against trusting it, SQL.
    /// Errors: `Revoked`, `Expired`, `Storage` (nobody knows: neither an allow nor a 401).
    pub async fn check_live(&self, claims: &AccessClaims) -> Result<Millis, SessionError> {
        let now = self.clock.now();
        match self.news.view(claims, now) {
            View::Ended => return Err(SessionError::Revoked),
            // While the bus is down, what is asked at all is asked of SQL (identity.md §2.6).
            View::Trust if !self.bus.is_degraded() => {
                if let Some(ends) = self.hot_until(claims, now).await {
                    return Ok(ends);
                }
            }
            View::Trust | View::Ask => {}
        }
        let asked = self.news.stamp();
        let row = store::by_id(&mut &self.db, claims.sid)
            .await?
            .filter(|row| row.tenant_id == claims.tid && row.user_id == claims.sub)
            .ok_or(SessionError::Revoked)?;
        if row.revoked_at_ms.is_some() {
            self.news.know_session(claims.sid, now);
        }
        if row.user_epoch > claims.ep {
            self.news.know_user(claims.sub, row.user_epoch, now);
        }
        if row.was_ended() || row.epoch != claims.ep || row.device_id != claims.did {
            return Err(SessionError::Revoked);
        }
        if row.is_over(now) {
            return Err(SessionError::Expired);
        }
        self.news.refute(claims, asked);
        let session = row.session();
        self.warm(&session).await;
        Ok(session.idle_expires_at.min(session.abs_expires_at))
    }

    /// Until when the hot copy vouches for the session. No copy and no device are both no vouching.
    async fn hot_until(&self, claims: &AccessClaims, now: Millis) -> Option<Millis> {
        let key = session_key(claims.sub, claims.did, &self.salt);
        let bytes = self.kv.get(&key).await.ok()??;
        let copy = HotSession::decode(&key, &bytes, &self.hot_key)?;
        let vouches = copy.sid == claims.sid
            && copy.epoch == claims.ep
            && copy.version >= claims.ver
            && !copy.is_over(now);
        vouches.then_some(copy.idle_expires_at_ms.min(copy.abs_expires_at_ms))
    }
}
