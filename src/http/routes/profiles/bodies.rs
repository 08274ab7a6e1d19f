//! Requests and answers of the tag. The members are claims of OIDC Core §5.1.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use crate::{
    http::{
        codes::Code,
        extract::Member,
        problem::{Problem, Result},
    },
    profiles::Profile,
};

/// A profile. What nobody has said is not in it.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(super) struct ProfileBody {
    /// Whose it is.
    #[schema(example = "usr_019aa2c5b8f07d3c9f0b6f2f3c1d9e47")]
    pub user_id: String,
    /// Given name.
    #[schema(nullable = false, example = "Alice")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub given_name: Option<String>,
    /// Family name.
    #[schema(nullable = false, example = "Liddell")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub family_name: Option<String>,
    /// Middle name.
    #[schema(nullable = false)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub middle_name: Option<String>,
    /// What friends say.
    #[schema(nullable = false, example = "Al")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nickname: Option<String>,
    /// URL of a page about the person.
    #[schema(nullable = false)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
    /// URL of a picture.
    #[schema(nullable = false, example = "https://images.example.com/alice.png")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub picture: Option<String>,
    /// URL of the person's own page.
    #[schema(nullable = false)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub website: Option<String>,
    /// Gender, in the person's own words.
    #[schema(nullable = false)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gender: Option<String>,
    /// `YYYY-MM-DD`, `0000-MM-DD` where the year is not told, or `YYYY`.
    #[schema(nullable = false, example = "1990-02-28")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub birthdate: Option<String>,
    /// Name of a time zone.
    #[schema(nullable = false, example = "Europe/Paris")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub zoneinfo: Option<String>,
    /// Language tag (RFC 5646).
    #[schema(nullable = false, example = "fr-CA")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub locale: Option<String>,
    /// Telephone number in the form of E.164; not verified.
    #[schema(nullable = false, example = "+14155550100")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phone_number: Option<String>,
    /// Postal address.
    #[schema(nullable = false)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<AddressBody>,
    /// What applications keep: any object of at most 16 KiB and 8 levels.
    #[schema(value_type = Object, example = json!({"theme": "dark"}))]
    pub metadata: Map<String, Value>,
    /// When the person was last seen to do something, RFC 3339. It moves without the entity tag.
    #[schema(example = "2026-11-21T09:15:00.000Z")]
    pub last_activity_at: Option<String>,
    /// When the profile was last changed, RFC 3339.
    #[schema(example = "2026-11-21T09:10:00.000Z")]
    pub updated_at: Option<String>,
}

/// A postal address (OIDC Core §5.1.1).
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(super) struct AddressBody {
    /// All of it, with line breaks.
    #[schema(nullable = false)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub formatted: Option<String>,
    /// Street and house.
    #[schema(nullable = false, example = "1 Main Street")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub street_address: Option<String>,
    /// Town.
    #[schema(nullable = false, example = "Springfield")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub locality: Option<String>,
    /// State or province.
    #[schema(nullable = false)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// Postal code.
    #[schema(nullable = false, example = "12345")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub postal_code: Option<String>,
    /// Country.
    #[schema(nullable = false, example = "France")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub country: Option<String>,
}

/// A JSON merge patch (RFC 7396) of a profile: what is absent stays, what is null goes.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ProfilePatch {
    /// Given name.
    #[serde(default, skip_serializing_if = "Member::is_kept")]
    #[schema(value_type = Option<String>, example = "Alice")]
    pub given_name: Member<String>,
    /// Family name.
    #[serde(default, skip_serializing_if = "Member::is_kept")]
    #[schema(value_type = Option<String>, example = "Liddell")]
    pub family_name: Member<String>,
    /// Middle name.
    #[serde(default, skip_serializing_if = "Member::is_kept")]
    #[schema(value_type = Option<String>, example = json!(null))]
    pub middle_name: Member<String>,
    /// What friends say.
    #[serde(default, skip_serializing_if = "Member::is_kept")]
    #[schema(value_type = Option<String>, example = "Al")]
    pub nickname: Member<String>,
    /// URL of a page about the person.
    #[serde(default, skip_serializing_if = "Member::is_kept")]
    #[schema(value_type = Option<String>, example = json!(null))]
    pub profile: Member<String>,
    /// URL of a picture.
    #[serde(default, skip_serializing_if = "Member::is_kept")]
    #[schema(value_type = Option<String>, example = "https://images.example.com/alice.png")]
    pub picture: Member<String>,
    /// URL of the person's own page.
    #[serde(default, skip_serializing_if = "Member::is_kept")]
    #[schema(value_type = Option<String>, example = json!(null))]
    pub website: Member<String>,
    /// Gender, in the person's own words.
    #[serde(default, skip_serializing_if = "Member::is_kept")]
    #[schema(value_type = Option<String>, example = json!(null))]
    pub gender: Member<String>,
    /// `YYYY-MM-DD`, `0000-MM-DD` where the year is not told, or `YYYY`.
    #[serde(default, skip_serializing_if = "Member::is_kept")]
    #[schema(value_type = Option<String>, example = "1990-02-28")]
    pub birthdate: Member<String>,
    /// Name of a time zone.
    #[serde(default, skip_serializing_if = "Member::is_kept")]
    #[schema(value_type = Option<String>, example = "Europe/Paris")]
    pub zoneinfo: Member<String>,
    /// Language tag (RFC 5646).
    #[serde(default, skip_serializing_if = "Member::is_kept")]
    #[schema(value_type = Option<String>, example = "fr-CA")]
    pub locale: Member<String>,
    /// Telephone number in the form of E.164; not verified.
    #[serde(default, skip_serializing_if = "Member::is_kept")]
    #[schema(value_type = Option<String>, example = "+14155550100")]
    pub phone_number: Member<String>,
    /// Postal address; its members are merged.
    #[serde(default, skip_serializing_if = "Member::is_kept")]
    #[schema(value_type = Option<AddressPatch>)]
    pub address: Member<AddressPatch>,
    /// What applications keep; merged too.
    #[serde(default, skip_serializing_if = "Member::is_kept")]
    #[schema(value_type = Option<Object>, example = json!({"theme": "dark", "beta": null}))]
    pub metadata: Member<Map<String, Value>>,
}

/// What of an address is to change.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct AddressPatch {
    /// All of it, with line breaks.
    #[serde(default, skip_serializing_if = "Member::is_kept")]
    #[schema(value_type = Option<String>, example = json!(null))]
    pub formatted: Member<String>,
    /// Street and house.
    #[serde(default, skip_serializing_if = "Member::is_kept")]
    #[schema(value_type = Option<String>, example = "1 Main Street")]
    pub street_address: Member<String>,
    /// Town.
    #[serde(default, skip_serializing_if = "Member::is_kept")]
    #[schema(value_type = Option<String>, example = "Springfield")]
    pub locality: Member<String>,
    /// State or province.
    #[serde(default, skip_serializing_if = "Member::is_kept")]
    #[schema(value_type = Option<String>, example = json!(null))]
    pub region: Member<String>,
    /// Postal code.
    #[serde(default, skip_serializing_if = "Member::is_kept")]
    #[schema(value_type = Option<String>, example = "12345")]
    pub postal_code: Member<String>,
    /// Country.
    #[serde(default, skip_serializing_if = "Member::is_kept")]
    #[schema(value_type = Option<String>, example = "France")]
    pub country: Member<String>,
}

impl TryFrom<Profile> for ProfileBody {
    type Error = Problem;

    fn try_from(profile: Profile) -> Result<Self> {
        let mut members = profile.claims;
        for (name, value) in [
            ("user_id", json!(profile.user_id)),
            ("metadata", Value::Object(profile.metadata)),
            ("last_activity_at", json!(profile.last_activity_at.map(|at| at.to_string()))),
            ("updated_at", json!(profile.updated_at.map(|at| at.to_string()))),
        ] {
            members.insert(name.to_owned(), value);
        }
        let body = serde_json::from_value(Value::Object(members));
        body.map_err(|error| Problem::new(Code::InternalError).cause(error))
    }
}

impl ProfilePatch {
    /// The members that are given.
    pub(super) fn members(&self) -> Result<Map<String, Value>> {
        match serde_json::to_value(self) {
            Ok(Value::Object(members)) => Ok(members),
            Ok(_) => Err(Problem::new(Code::InternalError)),
            Err(error) => Err(Problem::new(Code::InternalError).cause(error)),
        }
    }
}

/// A profile as it is answered.
pub(super) fn sample() -> Value {
    json!({
        "user_id": "usr_019aa2c5b8f07d3c9f0b6f2f3c1d9e47", "given_name": "Alice", "family_name": "Liddell",
        "picture": "https://images.example.com/alice.png", "zoneinfo": "Europe/Paris", "locale": "fr-CA",
        "address": {"locality": "Springfield", "country": "France"}, "metadata": {"theme": "dark"},
        "last_activity_at": "2026-11-21T09:15:00.000Z", "updated_at": "2026-11-21T09:10:00.000Z",
    })
}
