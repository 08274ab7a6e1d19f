//! Tests that measure time run alone; all others run beside each other.

use std::fs::File;

/// A turn, until it is dropped. A lock on a file, because a runner may give each test its own process.
pub(crate) struct Turn(#[expect(dead_code, reason = "held for its lock")] File);

impl Turn {
    /// Beside others that do not mind.
    pub(crate) fn shared() -> Self {
        let file = file();
        file.lock_shared().unwrap();
        Self(file)
    }

    /// Alone: what is measured in seconds does not share the machine with other tests of this binary.
    pub(crate) fn alone() -> Self {
        let file = file();
        file.lock().unwrap();
        Self(file)
    }
}

fn file() -> File {
    File::create(concat!(env!("CARGO_TARGET_TMPDIR"), "/system-tests.lock")).unwrap()
}
