//! Typed ids: a UUIDv7 (RFC 9562 §5.7) with a prefix that names its kind.
//!
//! The stored, printed and accepted form is `<prefix>_<32 lower-case hex digits>`, as in
//! `usr_019aa2c5b8f07d3c9f0b6f2f3c1d9e47`. Ids sort by the time they were made, are never
//! sequential, and one kind cannot be passed for another.

use std::{fmt, str::FromStr, sync::Arc};

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sqlx::{Database, Decode, Encode, Type, encode::IsNull, error::BoxDynError};
use uuid::{Builder, Uuid};

use super::{Entropy, EntropyError, Millis};

/// A text that is not an id of the wanted kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not an id of the form `{prefix}_` and 32 lower-case hexadecimal digits")]
pub struct IdError {
    prefix: &'static str,
}

fn make(now: Millis, entropy: &dyn Entropy) -> Result<Uuid, EntropyError> {
    let random = entropy.bytes::<10>()?;
    Ok(Builder::from_unix_timestamp_millis(u64::try_from(now.0).unwrap_or(0), &random).into_uuid())
}

/// Bytes of a prefix, of the underscore and of the digits.
const LENGTH: usize = 3 + 1 + 32;

/// The stored form of an id, in `room`.
fn text<'r>(prefix: &str, id: Uuid, room: &'r mut [u8; LENGTH]) -> &'r str {
    if let Some((front, digits)) = room.split_at_mut_checked(prefix.len() + 1) {
        front.iter_mut().zip(prefix.bytes().chain([b'_'])).for_each(|(to, from)| *to = from);
        id.as_simple().encode_lower(digits);
    }
    std::str::from_utf8(room).unwrap_or_default()
}

fn parse(prefix: &'static str, text: &str) -> Result<Uuid, IdError> {
    let hex = text.strip_prefix(prefix).and_then(|rest| rest.strip_prefix('_')).ok_or(IdError { prefix })?;
    if hex.len() != 32 || hex.bytes().any(|b| !matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
        return Err(IdError { prefix });
    }
    Uuid::try_parse(hex).map_err(|_| IdError { prefix })
}

macro_rules! id_type {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Uuid);

        const _: () = assert!($prefix.len() + 33 == LENGTH, "every prefix has as many letters");

        impl $name {
            /// What the stored form begins with, before the underscore.
            pub const PREFIX: &'static str = $prefix;

            /// A new id, made at `now`.
            ///
            /// Errors: [`EntropyError`] when there is no randomness.
            pub fn new(now: Millis, entropy: &dyn Entropy) -> Result<Self, EntropyError> {
                make(now, entropy).map(Self)
            }

            /// The id of these bits, as [`Self::as_uuid`] gave them.
            #[must_use]
            pub fn from_uuid(uuid: Uuid) -> Self {
                Self(uuid)
            }

            /// The stored form, to be shared.
            #[must_use]
            pub fn to_shared(&self) -> Arc<str> {
                text($prefix, self.0, &mut [0; LENGTH]).into()
            }

            /// The bare UUID, for formats that want one.
            #[must_use]
            pub fn as_uuid(&self) -> Uuid {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(text($prefix, self.0, &mut [0; LENGTH]))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                parse($prefix, text).map(Self)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(text($prefix, self.0, &mut [0; LENGTH]))
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }

        impl<DB: Database> Type<DB> for $name
        where
            String: Type<DB>,
        {
            fn type_info() -> DB::TypeInfo {
                <String as Type<DB>>::type_info()
            }

            fn compatible(ty: &DB::TypeInfo) -> bool {
                <String as Type<DB>>::compatible(ty)
            }
        }

        impl<'q, DB: Database> Encode<'q, DB> for $name
        where
            String: Encode<'q, DB>,
        {
            fn encode_by_ref(&self, buffer: &mut <DB as Database>::ArgumentBuffer) -> Result<IsNull, BoxDynError> {
                Encode::<DB>::encode(self.to_string(), buffer)
            }
        }

        impl<'r, DB: Database> Decode<'r, DB> for $name
        where
            &'r str: Decode<'r, DB>,
        {
            fn decode(value: <DB as Database>::ValueRef<'r>) -> Result<Self, BoxDynError> {
                Ok(<&'r str as Decode<'r, DB>>::decode(value)?.parse()?)
            }
        }
    };
}

id_type! {
    /// A person who signs in.
    UserId, "usr"
}
id_type! {
    /// One sign-in on one device, from login to logout.
    SessionId, "ses"
}
id_type! {
    /// The device that a session is bound to.
    DeviceId, "dev"
}
id_type! {
    /// A tenant: the boundary that no data crosses.
    TenantId, "ten"
}
id_type! {
    /// The grant of one role to one user.
    RoleBindingId, "rbd"
}
id_type! {
    /// One API key.
    ApiKeyId, "key"
}
id_type! {
    /// One answer of the policy engine.
    DecisionId, "dec"
}
id_type! {
    /// One HTTP request, where the caller brought no id of its own.
    RequestId, "req"
}
id_type! {
    /// One row of the audit log.
    AuditId, "aud"
}
id_type! {
    /// One event: something that happened, told to whoever acts on it.
    EventId, "evt"
}
id_type! {
    /// A client of OAuth 2.0: a program of a tenant's.
    ClientId, "cli"
}
id_type! {
    /// One mail that waits to be sent.
    MailId, "mal"
}
id_type! {
    /// One running server process.
    NodeId, "nod"
}

impl ClientId {
    /// The id of no client: what cannot be an id is looked up as this one.
    pub const NOBODY: Self = Self(Uuid::nil());
}

impl TenantId {
    /// The installation's own tenant, made by the first migration.
    pub const DEFAULT: Self = Self(Uuid::from_u128(0x0000_0000_0000_7000_8000_0000_0000_0001));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::SeededEntropy;

    #[test]
    fn round_trips_and_sorts_by_time() {
        let entropy = SeededEntropy::new(1);
        let (early, late) =
            (UserId::new(Millis(1_000), &entropy).unwrap(), UserId::new(Millis(2_000), &entropy).unwrap());
        assert!(early < late && early.to_string() < late.to_string());
        assert_eq!(early.to_string().parse(), Ok(early));
        assert_eq!(serde_json::from_str::<UserId>(&serde_json::to_string(&late).unwrap()).unwrap(), late);
    }

    #[test]
    fn refuses_other_kinds_and_other_spellings() {
        let id = UserId::new(Millis(1_000), &SeededEntropy::new(1)).unwrap().to_string();
        let hex = id.strip_prefix("usr_").unwrap();
        for wrong in [
            "",
            "usr",
            "usr_",
            hex,
            &format!("ses_{hex}"),
            &id.to_uppercase(),
            &format!("{id}0"),
            &format!(" {id}"),
        ] {
            assert!(wrong.parse::<UserId>().is_err(), "`{wrong}` was taken");
        }
    }
}
