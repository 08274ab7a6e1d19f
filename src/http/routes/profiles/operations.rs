//! The operations of the tag.

use axum::{
    http::header::ETAG,
    response::{IntoResponse, Response},
};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::bodies::{ProfileBody, ProfilePatch, sample};
use crate::{
    base::UserId,
    http::{
        actions::{Action, ReadProfile, UpdateProfile},
        extract::{Expected, Json, Path, Permit, entity_tag},
        problem::Result,
        state::AppState,
    },
    profiles::Profile,
};

/// Operations of this tag.
pub(in crate::http::routes) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(read_profile, update_profile))
}

/// A profile with its entity tag.
fn answer(profile: Profile) -> Result<Response> {
    let tag = entity_tag(profile.revision);
    let mut response = Json(ProfileBody::try_from(profile)?).into_response();
    if let Some(tag) = tag {
        response.headers_mut().insert(ETAG, tag);
    }
    Ok(response)
}

/// A profile
///
/// One's own, and those that the policies of the store `system` let the caller see (`readProfile`): as shipped, admins
/// see those of their tenant. The entity tag stands for what can be changed.
#[utoipa::path(
    get, path = "/v1/users/{user_id}/profile", tag = "profiles",
    params(("user_id" = String, Path, description = "The user", example = "usr_019aa2c5b8f07d3c9f0b6f2f3c1d9e47")),
    responses((status = OK, body = ProfileBody, example = json!(sample()))),
    security(("bearer" = []), ("api_key" = [])),
    extensions(
        ("x-bailiwick-action" = json!(ReadProfile::NAME)),
        ("x-problem-codes" = json!(["not_found", "no_active_version"])),
    ),
)]
async fn read_profile(
    app: AppState,
    permit: Permit<ReadProfile>,
    Path(user): Path<UserId>,
) -> Result<Response> {
    answer(app.profiles.get(permit.tenant(), user).await?)
}

/// Change a profile
///
/// By a JSON merge patch (RFC 7396). With `If-Match`, only if it is as the caller has seen it; a profile that nobody
/// has changed yet has the tag `"0"`. Texts are stored in NFC and without spaces around them.
#[utoipa::path(
    patch, path = "/v1/users/{user_id}/profile", tag = "profiles", request_body = ProfilePatch,
    params(
        ("user_id" = String, Path, description = "The user", example = "usr_019aa2c5b8f07d3c9f0b6f2f3c1d9e47"),
        ("If-Match" = Option<String>, Header, description = "Its entity tag, or `*`", example = "\"3\""),
    ),
    responses((status = OK, body = ProfileBody, example = json!(sample()))),
    security(("bearer" = []), ("api_key" = [])),
    extensions(
        ("x-bailiwick-action" = json!(UpdateProfile::NAME)),
        ("x-problem-codes" = json!(["not_found", "precondition_failed", "no_active_version"])),
    ),
)]
async fn update_profile(
    app: AppState,
    permit: Permit<UpdateProfile>,
    Path(user): Path<UserId>,
    Expected(expected): Expected,
    Json(body): Json<ProfilePatch>,
) -> Result<Response> {
    let whose = (permit.tenant(), user);
    answer(app.profiles.patch(whose, body.members()?, &expected, permit.actor()).await?)
}
