//! Whether a token of a client still counts; what is known of clients, in memory for seconds.

use std::{collections::HashSet, sync::Arc, time::Duration};

use quick_cache::sync::Cache;
use serde_json::json;

use super::{Client, ClientError, ClientService, store};
use crate::{
    audit::{self, Actor},
    base::{ClientId, Millis, TenantId},
    bus::{Stamp, Subject},
    revocations::{self, Ended},
    storage::StorageError,
    tokens::ServiceClaims,
    write_tx,
};

/// How old a fact may be.
const TTL: Duration = Duration::from_secs(5);
/// The same while no news of other nodes come.
const DEGRADED_TTL: Duration = Duration::from_secs(1);
/// Clients that are held.
const MAX_CLIENTS: usize = 10_000;

/// A program that calls with a token of its own.
#[derive(Debug, Clone)]
pub struct ServiceCaller {
    /// The client.
    pub client_id: ClientId,
    /// [`Self::client_id`] as text.
    pub name: String,
    /// Its tenant.
    pub tenant_id: TenantId,
    /// All that the token says.
    pub claims: ServiceClaims,
}

/// What SQL says of a client.
#[derive(Debug)]
struct Fact {
    /// The client, if it may do anything.
    client: Option<Client>,
    /// Its tokens that were revoked.
    revoked: HashSet<String>,
    stamp: Stamp,
    at: Millis,
}

/// The facts of this node.
#[derive(Debug)]
pub(super) struct Facts(Cache<(TenantId, ClientId), Arc<Fact>>);

impl Facts {
    /// Nothing was read yet.
    pub(super) fn new() -> Self {
        Self(Cache::new(MAX_CLIENTS))
    }
}

impl ClientService {
    /// The program that calls with a verified token.
    ///
    /// Errors: `Revoked`, `Storage` (nobody knows: neither an allow nor a 401).
    pub async fn caller(&self, claims: ServiceClaims) -> Result<Arc<ServiceCaller>, ClientError> {
        let (client_id, tenant_id) = (claims.sub, claims.tid);
        let caller = ServiceCaller { client_id, name: client_id.to_string(), tenant_id, claims };
        self.check_caller(&caller).await?;
        Ok(Arc::new(caller))
    }

    /// Whether the token of a program still counts.
    ///
    /// Errors: `Revoked`, `Storage`.
    pub async fn check_caller(&self, caller: &ServiceCaller) -> Result<(), ClientError> {
        let ServiceCaller { client_id, tenant_id, claims, .. } = caller;
        self.check_live(*tenant_id, *client_id, &claims.jti, Some(claims.ep)).await
    }

    /// Whether the token `jti` that was issued to a client counts: in this epoch of its, if the token names one.
    ///
    /// Errors: `Revoked`, `Storage`.
    pub async fn check_live(
        &self,
        tenant: TenantId,
        id: ClientId,
        jti: &str,
        epoch: Option<i64>,
    ) -> Result<(), ClientError> {
        let fact = self.fact(tenant, id).await?;
        let client = fact.client.as_ref().ok_or(ClientError::Revoked)?;
        if epoch.is_some_and(|epoch| epoch != client.epoch) || fact.revoked.contains(jti) {
            return Err(ClientError::Revoked);
        }
        Ok(())
    }

    /// The client of this id, if it is the tenant's and may do anything.
    ///
    /// Errors: the database failed.
    pub async fn active(&self, tenant: TenantId, id: ClientId) -> Result<Option<Client>, StorageError> {
        let row = store::by_id(&mut &self.parts.db, id).await?.filter(store::ClientRow::counts);
        Ok(row.map(store::ClientRow::client).filter(|client| client.tenant_id == tenant))
    }

    /// Revokes one token that was issued to a client, with its audit record; a second time changes nothing.
    ///
    /// Errors: `Storage`, `Entropy`.
    pub async fn revoke_token(
        &self,
        tenant: TenantId,
        id: ClientId,
        (jti, expires_at): (&str, Millis),
        actor: Actor<'_>,
    ) -> Result<(), ClientError> {
        let ends = expires_at.plus(self.parts.leeway);
        write_tx!(self.parts.db, "clients.revoke_token", |tx| -> Result<(), ClientError> {
            if !store::revoke_token(tx, tenant, id, jti, ends).await? {
                return Ok(());
            }
            let now = self.parts.clock.now();
            revocations::record(tx, now, Some(tenant), &Ended::OAuthToken(jti)).await?;
            let subject = id.to_string();
            let entry = actor.does(tenant, "oauth_token_revoked", &subject, json!({ "jti": jti }));
            Ok(audit::record(tx, now, &*self.parts.entropy, entry).await?)
        })?;
        self.parts.news.tell(tenant, Subject::Client(id)).await;
        Ok(())
    }

    async fn fact(&self, tenant: TenantId, id: ClientId) -> Result<Arc<Fact>, ClientError> {
        let (news, now) = (&self.parts.news, self.parts.clock.now());
        let subject = Subject::Client(id);
        let counts = |fact: &Arc<Fact>| {
            let old = now.since(fact.at);
            let is_young = old < DEGRADED_TTL || (old < TTL && !news.is_degraded());
            is_young && fact.at <= now && news.stamp(tenant, subject) == fact.stamp
        };
        if let Some(fact) = self.facts.0.get(&(tenant, id)).filter(counts) {
            return Ok(fact);
        }
        Box::pin(self.read_fact(tenant, id, now)).await // seldom: it has no room in the futures of all requests
    }

    async fn read_fact(&self, tenant: TenantId, id: ClientId, now: Millis) -> Result<Arc<Fact>, ClientError> {
        // INVARIANT: the stamp is taken before the read, so what a change overtook never counts.
        let stamp = self.parts.news.stamp(tenant, Subject::Client(id));
        let client = self.active(tenant, id).await?;
        let revoked = store::revoked_tokens(&mut &self.parts.db, tenant, id, now).await?;
        let revoked = revoked.into_iter().map(|(jti,)| jti).collect();
        let fact = Arc::new(Fact { client, revoked, stamp, at: now });
        self.facts.0.insert((tenant, id), Arc::clone(&fact));
        Ok(fact)
    }
}
