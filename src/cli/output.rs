//! Standard output: data, and only data.

use std::io::{self, ErrorKind, Write};

/// Writes `text` as it is. A reader that has gone away wants no more, which is no failure.
pub(super) fn data(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        written => written,
    }
}
