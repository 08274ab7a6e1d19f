//! Why a decision came out as it did (policy-lifecycle.md §7). Pure, and on demand only: it may look at every policy.
//!
//! - The determining policies, each with file, line, annotations and the clauses that held.
//! - For a denial by default the nearest misses: permits that came closest. Those whose scope matches
//!   come first, fewest failing clauses before more; then those whose scope misses by least. Each with
//!   the first clause that failed, the values that made it fail, and its `@advice`.
//! - Two renderings: `reason_admin` tells all of it, `reason_user` only texts of `@advice` and `@reason`,
//!   which the authors of policies wrote for users.
//!
//! Clauses come from Cedar's public syntax tree: a `when` is taken apart at `&&`, an `unless` at `||`, and
//! each part is evaluated by itself.

mod clauses;
mod model;
mod nearest;
mod render;
mod scope;

pub use model::{ClauseView, Determined, Explanation, LinkView, NamedValue, NearMiss, PolicyView};
pub use nearest::explain;
