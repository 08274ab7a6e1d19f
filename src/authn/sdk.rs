//! Sessions that a tenant's own server opens for its users, with an API key (R99 to R103).
//!
//! The server vouches for the user: nothing is known here of how they proved who they are, so `amr` is empty. Who
//! they are is said by an id of that server's; see [`users`](crate::users) for what such a user never becomes.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{AuthnError, AuthnService, SignedIn, login::check_status, service::FIRST_ROLE};
use crate::{
    api_keys::{ApiKeyError, KeyCaller},
    audit::Actor,
    base::TenantId,
    roles::RoleError,
    sessions::{ClientInfo, Grant, NewSession, OpenedBy, SessionError},
    storage::Tx,
    tenants::Origin,
    users::{DisplayName, ExternalId, Told, User},
    write_tx,
};

/// What a tenant's own server tells of a user. Shown, and never used to find anybody.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct UserData {
    /// A name to show. Kept beside the rest, where names of users are.
    #[serde(skip)]
    pub name: Option<DisplayName>,
    /// An e-mail address.
    pub email: Option<String>,
    /// Where there is a picture.
    pub avatar: Option<String>,
    /// A language tag (RFC 5646).
    pub locale: Option<String>,
    /// Whatever the server wants to find again.
    pub metadata: Option<Map<String, Value>>,
}

/// A session that is to be opened.
#[derive(Debug, Clone)]
pub struct NewSdkSession {
    /// What the server calls the user.
    pub external_id: ExternalId,
    /// What it tells of them, in the place of what it told before; that stays where it tells nothing.
    pub data: Option<UserData>,
    /// The one origin whose pages may use the tokens.
    pub origin: Option<Origin>,
    /// Where the server calls from.
    pub client: ClientInfo,
}

/// A session that was opened.
#[derive(Debug, Clone)]
pub struct SdkSession {
    /// The session, its tokens and its user.
    pub signed_in: SignedIn,
    /// What the server told of the user.
    pub data: UserData,
    /// Whether the user was made for it.
    pub is_new: bool,
}

/// Where what was told of a user is sealed to.
pub(super) fn place(tenant: TenantId, external_id: &str) -> String {
    format!("users:external_data:{tenant}:{external_id}")
}

/// A user found or made, and what is known of them now.
struct Found {
    user: User,
    data: UserData,
    is_new: bool,
    has_changed: bool,
}

impl AuthnService {
    /// Opens a session for the user whom a tenant's own server calls so, and makes the user at the first time. Many
    /// first calls at once make one.
    ///
    /// Errors: `AccountLocked`, `AccountDisabled` (the user is kept out), `ApiKey` (`Revoked`: the key or the tenant
    /// ended meanwhile), `Storage`, `Entropy`.
    pub async fn open_sdk_session(
        &self,
        key: &KeyCaller,
        new: &NewSdkSession,
        request_id: Option<&str>,
    ) -> Result<SdkSession, AuthnError> {
        let (parts, tenant) = (&self.parts, key.tenant_id);
        let actor = Actor { name: &key.name, request_id };
        let origin = new.origin.as_ref().map(ToString::to_string);
        let by = OpenedBy::Key { key: key.id, origin };
        let opened =
            write_tx!(parts.db, "authn.open_sdk_session", |tx| -> Result<(Found, Grant), AuthnError> {
                let found = self.external_user_in(tx, tenant, new, actor).await?;
                check_status(&found.user)?;
                let session = NewSession { amr: Vec::new(), by: by.clone(), ..self.session_for(&found.user) };
                match parts.sessions.open_in(tx, &session, &new.client, actor).await {
                    // The user was read in this transaction, so it is the key or its tenant.
                    Err(SessionError::Outdated) => Err(ApiKeyError::Revoked.into()),
                    grant => Ok((found, grant?)),
                }
            });
        let (Found { user, data, is_new, has_changed }, grant) = opened?;
        if has_changed {
            parts.users.changed(tenant, user.id).await;
        }
        parts.sessions.warm(&grant.session).await;
        Ok(SdkSession { signed_in: self.signed_in(user, grant).await?, data, is_new })
    }

    async fn external_user_in(
        &self,
        tx: &mut Tx,
        tenant: TenantId,
        new: &NewSdkSession,
        actor: Actor<'_>,
    ) -> Result<Found, AuthnError> {
        let users = &self.parts.users;
        let place = place(tenant, new.external_id.as_str());
        let seal = |data: &UserData| {
            let plain = serde_json::to_vec(data).unwrap_or_default();
            self.external_key.seal(&place, &plain, &*self.parts.entropy)
        };
        if let Some(known) = users.external_in(tx, tenant, &new.external_id).await? {
            let mut data = self.opened(&place, known.data.as_deref());
            data.name = known.user.name.as_deref().and_then(|name| name.parse().ok());
            let mut user = known.user;
            let has_changed = new.data.as_ref().is_some_and(|told| *told != data);
            if let Some(told) = new.data.as_ref().filter(|_| has_changed) {
                let sealed = seal(told)?;
                let kept = Told { name: told.name.as_ref(), data: Some(&sealed) };
                users.set_external_in(tx, tenant, user.id, kept).await?;
                user.name = told.name.as_ref().map(|name| name.as_str().to_owned());
                data = told.clone();
            }
            return Ok(Found { user, data, is_new: false, has_changed });
        }
        let data = new.data.clone().unwrap_or_default();
        let sealed = seal(&data)?;
        let told = Told { name: data.name.as_ref(), data: Some(&sealed) };
        let (user, is_new) = users.create_external_in(tx, tenant, &new.external_id, told, actor).await?;
        if is_new {
            match self.parts.roles.grant_in(tx, tenant, user.id, FIRST_ROLE, actor).await {
                Ok(_) | Err(RoleError::NotFound) => {} // a tenant may do without the role
                Err(error) => return Err(error.into()),
            }
        }
        Ok(Found { user, data, is_new, has_changed: is_new })
    }

    /// What was told before. What no key opens any more was told under a master key that is gone: it is told again
    /// with the next session.
    fn opened(&self, place: &str, sealed: Option<&[u8]>) -> UserData {
        let plain = sealed.and_then(|sealed| self.external_key.open(place, sealed).ok());
        plain.and_then(|plain| serde_json::from_slice(&plain).ok()).unwrap_or_default()
    }
}
