//! The rows of the threat model, each as tests that fail when the defence is taken away.

mod t47_key_rotation;
mod t48_stolen_database;
