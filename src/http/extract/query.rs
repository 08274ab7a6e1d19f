//! Typed query parameters.

use axum::{extract::FromRequestParts, http::request::Parts};
use serde::{Deserialize, de::DeserializeOwned};
use utoipa::IntoParams;

use crate::{
    base::{Cursor, Limit},
    http::{
        codes::Code,
        problem::{Problem, Result},
        state::AppState,
    },
};

/// The parameters of the query string. Unknown ones are refused where the type says so.
#[derive(Debug)]
pub struct Query<T>(pub T);

impl<T: DeserializeOwned> FromRequestParts<AppState> for Query<T> {
    type Rejection = Problem;

    #[expect(clippy::disallowed_types, reason = "the one place that wraps it")]
    async fn from_request_parts(parts: &mut Parts, _app: &AppState) -> Result<Self> {
        let query = axum::extract::Query::<T>::try_from_uri(&parts.uri);
        query.map(|axum::extract::Query(value)| Self(value)).map_err(|error| {
            let text =
                std::error::Error::source(&error).map_or_else(|| error.to_string(), ToString::to_string);
            let name =
                text.split('`').nth(1).or_else(|| text.split(':').next()).unwrap_or_default().to_owned();
            Problem::new(Code::ValidationFailed).at(format!("?{name}"), text)
        })
    }
}

/// `?limit=` and `?cursor=` of every list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct PageQuery {
    /// Rows at most, 1 to 200.
    #[param(minimum = 1, maximum = 200, default = 50)]
    limit: Option<String>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

impl PageQuery {
    /// The same two parameters out of a larger query.
    pub fn new(limit: Option<String>, cursor: Option<String>) -> Self {
        Self { limit, cursor }
    }

    /// The page that is asked for.
    pub fn page(&self) -> Result<(Limit, Option<Cursor>)> {
        let limit = match &self.limit {
            None => Limit::default(),
            Some(text) => text
                .parse()
                .ok()
                .and_then(Limit::new)
                .ok_or_else(|| Problem::new(Code::ValidationFailed).at("?limit", "must be 1 to 200"))?,
        };
        let cursor = match &self.cursor {
            None => None,
            Some(text) => Some(
                Cursor::decode(text)
                    .map_err(|error| Problem::new(Code::ValidationFailed).at("?cursor", error.to_string()))?,
            ),
        };
        Ok((limit, cursor))
    }
}
