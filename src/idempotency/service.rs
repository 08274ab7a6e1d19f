//! Claiming keys, keeping answers, forgetting both.

use std::{sync::Arc, time::Duration};

use tokio::task::JoinHandle;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::Instrument;

use super::{
    Answer, Attempt, Claim, IdempotencyError, Ticket,
    model::Kept,
    store::{self, Times},
};
use crate::{
    audit,
    base::{Clock, Digest32, Entropy, MacKey, MasterKey, Millis, SealingKey},
    storage::{Db, Tx},
    write_tx,
};

/// How long an answer is kept (identity.md §2.1).
const KEEP: Duration = Duration::from_hours(24);
/// After how long a failure on our side is settled: no commit of its is under way any more.
const SETTLED: Duration = Duration::from_secs(2);
/// How often what has run out is removed.
const PRUNE_EVERY: Duration = Duration::from_mins(10);

/// What the service is made of.
#[derive(Debug)]
pub struct IdempotencyParts {
    /// Where claims and answers are.
    pub db: Db,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub entropy: Arc<dyn Entropy>,
    /// After how long a request is given up.
    pub request_limit: Duration,
}

/// Claims keys for requests and keeps their answers.
#[derive(Debug)]
pub struct IdempotencyService {
    parts: IdempotencyParts,
    tags: MacKey,
    running: TaskTracker,
}

impl IdempotencyService {
    /// The service; its keys derive from `master`.
    #[must_use]
    pub fn new(parts: IdempotencyParts, master: &MasterKey) -> Self {
        Self { parts, tags: master.mac_key("idempotency"), running: TaskTracker::new() }
    }

    /// Claims the key of a request, or says what became of the request that did.
    ///
    /// Errors: `Mismatch`, `InProgress`, `AnswerLost`, `Storage`.
    pub async fn claim(&self, attempt: &Attempt<'_>) -> Result<Claim, IdempotencyError> {
        let body_tag = self.tags.tag(&[b"body", attempt.body]);
        let ticket = self.ticket(attempt, &body_tag);
        let kept = write_tx!(self.parts.db, "idempotency.claim", |tx| -> Result<
            Option<Vec<u8>>,
            IdempotencyError,
        > {
            self.claim_in(tx, &ticket, &body_tag).await
        })?;
        let Some(sealed) = kept else { return Ok(Claim::Ours(ticket)) };
        let opened = ticket.sealing.open(&place(&ticket.id), &sealed).ok();
        // Bytes that were altered cannot be answered, and their request was carried out.
        let answer = opened.and_then(|bytes| Answer::read(&bytes)).ok_or(IdempotencyError::AnswerLost)?;
        Ok(Claim::Answered(answer))
    }

    /// The sealed answer that is there already, or none when the key is claimed now.
    async fn claim_in(
        &self,
        tx: &mut Tx,
        ticket: &Ticket,
        body_tag: &[u8],
    ) -> Result<Option<Vec<u8>>, IdempotencyError> {
        let now = self.parts.clock.now();
        let lease_ends = now.plus(self.parts.request_limit * 2);
        let times = Times { now, lease_ends, expires: now.plus(KEEP) };
        let (of, request_id) = ((ticket.tenant, &ticket.id[..]), &ticket.request_id);
        if store::claim(tx, of, body_tag, request_id, times).await? {
            return Ok(None);
        }
        let kept = store::read(tx, ticket.tenant, &ticket.id).await?.ok_or(IdempotencyError::InProgress)?;
        if let Some(outcome) = self.outcome(tx, &kept, body_tag, now).await? {
            return Ok(Some(outcome));
        }
        let taken = store::take_over(tx, of, &kept.request_id, body_tag, request_id, times).await?;
        if taken { Ok(None) } else { Err(IdempotencyError::InProgress) }
    }

    /// What came of the request that claimed a key before: its sealed answer, or none when nothing did.
    async fn outcome(
        &self,
        tx: &mut Tx,
        kept: &Kept,
        body_tag: &[u8],
        now: Millis,
    ) -> Result<Option<Vec<u8>>, IdempotencyError> {
        if kept.expires_at_ms <= now {
            return Ok(None);
        }
        let is_running = kept.answer.is_none() && now < kept.lease_ends_at_ms;
        let window = (kept.claimed_at_ms, kept.lease_ends_at_ms);
        let is_lost = kept.answer.is_none() && !is_running && {
            // INVARIANT: the record commits with the change, so it says whether there was one.
            audit::has_request(tx, &kept.request_id, window).await?
        };
        if kept.answer.is_none() && !is_running && !is_lost {
            return Ok(None);
        }
        if kept.body_tag != body_tag {
            return Err(IdempotencyError::Mismatch);
        }
        match &kept.answer {
            Some(sealed) => Ok(Some(sealed.clone())),
            None if is_running => Err(IdempotencyError::InProgress),
            None => Err(IdempotencyError::AnswerLost),
        }
    }

    /// Claims and carries a request out, whether its caller waits for it or not, within the limit of requests.
    ///
    /// Answers none when it was given up, or panicked: whether it was carried out, the next request finds out.
    pub async fn carry_out<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Option<T> {
        let limited = tokio::time::timeout(self.parts.request_limit, work);
        let task: JoinHandle<_> = self.running.spawn(limited.in_current_span());
        task.await.ok()?.ok()
    }

    /// Keeps the answer of a request that was carried out. When that fails the change stands and its answer is
    /// lost for whoever asks again: no error.
    pub async fn answered(&self, ticket: &Ticket, answer: &Answer) {
        let kept = async {
            let plain = zeroize::Zeroizing::new(answer.bytes());
            let sealed = ticket.sealing.seal(&place(&ticket.id), &plain, &*self.parts.entropy)?;
            write_tx!(self.parts.db, "idempotency.answer", |tx| -> Result<bool, IdempotencyError> {
                Ok(store::answer(tx, ticket.tenant, &ticket.id, &ticket.request_id, &sealed).await?)
            })
        };
        if let Err(error) = kept.await {
            tracing::warn!(error = &error as &dyn std::error::Error, "an answer was not kept");
        }
    }

    /// Lets the key of a request go that was refused, and so changed nothing.
    pub async fn refused(&self, ticket: &Ticket) {
        let done = write_tx!(self.parts.db, "idempotency.forget", |tx| -> Result<(), IdempotencyError> {
            Ok(store::forget(tx, ticket.tenant, &ticket.id, &ticket.request_id).await?)
        });
        note(done);
    }

    /// Lets the key of a request go that failed on our side, as soon as it is certain whether it changed something.
    pub async fn failed(&self, ticket: &Ticket) {
        let ends = self.parts.clock.now().plus(SETTLED);
        let done = write_tx!(self.parts.db, "idempotency.end_lease", |tx| -> Result<(), IdempotencyError> {
            Ok(store::end_lease(tx, ticket.tenant, &ticket.id, &ticket.request_id, ends).await?)
        });
        note(done);
    }

    /// Forgets what has run out; answers how many.
    ///
    /// Errors: `Storage`.
    pub async fn prune(&self) -> Result<u64, IdempotencyError> {
        let now = self.parts.clock.now();
        write_tx!(self.parts.db, "idempotency.prune", |tx| -> Result<u64, IdempotencyError> {
            Ok(store::prune(tx, now).await?)
        })
    }

    /// Forgets what has run out until `shutdown`, and then waits for the requests that go on.
    pub async fn run(self: Arc<Self>, shutdown: CancellationToken) {
        while shutdown.run_until_cancelled(tokio::time::sleep(PRUNE_EVERY)).await.is_some() {
            note(self.prune().await.map(drop));
        }
        self.running.close();
        self.running.wait().await;
    }

    fn ticket(&self, attempt: &Attempt<'_>, body_tag: &[u8]) -> Ticket {
        let tenant = attempt.tenant.to_string();
        let (kind, who) = match attempt.principal {
            Some(principal) => (&b"principal"[..], principal.as_bytes()),
            None => (&b"stranger"[..], body_tag),
        };
        let of = |purpose: &'static [u8]| {
            let place = attempt.place.as_bytes();
            self.tags.tag(&[purpose, tenant.as_bytes(), kind, who, place, attempt.key.bytes()])
        };
        Ticket {
            tenant: attempt.tenant,
            id: of(b"id").to_vec(),
            request_id: attempt.request_id.to_owned(),
            sealing: SealingKey::new(of(b"seal")),
        }
    }
}

/// The place that an answer is sealed for.
fn place(id: &[u8]) -> String {
    format!("idempotency_keys:answer:{}", Digest32::of(id))
}

fn note(done: Result<(), IdempotencyError>) {
    if let Err(error) = done {
        tracing::warn!(error = &error as &dyn std::error::Error, "an idempotency key was not let go");
    }
}
