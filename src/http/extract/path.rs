//! Typed path parameters.

use axum::{
    extract::{FromRequestParts, RawPathParams},
    http::request::Parts,
};
use serde::de::DeserializeOwned;

use crate::http::{
    codes::Code,
    problem::{Problem, Result},
    state::AppState,
};

/// The parameters of the path. One that cannot be an id of the wanted kind is not found, as an
/// absent one is: a caller learns nothing from the difference.
#[derive(Debug)]
pub struct Path<T>(pub T);

impl<T: DeserializeOwned + Send> FromRequestParts<AppState> for Path<T> {
    type Rejection = Problem;

    #[expect(clippy::disallowed_types, reason = "the one place that wraps it")]
    async fn from_request_parts(parts: &mut Parts, app: &AppState) -> Result<Self> {
        let path = axum::extract::Path::<T>::from_request_parts(parts, app).await;
        path.map(|axum::extract::Path(value)| Self(value)).map_err(|_| Problem::new(Code::NotFound))
    }
}

/// The parameter `name` of the path, percent-decoded.
pub(super) async fn parameter(parts: &mut Parts, app: &AppState, name: &str) -> Result<String> {
    let params =
        RawPathParams::from_request_parts(parts, app).await.map_err(|_| Problem::new(Code::NotFound))?;
    let found = params.iter().find(|(key, _)| *key == name).map(|(_, value)| value.to_owned());
    found.ok_or_else(|| Problem::new(Code::NotFound))
}
