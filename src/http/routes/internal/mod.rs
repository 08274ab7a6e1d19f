//! Tag `internal`: what services inside the trusted network ask, on the internal listener only.
//!
//! They call with tokens that they got as clients of OAuth 2.0, whose scope holds the action or `internal`. A service of
//! a tenant learns of that tenant's tokens and keys only; one of the installation's own tenant learns of all.

mod api_keys;
mod bodies;
mod revocations;
mod sockets;
mod stream;
mod tokens;

use utoipa_axum::{router::OpenApiRouter, routes};

use crate::http::state::AppState;

/// Operations of this tag.
pub(super) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(tokens::validate_token))
        .routes(routes!(api_keys::validate_api_key))
        .routes(routes!(sockets::validate_socket))
        .routes(routes!(revocations::list_revocations))
        .routes(routes!(stream::follow_revocations))
}
