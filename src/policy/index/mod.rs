//! The scope index: which policies' scopes a request matches. Pure, and exact: it names every such
//! policy, once, and no other, so that what is left to evaluate is the condition alone.
//!
//! ```text
//!               principal                                resource
//!  request ─► its nodes: Any, Is(User), In(staff)   ─►   its nodes: Any, Eq(d1), In(folder)
//!                    └───────────────┬──────────────────────────┘
//!                          cells (principal node, resource node)
//!                                    └─► groups: action set, `is` types ─► postings (condition, policy)
//! ```
//!
//! A *node* is what a scope can name on one side; only nodes that some policy names exist:
//!
//! | scope | filed under | looked up by a request for entity `e` |
//! |---|---|---|
//! | any | `Any` | always |
//! | `is T` | `Is(T)` | the type of `e` |
//! | `== x` | `Eq(x)` | `e` |
//! | `in x` | `In(x)` | `e` and each of its ancestors |
//! | `is T in x` | `In(x)`, in a group that demands `T` | the same |
//!
//! Conjuncts of the same forms at the front of the condition file a policy more narrowly than its
//! scope does: they cannot err, so when one is false the policy is false and says nothing. They stay
//! in the condition.
//!
//! An entity that the hot copy keeps remembers its nodes ([`Places`]): most requests look up none.
//!
//! Actions are expanded over the schema's hierarchy when the index is built: a policy for a group
//! holds the set of the actions in it.

mod actions;
mod build;
mod cells;
mod filing;
mod nodes;
mod places;
mod probe;

pub(super) use filing::Filing;
pub(super) use places::Places;
pub(super) use probe::{Index, Scratch, Subject};
