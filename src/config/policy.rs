//! `[policy]`.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// Policy stores and where they come from.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PolicyConfig {
    /// Folder with one folder a store. When it is missing, the shipped stores are used.
    pub dir: PathBuf,
    /// Whether an edit in the folder is published and activated at once (development).
    pub watch: bool,
    /// How often a watched folder is looked at, milliseconds.
    pub watch_interval_ms: u64,
    /// The store of a decision that names none.
    pub default_store: String,
    /// How often a node asks the database for an activation that the bus may have lost, seconds.
    pub poll_secs: u64,
}

impl Default for PolicyConfig {
    fn default() -> Self {
        Self {
            dir: PathBuf::from("policies"),
            watch: true,
            watch_interval_ms: 300,
            default_store: "app".to_owned(),
            poll_secs: 5,
        }
    }
}
