//! Tag `oauth`: the endpoints of OAuth 2.0. Their errors have the form of RFC 6749 §5.2, not of RFC 9457.

mod bodies;
mod metadata;
mod proof;
mod tell;
mod token;

use utoipa_axum::router::OpenApiRouter;

use crate::http::state::AppState;

/// Operations of this tag.
pub(super) fn router() -> OpenApiRouter<AppState> {
    metadata::router().merge(token::router()).merge(tell::router())
}
