//! `bailiwick policy`: policy stores, as folders and as they are live.

use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::{Args, Subcommand};

use super::{args::Global, output, run::Outcome, runtime::block_on};
use crate::{
    app::{App, Overrides},
    policy::{Compiled, Findings, StoreName, compile, read_folder},
};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Parse and validate a store, check its level, warn; then run its tests
    Check(Folder),
    /// Run a store's tests and say which policies none of them reaches
    Test(Folder),
    /// Bring back the system store that this program was built with
    RestoreSystem,
}

/// A policy store as a folder.
#[derive(Debug, Args)]
pub(super) struct Folder {
    /// Folder of the store
    #[arg(default_value = "policies/app")]
    dir: PathBuf,
}

pub(super) fn run(global: &Global, command: &Command) -> anyhow::Result<Outcome> {
    match command {
        Command::Check(folder) => check(&folder.dir),
        Command::Test(folder) => test(&folder.dir),
        Command::RestoreSystem => restore_system(global),
    }
}

fn compiled(dir: &Path) -> anyhow::Result<Result<Compiled, Findings>> {
    let name = dir.canonicalize().with_context(|| format!("`{}` cannot be read", dir.display()))?;
    let name = name.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let store: StoreName = name.parse().with_context(|| format!("`{name}` cannot name a policy store"))?;
    Ok(match read_folder(dir) {
        Ok(bundle) => compile(&bundle, &store),
        Err(error) => Err(Findings::new(vec![error.finding()])),
    })
}

fn check(dir: &Path) -> anyhow::Result<Outcome> {
    let (findings, outcome) = match compiled(dir)? {
        Ok(compiled) => (compiled.findings, Outcome::Good),
        Err(findings) => (findings, Outcome::Findings),
    };
    for finding in &findings {
        output::data(&format!("{}/{finding}\n", dir.display()))?;
    }
    Ok(outcome)
}

fn test(dir: &Path) -> anyhow::Result<Outcome> {
    match compiled(dir)? {
        Ok(compiled) => {
            output::data(&format!("{} passed, {} failed\n", compiled.tests.passed, compiled.tests.failed))?;
            for policy in &compiled.tests.unexercised {
                output::data(&format!("no test reaches `{policy}`\n"))?;
            }
            Ok(Outcome::Good)
        }
        Err(findings) => {
            output::data(&format!("{findings}\n"))?;
            Ok(Outcome::Findings)
        }
    }
}

fn restore_system(global: &Global) -> anyhow::Result<Outcome> {
    let config = global.load()?.config;
    block_on(async {
        let policies = App::open_policies(&config, Overrides::default()).await?;
        let active = policies.restore_system("cli").await?;
        output::data(&format!("the system store answers from version {}\n", active.number))?;
        Ok(Outcome::Good)
    })
}
