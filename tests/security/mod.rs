//! The rows of the threat model, each as tests that fail when its defence is taken away.

mod t18_mass_assignment;
mod t20_api_keys;
mod t29_revoked_keys;
