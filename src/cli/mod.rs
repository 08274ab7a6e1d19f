//! The command line: one file a command.
//!
//! Data goes to standard output and nothing else does; what people should know goes to standard error.
//! Exit status: 0 good, 1 findings or failure, 2 misuse. A failure prints as one chain of causes, then,
//! where one is known, a blank line and a hint.

mod admin;
mod api_key;
mod args;
mod client;
mod config;
mod health;
mod keys;
mod migrate;
mod openapi;
mod output;
mod policy;
mod report;
mod run;
mod runtime;
mod serve;
mod table;
mod tenant;
#[cfg(test)]
mod tests;
mod user;
mod user_lines;

pub use run::run;
pub use table::markdown_table;
