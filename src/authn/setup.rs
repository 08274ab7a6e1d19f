//! The first administrator: by a token that is printed once, or from the command line.

use secrecy::{ExposeSecret, SecretString};
use serde_json::json;

use super::{AuthnError, AuthnService, store};
use crate::{
    audit::{self, Actor},
    base::{Digest32, PlainToken, TenantId},
    roles::SUPER_ADMIN,
    storage::Tx,
    users::{Email, NewUser, User, UserStatus},
    write_tx,
};

/// The tenant that is set up.
const TENANT: TenantId = TenantId::DEFAULT;

impl AuthnService {
    /// Makes the setup token of a new installation, to be printed once. Nothing where there is an
    /// administrator, or where an earlier token waits to be used: only its digest is known then.
    ///
    /// Errors: `Storage`, `Entropy`.
    pub async fn ensure_setup_token(&self) -> Result<Option<PlainToken>, AuthnError> {
        let parts = &self.parts;
        let token = PlainToken::random(&*parts.entropy)?;
        let made = write_tx!(parts.db, "authn.setup_token", |tx| -> Result<bool, AuthnError> {
            if parts.roles.has_super_admin(tx, TENANT).await? || store::has_pending(tx).await? {
                return Ok(false);
            }
            let now = parts.clock.now();
            store::put(tx, &token.digest(), now).await?;
            let entry = Actor::named("system").does(TENANT, "setup_token_made", "setup", json!({}));
            audit::record(tx, now, &*parts.entropy, entry).await?;
            Ok(true)
        })?;
        Ok(made.then_some(token))
    }

    /// Makes the first administrator, once, for who has the setup token.
    ///
    /// Errors: `SetupTokenInvalid`, `AlreadySetUp`, `Password`, `EmailTaken`, `Overloaded`, `Storage`,
    /// `Entropy`.
    pub async fn complete_setup(
        &self,
        token: &str,
        email: &Email,
        password: &SecretString,
        request_id: Option<&str>,
    ) -> Result<User, AuthnError> {
        let digest = Digest32::of(token);
        // Looked at before the hash, which strangers must not have for nothing; used up in the transaction.
        if !store::is_pending(&mut &self.parts.db, &digest).await? {
            let done = self.parts.roles.has_super_admin(&mut &self.parts.db, TENANT).await?;
            return Err(if done { AuthnError::AlreadySetUp } else { AuthnError::SetupTokenInvalid });
        }
        let new = self.administrator(email, password).await?;
        let actor = Actor { name: "setup", request_id };
        let parts = &self.parts;
        let made = write_tx!(parts.db, "authn.complete_setup", |tx| -> Result<User, AuthnError> {
            if parts.roles.has_super_admin(tx, TENANT).await? {
                return Err(AuthnError::AlreadySetUp);
            }
            if !store::use_up(tx, Some(&digest), parts.clock.now()).await? {
                return Err(AuthnError::SetupTokenInvalid);
            }
            self.install(tx, &new, actor).await
        })?;
        parts.users.changed(TENANT, made.id).await;
        Ok(made)
    }

    /// Makes an administrator from the command line, whoever there is already. A setup token that waits
    /// is used up by it.
    ///
    /// Errors: `Password`, `EmailTaken`, `Overloaded`, `Storage`, `Entropy`.
    pub async fn create_administrator(
        &self,
        email: &Email,
        password: &SecretString,
    ) -> Result<User, AuthnError> {
        let new = self.administrator(email, password).await?;
        let parts = &self.parts;
        let made = write_tx!(parts.db, "authn.create_administrator", |tx| -> Result<User, AuthnError> {
            store::use_up(tx, None, parts.clock.now()).await?;
            self.install(tx, &new, Actor::named("cli")).await
        })?;
        parts.users.changed(TENANT, made.id).await;
        Ok(made)
    }

    async fn administrator(&self, email: &Email, password: &SecretString) -> Result<NewUser, AuthnError> {
        self.parts.rules.check(password.expose_secret(), &[email.address()])?;
        Ok(NewUser {
            email: email.clone(),
            username: None,
            name: None,
            status: UserStatus::Active,
            email_verified: true,
            phc: Some(self.parts.passwords.hash(password).await?),
        })
    }

    async fn install(&self, tx: &mut Tx, new: &NewUser, actor: Actor<'_>) -> Result<User, AuthnError> {
        let user = self.parts.users.create_in(tx, TENANT, new, actor).await?;
        self.parts.roles.grant_in(tx, TENANT, user.id, SUPER_ADMIN, actor).await?;
        Ok(user)
    }
}
