//! Sealing anew what this module keeps sealed, when the master key is another: secrets of second factors, and what
//! tenants' own servers told of their users.

use serde_json::json;

use super::{AuthnError, AuthnService, mfa, sdk};
use crate::{
    audit::{self, Actor},
    base::{Resealed, Rewrapped, SealingKey, TenantId, UserId},
    storage::Tx,
    write_tx,
};

/// Values that one transaction seals.
const BATCH: i64 = 100;

/// What is sealed. Each user has one at most.
#[derive(Debug, Clone, Copy)]
enum Kind {
    SecondFactor,
    ToldOfUser,
}

/// A sealed value, whose it is, and the place that it is sealed to.
struct Value {
    tenant: TenantId,
    user: UserId,
    place: String,
    sealed: Vec<u8>,
}

impl Kind {
    /// The event of the audit log, and the table.
    fn names(self) -> (&'static str, &'static str) {
        match self {
            Self::SecondFactor => ("second_factors_rewrapped", "totp_factors"),
            Self::ToldOfUser => ("user_data_rewrapped", "users"),
        }
    }

    fn key(self, authn: &AuthnService) -> &SealingKey {
        match self {
            Self::SecondFactor => &authn.mfa_key,
            Self::ToldOfUser => &authn.external_key,
        }
    }

    /// Those of the users next after one, of whatever tenant.
    async fn after(
        self,
        authn: &AuthnService,
        tx: &mut Tx,
        after: Option<UserId>,
    ) -> Result<Vec<Value>, AuthnError> {
        Ok(match self {
            Self::SecondFactor => {
                let value = |row: mfa::Secret| Value {
                    tenant: row.tenant_id,
                    user: row.user_id,
                    place: mfa::place(row.user_id),
                    sealed: row.sealed,
                };
                mfa::secrets_after(tx, after, BATCH).await?.into_iter().map(value).collect()
            }
            Self::ToldOfUser => {
                let value = |row: crate::users::ToldOfUser| Value {
                    tenant: row.tenant_id,
                    user: row.id,
                    place: sdk::place(row.tenant_id, &row.external_id),
                    sealed: row.data,
                };
                authn.parts.users.told_after_in(tx, after, BATCH).await?.into_iter().map(value).collect()
            }
        })
    }

    /// Puts a value sealed anew in the place of the one that was read.
    async fn replace(
        self,
        authn: &AuthnService,
        tx: &mut Tx,
        old: &Value,
        sealed: &[u8],
    ) -> Result<(), AuthnError> {
        let of = (old.tenant, old.user);
        match self {
            Self::SecondFactor => mfa::reseal(tx, of, &old.sealed, sealed).await?,
            Self::ToldOfUser => authn.parts.users.reseal_told_in(tx, of, &old.sealed, sealed).await?,
        }
        Ok(())
    }
}

impl AuthnService {
    /// Seals the secret of every second factor, of whatever tenant, with the present master key, so many at a time:
    /// what an interruption leaves over, the next run does.
    ///
    /// Errors: `Storage`, `Entropy`.
    pub async fn rewrap_second_factors(&self, actor: Actor<'_>) -> Result<Rewrapped, AuthnError> {
        self.rewrap(Kind::SecondFactor, actor).await
    }

    /// The same for what tenants' own servers told of their users.
    ///
    /// Errors: `Storage`, `Entropy`.
    pub async fn rewrap_user_data(&self, actor: Actor<'_>) -> Result<Rewrapped, AuthnError> {
        self.rewrap(Kind::ToldOfUser, actor).await
    }

    async fn rewrap(&self, kind: Kind, actor: Actor<'_>) -> Result<Rewrapped, AuthnError> {
        let (mut done, mut after) = (Rewrapped::default(), None);
        loop {
            let batch = self.rewrap_batch(kind, after, actor).await?;
            let Some((last, _)) = batch.last() else { return Ok(done) };
            after = Some(*last);
            for (user, came_to) in &batch {
                if *came_to == Resealed::Lost {
                    tracing::error!(%user, table = kind.names().1, "what is sealed of a user does not open");
                }
                done.count(came_to);
            }
        }
    }

    /// Seals the values of the users next after one; answers what each came to.
    async fn rewrap_batch(
        &self,
        kind: Kind,
        after: Option<UserId>,
        actor: Actor<'_>,
    ) -> Result<Vec<(UserId, Resealed)>, AuthnError> {
        let parts = &self.parts;
        write_tx!(parts.db, "authn.rewrap", |tx| -> Result<Vec<(UserId, Resealed)>, AuthnError> {
            let (mut batch, mut resealed) = (Vec::new(), 0);
            for value in kind.after(self, tx, after).await? {
                let came_to = kind.key(self).reseal(&value.place, &value.sealed, &*parts.entropy)?;
                if let Resealed::Anew(sealed) = &came_to {
                    kind.replace(self, tx, &value, sealed).await?;
                    resealed += 1;
                }
                batch.push((value.user, came_to));
            }
            if resealed > 0 {
                let (action, table) = kind.names();
                let entry = actor.does(TenantId::DEFAULT, action, table, json!({ "count": resealed }));
                audit::record(tx, parts.clock.now(), &*parts.entropy, entry).await?;
            }
            Ok(batch)
        })
    }
}
