//! Writing the mail that is due, and sending it.

use std::{sync::Arc, time::Duration};

use tokio_util::sync::CancellationToken;

use super::{AuthnError, AuthnService, Purpose};
use crate::{
    mail::{Kind, Letter, Notice},
    storage::StorageError,
    users::{User, UserStatus},
    write_tx,
};

/// How often a node looks for mail that another one queued, or that was put off.
const POLL: Duration = Duration::from_secs(5);

impl AuthnService {
    /// Sends mail until `shutdown`.
    pub async fn run_mail(self: Arc<Self>, shutdown: CancellationToken) {
        loop {
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = self.parts.mail.queued() => {}
                () = tokio::time::sleep(POLL) => {}
            }
            if let Err(error) = self.send_due_mail().await {
                tracing::warn!(error = &error as &dyn std::error::Error, "mail cannot be sent now");
            }
        }
    }

    /// Sends all the mail that is due; answers how many were handed over.
    ///
    /// Errors: `Storage`, `Entropy`. What the mail server says is no error: the mail is put off, or given up.
    pub async fn send_due_mail(&self) -> Result<usize, AuthnError> {
        let mail = &self.parts.mail;
        let mut sent = 0;
        while let Some(notice) = mail.claim().await? {
            let Some(letter) = self.write(&notice).await? else {
                mail.forget(&notice).await?;
                continue;
            };
            match mail.deliver(&letter).await {
                Ok(()) => {
                    mail.forget(&notice).await?;
                    sent += 1;
                }
                Err(error) => mail.put_off(&notice, &error).await?,
            }
        }
        Ok(sent)
    }

    /// The mail to a notice; none where there is nobody to write to, or nothing left to say.
    ///
    /// Mail goes to the address that is stored, never to one as somebody typed it (threat T22); a new address
    /// is the exception, and proves itself by its link.
    async fn write(&self, notice: &Notice) -> Result<Option<Letter>, AuthnError> {
        if notice.kind == Kind::EmailChanged {
            return Ok(notice.address.clone().map(Letter::email_changed));
        }
        let Some(user) = self.addressee(notice).await?.filter(|user| user.status != UserStatus::Disabled)
        else {
            return Ok(None);
        };
        if let (Kind::ChangeEmail, Some(new)) = (notice.kind, &notice.address) {
            let link = self.link_for(&user, Purpose::ChangeEmail, new).await?;
            return Ok(Some(Letter::change_email(new.clone(), &link)));
        }
        let Some(to) = user.email.clone() else { return Ok(None) };
        Ok(match notice.kind {
            Kind::VerifyEmail if user.email_verified => None,
            Kind::VerifyEmail => {
                let link = self.link_for(&user, Purpose::VerifyEmail, &to).await?;
                Some(Letter::verify_email(to, &link))
            }
            Kind::ResetPassword => {
                let link = self.link_for(&user, Purpose::ResetPassword, &to).await?;
                Some(Letter::reset_password(to, &link))
            }
            Kind::AlreadyRegistered => Some(Letter::already_registered(to)),
            Kind::SecondFactorChanged => Some(Letter::second_factor_changed(to)),
            Kind::PasswordChanged => Some(Letter::password_changed(to)),
            Kind::NewDevice => Some(Letter::new_device(to)),
            Kind::EmailChanged | Kind::ChangeEmail => None,
        })
    }

    async fn addressee(&self, notice: &Notice) -> Result<Option<User>, StorageError> {
        let users = &self.parts.users;
        match (notice.user_id, &notice.address) {
            (Some(id), _) => users.get(notice.tenant_id, id).await,
            (None, Some(norm)) => {
                Ok(users.credentials_of(notice.tenant_id, norm).await?.map(|known| known.user))
            }
            (None, None) => Ok(None),
        }
    }

    async fn link_for(
        &self,
        user: &User,
        purpose: Purpose,
        to: &str,
    ) -> Result<crate::base::PlainToken, AuthnError> {
        let made = write_tx!(self.parts.db, "authn.link", |tx| -> Result<super::Link, AuthnError> {
            self.make_link_in(tx, user, purpose, to).await
        });
        Ok(made?.url)
    }
}
