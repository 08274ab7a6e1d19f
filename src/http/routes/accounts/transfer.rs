//! The operations of the tag that take users over and give them away, a line each.

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use axum::{
    body::Body,
    extract::{FromRequest, Request},
    http::header::CONTENT_TYPE,
    response::Response,
};
use futures_util::stream;
use http_body_util::BodyExt;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::bodies::{ImportBody, ImportQuery, line_sample};
use crate::{
    authn::{IMPORT_CHUNK, ReadLine, Refusal, user_line},
    authorize::EntityRef,
    base::{Cursor, Limit, TenantId, UserId},
    http::{
        actions::{Action, ExportUsers, GrantRole, ImportUsers},
        codes::Code,
        extract::{Json, Permit, Query},
        problem::{Problem, Result},
        state::AppState,
    },
};

/// Most lines of one import.
const MAX_LINES: usize = 10_000;
/// Longest line, bytes.
const MAX_LINE_BYTES: usize = 64 * 1024;
/// What users are sent and answered as.
const LINES: &str = "application/x-ndjson";

/// These operations of the tag.
pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(import_users)).routes(routes!(export_users))
}

/// Take users over from elsewhere
///
/// One JSON object a line, 10,000 lines at most, read as they come and written some at a time. Each line is taken whole
/// or not at all; an address that is known is answered `exists` and left as it is, so that an import can be repeated.
/// `password_hash` is a PHC string of argon2, scrypt or PBKDF2, or bcrypt's own form; whoever signs in with it is given
/// a hash of today's. What costs too much to verify is refused. `roles` are those that the caller may grant; `user`
/// where they are missing. With `dry_run` nothing is written.
#[utoipa::path(
    post, path = "/v1/admin/users/import", tag = "accounts", params(ImportQuery),
    request_body(content((String = "application/x-ndjson", example = json!(format!("{}\n", line_sample()))))),
    responses((status = OK, body = ImportBody)),
    security(("bearer" = [])),
    extensions(
        ("x-bailiwick-action" = json!(ImportUsers::NAME)),
        ("x-problem-codes" = json!(["validation_failed", "malformed_json", "payload_too_large", "unsupported_media_type", "request_timeout", "no_active_version"])),
    ),
)]
async fn import_users(
    app: AppState,
    permit: Permit<ImportUsers>,
    Query(query): Query<ImportQuery>,
    mut lines: Lines,
) -> Result<Json<ImportBody>> {
    let is_trial = query.dry_run.unwrap_or_default();
    let (mut seen, mut granted) = (HashSet::new(), HashMap::new());
    let mut answer = ImportBody { dry_run: is_trial, ..ImportBody::default() };
    loop {
        let chunk = lines.next(&app).await?;
        if chunk.is_empty() {
            return Ok(Json(answer));
        }
        let (numbers, mut read): (Vec<usize>, Vec<_>) = chunk.into_iter().unzip();
        for line in &mut read {
            if let Ok(good) = line
                && let Some(denied) = first_denied(&app, &permit, &mut granted, &good.roles).await?
            {
                *line = Err(Refusal::RoleDenied(denied));
            }
        }
        let done = app.authn.import(permit.tenant(), read, &mut seen, is_trial, permit.actor()).await?;
        numbers.into_iter().zip(done).for_each(|(number, outcome)| answer.add(number, outcome));
    }
}

/// The first of `roles` that the caller may not grant. The engine is asked once for each role of an import.
async fn first_denied(
    app: &AppState,
    permit: &Permit<ImportUsers>,
    granted: &mut HashMap<String, bool>,
    roles: &[String],
) -> Result<Option<String>> {
    for role in roles {
        let may = if let Some(may) = granted.get(role) {
            *may
        } else {
            let in_tenant = EntityRef::new("Tenant", permit.tenant().to_string());
            let asked = match permit.may::<GrantRole>(app, in_tenant).await {
                Ok(()) => permit.may::<GrantRole>(app, EntityRef::new("Role", role)).await,
                refused => refused,
            };
            let may = match asked {
                Ok(()) => true,
                Err(problem) if problem.code() == Code::InsufficientPermissions => false,
                Err(problem) => return Err(problem),
            };
            granted.insert(role.clone(), may);
            may
        };
        if !may {
            return Ok(Some(role.clone()));
        }
    }
    Ok(None)
}

/// A body of lines, not read yet.
#[derive(Debug)]
struct Lines {
    body: Body,
    rest: Vec<u8>,
    /// Where in it the next line begins.
    at: usize,
    /// Lines so far, empty ones too.
    count: usize,
    is_over: bool,
}

impl FromRequest<AppState> for Lines {
    type Rejection = Problem;

    async fn from_request(request: Request, _app: &AppState) -> Result<Self> {
        let kind =
            request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        if !kind.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case(LINES) {
            return Err(Problem::new(Code::UnsupportedMediaType).detail(format!("`{LINES}` is read here")));
        }
        Ok(Self { body: request.into_body(), rest: Vec::new(), at: 0, count: 0, is_over: false })
    }
}

type Numbered = (usize, std::result::Result<ReadLine, Refusal>);

impl Lines {
    /// The next lines, with their numbers from 1 on; none when all were read.
    async fn next(&mut self, app: &AppState) -> Result<Vec<Numbered>> {
        let mut lines = Vec::new();
        while lines.len() < IMPORT_CHUNK {
            let unread = self.rest.get(self.at..).unwrap_or_default();
            let end = unread.iter().position(|byte| *byte == b'\n');
            if end.is_none() && !self.is_over {
                self.read(app).await?;
                continue;
            }
            let line = unread.get(..end.unwrap_or(unread.len())).unwrap_or_default().trim_ascii().to_vec();
            self.at += end.map_or(unread.len(), |end| end + 1);
            self.take(&line, &mut lines)?;
            if end.is_none() {
                return Ok(lines);
            }
        }
        Ok(lines)
    }

    fn take(&mut self, line: &[u8], lines: &mut Vec<Numbered>) -> Result<()> {
        self.count += 1;
        if line.is_empty() {
            return Ok(());
        }
        if self.count > MAX_LINES {
            let text = format!("at most {MAX_LINES} lines are read here; those before were taken");
            return Err(Problem::new(Code::PayloadTooLarge).detail(text));
        }
        lines.push((self.count, ReadLine::read(line)));
        Ok(())
    }

    async fn read(&mut self, app: &AppState) -> Result<()> {
        let pause = Duration::from_secs(app.config.server.body_timeout_secs);
        let frame = tokio::time::timeout(pause, self.body.frame()).await;
        match frame.map_err(|_| Problem::new(Code::RequestTimeout))? {
            None => self.is_over = true,
            Some(Err(_)) => return Err(Problem::new(Code::MalformedJson).detail("the body broke off")),
            Some(Ok(frame)) => {
                let piece = frame.into_data().unwrap_or_default(); // trailers are nothing
                self.rest.drain(..self.at); // what is left of a line, at most
                self.at = 0;
                self.rest.extend_from_slice(&piece);
                if self.rest.split(|byte| *byte == b'\n').any(|line| line.len() > MAX_LINE_BYTES) {
                    let text = format!("a line has at most {MAX_LINE_BYTES} bytes");
                    return Err(Problem::new(Code::PayloadTooLarge).detail(text));
                }
            }
        }
        Ok(())
    }
}

/// Give all users of the tenant away
///
/// One JSON object a line, in the order in which they were made, as an import takes them. Hashes of passwords are not
/// among them: those are written by `bailiwick user export --with-hashes` on the host.
#[utoipa::path(
    get, path = "/v1/admin/users/export", tag = "accounts",
    responses((status = OK, content((String = "application/x-ndjson", example = json!(format!("{}\n", line_sample())))))),
    security(("bearer" = [])),
    extensions(
        ("x-bailiwick-action" = json!(ExportUsers::NAME)),
        ("x-problem-codes" = json!(["no_active_version"])),
    ),
)]
async fn export_users(app: AppState, permit: Permit<ExportUsers>) -> Result<Response> {
    app.authn.note_export(permit.tenant(), permit.actor()).await?;
    let tenant = permit.tenant();
    // The first page is read before anything is answered: an outage is a problem document.
    let first = page(&app, tenant, None).await?;
    let pages = stream::try_unfold(Some(first), move |page_now| {
        let app = app.clone();
        async move {
            let Some((text, next)) = page_now else { return Ok::<_, std::io::Error>(None) };
            let following = match next {
                None => None,
                // The status is sent by now: all that is left is to break the answer off.
                Some(after) => Some(page(&app, tenant, Some(&after)).await.map_err(|problem| {
                    tracing::warn!(code = problem.code().as_str(), "an export of users broke off");
                    std::io::Error::other("the export broke off")
                })?),
            };
            Ok(Some((text, following)))
        }
    });
    let mut response = Response::new(Body::from_stream(pages));
    response.headers_mut().insert(CONTENT_TYPE, axum::http::HeaderValue::from_static(LINES));
    Ok(response)
}

/// Some users as lines, and where the next begin.
async fn page(app: &AppState, tenant: TenantId, after: Option<&Cursor>) -> Result<(String, Option<Cursor>)> {
    let limit = Limit::new(Limit::MAX).unwrap_or_default();
    let page = app.users.search(tenant, None, after, limit).await?;
    let ids: Vec<UserId> = page.data.iter().map(|user| user.id).collect();
    let mut roles = app.roles.names_of_all(tenant, &ids).await?;
    let lines =
        page.data.iter().map(|user| user_line(user, &roles.remove(&user.id).unwrap_or_default(), None));
    Ok((lines.collect(), page.next))
}
