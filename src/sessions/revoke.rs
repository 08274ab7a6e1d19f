//! Ending sessions, and telling the other nodes.

use serde_json::json;

use super::{Ended, PastSession, Session, SessionError, SessionService, hot::session_key, store, uses};
use crate::{
    audit::{self, Actor},
    base::{ApiKeyId, Millis, SessionId, TenantId, UserId},
    bus::Topic,
    revocations::{self, Ended as Revoked},
    storage::Tx,
    write_tx,
};

impl SessionService {
    /// The live sessions of a user, the newest first, 200 at most.
    ///
    /// Errors: `Storage`.
    pub async fn list(&self, tenant: TenantId, user: UserId) -> Result<Vec<Session>, SessionError> {
        Ok(store::list(&mut &self.db, tenant, user, self.clock.now()).await?)
    }

    /// The sessions of a user, live and over, the newest first, 10,000 at most.
    ///
    /// Errors: `Storage`.
    pub async fn past(&self, tenant: TenantId, user: UserId) -> Result<Vec<PastSession>, SessionError> {
        Ok(uses::all_of(&mut &self.db, tenant, user).await?)
    }

    /// When a user was last active: the last use of any session that is still known, to the minute.
    ///
    /// Errors: `Storage`.
    pub async fn last_use(&self, tenant: TenantId, user: UserId) -> Result<Option<Millis>, SessionError> {
        Ok(uses::last_use(&mut &self.db, tenant, user).await?)
    }

    /// Whose session this is.
    ///
    /// Errors: `NotFound` (the tenant has no such session), `Storage`.
    pub async fn user_of(&self, tenant: TenantId, id: SessionId) -> Result<UserId, SessionError> {
        let row = store::by_id(&mut &self.db, id).await?.filter(|row| row.tenant_id == tenant);
        row.map(|row| row.user_id).ok_or(SessionError::NotFound)
    }

    /// Ends one session of a user, with its audit record.
    ///
    /// Errors: `NotFound` (the user has no such session, or it was ended before), `Storage`, `Entropy`.
    pub async fn revoke(
        &self,
        tenant: TenantId,
        user: UserId,
        session: SessionId,
        reason: &str,
        actor: Actor<'_>,
    ) -> Result<(), SessionError> {
        let ended = write_tx!(self.db, "sessions.revoke", |tx| -> Result<Ended, SessionError> {
            self.revoke_in(tx, (tenant, user, session), reason, actor).await
        })?;
        self.announce(&ended).await;
        Ok(())
    }

    /// [`SessionService::revoke`] inside a transaction of the caller's, who announces the answer once it has
    /// committed.
    ///
    /// Errors: as there.
    pub async fn revoke_in(
        &self,
        tx: &mut Tx,
        (tenant, user, session): (TenantId, UserId, SessionId),
        reason: &str,
        actor: Actor<'_>,
    ) -> Result<Ended, SessionError> {
        let ended = self.end_one(tx, tenant, user, session, reason).await?.ok_or(SessionError::NotFound)?;
        let subject = session.to_string();
        let entry =
            actor.does(tenant, "session_revoked", &subject, json!({ "user_id": user, "reason": reason }));
        audit::record(tx, self.clock.now(), &*self.entropy, entry).await?;
        Ok(ended)
    }

    /// Ends all sessions of a user but `keep`, with one audit record; answers how many.
    ///
    /// Errors: `Storage`, `Entropy`.
    pub async fn revoke_others(
        &self,
        tenant: TenantId,
        user: UserId,
        keep: SessionId,
        actor: Actor<'_>,
    ) -> Result<usize, SessionError> {
        let ended = write_tx!(self.db, "sessions.revoke_others", |tx| -> Result<Ended, SessionError> {
            let now = self.clock.now();
            let mut ended = Ended::default();
            for (id, device) in store::revoke_all(tx, tenant, user, Some(keep), "revoked", now).await? {
                revocations::record(tx, now, Some(tenant), &Revoked::Session(id)).await?;
                ended.sessions.push((id, user, device));
            }
            let (subject, detail) = (
                user.to_string(),
                json!({ "user_id": user, "reason": "revoked", "kept": keep, "ended": ended.count() }),
            );
            let entry = actor.does(tenant, "sessions_revoked", &subject, detail);
            audit::record(tx, now, &*self.entropy, entry).await?;
            Ok(ended)
        })?;
        self.announce(&ended).await;
        Ok(ended.count())
    }

    /// Ends every session of a user in the transaction that raised the user's epoch to `epoch`, with one
    /// audit record. The caller announces the answer once `tx` has committed.
    ///
    /// Errors: `Storage`, `Entropy`.
    pub async fn revoke_all_in(
        &self,
        tx: &mut Tx,
        (tenant, user): (TenantId, UserId),
        epoch: i64,
        reason: &str,
        actor: Actor<'_>,
    ) -> Result<Ended, SessionError> {
        let now = self.clock.now();
        let ended = store::revoke_all(tx, tenant, user, None, reason, now).await?;
        let subject = user.to_string();
        revocations::record(tx, now, Some(tenant), &Revoked::User { id: user, epoch }).await?;
        let detail = json!({ "user_id": user, "reason": reason, "epoch": epoch, "ended": ended.len() });
        let entry = actor.does(tenant, "sessions_revoked", &subject, detail);
        audit::record(tx, now, &*self.entropy, entry).await?;
        let sessions = ended.into_iter().map(|(id, device)| (id, user, device)).collect();
        Ok(Ended { sessions, user: Some((user, epoch)) })
    }

    /// Ends every session of a tenant, with one audit record, and tells that all that was issued in it has ended. The
    /// caller announces the answer once `tx` has committed.
    ///
    /// Errors: `Storage`, `Entropy`.
    pub async fn revoke_tenant_in(
        &self,
        tx: &mut Tx,
        tenant: TenantId,
        reason: &str,
        actor: Actor<'_>,
    ) -> Result<Ended, SessionError> {
        let now = self.clock.now();
        let sessions = store::revoke_tenant(tx, tenant, reason, now).await?;
        revocations::record(tx, now, Some(tenant), &Revoked::Tenant(tenant)).await?;
        for (id, ..) in &sessions {
            revocations::record(tx, now, Some(tenant), &Revoked::Session(*id)).await?;
        }
        let (subject, detail) = (tenant.to_string(), json!({ "reason": reason, "ended": sessions.len() }));
        let entry = actor.does(tenant, "sessions_revoked", &subject, detail);
        audit::record(tx, now, &*self.entropy, entry).await?;
        Ok(Ended { sessions, user: None })
    }

    /// Ends every session that an API key opened, with one audit record if there are any. The caller announces the
    /// answer once `tx` has committed.
    ///
    /// Errors: `Storage`, `Entropy`.
    pub async fn revoke_of_key_in(
        &self,
        tx: &mut Tx,
        tenant: TenantId,
        key: ApiKeyId,
        reason: &str,
        actor: Actor<'_>,
    ) -> Result<Ended, SessionError> {
        let now = self.clock.now();
        let sessions = store::revoke_of_key(tx, tenant, key, reason, now).await?;
        if sessions.is_empty() {
            return Ok(Ended::default());
        }
        for (id, ..) in &sessions {
            revocations::record(tx, now, Some(tenant), &Revoked::Session(*id)).await?;
        }
        let (subject, detail) = (key.to_string(), json!({ "reason": reason, "ended": sessions.len() }));
        let entry = actor.does(tenant, "sessions_revoked", &subject, detail);
        audit::record(tx, now, &*self.entropy, entry).await?;
        Ok(Ended { sessions, user: None })
    }

    /// Makes a committed end known: to this node's memory first, then to the hot copies and other nodes.
    /// What fails here is made good by every node's poll: no error.
    pub async fn announce(&self, ended: &Ended) {
        let now = self.clock.now();
        for (session, ..) in &ended.sessions {
            self.news.know_session(*session, now);
        }
        if let Some((user, epoch)) = ended.user {
            self.news.know_user(user, epoch, now);
        }
        for (_, user, device) in &ended.sessions {
            let key = session_key(*user, *device, &self.salt);
            if let Err(error) = self.kv.delete(&key).await {
                tracing::warn!(error = &error as &dyn std::error::Error, "a hot copy was not removed");
                break; // the others would wait for the same answer
            }
        }
        let payloads = match ended.user {
            Some((user, epoch)) => vec![format!("user:{user}:{epoch}")],
            None => ended.sessions.iter().map(|(session, ..)| format!("session:{session}")).collect(),
        };
        for payload in payloads {
            if let Err(error) = self.bus.publish(Topic::Revocation, &payload).await {
                tracing::warn!(error = &error as &dyn std::error::Error, "a revocation was not published");
                break;
            }
        }
    }

    /// Ends one session in `tx` and leaves news of it; nothing if it was ended before.
    pub(super) async fn end_one(
        &self,
        tx: &mut Tx,
        tenant: TenantId,
        user: UserId,
        session: SessionId,
        reason: &str,
    ) -> Result<Option<Ended>, SessionError> {
        let now = self.clock.now();
        let Some(device) = store::revoke(tx, tenant, user, session, reason, now).await? else {
            return Ok(None);
        };
        revocations::record(tx, now, Some(tenant), &Revoked::Session(session)).await?;
        Ok(Some(Ended { sessions: vec![(session, user, device)], user: None }))
    }
}
