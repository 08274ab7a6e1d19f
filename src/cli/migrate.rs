//! `bailiwick migrate`: brings the database schema up to date.

use super::{args::Global, output, run::Outcome, runtime::block_on};
use crate::{app, config::make_data_folder, storage::Pending};

/// Applies what is missing and says how many migrations that were.
pub(super) fn run(global: &Global) -> anyhow::Result<Outcome> {
    let config = global.load()?.config;
    make_data_folder(&config)?;
    block_on(async {
        let db = app::connect(&config).await?;
        let Pending(count) = db.pending_migrations().await?;
        db.migrate().await?;
        db.close().await;
        output::data(&format!("applied {count} migrations\n"))?;
        Ok(Outcome::Good)
    })
}
