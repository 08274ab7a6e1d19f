//! How a section is declared: once, for its struct, its defaults and its documentation.

use std::{net::SocketAddr, path::PathBuf};

use ipnet::IpNet;
use secrecy::SecretString;

use super::{BusKind, FingerprintPolicy, LogFormat, MailTls};
use crate::jws::Algorithm;

/// What a setting holds, as its author is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Any text.
    Text,
    /// A text that is never shown; it may also come from a file that `<VARIABLE>_FILE` names.
    Secret,
    /// A whole number that is not negative.
    Number,
    /// A number from 0 to 1, such as `0.01`.
    Share,
    /// `true` or `false`.
    Boolean,
    /// Texts: an array in the file; in the environment comma separated, or a JSON array.
    List,
    /// An IP address and port, such as `127.0.0.1:8080`.
    Address,
    /// Path of a file or folder.
    Path,
    /// One of a few words.
    Choice(&'static [&'static str]),
}

/// One setting of a section.
#[derive(Debug, Clone, Copy)]
pub struct Key {
    /// Its name within the section.
    pub name: &'static str,
    /// What it holds.
    pub kind: Kind,
    /// What it means and its unit, as its field says.
    pub doc: &'static str,
}

/// One `[section]`.
#[derive(Debug, Clone, Copy)]
pub struct Section {
    /// Its name.
    pub name: &'static str,
    /// What it is about.
    pub doc: &'static str,
    /// Its settings, in the order of the struct.
    pub keys: &'static [Key],
}

/// A type that a setting can have.
pub(super) trait Setting {
    /// What its author is told to write.
    const KIND: Kind;
}

macro_rules! kinds {
    ($($type:ty => $kind:expr,)+) => {
        $(impl Setting for $type {
            const KIND: Kind = $kind;
        })+
    };
}

kinds! {
    String => Kind::Text,
    SecretString => Kind::Secret,
    u32 => Kind::Number,
    u64 => Kind::Number,
    usize => Kind::Number,
    f64 => Kind::Share,
    bool => Kind::Boolean,
    SocketAddr => Kind::Address,
    IpNet => Kind::Text,
    PathBuf => Kind::Path,
    BusKind => Kind::Choice(&["local", "redis", "postgres"]),
    MailTls => Kind::Choice(&["starttls", "tls", "none"]),
    LogFormat => Kind::Choice(&["text", "json"]),
    FingerprintPolicy => Kind::Choice(&["off", "warn", "step_up", "revoke"]),
    Algorithm => Kind::Choice(&["EdDSA", "ES256"]),
}

impl<T: Setting> Setting for Option<T> {
    const KIND: Kind = T::KIND;
}

impl<T: Setting> Setting for Vec<T> {
    const KIND: Kind = Kind::List;
}

/// Declares a section: `struct Name in "section" { key: Type = default, }`, each with its doc comment.
///
/// The doc comments become the documentation of the fields, of `config print-default` and of README's table.
macro_rules! section {
    (
        $(#[doc = $about:literal])+
        struct $name:ident in $section:literal {
            $(
                $(#[doc = $doc:literal])+
                $(#[serde($($serde:tt)*)])?
                $key:ident: $type:ty = $default:expr,
            )+
        }
    ) => {
        $(#[doc = $about])+
        #[derive(Debug, Clone, ::serde::Serialize, ::serde::Deserialize)]
        #[serde(default, deny_unknown_fields)]
        pub struct $name {
            $(
                $(#[doc = $doc])+
                $(#[serde($($serde)*)])?
                pub $key: $type,
            )+
        }

        impl Default for $name {
            fn default() -> Self {
                Self { $($key: $default,)+ }
            }
        }

        impl $name {
            /// The section as data.
            pub(super) const SECTION: $crate::config::Section = $crate::config::Section {
                name: $section,
                doc: concat!($($about),+),
                keys: &[$(
                    $crate::config::Key {
                        name: stringify!($key),
                        kind: <$type as $crate::config::section::Setting>::KIND,
                        doc: concat!($($doc),+),
                    },
                )+],
            };
        }
    };
}
pub(super) use section;
