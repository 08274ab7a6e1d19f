//! `bailiwick user`: accounts, from the host.

use anyhow::Context;
use clap::{Args, Subcommand, ValueEnum};

use super::{args::Global, output, run::Outcome, runtime::block_on, user_lines};
use crate::{
    app::{App, Overrides},
    audit::Actor,
    authn::Purpose,
    base::{Cursor, Limit, TenantId},
    users::{User, UserStatus},
};

/// Who acts, in the audit log.
const CLI: Actor<'static> = Actor { name: "cli", request_id: None };
/// The tenant whose users are meant.
const TENANT: TenantId = TenantId::DEFAULT;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// List users: id, status, address, user name
    List {
        /// Only those whose address or user name begins with this
        search: Option<String>,
    },
    /// Print what there is of a user
    Show(Which),
    /// Erase an account for good
    Delete(Which),
    /// Take users over, one JSON object a line, and print what became of each line
    Import(user_lines::Import),
    /// Print all users, one JSON object a line, as `import` takes them
    Export(user_lines::Export),
    /// Lock an account and end its sessions
    Lock(Which),
    /// Lift a lock, by an administrator or by wrong passwords
    Unlock(Which),
    /// Print a link that works once, to be handed to the user
    ResetLink {
        #[command(flatten)]
        user: Which,
        /// What the link is good for
        #[arg(long, value_enum, default_value_t = LinkFor::ResetPassword)]
        purpose: LinkFor,
    },
}

/// A user.
#[derive(Debug, Args)]
pub(super) struct Which {
    /// Id, address or user name
    user: String,
}

/// What a link is good for.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum LinkFor {
    /// Choosing a new password
    ResetPassword,
    /// Proving the address
    VerifyEmail,
}

/// Works beside a running server, whose nodes hear of it as they do of each other.
pub(super) fn run(global: &Global, command: &Command) -> anyhow::Result<Outcome> {
    let config = global.load()?.config;
    block_on(async {
        let app = App::start(config, Overrides::default()).await?;
        let done = act(&app, command).await;
        app.db.close().await;
        done
    })
}

async fn act(app: &App, command: &Command) -> anyhow::Result<Outcome> {
    match command {
        Command::List { search } => list(app, search.as_deref()).await?,
        Command::Show(which) => show(app, &which.find(app).await?).await?,
        Command::Delete(which) => {
            let user = which.find(app).await?;
            app.authn.delete_user(TENANT, user.id, CLI).await?;
        }
        Command::Import(import) => return import.run(app, TENANT, CLI).await,
        Command::Export(export) => export.run(app, TENANT, CLI).await?,
        Command::Lock(which) => {
            let user = which.find(app).await?;
            app.authn.set_user_status(TENANT, user.id, UserStatus::Locked, CLI).await?;
        }
        Command::Unlock(which) => {
            let user = which.find(app).await?;
            app.authn.unlock_user(TENANT, user.id, CLI).await?;
        }
        Command::ResetLink { user, purpose } => {
            let purpose = match purpose {
                LinkFor::ResetPassword => Purpose::ResetPassword,
                LinkFor::VerifyEmail => Purpose::VerifyEmail,
            };
            let user = user.find(app).await?;
            let link = app.authn.user_link(TENANT, user.id, purpose, CLI).await?;
            output::data(&format!("{}\n", link.url.expose()))?;
        }
    }
    Ok(Outcome::Good)
}

/// Prints a line a fact: its name, what it is.
async fn show(app: &App, user: &User) -> anyhow::Result<()> {
    let roles = app.roles.names_of(TENANT, user.id).await?.join(" ");
    let active = app.sessions.last_use(TENANT, user.id).await?;
    let sessions = app.sessions.list(TENANT, user.id).await?.len();
    let none = || "-".to_owned();
    for (what, is) in [
        ("id", user.id.to_string()),
        ("email", user.email.clone().unwrap_or_else(none)),
        ("email_verified", user.email_verified.to_string()),
        ("username", user.username.clone().unwrap_or_else(none)),
        ("name", user.name.clone().unwrap_or_else(none)),
        ("status", user.status.as_str().to_owned()),
        ("created_at", user.created_at_ms.to_string()),
        ("last_active_at", active.map_or_else(none, |at| at.to_string())),
        ("roles", roles),
        ("sessions", sessions.to_string()),
    ] {
        output::data(&format!("{what}\t{is}\n"))?;
    }
    Ok(())
}

async fn list(app: &App, search: Option<&str>) -> anyhow::Result<()> {
    let limit = Limit::new(Limit::MAX).unwrap_or_default();
    let mut after: Option<Cursor> = None;
    loop {
        let page = app.users.search(TENANT, search, after.as_ref(), limit).await?;
        for User { id, status, email, username, .. } in &page.data {
            let (email, name) = (email.as_deref().unwrap_or("-"), username.as_deref().unwrap_or("-"));
            output::data(&format!("{id}\t{}\t{email}\t{name}\n", status.as_str()))?;
        }
        after = page.next;
        if after.is_none() {
            return Ok(());
        }
    }
}

impl Which {
    async fn find(&self, app: &App) -> anyhow::Result<User> {
        let found = match self.user.parse() {
            Ok(id) => app.users.get(TENANT, id).await?,
            Err(_) => app.authn.user_of(TENANT, &self.user).await?,
        };
        found.with_context(|| format!("there is no user `{}`", self.user))
    }
}
