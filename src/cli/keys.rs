//! `bailiwick keys`: the keys that sign tokens.

use clap::{Args, Subcommand};

use super::{args::Global, output, run::Outcome, runtime::block_on};
use crate::{
    app::{App, Overrides},
    audit::Actor,
    base::Rewrapped,
};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// List the keys: id, algorithm, state, and when it was made
    List,
    /// Publish the next key; it signs ten minutes later, and nobody notices
    Rotate,
    /// Seal private keys, second factors, profiles and data of users with the present master key, where the previous one still does
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
        let mut are_lost = false;
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
                let factors = app.authn.rewrap_second_factors(actor).await?;
                let profiles = app.profiles.reseal().await?;
                let user_data = app.authn.rewrap_user_data(actor).await?;
                let all = [
                    ("signing keys", keys),
                    ("second factors", factors),
                    ("profiles", profiles),
                    ("data of users", user_data),
                ];
                are_lost = all.iter().any(|(_, done)| done.lost > 0);
                all.map(|(what, done)| told(what, done)).concat()
            }
            Command::Revoke(Revoke { kid }) => {
                app.tokens.revoke(kid, actor).await?;
                String::new()
            }
        };
        app.db.close().await;
        output::data(&text)?;
        Ok(if are_lost { Outcome::Findings } else { Outcome::Good })
    })
}

/// A line about values that were to be sealed anew.
fn told(what: &str, done: Rewrapped) -> String {
    let Rewrapped { resealed, kept, lost } = done;
    let lost =
        if lost > 0 { format!(", {lost} open with no master key that is known") } else { String::new() };
    format!("{what}: {resealed} sealed anew, {kept} already were{lost}\n")
}
