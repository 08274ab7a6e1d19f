//! The commands as a table, for README.

use std::fmt::Write;

use clap::CommandFactory;

use super::args::Cli;

/// One row a command, in Markdown.
#[must_use]
pub fn markdown_table() -> String {
    let mut table = String::from("| Command | What it does |\n|---|---|\n");
    let cli = Cli::command();
    for command in cli.get_subcommands() {
        let mut rows = command.get_subcommands().peekable();
        if rows.peek().is_none() {
            row(&mut table, command.get_name(), command);
        }
        for below in rows {
            row(&mut table, &format!("{} {}", command.get_name(), below.get_name()), below);
        }
    }
    table
}

/// Writing to a text cannot fail.
fn row(table: &mut String, name: &str, command: &clap::Command) {
    let about = command.get_about().map(ToString::to_string).unwrap_or_default();
    let _ = writeln!(table, "| `bailiwick {name}` | {about} |");
}
