//! Tests of configuration as a whole.

mod keyring;
mod load;
mod reference;
