//! A client proves who it is.

use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::Value;

use super::{AuthMethod, Client, ClientError, ClientService, store};
use crate::{
    base::{ClientId, Digest32, Millis, constant_time_eq},
    jws::{Audience, VerifyingKey, unverified_claim, verify_assertion},
    write_tx,
};

/// How far in the future an assertion may end.
const LONGEST_ASSERTION: Duration = Duration::from_mins(5);
/// Longest id of an assertion, bytes.
const MAX_JTI: usize = 128;
/// How long after its end an assertion is remembered, and a revoked token.
const PRUNE_AFTER: Duration = Duration::from_hours(1);

/// What a client proves itself by.
#[derive(Debug, Clone)]
pub enum Proof {
    /// Its id and a secret (RFC 6749 §2.3.1).
    Secret {
        /// As it was sent.
        client_id: String,
        /// As it was sent.
        secret: SecretString,
    },
    /// An assertion that its own key signed (RFC 7523 §2.2).
    Assertion(SecretString),
}

/// What an assertion must say (RFC 7523 §3).
#[derive(Deserialize)]
struct Asserted {
    iss: String,
    sub: String,
    aud: Audience,
    exp: i64,
    iat: Option<i64>,
    nbf: Option<i64>,
    jti: String,
}

impl ClientService {
    /// The client that a proof is of.
    ///
    /// Errors: `Unproven` (unknown, kept out, or not proven: nobody learns which), `Storage`.
    pub async fn authenticate(&self, proof: &Proof) -> Result<Client, ClientError> {
        match proof {
            Proof::Secret { client_id, secret } => self.by_secret(client_id, secret).await,
            Proof::Assertion(assertion) => self.by_assertion(assertion.expose_secret()).await,
        }
    }

    async fn by_secret(&self, client_id: &str, secret: &SecretString) -> Result<Client, ClientError> {
        let digest = Digest32::of(secret.expose_secret());
        let id = client_id.parse().unwrap_or(ClientId::NOBODY);
        let row = store::by_id(&mut &self.parts.db, id).await?;
        let now = self.parts.clock.now();
        // SECURITY: both are compared, also where there is nothing to compare with (threat T57).
        let nothing = [0; 32];
        let hash =
            |stored: Option<&Vec<u8>>| constant_time_eq(stored.map_or(&nothing, |it| it), digest.as_bytes());
        let present = hash(row.as_ref().and_then(|row| row.secret_hash.as_ref()));
        let previous = hash(row.as_ref().and_then(|row| row.previous_secret_hash.as_ref()));
        let row = row.filter(store::ClientRow::counts).ok_or(ClientError::Unproven)?;
        let client = row.client();
        let is_kept = client.previous_until.is_some_and(|until| now < until);
        let proven =
            client.auth_method == AuthMethod::ClientSecretBasic && (present || (previous && is_kept));
        proven.then_some(client).ok_or(ClientError::Unproven)
    }

    async fn by_assertion(&self, assertion: &str) -> Result<Client, ClientError> {
        // Only to find the key: nothing is believed before its signature was verified.
        let said = unverified_claim(assertion, "sub");
        let id = said.and_then(|id| id.parse().ok()).unwrap_or(ClientId::NOBODY);
        let row = store::by_id(&mut &self.parts.db, id).await?.filter(store::ClientRow::counts);
        let client = row.map(store::ClientRow::client);
        let keys = keys_of(client.as_ref());
        let key_of = |kid: Option<&str>| match (kid, keys.as_slice()) {
            (_, []) => self.stranger.as_ref(),
            (None, [(_, only)]) => Some(only),
            (kid, keys) => keys.iter().find(|(known, _)| Some(known.as_str()) == kid).map(|(_, key)| key),
        };
        let verified = verify_assertion(assertion, key_of);
        let (Some(client), Ok(claims)) = (client, verified) else { return Err(ClientError::Unproven) };
        if client.auth_method != AuthMethod::PrivateKeyJwt {
            return Err(ClientError::Unproven);
        }
        let said = self.check_assertion(&client, claims).ok_or(ClientError::Unproven)?;
        let fresh = write_tx!(self.parts.db, "clients.spend_assertion", |tx| -> Result<bool, ClientError> {
            let now = self.parts.clock.now();
            store::prune(tx, client.tenant_id, client.id, now.minus(PRUNE_AFTER)).await?;
            let ends = Millis(said.exp.saturating_mul(1000)).plus(self.parts.leeway);
            Ok(store::spend(tx, client.tenant_id, client.id, &said.jti, ends).await?)
        })?;
        fresh.then_some(client).ok_or(ClientError::Unproven)
    }

    /// Whether an assertion that a client signed says what it must (RFC 7523 §3).
    fn check_assertion(&self, client: &Client, claims: Value) -> Option<Asserted> {
        let said: Asserted = serde_json::from_value(claims).ok()?;
        let (now, leeway, id) = (self.parts.clock.now(), self.parts.leeway, client.id.to_string());
        let at = |secs: i64| Millis(secs.saturating_mul(1000));
        let is_for_us = self.parts.audiences.iter().any(|name| said.aud.contains(name));
        let is_in_time = now.minus(leeway) < at(said.exp)
            && at(said.exp) <= now.plus(LONGEST_ASSERTION + leeway)
            && [said.iat, said.nbf].into_iter().flatten().all(|secs| at(secs) <= now.plus(leeway));
        let is_named = (1..=MAX_JTI).contains(&said.jti.len()) && !said.jti.contains('\0');
        (said.iss == id && said.sub == id && is_for_us && is_in_time && is_named).then_some(said)
    }
}

fn keys_of(client: Option<&Client>) -> Vec<(String, VerifyingKey)> {
    let set = client.and_then(|client| client.jwks.as_deref());
    let set: Option<Value> = set.and_then(|set| serde_json::from_str(set).ok());
    let keys = set.as_ref().and_then(|set| set["keys"].as_array());
    keys.into_iter().flatten().filter_map(VerifyingKey::from_jwk).collect()
}
