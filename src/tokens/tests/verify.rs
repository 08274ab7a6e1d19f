//! Threats T1 to T8, as tables over the one verification function.

use std::{cell::Cell, time::Duration};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use jsonwebtoken::{DecodingKey, EncodingKey, Header, Validation, jwk};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::{
    base::{DeviceId, MasterKey, SeededEntropy, SessionId, TenantId, UserId},
    tokens::{
        AccessSubject, Algorithm, KeyState,
        issue::{claims, sign},
        keys::{Ring, generate},
    },
};

const NOW: Millis = Millis(1_795_223_748_000);

struct Fixture {
    ring: Ring,
    kid: String,
    settings: TokenSettings,
    claims: Value,
}

impl Fixture {
    fn new() -> Self {
        Self::with(Algorithm::EdDsa)
    }

    fn with(algorithm: Algorithm) -> Self {
        let entropy = SeededEntropy::new(7);
        let sealing = MasterKey::new([3; 32]).sealing_key("signing-keys");
        let row = generate(algorithm, KeyState::Active, NOW, &sealing, &entropy).unwrap();
        let kid = row.kid.clone();
        let settings = TokenSettings {
            issuer: "https://id.example".to_owned(),
            audience: "https://id.example".to_owned(),
            access_ttl: Duration::from_mins(15),
            leeway: Duration::from_secs(5),
            signing_alg: algorithm,
            key_life: Duration::from_hours(24 * 90),
        };
        let subject = AccessSubject {
            client_id: None,
            tenant_id: TenantId::DEFAULT,
            user_id: UserId::new(NOW, &entropy).unwrap(),
            session_id: SessionId::new(NOW, &entropy).unwrap(),
            device_id: DeviceId::new(NOW, &entropy).unwrap(),
            version: 1,
            epoch: 0,
            auth_time: NOW,
            amr: vec!["pwd".to_owned()],
            roles: vec!["user".to_owned()],
            scope: String::new(),
            origin: None,
        };
        let claims = serde_json::to_value(claims(subject, &settings, NOW, &entropy).unwrap()).unwrap();
        Self { ring: Ring::open(&[row], &sealing).0, kid, settings, claims }
    }

    fn verify_at(&self, token: &str, now: Millis) -> Result<AccessClaims, Refusal> {
        verify::<Access>(token, &self.settings, Some(&self.settings.audience), now, |kid| self.ring.get(kid))
    }

    fn verify(&self, token: &str) -> Result<AccessClaims, Refusal> {
        self.verify_at(token, NOW)
    }

    /// A token that is rightly signed, whatever it says.
    fn signed(&self, header: &Value, payload: &str) -> String {
        let signed = format!("{}.{}", encode(header.to_string()), encode(payload));
        let signature = self.ring.active().unwrap().sign(signed.as_bytes()).unwrap();
        format!("{signed}.{}", encode(signature))
    }

    fn header(&self) -> Value {
        json!({ "alg": self.settings.signing_alg.name(), "typ": "at+jwt", "kid": self.kid })
    }

    fn with_header(&self, name: &str, value: Value) -> String {
        let mut header = self.header();
        header[name] = value;
        self.signed(&header, &self.claims.to_string())
    }

    fn with_claim(&self, name: &str, value: Value) -> String {
        let mut claims = self.claims.clone();
        claims[name] = value;
        self.signed(&self.header(), &claims.to_string())
    }

    fn without_claim(&self, name: &str) -> String {
        let mut claims = self.claims.clone();
        claims.as_object_mut().unwrap().remove(name);
        self.signed(&self.header(), &claims.to_string())
    }
}

fn encode(bytes: impl AsRef<[u8]>) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

#[test]
fn what_we_sign_we_accept() {
    let fixture = Fixture::new();
    let claims: AccessClaims = serde_json::from_value(fixture.claims.clone()).unwrap();
    let token = sign(fixture.ring.active().unwrap(), Access::TYP, &claims).unwrap();
    assert_eq!(fixture.verify(&token), Ok(claims));
    assert_eq!(fixture.verify(&fixture.with_claim("unknown", json!({ "a": [1] }))).unwrap().ver, 1);
    let many = json!(["https://other.example", "https://id.example"]);
    assert!(fixture.verify(&fixture.with_claim("aud", many)).is_ok());
}

#[test]
fn another_library_agrees() {
    for (ours, theirs) in [
        (Algorithm::EdDsa, jsonwebtoken::Algorithm::EdDSA),
        (Algorithm::Es256, jsonwebtoken::Algorithm::ES256),
    ] {
        agrees(&Fixture::with(ours), theirs);
    }
}

fn agrees(fixture: &Fixture, algorithm: jsonwebtoken::Algorithm) {
    let set: jwk::JwkSet = serde_json::from_str(&fixture.ring.jwks().json).unwrap();
    let key = set.find(&fixture.kid).unwrap();
    assert_eq!(key.thumbprint(jwk::ThumbprintHash::SHA256).unwrap(), fixture.kid);
    assert!(!fixture.ring.jwks().json.contains("\"d\""));
    let mut validation = Validation::new(algorithm);
    validation.set_audience(&["https://id.example"]);
    validation.set_issuer(&["https://id.example"]);
    validation.validate_exp = false;
    let token = fixture.signed(&fixture.header(), &fixture.claims.to_string());
    let read =
        jsonwebtoken::decode::<AccessClaims>(&token, &DecodingKey::from_jwk(key).unwrap(), &validation)
            .unwrap();
    assert_eq!(read.header.typ.as_deref(), Some("at+jwt"));
    assert_eq!(read.claims, fixture.verify(&token).unwrap());
}

#[test]
fn t01_no_spelling_of_none_passes() {
    let fixture = Fixture::new();
    let touched = Cell::new(0);
    for alg in
        ["none", "None", "NONE", "nOnE", "", " none", "none ", "HS256", "es256", "RS256", "eddsa", "EdDSA "]
    {
        let header = json!({ "alg": alg, "typ": "at+jwt", "kid": fixture.kid });
        let signed = fixture.signed(&header, &fixture.claims.to_string());
        let bare = signed.rsplit_once('.').unwrap().0;
        for token in [signed.clone(), format!("{bare}."), format!("{bare}.AAAA")] {
            let answer =
                verify::<Access>(&token, &fixture.settings, Some(&fixture.settings.audience), NOW, |kid| {
                    touched.set(touched.get() + 1);
                    fixture.ring.get(kid)
                });
            assert_eq!(answer.unwrap_err(), Refusal::Invalid("alg"), "{alg}");
        }
    }
    let missing = json!({ "typ": "at+jwt", "kid": fixture.kid });
    assert!(fixture.verify(&fixture.signed(&missing, &fixture.claims.to_string())).is_err());
    assert_eq!(touched.get(), 0, "a key was looked up for a refused algorithm");
}

#[test]
fn t02_the_public_key_is_no_shared_secret() {
    let fixture = Fixture::new();
    let set: Value = serde_json::from_str(&fixture.ring.jwks().json).unwrap();
    let jwk = set["keys"][0].to_string();
    let raw = BASE64_URL_SAFE_NO_PAD.decode(set["keys"][0]["x"].as_str().unwrap()).unwrap();
    let mut header = Header::new(jsonwebtoken::Algorithm::HS256);
    header.typ = Some("at+jwt".to_owned());
    header.kid = Some(fixture.kid.clone());
    for secret in [raw, jwk.into_bytes()] {
        let key = EncodingKey::from_secret(&secret);
        let token = jsonwebtoken::encode(&header, &fixture.claims, &key).unwrap();
        assert_eq!(fixture.verify(&token), Err(Refusal::Invalid("alg")));
    }
}

/// RFC 8725 §3.1: the algorithm is the key's, and the header can only agree.
#[test]
fn t02_the_header_does_not_choose_the_algorithm() {
    for (algorithm, other) in [(Algorithm::EdDsa, "ES256"), (Algorithm::Es256, "EdDSA")] {
        let fixture = Fixture::with(algorithm);
        assert!(fixture.verify(&fixture.signed(&fixture.header(), &fixture.claims.to_string())).is_ok());
        assert_eq!(fixture.verify(&fixture.with_header("alg", json!(other))), Err(Refusal::Invalid("alg")));
    }
}

#[test]
fn t03_a_kid_is_only_ever_a_name() {
    let fixture = Fixture::new();
    for kid in ["../../etc/passwd", "' OR 1=1--", "a\0b", "", "\u{1f511}", &"k".repeat(65)] {
        assert_eq!(fixture.verify(&fixture.with_header("kid", json!(kid))), Err(Refusal::Invalid("kid")));
    }
    assert_eq!(fixture.verify(&fixture.with_header("kid", json!(7))), Err(Refusal::Invalid("kid")));
    let near = fixture.kid.to_lowercase();
    assert_eq!(fixture.verify(&fixture.with_header("kid", json!(near))), Err(Refusal::UnknownKey));
    assert_eq!(fixture.verify(&"k".repeat(1 << 20)), Err(Refusal::Invalid("too long")));
}

#[test]
fn t04_keys_in_the_token_are_not_used() {
    let fixture = Fixture::new();
    let sealing = MasterKey::new([4; 32]).sealing_key("signing-keys");
    let other = generate(Algorithm::EdDsa, KeyState::Active, NOW, &sealing, &SeededEntropy::new(8)).unwrap();
    let jwk: Value = serde_json::from_str(&other.public_jwk).unwrap();
    let ring = Ring::open(&[other], &sealing).0;
    for name in ["jwk", "jku", "x5u", "x5c"] {
        let mut header = fixture.header();
        header[name] = jwk.clone();
        let signed = format!("{}.{}", encode(header.to_string()), encode(fixture.claims.to_string()));
        let token = format!("{signed}.{}", encode(ring.active().unwrap().sign(signed.as_bytes()).unwrap()));
        assert_eq!(fixture.verify(&token), Err(Refusal::Invalid("signature")));
    }
    let crit = fixture.with_header("crit", json!(["b64"]));
    assert_eq!(fixture.verify(&crit), Err(Refusal::Invalid("crit")));
}

#[test]
fn t05_other_kinds_are_refused() {
    let fixture = Fixture::new();
    for typ in ["JWT", "svc+jwt", "ctx+jwt", "application/at+jwt", "AT+JWT", ""] {
        assert_eq!(fixture.verify(&fixture.with_header("typ", json!(typ))), Err(Refusal::WrongType), "{typ}");
    }
}

#[test]
fn t06_claims_have_one_value_and_one_type() {
    let fixture = Fixture::new();
    for (name, value) in [
        ("iss", json!("https://id.example/")),
        ("iss", json!(["https://id.example"])),
        ("aud", json!("https://id.example.evil")),
        ("aud", json!([])),
        ("aud", json!([["https://id.example"]])),
        ("aud", json!({ "https://id.example": 1 })),
        ("exp", json!(1_795_224_648.5)),
        ("exp", json!("1795224648")),
        ("exp", json!(-1)),
        ("exp", json!(9_223_372_036_854_775_808_u64)),
        ("exp", Value::Null),
        ("nbf", json!("0")),
        ("iat", json!(1e300)),
        ("sub", json!("")),
        ("sub", json!("ses_00000000000070008000000000000001")),
        ("sid", json!(7)),
        ("jti", json!("")),
        ("ep", json!("0")),
        ("amr", json!("pwd")),
        ("roles", json!("super_admin")),
    ] {
        assert!(fixture.verify(&fixture.with_claim(name, value.clone())).is_err(), "{name} = {value}");
    }
    for name in fixture.claims.as_object().unwrap().keys().filter(|name| *name != "roles") {
        assert!(fixture.verify(&fixture.without_claim(name)).is_err(), "without {name}");
    }
    let twice =
        fixture.claims.to_string().replacen('{', r#"{"sub":"usr_00000000000070008000000000000001","#, 1);
    assert_eq!(fixture.verify(&fixture.signed(&fixture.header(), &twice)), Err(Refusal::Invalid("payload")));
    let deep = format!(r#"{{"a":{}{}}}"#, "[".repeat(2000), "]".repeat(2000));
    assert_eq!(fixture.verify(&fixture.signed(&fixture.header(), &deep)), Err(Refusal::Invalid("payload")));
}

#[test]
fn t07_five_seconds_are_forgiven_and_six_are_not() {
    let fixture = Fixture::new();
    let token = fixture.signed(&fixture.header(), &fixture.claims.to_string());
    let secs = |secs: u64| Duration::from_secs(secs);
    assert!(fixture.verify_at(&token, NOW.plus(secs(905))).is_ok());
    assert_eq!(fixture.verify_at(&token, NOW.plus(secs(906))), Err(Refusal::Expired));
    assert!(fixture.verify_at(&token, NOW.minus(secs(5))).is_ok());
    assert_eq!(fixture.verify_at(&token, NOW.minus(secs(6))), Err(Refusal::Invalid("nbf")));
    let early = fixture.with_claim("nbf", json!(0));
    assert_eq!(fixture.verify_at(&early, NOW.minus(secs(6))), Err(Refusal::Invalid("iat")));
}

#[test]
fn a_key_opens_only_in_its_own_row() {
    let sealing = MasterKey::new([3; 32]).sealing_key("signing-keys");
    let entropy = SeededEntropy::new(9);
    for algorithm in Algorithm::ALL {
        let make = || generate(algorithm, KeyState::Active, NOW, &sealing, &entropy).unwrap();
        let (mut one, two) = (make(), make());
        let (ring, unusable) = Ring::open(&[one.clone(), two.clone()], &sealing);
        assert!(ring.get(&one.kid).is_some() && ring.get(&two.kid).is_some() && unusable.is_empty());
        one.private_sealed = two.private_sealed;
        let (ring, unusable) = Ring::open(std::slice::from_ref(&one), &sealing);
        assert_eq!(unusable, [one.kid.clone()]);
        assert!(ring.get(&one.kid).is_none() && ring.active().is_none());
        assert_eq!(&*ring.jwks().json, r#"{"keys":[]}"#, "what does not open is not published");
    }
}

proptest! {
    #[test]
    fn t08_any_text_is_answered(text in "\\PC{0,200}|[A-Za-z0-9_.-]{0,300}|([A-Za-z0-9_-]{0,40}\\.){2}[A-Za-z0-9_-]{0,40}") {
        prop_assert!(Fixture::new().verify(&text).is_err());
    }

    #[test]
    fn t08_any_changed_byte_is_noticed(at in 0_usize..400, byte in any::<u8>()) {
        let fixture = Fixture::new();
        let token = fixture.signed(&fixture.header(), &fixture.claims.to_string());
        let mut bytes = token.clone().into_bytes();
        let at = at % bytes.len();
        bytes[at] = byte;
        if let Ok(changed) = String::from_utf8(bytes) && changed != token {
            prop_assert!(fixture.verify(&changed).is_err());
        }
    }
}
