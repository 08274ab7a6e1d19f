//! What is asked and answered.

use std::sync::{Arc, atomic::AtomicI64};

use secrecy::{ExposeSecret, SecretString};

use crate::{
    api_keys::KeyCaller,
    base::{DeviceId, Millis, PlainToken, SessionId, TenantId, UserId},
    clients::ServiceCaller,
    sessions::{ClientInfo, LiveSession},
    tenants::Tenant,
    tokens::{AccessClaims, AccessToken, CLIENT},
    users::{DisplayName, Email, User, Username},
};

/// Who is calling.
#[derive(Debug, Clone)]
pub enum Caller {
    /// Nobody said who they are.
    Anonymous,
    /// A user with a live session.
    User(Arc<UserCaller>),
    /// A program with a live API key.
    Key(Arc<KeyCaller>),
    /// A program with a token that it got as a client of OAuth 2.0.
    Service(Arc<ServiceCaller>),
}

impl Caller {
    /// How the audit log and the policies name the caller.
    #[must_use]
    pub fn name(&self) -> &str {
        self.entity().1
    }

    /// The tenant that the caller acts in; strangers act in the installation's own.
    #[must_use]
    pub fn tenant(&self) -> TenantId {
        match self {
            Self::Anonymous => TenantId::DEFAULT,
            Self::User(user) => user.tenant_id,
            Self::Key(key) => key.tenant_id,
            Self::Service(service) => service.tenant_id,
        }
    }

    /// The caller as an entity of the system store: a type and an id.
    #[must_use]
    pub fn entity(&self) -> (&'static str, &str) {
        match self {
            Self::Anonymous => ("Anonymous", "anonymous"),
            Self::User(user) => ("User", &user.name),
            Self::Key(key) => ("ApiKey", &key.name),
            Self::Service(service) => ("Service", &service.name),
        }
    }

    /// The caller, if it is a person.
    #[must_use]
    pub fn user(&self) -> Option<&Arc<UserCaller>> {
        match self {
            Self::User(user) => Some(user),
            Self::Anonymous | Self::Key(_) | Self::Service(_) => None,
        }
    }
}

/// A user with a live session.
#[derive(Debug, Clone)]
pub struct UserCaller {
    /// The user.
    pub user_id: UserId,
    /// [`Self::user_id`] as text.
    pub name: String,
    /// The user's tenant.
    pub tenant_id: TenantId,
    /// The session.
    pub session_id: SessionId,
    /// [`Self::session_id`] as text.
    pub session: String,
    /// The device of the session.
    pub device_id: DeviceId,
    /// How the user proved who they are (RFC 8176).
    pub amr: Vec<String>,
    /// When.
    pub auth_time: Millis,
    /// All that the token says.
    pub claims: AccessClaims,
    /// When a use of the token was last noted, Unix milliseconds.
    pub(super) noted_at: Arc<AtomicI64>,
}

impl UserCaller {
    /// Whether the tenant's own server opened the session, and handed the token on to a page or an app.
    #[must_use]
    pub fn is_vouched_for(&self) -> bool {
        let claims = &self.claims;
        claims.act.is_none()
            && claims.client_id != CLIENT
            && claims.client_id == Tenant::client_id_of(claims.tid)
    }

    /// The caller that live `claims` name.
    #[must_use]
    pub fn of(claims: AccessClaims) -> Self {
        Self {
            user_id: claims.sub,
            name: claims.sub.to_string(),
            tenant_id: claims.tid,
            session_id: claims.sid,
            session: claims.sid.to_string(),
            device_id: claims.did,
            amr: claims.amr.clone(),
            auth_time: Millis(claims.auth_time.saturating_mul(1000)),
            claims,
            noted_at: Arc::default(),
        }
    }
}

/// A sign-up.
#[derive(Debug, Clone)]
pub struct Registration {
    /// Unique in the tenant.
    pub email: Email,
    /// Unique in the tenant.
    pub username: Option<Username>,
    /// A name to show.
    pub name: Option<DisplayName>,
    /// The password to be.
    pub password: SecretString,
    /// Where it comes from.
    pub client: ClientInfo,
}

/// What a sign-up came to.
#[derive(Debug, Clone)]
pub enum Registered {
    /// The user was made, and may be named.
    Created(Box<User>),
    /// The user was made, and is signed in.
    SignedIn(Box<SignedIn>),
    /// It may have been, or the address was known: the answer does not say (R12).
    Accepted,
}

/// A sign-in.
#[derive(Debug, Clone)]
pub struct Login {
    /// An e-mail address or a user name, as typed.
    pub identifier: String,
    /// The password, as typed.
    pub password: SecretString,
    /// What proves that the device signed in before.
    pub device_token: Option<SecretString>,
    /// Where it comes from.
    pub client: ClientInfo,
}

impl Login {
    pub(super) fn device_token(&self) -> Option<&str> {
        self.device_token.as_ref().map(SecretString::expose_secret)
    }
}

/// A change of password.
#[derive(Debug, Clone)]
pub struct PasswordChange {
    /// The password that is to be replaced.
    pub current: SecretString,
    /// The password to be.
    pub new: SecretString,
    /// Whether the caller gets a fresh session; all old ones end in any case.
    pub keep_current: bool,
    /// Where the change comes from.
    pub client: ClientInfo,
}

/// A session, its tokens, and whose they are.
#[derive(Debug, Clone)]
pub struct SignedIn {
    /// The user.
    pub user: User,
    /// Names of the roles granted to the user.
    pub roles: Vec<String>,
    /// The session.
    pub session: LiveSession,
    /// For requests.
    pub access: AccessToken,
    /// For the next access token.
    pub refresh: PlainToken,
    /// By which the device is known at the next sign-in.
    pub device: PlainToken,
}
