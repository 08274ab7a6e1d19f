//! `bailiwick admin`: administrators, made on the host.

use std::{io::Read, path::PathBuf};

use anyhow::Context;
use clap::{Args, Subcommand};
use secrecy::SecretString;

use super::{args::Global, output, run::Outcome, runtime::block_on};
use crate::{
    app::{App, Overrides},
    users::Email,
};

/// Longest password that is read, bytes: the rules refuse longer ones anyway.
const MAX_PASSWORD_BYTES: u64 = 4096;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Make a super administrator
    Create(Create),
}

#[derive(Debug, Args)]
pub(super) struct Create {
    /// E-mail address to sign in with
    #[arg(long)]
    email: String,
    #[command(flatten)]
    password: Password,
}

/// Where the password comes from; never the command line, which every user of the machine can see.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct Password {
    /// File that holds the password
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
    /// Read the password from standard input
    #[arg(long)]
    password_stdin: bool,
}

/// Makes the administrator and prints their id. Works beside a running server.
pub(super) fn run(global: &Global, Command::Create(create): &Command) -> anyhow::Result<Outcome> {
    let config = global.load()?.config;
    let email: Email =
        create.email.parse().with_context(|| format!("`{}` is not an address", create.email))?;
    let password = create.password.read()?;
    block_on(async {
        let app = App::start(config, Overrides::default()).await?;
        let user = app.authn.create_administrator(&email, &password).await?;
        app.db.close().await;
        output::data(&format!("{}\n", user.id))?;
        Ok(Outcome::Good)
    })
}

impl Password {
    fn read(&self) -> anyhow::Result<SecretString> {
        let mut text = String::new();
        match &self.password_file {
            Some(path) => std::fs::File::open(path)
                .and_then(|file| file.take(MAX_PASSWORD_BYTES).read_to_string(&mut text))
                .with_context(|| format!("the password file `{}` cannot be read", path.display()))?,
            None => std::io::stdin()
                .take(MAX_PASSWORD_BYTES)
                .read_to_string(&mut text)
                .context("the password cannot be read from standard input")?,
        };
        let line = text.strip_suffix('\n').unwrap_or(&text);
        let line = line.strip_suffix('\r').unwrap_or(line);
        anyhow::ensure!(!line.contains('\n'), "the password is one line");
        Ok(SecretString::from(line))
    }
}
