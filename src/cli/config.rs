//! `bailiwick config`.

use std::fmt::Write;

use clap::Subcommand;

use super::{args::Global, output, run::Outcome};
use crate::config::{BusKind, Loaded, default_toml, markdown_table};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Read it as a server would; print what is set, what follows from it, and what is weak
    Check {
        /// Exit with status 1 when something is weak
        #[arg(long)]
        strict: bool,
    },
    /// Print a file with every setting, its default and its meaning
    PrintDefault {
        /// As README's table instead
        #[arg(long)]
        markdown: bool,
    },
}

pub(super) fn run(global: &Global, command: &Command) -> anyhow::Result<Outcome> {
    match command {
        Command::Check { strict } => {
            let loaded = global.load()?;
            output::data(&summary(&loaded)?)?;
            if *strict && !loaded.warnings.is_empty() {
                return Ok(Outcome::Findings);
            }
        }
        Command::PrintDefault { markdown: true } => output::data(&markdown_table())?,
        Command::PrintDefault { markdown: false } => output::data(&default_toml())?,
    }
    Ok(Outcome::Good)
}

fn summary(loaded: &Loaded) -> anyhow::Result<String> {
    let mut out = String::new();
    let values = serde_json::to_value(&loaded.config)?; // secrets are masked
    for (key, origin) in &loaded.origins {
        let value = key.split_once('.').and_then(|(section, key)| values.get(section)?.get(key));
        writeln!(out, "{key} = {} ({origin})", value.unwrap_or_default())?;
    }
    let config = &loaded.config;
    let database = match &config.storage.postgres_url {
        Some(_) => "postgres".to_owned(),
        None => format!("embedded, `{}`", config.database_path().display()),
    };
    let bus = match config.bus_kind() {
        BusKind::Local => "this process",
        BusKind::Redis => "redis",
        BusKind::Postgres => "postgres",
    };
    let state = if config.redis.url.is_some() { "redis" } else { "this process" };
    let believed = match config.server.trusted_proxies.as_slice() {
        [] => "nobody".to_owned(),
        networks => networks.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
    };
    for (name, value) in [
        ("file", loaded.file.as_ref().map_or("none".to_owned(), |path| path.display().to_string())),
        ("public listener", format!("{}, reached as {}", config.server.public_addr, config.public_url())),
        ("internal listener", config.server.internal_addr.to_string()),
        ("admin listener", config.server.admin_addr.to_string()),
        ("issuer", config.issuer()),
        ("audience", config.audience()),
        ("database", database),
        ("short-lived state", state.to_owned()),
        ("messages between nodes", bus.to_owned()),
        ("believed about a caller's address", believed),
    ] {
        writeln!(out, "{name}: {value}")?;
    }
    for warning in &loaded.warnings {
        writeln!(out, "warning: {warning}")?;
    }
    Ok(out)
}
