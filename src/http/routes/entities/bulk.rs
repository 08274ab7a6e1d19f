//! The operations of the tag on many entities.

use std::time::Duration;

use axum::{
    body::Body,
    extract::{FromRequest, Request},
    http::header::CONTENT_TYPE,
};
use http_body_util::BodyExt;

use super::{
    bodies::{BatchRequest, WrittenBody, entity_sample},
    operations::store_name,
};
use crate::{
    entities::{BatchItem, EntityError, Load, LoadForm, LoadPlace, MAX_BATCH},
    http::{
        actions::{Action, WriteEntities},
        codes::Code,
        extract::{BundleJson, Json, Path, Permit},
        problem::{Problem, Result},
        state::AppState,
    },
    policy::EntityKey,
};

/// Write many entities
///
/// All or none, in one transaction. An entity may be in a batch once.
#[utoipa::path(
    post, path = "/v1/policy-stores/{store}/entities:batch", tag = "entities", request_body = BatchRequest,
    params(("store" = String, Path, description = "The store", example = "app")),
    responses((status = OK, body = WrittenBody)),
    security(("bearer" = []), ("api_key" = [])),
    extensions(
        ("x-bailiwick-action" = json!(WriteEntities::NAME)),
        ("x-problem-codes" = json!(["not_found", "entities_invalid", "unknown_type", "conflict", "no_active_version"])),
    ),
)]
pub(super) async fn write_entity_batch(
    app: AppState,
    permit: Permit<WriteEntities>,
    Path(store): Path<String>,
    BundleJson(body): BundleJson<BatchRequest>,
) -> Result<Json<WrittenBody>> {
    let upserts = body.upserts.len();
    if upserts + body.deletes.len() > MAX_BATCH {
        let text = format!("a batch has at most {MAX_BATCH} entities");
        return Err(Problem::new(Code::ValidationFailed).at("", text));
    }
    let deletes = body.deletes.into_iter().map(|name| BatchItem::Remove(EntityKey::from(name)));
    let items = body.upserts.into_iter().map(BatchItem::Put).chain(deletes).collect();
    let written = app.entities.batch(&store_name(&store)?, items, permit.actor()).await;
    Ok(Json(written.map_err(|error| in_batch(error, upserts))?.into()))
}

/// Replace all entities
///
/// By what is sent: one entity a line (`application/x-ndjson`), or an array. It is read as it comes and stored in
/// one transaction, or not at all. Entities that are sent as they are stored keep their revision.
#[utoipa::path(
    put, path = "/v1/policy-stores/{store}/entities", tag = "entities",
    request_body(content(
        (String = "application/x-ndjson", example = json!(format!("{}\n", entity_sample()))),
        (Vec<Object> = "application/json", example = json!([entity_sample()])),
    )),
    params(("store" = String, Path, description = "The store", example = "app")),
    responses((status = OK, body = WrittenBody)),
    security(("bearer" = []), ("api_key" = [])),
    extensions(
        ("x-bailiwick-action" = json!(WriteEntities::NAME)),
        ("x-problem-codes" = json!(["not_found", "entities_invalid", "unknown_type", "conflict", "no_active_version"])),
    ),
)]
pub(super) async fn replace_entities(
    app: AppState,
    permit: Permit<WriteEntities>,
    Path(store): Path<String>,
    stream: EntityStream,
) -> Result<Json<WrittenBody>> {
    let load = app.entities.begin_load(&store_name(&store)?, stream.form).await?;
    stream.send_to(&load, &app).await?;
    let written = app.entities.finish_load(load, permit.actor()).await;
    Ok(Json(written.map_err(Problem::from)?.into()))
}

/// A body of entities, not read yet.
#[derive(Debug)]
pub(super) struct EntityStream {
    form: LoadForm,
    body: Body,
}

impl FromRequest<AppState> for EntityStream {
    type Rejection = Problem;

    async fn from_request(request: Request, _app: &AppState) -> Result<Self> {
        let kind =
            request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let form = match kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase().as_str() {
            "application/x-ndjson" => LoadForm::Lines,
            "application/json" => LoadForm::Array,
            _ => {
                let text = "`application/x-ndjson` and `application/json` are read here";
                return Err(Problem::new(Code::UnsupportedMediaType).detail(text));
            }
        };
        Ok(Self { form, body: request.into_body() })
    }
}

impl EntityStream {
    /// Passes the body on, piece by piece, until it ends or the load knows enough.
    async fn send_to(mut self, load: &Load, app: &AppState) -> Result<()> {
        let (limit, pause) = (app.config.server.entities_limit_bytes, app.config.server.body_timeout_secs);
        let mut sent = 0;
        loop {
            let frame = tokio::time::timeout(Duration::from_secs(pause), self.body.frame());
            let Some(frame) = frame.await.map_err(|_| Problem::new(Code::RequestTimeout))? else { break };
            let frame = frame.map_err(|_| Problem::new(Code::MalformedJson).detail("the body broke off"))?;
            let Ok(piece) = frame.into_data() else { continue }; // trailers
            sent += piece.len();
            if sent > limit {
                let text = format!("at most {limit} bytes are read here");
                return Err(Problem::new(Code::PayloadTooLarge).detail(text));
            }
            if !load.send(piece.to_vec()).await {
                break;
            }
        }
        Ok(())
    }
}

/// Where in a batch something is wrong.
fn in_batch(error: EntityError, upserts: usize) -> Problem {
    match error {
        EntityError::At { place: LoadPlace::Element(at), source } => {
            let at = usize::try_from(at).unwrap_or(usize::MAX);
            let place = match at.checked_sub(upserts) {
                None => format!("/upserts/{at}"),
                Some(at) => format!("/deletes/{at}"),
            };
            Problem::from(*source).below(&place)
        }
        error => error.into(),
    }
}
