//! The state that handlers see.

use std::{ops::Deref, sync::Arc};

use axum::{extract::FromRequestParts, http::request::Parts};

use crate::app::App;

/// The application, as a handler's first argument.
#[derive(Debug, Clone)]
pub struct AppState(pub Arc<App>);

impl Deref for AppState {
    type Target = App;

    fn deref(&self) -> &App {
        &self.0
    }
}

impl FromRequestParts<AppState> for AppState {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(_parts: &mut Parts, app: &AppState) -> Result<Self, Self::Rejection> {
        Ok(app.clone())
    }
}
