//! How a caller takes its tokens: in the body, or in cookies (C16).

use axum::{extract::FromRequestParts, http::request::Parts};
use secrecy::SecretString;
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use super::query::Query;
use crate::http::{
    codes::Code,
    cookies::{self, DEVICE, REFRESH, cookie},
    problem::{Problem, Result},
    state::AppState,
};

/// `?mode=`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// In the body, for programs that keep them.
    #[default]
    Body,
    /// In cookies that no script reads, for browsers; the body has none.
    Cookie,
}

/// The query of operations that hand out tokens, or take them back.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ModeQuery {
    /// Where the tokens go, and where they come from.
    #[serde(default)]
    #[param(inline, default = "body")]
    mode: Mode,
}

/// Where tokens go, and what a browser sent in cookies beside the access token.
#[derive(Debug)]
pub struct Delivery {
    /// Where tokens go.
    pub mode: Mode,
    /// The refresh token, in cookie mode.
    pub refresh: Option<SecretString>,
    /// The device token, in cookie mode.
    pub device: Option<SecretString>,
}

impl FromRequestParts<AppState> for Delivery {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &AppState) -> Result<Self> {
        let Query(ModeQuery { mode }) = Query::from_request_parts(parts, app).await?;
        if mode == Mode::Body {
            return Ok(Self { mode, refresh: None, device: None });
        }
        // Also for a sign-in, which needs no cookie: nobody is to be signed in as somebody else (login CSRF).
        if !cookies::is_from_our_page(app, &parts.headers) {
            return Err(Problem::new(Code::CrossSite));
        }
        let sent = |name| cookie(&parts.headers, name).map(SecretString::from);
        Ok(Self { mode, refresh: sent(REFRESH), device: sent(DEVICE) })
    }
}
