//! `[data]`.

use std::path::PathBuf;

use super::{Problems, section::section};

section! {
    /// The data folder.
    struct DataConfig in "data" {
        /// Folder for the embedded database and generated keys; made with mode 0700 when missing.
        dir: PathBuf = PathBuf::from("bailiwick-data"),
    }
}

impl DataConfig {
    pub(super) fn check(&self, found: &mut Problems) {
        if self.dir.as_os_str().is_empty() {
            found.add("data.dir", "must not be empty");
        }
    }
}
