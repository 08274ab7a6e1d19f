//! `bailiwick api-key`: API keys, managed on the host.

use std::time::Duration;

use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use ipnet::IpNet;

use super::{args::Global, output, run::Outcome, runtime::block_on};
use crate::{
    api_keys::{ApiKey, KeyLimits, KeyName, NewApiKey, Scopes},
    app::{App, Overrides},
    audit::Actor,
    base::{ApiKeyId, Cursor, Limit, TenantId, UserId, parse_network},
    roles::RoleName,
    users::Email,
};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Make a key and print it, once
    Create(Create),
    /// List the keys of a tenant
    List(Of),
    /// Revoke a key
    Revoke(Revoke),
}

/// Whose keys.
#[derive(Debug, Args)]
pub(super) struct Of {
    /// The tenant [default: the installation's own]
    #[arg(long, value_name = "ID")]
    tenant: Option<TenantId>,
}

#[derive(Debug, Args)]
pub(super) struct Create {
    #[command(flatten)]
    of: Of,
    /// What people call it
    #[arg(long)]
    name: KeyName,
    /// Whose it is: an e-mail address or a user id [default: the tenant's own]
    #[arg(long, value_name = "USER")]
    owner: Option<String>,
    /// A role that it has; may be repeated [default: all that its owner was granted]
    #[arg(long = "role", value_name = "ROLE")]
    roles: Vec<RoleName>,
    /// An action, a group of them or `*` that it may be used for; may be repeated [default: decisions]
    #[arg(long = "scope", value_name = "SCOPE")]
    scopes: Vec<String>,
    /// A network or address that it may be used from; may be repeated [default: anywhere]
    #[arg(long = "allow-ip", value_name = "NETWORK", value_parser = parse_network)]
    ip_allowlist: Vec<IpNet>,
    /// After how many seconds it ends [default: never]
    #[arg(long, value_name = "SECONDS")]
    expires_in_secs: Option<u64>,
}

#[derive(Debug, Args)]
pub(super) struct Revoke {
    #[command(flatten)]
    of: Of,
    /// The key's id, such as `key_019aa2c5b8f07d3c9f0b6f2f3c1d9e47`
    id: ApiKeyId,
}

/// Runs a command. Works beside a running server, which notices within ten seconds.
pub(super) fn run(global: &Global, command: &Command) -> anyhow::Result<Outcome> {
    let config = global.load()?.config;
    block_on(async {
        let app = App::start(config, Overrides::default()).await?;
        match command {
            Command::Create(create) => create.run(&app).await?,
            Command::List(of) => of.list(&app).await?,
            Command::Revoke(revoke) => {
                let by = Actor::named("cli");
                app.authn.revoke_api_key(revoke.of.tenant(), revoke.id, "revoked", by).await?;
            }
        }
        app.db.close().await;
        Ok(Outcome::Good)
    })
}

impl Create {
    async fn run(&self, app: &App) -> anyhow::Result<()> {
        let tenant = self.of.tenant();
        let owner = match &self.owner {
            Some(owner) => Some(user(app, tenant, owner).await?),
            None => None,
        };
        let scopes = if self.scopes.is_empty() { Scopes::default() } else { Scopes::new(&self.scopes)? };
        let limits = KeyLimits { scopes, ip_allowlist: self.ip_allowlist.clone(), ..KeyLimits::default() };
        let new = NewApiKey {
            name: self.name.clone(),
            roles: (!self.roles.is_empty()).then(|| self.roles.clone()),
            limits,
            ttl: self.expires_in_secs.map(Duration::from_secs),
        };
        let created = app.api_keys.create(tenant, owner, &new, Actor::named("cli")).await?;
        Ok(output::data(&format!("{}\n", created.text.expose()))?)
    }
}

impl Of {
    fn tenant(&self) -> TenantId {
        self.tenant.unwrap_or(TenantId::DEFAULT)
    }

    /// Prints a line a key: id, whose it is, when it ends, what people call it.
    async fn list(&self, app: &App) -> anyhow::Result<()> {
        let mut after: Option<Cursor> = None;
        loop {
            let page = app.api_keys.list(self.tenant(), None, after.as_ref(), Limit::default()).await?;
            page.data.iter().try_for_each(|key| output::data(&line(key)))?;
            after = page.next;
            if after.is_none() {
                return Ok(());
            }
        }
    }
}

fn line(key: &ApiKey) -> String {
    let owner = key.owner.map_or_else(|| format!("tenant:{}", key.slot), |owner| owner.to_string());
    let ends = key.limits.expires_at.map_or_else(|| "never".to_owned(), |at| at.to_string());
    format!("{}\t{owner}\t{ends}\t{}\n", key.id, key.name)
}

async fn user(app: &App, tenant: TenantId, named: &str) -> anyhow::Result<UserId> {
    if let Ok(id) = named.parse() {
        return Ok(id);
    }
    let email: Email = named.parse().with_context(|| format!("`{named}` is no address and no user id"))?;
    match app.users.credentials_of(tenant, email.norm()).await? {
        Some(known) => Ok(known.user.id),
        None => bail!("there is no user `{named}`"),
    }
}
