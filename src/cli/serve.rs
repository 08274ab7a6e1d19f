//! `bailiwick serve`: the server.

use super::{args::Global, output, run::Outcome, runtime::block_on};
use crate::{app, telemetry};

/// Serves until it is told to stop. Standard output tells the addresses; the log goes to standard error.
pub(super) fn run(global: &Global) -> anyhow::Result<Outcome> {
    let loaded = global.load()?;
    let _telemetry = telemetry::init(&loaded.config.log)?;
    for weakness in &loaded.warnings {
        tracing::warn!(%weakness, "a setting is weak");
    }
    block_on(app::serve(loaded.config, |line| output::data(&format!("{line}\n"))))?;
    Ok(Outcome::Good)
}
