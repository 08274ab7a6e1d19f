//! Conditions: what a policy asks for beyond its scope.
//!
//! Equal conditions of a snapshot are one, evaluated at most once for a request. Each has two forms:
//! a small [tree](tree) over borrowed values, which answers only what it is sure of, and the
//! expression as Cedar holds it. Whatever the tree leaves open (an attribute that is missing, a value
//! of another type, an overflow, anything it does not know) is Cedar's to answer, so an error and its
//! message are always Cedar's own.
//!
//! Why the condition alone will do: a policy is `scope && condition`, the index has found that the
//! scope holds, and `true && condition` is what Cedar is asked, which demands a boolean as Cedar does.

mod evaluate;
mod facts;
mod read;
mod set;
mod tree;
mod value;

pub(super) use facts::{Cedar, Facts, Made};
pub(super) use set::{Conditions, ConditionsBuilder};
