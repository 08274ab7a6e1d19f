//! Refreshing: each token gives one successor, and a token used twice ends its session.

use serde_json::json;

use super::{
    ClientInfo, Ended, Grant, LiveSession, SessionError, SessionService,
    fingerprint::{Difference, Fingerprint, difference},
    refresh::RefreshToken,
    store::{self, Rotation, SessionRow},
};
use crate::{
    audit::{self, Actor},
    base::{Digest32, Millis, PlainToken, constant_time_eq},
    config::FingerprintPolicy,
    storage::Tx,
    write_tx,
};

/// What a presented token came to. Not an error where something must be committed.
enum Outcome {
    /// It was current: a new token, a new version.
    Rotated(Grant),
    /// It was current a moment ago and its successor is unused: the same successor again.
    Repeated(Grant),
    /// It was used before: the session is ended.
    Reused(Ended),
    /// It came from another kind of client: the session is ended.
    Mismatched(Ended),
}

impl SessionService {
    /// Exchanges a refresh token for its successor.
    ///
    /// The same token presented again within the grace window, while its successor is unused, gives the
    /// same successor: a lost response costs no session, and no second chain begins.
    ///
    /// Shape: in (a refresh token as handed out) → out (`Grant` at version + 1).
    /// Errors: `RefreshInvalid` (not ours; nothing changed), `RefreshExpired`, `RefreshReused` (the session
    /// is ended now), `FingerprintMismatch` (the same), `StepUpRequired` and `OtherOrigin` (nothing changed), `Revoked`,
    /// `Storage`, `Entropy`.
    /// Source: RFC 9700 §4.14.2, identity.md §2.4.
    pub async fn rotate(
        &self,
        presented: &str,
        client: &ClientInfo,
        request_id: Option<&str>,
    ) -> Result<Grant, SessionError> {
        // SECURITY: a token whose tag is not ours ends here. The session id is no secret; if knowing it
        // were enough to prove a reuse, a log line would be enough to sign somebody out (threat T13).
        let presented = RefreshToken::parse(presented, &self.tag_key).ok_or(SessionError::RefreshInvalid)?;
        let outcome = write_tx!(self.db, "sessions.rotate", |tx| -> Result<Outcome, SessionError> {
            self.rotate_in(tx, &presented, client, request_id).await
        })?;
        match outcome {
            Outcome::Rotated(grant) => {
                self.warm(&grant.session).await;
                Ok(grant)
            }
            Outcome::Repeated(grant) => Ok(grant),
            Outcome::Reused(ended) => {
                self.announce(&ended).await;
                Err(SessionError::RefreshReused)
            }
            Outcome::Mismatched(ended) => {
                self.announce(&ended).await;
                Err(SessionError::FingerprintMismatch)
            }
        }
    }

    /// The session of a refresh token that is current, or was until its successor was made.
    ///
    /// Errors: `RefreshInvalid`, `Revoked` (ended, in whatever way), `Storage`.
    pub async fn session_of(&self, presented: &str) -> Result<LiveSession, SessionError> {
        let token = RefreshToken::parse(presented, &self.tag_key).ok_or(SessionError::RefreshInvalid)?;
        let row = store::by_id(&mut &self.db, token.session).await?.ok_or(SessionError::RefreshInvalid)?;
        let digest = token.digest();
        if !is_digest(&digest, Some(&row.rt_hash)) && !is_digest(&digest, row.prev_rt_hash.as_ref()) {
            return Err(SessionError::RefreshInvalid);
        }
        if row.was_ended() { Err(SessionError::Revoked) } else { Ok(row.session()) }
    }

    async fn rotate_in(
        &self,
        tx: &mut Tx,
        presented: &RefreshToken,
        client: &ClientInfo,
        request_id: Option<&str>,
    ) -> Result<Outcome, SessionError> {
        let now = self.clock.now();
        let successor =
            RefreshToken::new(presented.session, presented.generation.saturating_add(1), &*self.entropy)?;
        let refresh = successor.encode(&self.tag_key);
        let place = presented.grace_place();
        let grace_blob = presented.grace_key().seal(&place, refresh.expose().as_bytes(), &*self.entropy)?;
        let rotation = Rotation {
            session: presented.session,
            generation: presented.generation,
            presented: presented.digest(),
            successor: successor.digest(),
            grace_blob: &grace_blob,
            now,
            idle_expires_at: now.plus(self.settings.idle_ttl),
            ip: client.ip.map(|ip| ip.to_canonical().to_string()),
        };
        let rotated = store::rotate(tx, &rotation).await?;
        let row = store::by_id(tx, presented.session).await?.ok_or(SessionError::RefreshInvalid)?;
        if rotated.is_some() {
            let mismatch = self.judge_looks(tx, &row, client, request_id).await?;
            let rotated = || Outcome::Rotated(Grant { session: row.session(), refresh });
            return Ok(mismatch.map_or_else(rotated, Outcome::Mismatched));
        }
        if row.was_ended() {
            return Err(SessionError::Revoked);
        }
        if row.is_over(now) {
            return Err(SessionError::RefreshExpired);
        }
        if presented.generation >= row.version {
            return Err(SessionError::RefreshInvalid); // made by us, but never handed out
        }
        match self.repeat(presented, &row, now) {
            Some(refresh) => {
                let mismatch = self.judge_looks(tx, &row, client, request_id).await?;
                let repeated = || Outcome::Repeated(Grant { session: row.session(), refresh });
                Ok(mismatch.map_or_else(repeated, Outcome::Mismatched))
            }
            None => Ok(Outcome::Reused(self.end_reused(tx, presented, &row, now, request_id).await?)),
        }
    }

    /// The successor that was given for `presented`, if it is still to be given again.
    ///
    /// That it is unused needs no mark: using it makes another token the previous one.
    fn repeat(&self, presented: &RefreshToken, row: &SessionRow, now: Millis) -> Option<PlainToken> {
        let is_previous = presented.generation == row.version - 1
            && is_digest(&presented.digest(), row.prev_rt_hash.as_ref());
        if !is_previous || now.since(row.rotated_at_ms) > self.settings.refresh_grace {
            return None;
        }
        let opened = presented.grace_key().open(&presented.grace_place(), row.grace_blob.as_deref()?).ok()?;
        String::from_utf8(opened).ok().map(PlainToken::new)
    }

    /// What a client that looks different leads to; `Some` when the session is ended.
    ///
    /// Errors: `StepUpRequired` and `OtherOrigin`, which undo the rotation; `Storage`, `Entropy`.
    async fn judge_looks(
        &self,
        tx: &mut Tx,
        row: &SessionRow,
        client: &ClientInfo,
        request_id: Option<&str>,
    ) -> Result<Option<Ended>, SessionError> {
        let by = row.opened_by();
        if by.origin().is_some_and(|bound| client.origin.as_ref().is_some_and(|origin| origin != bound)) {
            return Err(SessionError::OtherOrigin);
        }
        let (agent, platform) = (row.agent_tag.as_deref(), row.platform_tag.as_deref());
        if agent.is_none() && platform.is_none() {
            // A key opened it: whoever refreshes it first is whom it is for.
            store::keep_looks(tx, row.tenant_id, row.id, &Fingerprint::of(client, &self.looks_key)).await?;
            return Ok(None);
        }
        let differs = difference(client, &self.looks_key, agent, platform);
        let (policy, what) = match differs {
            None => return Ok(None),
            Some(Difference::Agent) => (self.settings.on_other_agent, "agent"),
            Some(Difference::Platform) => (self.settings.on_other_platform, "platform"),
        };
        let (action, ended) = match policy {
            FingerprintPolicy::Off => return Ok(None),
            FingerprintPolicy::StepUp => return Err(SessionError::StepUpRequired),
            FingerprintPolicy::Warn => {
                let looks = Fingerprint::of(client, &self.looks_key);
                store::keep_looks(tx, row.tenant_id, row.id, &looks).await?;
                ("fingerprint_changed", None)
            }
            FingerprintPolicy::Revoke => {
                let ended =
                    self.end_one(tx, row.tenant_id, row.user_id, row.id, "fingerprint_mismatch").await?;
                ("fingerprint_mismatch", Some(ended.unwrap_or_default()))
            }
        };
        let (user, subject) = (row.user_id.to_string(), row.id.to_string());
        let actor = Actor { name: &user, request_id };
        let entry =
            actor.does(row.tenant_id, action, &subject, json!({ "user_id": row.user_id, "other": what }));
        audit::record(tx, self.clock.now(), &*self.entropy, entry).await?;
        Ok(ended)
    }

    async fn end_reused(
        &self,
        tx: &mut Tx,
        presented: &RefreshToken,
        row: &SessionRow,
        now: Millis,
        request_id: Option<&str>,
    ) -> Result<Ended, SessionError> {
        let ended = self.end_one(tx, row.tenant_id, row.user_id, row.id, "refresh_reused").await?;
        let (user, subject) = (row.user_id.to_string(), row.id.to_string());
        let detail =
            json!({ "user_id": row.user_id, "generation": presented.generation, "version": row.version });
        let actor = Actor { name: &user, request_id };
        let entry = actor.does(row.tenant_id, "refresh_reused", &subject, detail);
        audit::record(tx, now, &*self.entropy, entry).await?;
        Ok(ended.unwrap_or_default())
    }
}

fn is_digest(digest: &Digest32, stored: Option<&Vec<u8>>) -> bool {
    stored.is_some_and(|stored| constant_time_eq(stored, digest.as_bytes()))
}
