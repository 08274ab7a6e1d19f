//! `bailiwick client`: clients of OAuth 2.0, made on the host.

use std::time::Duration;

use anyhow::Context;
use clap::{Args, Subcommand};

use super::{args::Global, output, run::Outcome, runtime::block_on};
use crate::{
    app::{App, Overrides},
    audit::Actor,
    base::{ClientId, Limit, TenantId},
    clients::{Client, Grant, Made, NewClient, audience, scope_word},
};

/// Whose clients these are.
const TENANT: TenantId = TenantId::DEFAULT;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Make a client and print its id and its secret, which is never shown again
    Create(Create),
    /// List the clients: id, status and name
    List,
    /// Give a client another secret and print it
    RotateSecret(RotateSecret),
    /// Remove a client; its tokens are good no more
    Delete(Delete),
}

#[derive(Debug, Args)]
pub(super) struct Create {
    /// What people call it
    #[arg(long)]
    name: String,
    /// A grant that it may use [default: `client_credentials`]; may be repeated
    #[arg(long = "grant", value_name = "GRANT")]
    grants: Vec<String>,
    /// A scope that it may ask for [default: `decisions`]; may be repeated
    #[arg(long = "scope", value_name = "SCOPE")]
    scopes: Vec<String>,
    /// Whom its tokens may be for, besides this server; may be repeated
    #[arg(long = "audience", value_name = "AUDIENCE")]
    audiences: Vec<String>,
    /// A role of its; may be repeated
    #[arg(long = "role", value_name = "ROLE")]
    roles: Vec<String>,
}

#[derive(Debug, Args)]
pub(super) struct RotateSecret {
    /// Id of the client, as `client list` prints it
    id: ClientId,
    /// How long the present secret stays good, seconds; 0 ends it and every token of the client
    #[arg(long, default_value_t = 86_400)]
    keep_secs: u32,
}

#[derive(Debug, Args)]
pub(super) struct Delete {
    /// Id of the client, as `client list` prints it
    id: ClientId,
}

/// Works beside running servers, which follow within seconds.
pub(super) fn run(global: &Global, command: &Command) -> anyhow::Result<Outcome> {
    let config = global.load()?.config;
    let actor = Actor::named("cli");
    block_on(async {
        let app = App::start(config, Overrides::default()).await?;
        let text = match command {
            Command::Create(create) => shown(&app.clients.create(TENANT, &create.read()?, actor).await?),
            Command::List => {
                let limit = Limit::new(Limit::MAX).unwrap_or_default();
                let (mut text, mut after) = (String::new(), None);
                loop {
                    let page = app.clients.list(TENANT, after.as_ref(), limit).await?;
                    text.extend(page.data.iter().map(line));
                    after = page.next;
                    if after.is_none() {
                        break text;
                    }
                }
            }
            Command::RotateSecret(RotateSecret { id, keep_secs }) => {
                let keep = Duration::from_secs(u64::from(*keep_secs));
                shown(&app.clients.rotate_secret(TENANT, *id, keep, actor).await?)
            }
            Command::Delete(Delete { id }) => {
                app.clients.delete(TENANT, *id, actor).await?;
                String::new()
            }
        };
        app.db.close().await;
        output::data(&text)?;
        Ok(Outcome::Good)
    })
}

fn line(client: &Client) -> String {
    format!("{}  {:8}  {}\n", client.id, client.status.as_str(), client.name)
}

fn shown(made: &Made) -> String {
    let secret = made.secret.as_ref().map(|secret| format!("{}\n", secret.expose())).unwrap_or_default();
    format!("{}\n{secret}", made.client.id)
}

impl Create {
    fn read(&self) -> anyhow::Result<NewClient> {
        let grant = |name: &String| Grant::named(name).with_context(|| format!("there is no grant `{name}`"));
        let mut grants = self.grants.iter().map(grant).collect::<anyhow::Result<Vec<_>>>()?;
        let mut scopes = self.scopes.iter().map(|text| scope_word(text)).collect::<Result<Vec<_>, _>>()?;
        if grants.is_empty() {
            grants.push(Grant::ClientCredentials);
        }
        if scopes.is_empty() {
            scopes.push("decisions".to_owned());
        }
        Ok(NewClient {
            name: self.name.parse()?,
            jwks: None,
            grants,
            scopes,
            audiences: self.audiences.iter().map(|text| audience(text)).collect::<Result<_, _>>()?,
            roles: self.roles.iter().map(|text| text.parse()).collect::<Result<_, _>>()?,
        })
    }
}
