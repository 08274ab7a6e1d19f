//! Tag `keys`: the keys that sign and verify our tokens.

mod admin;
mod public;

use utoipa_axum::router::OpenApiRouter;

use crate::http::state::AppState;

/// Operations of this tag.
pub(super) fn router() -> OpenApiRouter<AppState> {
    public::router().merge(admin::router())
}
