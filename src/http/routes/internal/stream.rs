//! What is revoked, as it is: Server-Sent Events.
//!
//! ```text
//!  bell ─► read what follows, a page at a time ─► does the caller still stand? ─ no ─► the end
//!    ▲                                                        │ yes
//!    └──────────────── taken by the reader ◄──────────────────┘
//! ```
//! - SECURITY: the caller is looked at before anything is sent, with every ring of the bell, and so once a second at
//!   least: a stream outlives neither its token nor what the token rests on (threat T59).
//! - A stream holds one page. Who reads slowly is read to slowly, from SQL; who reads nothing is cut off by the
//!   connection.

use std::{convert::Infallible, fmt::Write, time::Duration};

use axum::{
    body::Body,
    http::{HeaderMap, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
};
use futures_util::{StreamExt, stream::unfold};
use tokio::time::{Instant, sleep_until};

use super::revocations::{FollowQuery, RevocationBody};
use crate::{
    base::Limit,
    http::{
        actions::{Action, FollowRevocations},
        codes::Code,
        extract::{Query, StandingPermit},
        problem::{Problem, Result},
        state::AppState,
    },
    revocations::{Batch, Follower, Kind, Revocation},
};

/// How often a stream without news shows that it lives.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// How long a reader whose stream broke off is to wait, milliseconds.
const RETRY_MS: u32 = 1_000;
/// When to come back where all places are taken.
const COME_BACK: Duration = Duration::from_secs(5);

/// Follow what is revoked
///
/// The same as the list, as Server-Sent Events, within a second of the logout, the lock, the change of password or the
/// suspension. Each revocation is an `event: revocation` whose `id` is its `seq` and whose `data` is as in the list. A
/// reader that comes back with `Last-Event-ID`, as browsers' `EventSource` does, misses nothing; if what it missed is not
/// kept any more it is sent `event: reset` first, and should drop whatever it holds as verified. Comments show every 15
/// seconds that the connection lives; they move the `id` on too.
///
/// The stream ends when the caller's token does, when anything ends the token, and when the server stops: come back with
/// a token that counts. `server.max_streams` are open at once, of one tenant's programs a tenth of them.
#[utoipa::path(
    get, path = "/v1/internal/revocations/stream", tag = "internal",
    params(
        FollowQuery,
        ("Last-Event-ID" = Option<String>, Header, description = "The `id` of the last event that was received",
            example = "4710"),
    ),
    responses((status = OK, body = String, content_type = "text/event-stream",
        example = "retry: 1000\n\nid: 4711\nevent: revocation\ndata: {\"seq\":4711,\"kind\":\"session\",\
            \"id\":\"ses_019aa2c5b8f07d3c9f0b6f2f3c1d9e47\",\"tenant_id\":\"ten_00000000000070008000000000000001\",\
            \"at\":\"2026-11-23T10:00:00.000Z\",\"expires_at\":\"2026-11-23T10:15:05.000Z\"}\n\n: still here\nid: 4711\n\n")),
    security(("bearer" = [])),
    extensions(
        ("x-bailiwick-action" = json!(FollowRevocations::NAME)),
        ("x-problem-codes" = json!(["validation_failed", "too_many_streams", "no_active_version"])),
    ),
)]
pub(super) async fn follow_revocations(
    app: AppState,
    by: StandingPermit<FollowRevocations>,
    Query(query): Query<FollowQuery>,
    headers: HeaderMap,
) -> Result<Response> {
    let after = query.after(&headers)?;
    let follower = app.revocations.follow(by.by.service.tenant_id);
    let follower = follower.ok_or_else(|| Problem::new(Code::TooManyStreams).retry_after(COME_BACK))?;
    let first = app.revocations.list(by.by.within(), after, page()).await?;
    let telling = Telling {
        after: first.next,
        has_more: first.has_more,
        first: Some(first),
        next_beat: Instant::now() + HEARTBEAT,
        app,
        by,
        follower,
    };
    let events = unfold(telling, Telling::next).map(Ok::<_, Infallible>);
    Ok(([(CONTENT_TYPE, "text/event-stream")], Body::from_stream(events)).into_response())
}

/// A stream under way.
struct Telling {
    app: AppState,
    by: StandingPermit<FollowRevocations>,
    follower: Follower,
    /// Read before the stream began.
    first: Option<Batch>,
    /// Up to where was told.
    after: i64,
    has_more: bool,
    next_beat: Instant,
}

impl Telling {
    /// What is sent next; `None` ends the stream.
    async fn next(mut self) -> Option<(String, Self)> {
        loop {
            let begins = self.first.is_some();
            let batch = self.read().await?;
            self.learn_of_itself(batch.as_ref().map_or(&[], |batch| &batch.revocations)).await?;
            if self.follower.is_closing() || !self.by.stands(&self.app).await {
                return None;
            }
            if let Some(batch) = batch {
                (self.after, self.has_more) = (batch.next, batch.has_more);
                let text = self.text_of(&batch);
                if begins {
                    return Some((format!("retry: {RETRY_MS}\n\n{text}"), self));
                }
                if !text.is_empty() {
                    return Some((text, self));
                }
            }
            tokio::select! {
                () = self.follower.rung() => {}
                () = sleep_until(self.next_beat) => {
                    self.next_beat = Instant::now() + HEARTBEAT;
                    // Not with every ring: a change of policies is not a revocation.
                    if !self.by.is_permitted(&self.app).await {
                        return None;
                    }
                    return Some((format!(": still here\nid: {}\n\n", self.after), self));
                }
            }
        }
    }

    /// What follows, where anything may. The outer `None`: the database does not say, so the reader has to come back.
    async fn read(&mut self) -> Option<Option<Batch>> {
        if let Some(first) = self.first.take() {
            return Some(Some(first));
        }
        if !self.has_more && self.follower.last() <= self.after {
            return Some(None);
        }
        match self.app.revocations.read(self.by.by.within(), Some(self.after), page()).await {
            Ok(batch) => Some(Some(batch)),
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "a stream of revocations ends");
                None
            }
        }
    }

    /// What is told may concern who is told: then what this node holds of them is old, whatever the bus said. `None`:
    /// the database does not say.
    async fn learn_of_itself(&self, told: &[Revocation]) -> Option<()> {
        let (service, news) = (&self.by.by.service, &self.app.identity_news);
        let tenant = service.tenant_id.to_string();
        for Revocation { kind, id, .. } in told {
            match kind {
                Kind::Tenant if *id == tenant => news.hear(&format!("{tenant} *")),
                Kind::OAuthClient if *id == service.name => news.hear(&format!("{tenant} {id}")),
                Kind::OAuthToken if *id == service.claims.jti => {
                    news.hear(&format!("{tenant} {}", service.name));
                }
                Kind::SigningKey if self.app.tokens.knows_key(id) => self.app.tokens.tend().await.ok()?,
                _ => {}
            }
        }
        Some(())
    }

    /// What is sent of a batch. Writing to a text cannot fail.
    fn text_of(&self, batch: &Batch) -> String {
        let mut text = String::new();
        if !batch.is_complete {
            let before = batch.revocations.first().map_or(batch.next, |first| first.seq - 1);
            let _ = write!(text, "id: {before}\nevent: reset\ndata: {{\"complete\":false}}\n\n");
        }
        for revocation in &batch.revocations {
            let body = RevocationBody::of(&self.app.revocations, revocation);
            // Texts and numbers, which JSON can say.
            let data = serde_json::to_string(&body).unwrap_or_default();
            let _ = write!(text, "id: {}\nevent: revocation\ndata: {data}\n\n", body.seq);
        }
        text
    }
}

/// Revocations that are read at once.
fn page() -> Limit {
    Limit::new(Limit::MAX).unwrap_or_default()
}
