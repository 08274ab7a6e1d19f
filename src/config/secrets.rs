//! `[secrets]`.

use secrecy::SecretString;
use serde::{Deserialize, Serialize, Serializer};

/// Root secrets. Each may be given here, in the environment, or as `*_FILE`; what is absent is
/// generated once into the data folder with mode 0600.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SecretsConfig {
    /// 32 bytes, base64url or hex: seals private keys, keys every tag.
    #[serde(serialize_with = "masked")]
    pub master_key: Option<SecretString>,
    /// At least 32 bytes of text: salt of the session keys in Redis (R106).
    #[serde(serialize_with = "masked")]
    pub redis_key_salt: Option<SecretString>,
}

/// Writes that a secret is set, never the secret.
#[expect(clippy::ref_option, reason = "the form that serde calls")]
pub(super) fn masked<S: Serializer>(secret: &Option<SecretString>, serializer: S) -> Result<S::Ok, S::Error> {
    secret.as_ref().map(|_| "[hidden]").serialize(serializer)
}
