//! Links that work once: whoever opens one proves that they read the mail it stood in.
//!
//! A token is 256 random bits; its digest is stored, bound to a purpose, a user, the user's epoch and the address
//! that it went to. So it dies with its use, its time, a change of the password or a change of the address,
//! whichever comes first (threat T42). Nothing but a POST with the token uses one up.

use std::time::Duration;

use super::{AuthnError, AuthnService, store};
use crate::{
    base::{Digest32, Millis, PlainToken, TenantId, UserId},
    storage::Tx,
    users::User,
};

/// What a link is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Proving the address of the account.
    VerifyEmail,
    /// Proving an address that is to be that of the account.
    ChangeEmail,
    /// Choosing a new password.
    ResetPassword,
}

impl Purpose {
    /// The stored word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::VerifyEmail => "verify_email",
            Self::ChangeEmail => "change_email",
            Self::ResetPassword => "reset_password",
        }
    }

    fn ttl(self) -> Duration {
        match self {
            Self::VerifyEmail | Self::ChangeEmail => Duration::from_hours(24),
            Self::ResetPassword => Duration::from_mins(30),
        }
    }
}

/// A stored word that is no purpose.
#[derive(Debug, Clone, thiserror::Error)]
#[error("`{0}` is not a purpose of a link")]
pub struct PurposeError(String);

impl TryFrom<String> for Purpose {
    type Error = PurposeError;

    fn try_from(word: String) -> Result<Self, PurposeError> {
        let all = [Self::VerifyEmail, Self::ChangeEmail, Self::ResetPassword];
        all.into_iter().find(|purpose| purpose.as_str() == word).ok_or(PurposeError(word))
    }
}

/// A link, for the one message that carries it.
#[derive(Debug, Clone)]
pub struct Link {
    /// The whole link; a secret.
    pub url: PlainToken,
    /// Until when it works.
    pub expires_at: Millis,
}

/// A link as stored.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub(super) struct StoredLink {
    pub(super) tenant_id: TenantId,
    pub(super) user_id: UserId,
    #[sqlx(try_from = "String")]
    pub(super) purpose: Purpose,
    pub(super) epoch: i64,
    pub(super) address: String,
}

impl StoredLink {
    /// Whether it is still about this user as they are now, and for one of `purposes`.
    pub(super) fn fits(&self, user: &User, purposes: &[Purpose]) -> bool {
        let same_address =
            self.purpose == Purpose::ChangeEmail || user.email.as_deref() == Some(&*self.address);
        purposes.contains(&self.purpose) && self.epoch == user.token_epoch && same_address
    }
}

impl AuthnService {
    /// Makes a link for a user; `address` is where it is sent.
    ///
    /// Errors: `Storage`, `Entropy`.
    pub(super) async fn make_link_in(
        &self,
        tx: &mut Tx,
        user: &User,
        purpose: Purpose,
        address: &str,
    ) -> Result<Link, AuthnError> {
        let (parts, now) = (&self.parts, self.parts.clock.now());
        let (token, expires_at) = (PlainToken::random(&*parts.entropy)?, now.plus(purpose.ttl()));
        store::forget_links(tx, now).await?;
        let link = StoredLink {
            tenant_id: user.tenant_id,
            user_id: user.id,
            purpose,
            epoch: user.token_epoch,
            address: address.to_owned(),
        };
        store::insert_link(tx, &token.digest(), &link, expires_at).await?;
        let url = match purpose {
            Purpose::VerifyEmail | Purpose::ChangeEmail => parts.pages.verify(&token),
            Purpose::ResetPassword => parts.pages.reset(&token),
        };
        Ok(Link { url, expires_at })
    }

    /// Uses a link up for one of `purposes`; answers it, and its user as they are now.
    ///
    /// Errors: `LinkInvalid`, whatever is wrong with it; `Storage`.
    pub(super) async fn redeem_in(
        &self,
        tx: &mut Tx,
        token: &str,
        purposes: &[Purpose],
    ) -> Result<(StoredLink, User), AuthnError> {
        let digest = Digest32::of(token);
        let link = store::use_link(tx, &digest, self.parts.clock.now()).await?;
        let link = link.ok_or(AuthnError::LinkInvalid)?;
        let user = self.parts.users.get_in(tx, link.tenant_id, link.user_id).await?;
        let user = user.filter(|user| link.fits(user, purposes)).ok_or(AuthnError::LinkInvalid)?;
        Ok((link, user))
    }
}
