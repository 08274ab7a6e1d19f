//! Random cases through our engine, compared with Cedar's plain authorizer.
//!
//! - `compiled`: well-typed policies of one schema through bundle, compiler and slices.
//! - `random`: random schemas and policies of every form, well-typed or not, through index and
//!   conditions. 20,000 decisions, or as many as `BAILIWICK_TEST_DECISIONS` says.

mod compiled;
mod dice;
mod entities;
mod expressions;
mod policies;
mod random;
mod world;
