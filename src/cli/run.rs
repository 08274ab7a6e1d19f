//! From arguments to exit status.

use std::{ffi::OsString, process::ExitCode};

use clap::Parser;

use super::{
    admin, api_key,
    args::{Cli, Command, Global},
    client, config, health, keys, migrate, openapi, policy, report, serve, tenant, user,
};
use crate::config::{ConfigError, Loaded, load};

/// What a command found, when it did not fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// All is well.
    Good,
    /// Something is wrong with what was looked at, and has been told.
    Findings,
}

/// Runs the command that `arguments` (the program's name first) spell.
///
/// Shape: the exit status: 0 good, 1 findings or failure, 2 misuse.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => {
            let _ = error.print(); // nowhere is left to say that it cannot be said
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    match dispatch(cli) {
        Ok(Outcome::Good) => ExitCode::SUCCESS,
        Ok(Outcome::Findings) => ExitCode::from(1),
        Err(error) => {
            report::print(&error);
            ExitCode::from(1)
        }
    }
}

fn dispatch(Cli { global, command }: Cli) -> anyhow::Result<Outcome> {
    match command {
        Command::Serve => serve::run(&global),
        Command::Migrate => migrate::run(&global),
        Command::Admin(command) => admin::run(&global, &command),
        Command::Tenant(command) => tenant::run(&global, &command),
        Command::User(command) => user::run(&global, &command),
        Command::ApiKey(command) => api_key::run(&global, &command),
        Command::Client(command) => client::run(&global, &command),
        Command::Keys(command) => keys::run(&global, &command),
        Command::Policy(command) => policy::run(&global, &command),
        Command::Openapi => openapi::run(),
        Command::Config(command) => config::run(&global, &command),
        Command::Health(arguments) => health::run(&global, &arguments),
    }
}

impl Global {
    /// The configuration that these options ask for.
    pub(super) fn load(&self) -> Result<Loaded, ConfigError> {
        load(self.config.as_deref())
    }
}
