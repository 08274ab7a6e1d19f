//! From a bundle to a snapshot: parse, validate, check levels, inline links, run the tests. Pure.
//!
//! Stages, each with all of its findings at once; an error in one stops before the next, since what
//! comes after would only repeat it:
//!
//! 1. manifest, schema, policies, templates and links are read;
//! 2. they are checked against each other: validation in strict mode, levels, required annotations,
//!    static entities, the types that identity maps to;
//! 3. the tests of the store run.
//!
//! Every finding names file, line and column. Work is done on a thread with a large stack, and texts
//! that nest too deeply are refused before Cedar's parser sees them, since its trees are walked by
//! recursion: no text, however deep, may end the process.

mod build;
mod diagnostic;
mod lexis;
mod links;
mod nesting;
mod policies;
mod rules;
mod schema;
mod statics;
pub(super) mod text;
mod unindexed;

pub(super) use build::compile_at;
pub use build::{Compiled, compile};
