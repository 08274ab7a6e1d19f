//! JSON text read straight into Cedar's values, guided by the type that the schema declares.
//!
//! ```text
//! text ─ serde_json ─► Shape (of the schema) ─► Some(value): what Cedar's own parser makes of it
//!                                            └► None: not sure; Cedar's parser decides, or names the problem
//! ```
//!
//! INVARIANT: what is read here, Cedar's schema-based parser reads to an equal value and finds
//! conforming. Whatever is unusual is left to it: a wrong type, an attribute that is not declared or is
//! missing, a key given twice, a number that is no `i64`, a function of several arguments, an escape
//! where none belongs, nesting deeper than `serde_json` follows. So there is one place that says what
//! is wrong with a value, and the tests compare the two.

mod read;
mod reference;
mod shape;

pub(in crate::policy) use read::{Record, Tags, extension_from_text};
pub(in crate::policy) use reference::{Reference, References, Text};
pub(in crate::policy) use shape::{EntityShape, RecordShape, Shape};

#[cfg(test)]
mod tests;
