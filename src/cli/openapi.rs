//! `bailiwick openapi`: the API's description, as it is committed in `openapi/openapi.json`.

use super::{output, run::Outcome};
use crate::http::openapi;

/// Prints the document.
pub(super) fn run() -> anyhow::Result<Outcome> {
    output::data(&openapi::text())?;
    Ok(Outcome::Good)
}
