//! A failure, as people read it.

use std::io::{self, Write};

use crate::{
    config::{ConfigError, KeyringError},
    tokens::TokenError,
};

/// Prints a failure with all its causes on one line, and what can be done about it.
pub(super) fn print(error: &anyhow::Error) {
    let _ = io::stderr().write_all(text(error).as_bytes()); // nowhere is left to say that it cannot be said
}

pub(super) fn text(error: &anyhow::Error) -> String {
    match hint(error) {
        Some(hint) => format!("error: {error:#}\n\nhint: {hint}\n"),
        None => format!("error: {error:#}\n"),
    }
}

/// What can be done about it, where the cause is one that we know.
fn hint(error: &anyhow::Error) -> Option<String> {
    error.chain().find_map(|cause| {
        if cause.is::<ConfigError>() {
            return Some("`bailiwick config print-default` prints every setting with its meaning".to_owned());
        }
        if let Some(error) = cause.downcast_ref::<KeyringError>() {
            return error.hint();
        }
        if matches!(cause.downcast_ref(), Some(TokenError::KeyUnusable { .. })) {
            let text = "give the master key that sealed it as `secrets.previous_master_key`, then run \
                        `bailiwick keys rewrap`";
            return Some(text.to_owned());
        }
        let text = match cause.downcast_ref::<io::Error>()?.kind() {
            io::ErrorKind::AddrInUse => {
                "another process listens there; choose other addresses with `server.public_addr`, \
                 `server.internal_addr` and `server.admin_addr`"
            }
            io::ErrorKind::ConnectionRefused => "nothing listens there: is the service running?",
            io::ErrorKind::PermissionDenied => {
                "this user may not do that; look at the owner and mode of the file"
            }
            _ => return None,
        };
        Some(text.to_owned())
    })
}
