//! `bailiwick keys`: the keys that sign tokens.

use clap::{Args, Subcommand};

use super::{args::Global, output, run::Outcome, runtime::block_on};
use crate::{
    app::{App, Overrides},
    audit::Actor,
};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// List the keys: id, algorithm, state, and when it was made
    List,
    /// Publish the next key; it signs ten minutes later, and nobody notices
    Rotate,
    /// Seal private keys and profiles with the present master key, where the previous one still does
    Rewrap,
    /// Drop a key that may have leaked, with every token that it signed
    Revoke(Revoke),
}

#[derive(Debug, Args)]
pub(super) struct Revoke {
    /// Id of the key, as `keys list` prints it
    kid: String,
}

/// Works beside running servers, which follow within seconds.
pub(super) fn run(global: &Global, command: &Command) -> anyhow::Result<Outcome> {
    let config = global.load()?.config;
    let actor = Actor::named("cli");
    block_on(async {
        let app = App::start(config, Overrides::default()).await?;
        let text = match command {
            Command::List => {
                let line = |key: &crate::tokens::SigningKey| {
                    let state = if key.revoked_at_ms.is_some() { "revoked" } else { key.state.as_str() };
                    format!("{}  {}  {state:8}  {}\n", key.kid, key.alg, key.created_at_ms)
                };
                app.tokens.list().await?.iter().map(line).collect()
            }
            Command::Rotate => {
                let key = app.tokens.rotate(actor).await?;
                let at = key.not_before_ms.map(|at| at.to_string()).unwrap_or_default();
                format!("{}  signs from {at}\n", key.kid)
            }
            Command::Rewrap => {
                let keys = app.tokens.rewrap(actor).await?;
                let profiles = app.profiles.reseal().await?;
                let line =
                    |what, resealed, kept| format!("{what}: {resealed} sealed anew, {kept} already were\n");
                line("keys", keys.resealed, keys.kept) + &line("profiles", profiles.resealed, profiles.kept)
            }
            Command::Revoke(Revoke { kid }) => {
                app.tokens.revoke(kid, actor).await?;
                String::new()
            }
        };
        app.db.close().await;
        output::data(&text)?;
        Ok(Outcome::Good)
    })
}
