//! A copy of everything that is kept about a person (Regulation (EU) 2016/679, article 15).

use super::{AuthnError, AuthnService, SecondFactor, UserCaller};
use crate::{
    api_keys::ApiKey,
    audit::{self, Record},
    base::Millis,
    roles::Binding,
    sessions::{Device, PastSession},
    users::User,
};

/// Everything about a person, without the secrets.
#[derive(Debug, Clone)]
pub struct AccountExport {
    /// When it was put together.
    pub at: Millis,
    /// The account.
    pub user: User,
    /// Whether there is a password.
    pub has_password: bool,
    /// The second factor.
    pub second_factor: SecondFactor,
    /// The roles, with who granted them and when.
    pub bindings: Vec<Binding>,
    /// The sessions, live and over, the newest first; 10,000 at most.
    pub sessions: Vec<PastSession>,
    /// The devices.
    pub devices: Vec<Device>,
    /// The API keys, those that were revoked too.
    pub api_keys: Vec<ApiKey>,
    /// The records that name the person as who acts or as who is acted upon, the newest first; 10,000 at most.
    pub audit: Vec<Record>,
}

impl AuthnService {
    /// Puts together what is kept about the caller.
    ///
    /// Errors: `StepUpRequired`, `UserGone`, `Storage`.
    pub async fn export_account(&self, caller: &UserCaller) -> Result<AccountExport, AuthnError> {
        self.require_recent(caller)?;
        let parts = &self.parts;
        let (tenant, id) = (caller.tenant_id, caller.user_id);
        let known = parts.users.credentials(tenant, id).await?.ok_or(AuthnError::UserGone)?;
        Ok(AccountExport {
            at: parts.clock.now(),
            user: known.user,
            has_password: known.phc.is_some(),
            second_factor: self.second_factor(caller).await?,
            bindings: parts.roles.bindings_of(tenant, id).await?,
            sessions: parts.sessions.past(tenant, id).await?,
            devices: parts.sessions.devices(tenant, id).await?,
            api_keys: parts.api_keys.of_owner(tenant, id).await?,
            audit: audit::about(&mut &parts.db, tenant, &caller.name).await?,
        })
    }
}
