//! `bailiwick user import` and `bailiwick user export`: users, a line each.

use std::{
    collections::HashSet,
    fs::File,
    io::{self, BufRead, BufReader},
    path::PathBuf,
};

use anyhow::Context;
use clap::Args;

use super::{output, run::Outcome};
use crate::{
    app::App,
    audit::Actor,
    authn::{IMPORT_CHUNK, Imported, ReadLine, Refusal, user_line},
    base::{Cursor, Limit, TenantId, UserId},
    users::{Credentials, Phc},
};

#[derive(Debug, Args)]
pub(super) struct Import {
    /// File of lines; `-` for standard input
    file: PathBuf,
    /// Write nothing, and say what would become of each line
    #[arg(long)]
    dry_run: bool,
}

#[derive(Debug, Args)]
pub(super) struct Export {
    /// With the hashes of their passwords: whoever has the file can try to guess them
    #[arg(long)]
    with_hashes: bool,
}

impl Import {
    /// Prints a line a line: its number, `created`, `exists` or `refused`, the user or the reason. Lines that were
    /// refused are findings.
    pub(super) async fn run(
        &self,
        app: &App,
        tenant: TenantId,
        by: Actor<'static>,
    ) -> anyhow::Result<Outcome> {
        let reader: Box<dyn BufRead> = if self.file.as_os_str() == "-" {
            Box::new(BufReader::new(io::stdin()))
        } else {
            let opened = File::open(&self.file);
            Box::new(BufReader::new(
                opened.with_context(|| format!("`{}` cannot be opened", self.file.display()))?,
            ))
        };
        let (mut seen, mut outcome) = (HashSet::new(), Outcome::Good);
        let mut chunk: Vec<(usize, Result<ReadLine, Refusal>)> = Vec::new();
        let mut lines = (1..).zip(reader.split(b'\n'));
        loop {
            let line = lines.next();
            let is_over = line.is_none();
            if let Some((number, line)) = line {
                let line = line.context("the lines cannot be read")?;
                if !line.trim_ascii().is_empty() {
                    chunk.push((number, ReadLine::read(line.trim_ascii())));
                }
            }
            if chunk.len() == IMPORT_CHUNK || is_over {
                let (numbers, read): (Vec<usize>, Vec<_>) = chunk.drain(..).unzip();
                let done = app.authn.import(tenant, read, &mut seen, self.dry_run, by).await?;
                for (number, imported) in numbers.into_iter().zip(done) {
                    output::data(&match imported {
                        Imported::Created(None) => format!("{number}\tcreated\n"),
                        Imported::Created(Some(id)) => format!("{number}\tcreated\t{id}\n"),
                        Imported::Exists => format!("{number}\texists\n"),
                        Imported::Refused(refusal) => {
                            outcome = Outcome::Findings;
                            format!("{number}\trefused\t{}: {refusal}\n", refusal.code())
                        }
                    })?;
                }
            }
            if is_over {
                return Ok(outcome);
            }
        }
    }
}

impl Export {
    pub(super) async fn run(&self, app: &App, tenant: TenantId, by: Actor<'static>) -> anyhow::Result<()> {
        app.authn.note_export(tenant, by).await?;
        let limit = Limit::new(Limit::MAX).unwrap_or_default();
        let mut after: Option<Cursor> = None;
        loop {
            let page = app.users.credentials_page(tenant, after.as_ref(), limit).await?;
            let ids: Vec<UserId> = page.data.iter().map(|known| known.user.id).collect();
            let mut roles = app.roles.names_of_all(tenant, &ids).await?;
            for Credentials { user, phc } in &page.data {
                let roles = roles.remove(&user.id).unwrap_or_default();
                let phc: Option<&Phc> = phc.as_ref().filter(|_| self.with_hashes);
                output::data(&user_line(user, &roles, phc))?;
            }
            after = page.next;
            if after.is_none() {
                return Ok(());
            }
        }
    }
}
