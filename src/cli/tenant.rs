//! `bailiwick tenant`: tenants, managed on the host.

use clap::{Args, Subcommand};

use super::{args::Global, output, run::Outcome, runtime::block_on};
use crate::{
    app::{App, Overrides},
    audit::Actor,
    base::{Cursor, Limit, TenantId},
    tenants::{CompanyName, NewTenant, TenantStatus},
};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Make a tenant and print its id
    Create(Create),
    /// List all tenants
    List,
    /// End every session of a tenant, and refuse its users and keys
    Suspend(Which),
    /// Let a suspended tenant go on
    Resume(Which),
}

#[derive(Debug, Args)]
pub(super) struct Create {
    /// What people call it
    #[arg(long)]
    name: CompanyName,
    /// One of `tenants.plans`
    #[arg(long)]
    plan: String,
}

#[derive(Debug, Args)]
pub(super) struct Which {
    /// The tenant's id, such as `ten_019aa2c5b8f07d3c9f0b6f2f3c1d9e47`
    id: TenantId,
}

/// Runs a command. Works beside a running server, which notices within seconds.
pub(super) fn run(global: &Global, command: &Command) -> anyhow::Result<Outcome> {
    let config = global.load()?.config;
    block_on(async {
        let app = App::start(config, Overrides::default()).await?;
        let by = Actor::named("cli");
        match command {
            Command::Create(create) => {
                let new = NewTenant { name: create.name.clone(), plan: create.plan.clone() };
                let made = app.authn.create_tenant(&new, by).await?;
                output::data(&format!("{}\n", made.id))?;
            }
            Command::List => list(&app).await?,
            Command::Suspend(Which { id }) => {
                app.authn.set_tenant_status(*id, TenantStatus::Suspended, by).await?;
            }
            Command::Resume(Which { id }) => {
                app.authn.set_tenant_status(*id, TenantStatus::Active, by).await?;
            }
        }
        app.db.close().await;
        Ok(Outcome::Good)
    })
}

/// Prints a line a tenant: id, status, plan, what people call it.
async fn list(app: &App) -> anyhow::Result<()> {
    let mut after: Option<Cursor> = None;
    loop {
        let page = app.tenants.list(after.as_ref(), Limit::default()).await?;
        for tenant in &page.data {
            let (status, plan) = (tenant.status.as_str(), &tenant.plan);
            output::data(&format!("{}\t{status}\t{plan}\t{}\n", tenant.id, tenant.name))?;
        }
        after = page.next;
        if after.is_none() {
            return Ok(());
        }
    }
}
