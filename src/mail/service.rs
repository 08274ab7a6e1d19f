//! Queuing and handing over.

use std::{sync::Arc, time::Duration};

use tokio::sync::Notify;

use super::{DeliveryError, Kind, Letter, MailError, Notice, Smtp, store};
use crate::{
    base::{Clock, Entropy, MailId, TenantId, UserId},
    storage::{Db, Result, Tx},
    write_tx,
};

/// How long a mail is left to who claimed it.
const LEASE: Duration = Duration::from_mins(2);
/// The pause after the first failure; each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_mins(1);
/// After how many failures a mail is given up.
const MOST_TRIES: i64 = 8;

/// The queue and the server. Without a server nothing is queued.
#[derive(Debug)]
pub struct MailService {
    db: Db,
    smtp: Option<Smtp>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    queued: Notify,
}

impl MailService {
    /// The service.
    #[must_use]
    pub fn new(db: Db, smtp: Option<Smtp>, clock: Arc<dyn Clock>, entropy: Arc<dyn Entropy>) -> Self {
        Self { db, smtp, clock, entropy, queued: Notify::new() }
    }

    /// Whether mail is sent at all.
    #[must_use]
    pub fn is_on(&self) -> bool {
        self.smtp.is_some()
    }

    /// Queues a mail in the transaction that it is about.
    ///
    /// Errors: `Storage`, `Entropy`.
    pub async fn queue_in(
        &self,
        tx: &mut Tx,
        tenant: TenantId,
        kind: Kind,
        user: Option<UserId>,
        address: Option<&str>,
    ) -> Result<(), MailError> {
        if !self.is_on() {
            tracing::debug!(kind = kind.as_str(), "no mail is sent: `mail.smtp_host` is not set");
            return Ok(());
        }
        let now = self.clock.now();
        let id = MailId::new(now, &*self.entropy)?;
        store::insert(tx, tenant, id, kind, (user, address), now).await?;
        self.queued.notify_one(); // before the commit, so it may come for nothing: the sender looks again
        Ok(())
    }

    /// Forgets all mail to or about a user who is erased.
    ///
    /// Errors: the database failed.
    pub async fn forget_user_in(
        &self,
        tx: &mut Tx,
        tenant: TenantId,
        user: UserId,
        addresses: &[&str],
    ) -> Result<()> {
        store::delete_of_user(tx, tenant, user, addresses).await
    }

    /// Waits until something may have been queued here.
    pub async fn queued(&self) {
        self.queued.notified().await;
    }

    /// Claims the next mail that is due.
    ///
    /// Errors: the database failed.
    pub async fn claim(&self) -> Result<Option<Notice>> {
        let now = self.clock.now();
        write_tx!(self.db, "mail.claim", |tx| -> Result<Option<Notice>> {
            store::claim(tx, now, now.plus(LEASE)).await
        })
    }

    /// Hands a mail over; without a server that is nothing.
    ///
    /// Errors: `Unwritable`, `Refused`, `Later`.
    pub async fn deliver(&self, letter: &Letter) -> Result<(), DeliveryError> {
        match &self.smtp {
            Some(smtp) => smtp.deliver(letter).await,
            None => Ok(()),
        }
    }

    /// Forgets a mail that was sent, or that there is nobody to send to.
    ///
    /// Errors: the database failed.
    pub async fn forget(&self, notice: &Notice) -> Result<()> {
        write_tx!(self.db, "mail.forget", |tx| -> Result<()> {
            store::delete(tx, notice.tenant_id, notice.id).await
        })
    }

    /// Puts a mail off that could not be sent, or gives it up.
    ///
    /// Errors: the database failed.
    pub async fn put_off(&self, notice: &Notice, error: &DeliveryError) -> Result<()> {
        let is_over = notice.tries >= MOST_TRIES || !matches!(error, DeliveryError::Later(_));
        let (kind, mail) = (notice.kind.as_str(), notice.id);
        if is_over {
            tracing::error!(error = error as &dyn std::error::Error, kind, %mail, "a mail is given up");
            return self.forget(notice).await;
        }
        tracing::warn!(error = error as &dyn std::error::Error, kind, %mail, "a mail was not sent yet");
        let doublings = u32::try_from(notice.tries.clamp(1, MOST_TRIES) - 1).unwrap_or(0);
        let due_at = self.clock.now().plus(FIRST_PAUSE * (1 << doublings));
        write_tx!(self.db, "mail.put_off", |tx| -> Result<()> {
            store::put_off(tx, notice.tenant_id, notice.id, due_at).await
        })
    }
}
