//! Profiles as they are stored: each column sealed for itself and its user (R114).

use serde_json::{Map, Value};
use zeroize::Zeroizing;

use super::{Profile, ProfileError};
use crate::base::{Entropy, EntropyError, Millis, SealingKey, TenantId, UserId};

/// The columns, as the places name them.
const CLAIMS: &str = "claims_sealed";
const METADATA: &str = "metadata_sealed";

/// What is stored of a profile.
#[derive(Debug, Clone, sqlx::FromRow)]
pub(super) struct ProfileRow {
    pub(super) user_id: UserId,
    pub(super) tenant_id: TenantId,
    #[sqlx(flatten)]
    pub(super) sealed: Columns,
    pub(super) revision: i64,
    pub(super) last_activity_at_ms: Option<Millis>,
    pub(super) updated_at_ms: Millis,
}

/// The part that nobody reads without the key.
#[derive(Debug, Clone, sqlx::FromRow)]
pub(super) struct Columns {
    pub(super) claims_sealed: Vec<u8>,
    pub(super) metadata_sealed: Vec<u8>,
    pub(super) key_id: String,
}

impl Columns {
    /// What is said in a profile, sealed for its user.
    ///
    /// Errors: there is no randomness.
    pub(super) fn of(
        profile: &Profile,
        key: &SealingKey,
        entropy: &dyn Entropy,
    ) -> Result<Self, EntropyError> {
        let seal = |column: &str, members: &Map<String, Value>| {
            // Writing a value that was read from JSON cannot fail.
            let text = Zeroizing::new(serde_json::to_vec(members).unwrap_or_default());
            key.seal(&place(column, profile.user_id), &text, entropy)
        };
        Ok(Self {
            claims_sealed: seal(CLAIMS, &profile.claims)?,
            metadata_sealed: seal(METADATA, &profile.metadata)?,
            key_id: key.id(),
        })
    }
}

impl ProfileRow {
    /// The profile.
    ///
    /// Errors: `Unreadable`.
    pub(super) fn open(&self, key: &SealingKey) -> Result<Profile, ProfileError> {
        let user = self.user_id;
        let open = |column: &str, sealed: &[u8]| -> Result<Map<String, Value>, ProfileError> {
            let why = if key.knows(&self.sealed.key_id) {
                "it was altered, or is of another row or column"
            } else {
                "its key is neither the present one nor the one before it"
            };
            let refused = |why: &'static str| ProfileError::Unreadable { user, why };
            let text =
                key.open(&place(column, user), sealed).map(Zeroizing::new).map_err(|_| refused(why))?;
            serde_json::from_slice(&text).map_err(|_| refused("what was sealed is no JSON object"))
        };
        Ok(Profile {
            user_id: user,
            claims: open(CLAIMS, &self.sealed.claims_sealed)?,
            metadata: open(METADATA, &self.sealed.metadata_sealed)?,
            revision: self.revision,
            last_activity_at: self.last_activity_at_ms,
            updated_at: (self.revision > 0).then_some(self.updated_at_ms),
        })
    }
}

/// What a sealed column is bound to.
fn place(column: &str, user: UserId) -> String {
    format!("profiles:{column}:{user}")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::base::SeededEntropy;

    fn object(value: Value) -> Map<String, Value> {
        let Value::Object(members) = value else { panic!("an object") };
        members
    }

    #[test]
    fn a_column_opens_in_its_place_only() {
        let (key, entropy) = (SealingKey::new([7; 32]), SeededEntropy::new(5));
        let user = |at| UserId::new(Millis(at), &entropy).unwrap();
        let row = |user_id, name: &str| {
            let claims = object(json!({ "given_name": name }));
            let profile = Profile { claims, metadata: object(json!({"n": name})), ..Profile::empty(user_id) };
            let sealed = Columns::of(&profile, &key, &entropy).unwrap();
            ProfileRow {
                user_id,
                tenant_id: TenantId::DEFAULT,
                sealed,
                revision: 1,
                last_activity_at_ms: None,
                updated_at_ms: Millis(1),
            }
        };
        let (ann, bob) = (row(user(1), "Ann"), row(user(2), "Bob"));
        assert_eq!(ann.open(&key).unwrap().claims, object(json!({"given_name": "Ann"})));
        let refused = |row: &ProfileRow| row.open(&key).unwrap_err().to_string();
        let mut swapped = ann.clone();
        swapped.sealed.claims_sealed.clone_from(&bob.sealed.claims_sealed);
        assert!(refused(&swapped).contains("another row"));
        let mut crossed = ann.clone();
        crossed.sealed.metadata_sealed.clone_from(&ann.sealed.claims_sealed);
        assert!(refused(&crossed).contains("another row"));
        let mut of_another_key = ann.clone();
        of_another_key.sealed =
            Columns::of(&ann.open(&key).unwrap(), &SealingKey::new([8; 32]), &entropy).unwrap();
        assert!(refused(&of_another_key).contains("its key is neither"));
    }
}
