//! What can be typed.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use super::{admin, api_key, client, config, health, keys, policy, tenant, user};

/// A policy-engine-centric authorization server.
#[derive(Debug, Parser)]
#[command(name = "bailiwick", version, arg_required_else_help = true, disable_help_subcommand = true)]
pub(super) struct Cli {
    #[command(flatten)]
    pub(super) global: Global,
    #[command(subcommand)]
    pub(super) command: Command,
}

/// Options of every command.
#[derive(Debug, Args)]
pub(super) struct Global {
    /// Configuration file [default: `bailiwick.toml`, if there is one]
    #[arg(long, global = true, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Run the server
    Serve,
    /// Bring the database schema up to date
    Migrate,
    /// Make administrators
    #[command(subcommand)]
    Admin(admin::Command),
    /// Make, list, suspend and resume tenants
    #[command(subcommand)]
    Tenant(tenant::Command),
    /// List, lock, erase, import and export users; make links for them
    #[command(subcommand)]
    User(user::Command),
    /// Make, list and revoke API keys
    #[command(subcommand)]
    ApiKey(api_key::Command),
    /// Make, list and remove clients of OAuth 2.0
    #[command(subcommand)]
    Client(client::Command),
    /// List, rotate, rewrap and revoke the keys that sign tokens
    #[command(subcommand)]
    Keys(keys::Command),
    /// Check, test and restore policy stores
    #[command(subcommand)]
    Policy(policy::Command),
    /// Print the OpenAPI document
    Openapi,
    /// Look at the configuration
    #[command(subcommand)]
    Config(config::Command),
    /// Ask a running server whether it is ready
    Health(health::Arguments),
}
