//! What was revoked, as a list.

use axum::http::HeaderMap;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};

use crate::{
    base::Limit,
    http::{
        actions::{Action, ReadRevocations},
        codes::Code,
        extract::{Json, PageQuery, Query, ServicePermit},
        problem::{Problem, Result},
        state::AppState,
    },
    revocations::{Revocation, RevocationService},
};

/// Header by which a reader of a stream says where the last one broke off.
const LAST_EVENT_ID: &str = "last-event-id";

/// Where to go on.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct RevocationsQuery {
    /// `next` of the answer before. Without it, all that can still matter is told.
    #[param(value_type = Option<i64>, minimum = 0, example = 4711)]
    after: Option<String>,
    /// Revocations at most, 1 to 200.
    #[param(value_type = Option<i64>, minimum = 1, maximum = 200, default = 50)]
    limit: Option<String>,
}

/// Where to begin.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct FollowQuery {
    /// The `seq` after which to begin; the header counts before it. Without either, all that can still matter is told
    /// first.
    #[param(value_type = Option<i64>, minimum = 0, example = 4711)]
    after: Option<String>,
}

/// What ended, and what a verifier must know to refuse it.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct RevocationBody {
    /// Its place in the order in which all were told.
    #[schema(example = 4711)]
    pub seq: i64,
    /// `session` (`sid` of tokens), `user` (`sub`), `device` (`did`), `tenant` (`tid`), `api_key`, `oauth_client` (`sub`),
    /// `oauth_token` (`jti`) or `signing_key` (`kid`). Pass over those that you do not know.
    #[schema(example = "user")]
    pub kind: &'static str,
    /// The id of what ended.
    #[schema(example = "usr_019aa2c5b8f07d3c9f0b6f2f3c1d9e47")]
    pub id: String,
    /// The tenant that it concerns; absent for what concerns all.
    #[schema(example = "ten_00000000000070008000000000000001")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenant_id: Option<String>,
    /// Of a user or client: tokens whose `ep` is lower are good for nothing. Others are not concerned.
    #[schema(example = 3)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub epoch: Option<i64>,
    /// Of a tenant: tokens whose `iat` is lower are good for nothing. Seconds since the epoch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<i64>,
    /// When it ended.
    #[schema(example = "2026-11-23T10:00:00.000Z")]
    pub at: String,
    /// When it can be forgotten: no token is alive then that it concerns.
    #[schema(example = "2026-11-23T10:15:05.000Z")]
    pub expires_at: String,
}

/// Revocations that follow one another.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct RevocationList {
    /// In the order of `seq`.
    pub data: Vec<RevocationBody>,
    /// The next `after`.
    #[schema(example = 4711)]
    pub next: i64,
    /// Whether there is more already.
    pub has_more: bool,
    /// Whether nothing is missing between `after` and the first of these. If `false`, `after` is older than what is kept,
    /// or of another database: drop whatever you hold as verified, and go on from here.
    pub complete: bool,
}

impl RevocationBody {
    pub(super) fn of(service: &RevocationService, revocation: &Revocation) -> Self {
        Self {
            seq: revocation.seq,
            kind: revocation.kind.as_str(),
            id: revocation.id.clone(),
            tenant_id: revocation.tenant_id.map(|id| id.to_string()),
            epoch: revocation.epoch(),
            before: revocation.before(),
            at: revocation.at.to_string(),
            expires_at: service.expires_at(revocation).to_string(),
        }
    }
}

impl FollowQuery {
    /// After which `seq` a stream is to begin.
    pub(super) fn after(&self, headers: &HeaderMap) -> Result<Option<i64>> {
        let mut sent = headers.get_all(LAST_EVENT_ID).iter();
        match (sent.next(), sent.next()) {
            (None, _) => number("?after", self.after.as_deref()),
            (Some(one), None) => number("Last-Event-ID", Some(one.to_str().unwrap_or_default())),
            (Some(_), Some(_)) => number("Last-Event-ID", Some("")),
        }
    }
}

/// Read what was revoked
///
/// For services that verify tokens by themselves, or hold connections open that a token opened: poll it, or follow the
/// stream. Every revocation has a `seq`; ask for those after the last one you know. A service of a tenant is told what
/// concerns that tenant, one of the installation's own all. Kept for as long as a token can live that is concerned, and
/// ten minutes.
#[utoipa::path(
    get, path = "/v1/internal/revocations", tag = "internal", params(RevocationsQuery),
    responses((status = OK, body = RevocationList, example = json!({
        "data": [revocation_sample()], "next": 4711, "has_more": false, "complete": true,
    }))),
    security(("bearer" = [])),
    extensions(
        ("x-bailiwick-action" = json!(ReadRevocations::NAME)),
        ("x-problem-codes" = json!(["validation_failed", "no_active_version"])),
    ),
)]
pub(super) async fn list_revocations(
    app: AppState,
    by: ServicePermit<ReadRevocations>,
    Query(query): Query<RevocationsQuery>,
) -> Result<Json<RevocationList>> {
    let after = number("?after", query.after.as_deref())?;
    let (limit, _): (Limit, _) = PageQuery::new(query.limit, None).page()?;
    let batch = app.revocations.list(by.within(), after, limit).await?;
    let of = |revocation| RevocationBody::of(&app.revocations, revocation);
    Ok(Json(RevocationList {
        data: batch.revocations.iter().map(of).collect(),
        next: batch.next,
        has_more: batch.has_more,
        complete: batch.is_complete,
    }))
}

/// A `seq`, as a caller sends it.
fn number(place: &str, text: Option<&str>) -> Result<Option<i64>> {
    let Some(text) = text else { return Ok(None) };
    let is_plain = text.bytes().all(|byte| byte.is_ascii_digit());
    let seq = text.parse().ok().filter(|_| is_plain);
    let wrong = || Problem::new(Code::ValidationFailed).at(place, "must be the `seq` of a revocation");
    seq.map(Some).ok_or_else(wrong)
}

/// A revocation, for the document.
pub(super) fn revocation_sample() -> Value {
    json!({
        "seq": 4711, "kind": "user", "id": "usr_019aa2c5b8f07d3c9f0b6f2f3c1d9e47",
        "tenant_id": "ten_00000000000070008000000000000001", "epoch": 3,
        "at": "2026-11-23T10:00:00.000Z", "expires_at": "2026-11-23T10:15:05.000Z",
    })
}
