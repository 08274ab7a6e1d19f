//! `[policy]`.

use std::path::PathBuf;

use super::{Problems, section::section};

section! {
    /// Policy stores and where they come from.
    struct PolicyConfig in "policy" {
        /// Folder with one folder a store. When it is missing, the shipped stores are used.
        dir: PathBuf = PathBuf::from("policies"),
        /// Whether an edit in the folder is published and activated at once (development).
        watch: bool = true,
        /// How often a watched folder is looked at, milliseconds.
        watch_interval_ms: u64 = 300,
        /// The store of a decision that names none.
        default_store: String = "app".to_owned(),
        /// How often a node asks the database for an activation that the bus may have lost, seconds.
        poll_secs: u64 = 5,
        /// Share of the decisions that are made again over every policy, without the index, as a check of
        /// this program: 0 none, 0.001 one in a thousand, 1 all. Costs in proportion to the policies of
        /// the store. A difference denies, is an error in the log and a metric, and the store is decided
        /// without its index until its next activation.
        verify_index: f64 = 0.0,
    }
}

impl PolicyConfig {
    pub(super) fn check(&self, found: &mut Problems) {
        if !is_store_name(&self.default_store) {
            let text = "a store name is 1 to 64 of `a-z`, `0-9`, `-` and `_`, beginning with a letter";
            found.add("policy.default_store", text);
        }
        found.within("policy.watch_interval_ms", self.watch_interval_ms, 20..=3_600_000);
        found.within("policy.poll_secs", self.poll_secs, 1..=3600);
        found.within_one("policy.verify_index", self.verify_index);
    }
}

/// As `policy::StoreName` reads it; a test holds the two together.
fn is_store_name(text: &str) -> bool {
    text.len() <= 64
        && text.starts_with(|first: char| first.is_ascii_lowercase())
        && text.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_'))
}

#[cfg(test)]
mod tests {
    use super::is_store_name;
    use crate::policy::StoreName;

    #[test]
    fn store_names_are_those_of_the_engine() {
        let long = "a".repeat(65);
        for text in ["app", "a", "a-1_b", &long[1..], "", "1a", "-a", "A", "a b", "a/b", "é", &long] {
            assert_eq!(is_store_name(text), text.parse::<StoreName>().is_ok(), "`{text}`");
        }
    }
}
