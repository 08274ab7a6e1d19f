//! Taking tokens apart, and making ones that look like ours.

use aws_lc_rs::{
    hmac,
    rand::SystemRandom,
    signature::{Ed25519KeyPair, KeyPair},
};
use bailiwick::base::to_base62;
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD as BASE64};
use serde_json::{Value, json};

/// Header and claims of a token, unverified.
pub(crate) fn parts(token: &str) -> (Value, Value) {
    let mut parts = token.split('.').map(|part| serde_json::from_slice(&BASE64.decode(part).unwrap()));
    (parts.next().unwrap().unwrap(), parts.next().unwrap().unwrap())
}

/// The signature of a token, as it stands there.
fn signature(token: &str) -> &str {
    token.rsplit_once('.').unwrap().1
}

fn signed_part(header: &Value, claims: &Value) -> String {
    format!("{}.{}", BASE64.encode(header.to_string()), BASE64.encode(claims.to_string()))
}

fn hs256(key: &[u8], header: &Value, claims: &Value) -> String {
    let signed = signed_part(header, claims);
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), signed.as_bytes());
    format!("{signed}.{}", BASE64.encode(tag))
}

/// A key of an attacker's.
struct Stranger(Ed25519KeyPair);

impl Stranger {
    fn new() -> Self {
        let document = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
        Self(Ed25519KeyPair::from_pkcs8(document.as_ref()).unwrap())
    }

    fn sign(&self, header: &Value, claims: &Value) -> String {
        let signed = signed_part(header, claims);
        format!("{signed}.{}", BASE64.encode(self.0.sign(signed.as_bytes())))
    }

    fn jwk(&self) -> Value {
        json!({"kty": "OKP", "crv": "Ed25519", "x": BASE64.encode(self.0.public_key())})
    }
}

/// Tokens that are none, made from a good one and the public key that verifies it (threats T1 to T6, T8).
pub(crate) fn forgeries(token: &str, jwk: &Value) -> Vec<(String, String)> {
    let (header, claims) = parts(token);
    let mut forged = Vec::new();
    for alg in [
        json!("none"),
        json!("None"),
        json!("NONE"),
        json!("nOnE"),
        json!(""),
        json!(" none"),
        json!("none\0"),
        json!(null),
        json!(0),
        json!(["none"]),
        json!("ES256"),
        json!("eddsa"),
        json!("RS256"),
        json!("Ed25519"),
    ] {
        for (kind, tail) in [("no", ""), ("its old", signature(token)), ("a zero", "AAAA")] {
            let mut header = header.clone();
            header["alg"] = alg.clone();
            forged.push((
                format!("alg {alg}, {kind} signature"),
                format!("{}.{tail}", signed_part(&header, &claims)),
            ));
        }
    }
    let mut without = header.clone();
    without.as_object_mut().unwrap().remove("alg");
    forged.push(("no alg".to_owned(), format!("{}.", signed_part(&without, &claims))));
    let raw = BASE64.decode(jwk["x"].as_str().unwrap()).unwrap();
    // SubjectPublicKeyInfo of an Ed25519 key (RFC 8410 §4): a fixed prefix and the 32 bytes.
    let der = [&[0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00], &raw[..]].concat();
    let pem_body = base64::prelude::BASE64_STANDARD.encode(&der);
    let pem = format!("-----BEGIN PUBLIC KEY-----\n{pem_body}\n-----END PUBLIC KEY-----\n");
    let mut symmetric = header.clone();
    symmetric["alg"] = json!("HS256");
    for (form, key) in [
        ("raw", raw),
        ("PEM", pem.into_bytes()),
        ("JWK", jwk.to_string().into_bytes()),
        ("empty", Vec::new()),
    ] {
        forged.push((format!("HS256 with the {form} public key"), hs256(&key, &symmetric, &claims)));
        forged
            .push((format!("EdDSA header, HS256 with the {form} public key"), hs256(&key, &header, &claims)));
    }
    forged.extend(by_a_stranger(&header, &claims));
    forged.extend(altered(token));
    forged
}

/// Signed well, but by someone else.
fn by_a_stranger(header: &Value, claims: &Value) -> Vec<(String, String)> {
    let stranger = Stranger::new();
    let mut forged = vec![("a stranger's key under our kid".to_owned(), stranger.sign(header, claims))];
    let with = |changes: Value| {
        let mut header = header.clone();
        header.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        header
    };
    let kids = [
        "../../etc/passwd",
        "/dev/null",
        "' OR 1=1--",
        "\0",
        "",
        "\u{1f511}",
        "unknown-kid",
        &"k".repeat(65),
        &"k".repeat(7_000),
    ];
    for kid in kids {
        forged.push((format!("kid {kid:.20}"), stranger.sign(&with(json!({"kid": kid})), claims)));
    }
    for (what, changes) in [
        ("embedded jwk", json!({"jwk": stranger.jwk()})),
        ("embedded jwk without kid", json!({"jwk": stranger.jwk(), "kid": null})),
        ("jku", json!({"jku": "http://127.0.0.1:9/jwks.json"})),
        ("x5u", json!({"x5u": "http://127.0.0.1:9/cert.pem"})),
        ("x5c", json!({"x5c": [BASE64.encode("not a certificate")]})),
        ("crit", json!({"crit": ["b64"], "b64": false})),
        ("empty crit", json!({"crit": []})),
        ("typ JWT", json!({"typ": "JWT"})),
        ("typ ctx+jwt", json!({"typ": "ctx+jwt"})),
        ("typ application/at+jwt", json!({"typ": "application/at+jwt"})),
        ("typ AT+JWT", json!({"typ": "AT+JWT"})),
        ("no typ", json!({"typ": null})),
    ] {
        forged.push((what.to_owned(), stranger.sign(&with(changes), claims)));
    }
    forged
}

/// Our own token, altered, and texts that are none.
fn altered(token: &str) -> Vec<(String, String)> {
    let (header, claims) = parts(token);
    let mut forged = Vec::new();
    for (claim, value) in [
        ("sub", json!("usr_019aa2c5b8f07d3c9f0b6f2f3c1d9e47")),
        ("roles", json!(["super_admin"])),
        ("exp", json!(i64::MAX)),
        ("exp", json!(1e300)),
        ("exp", json!("2100-01-01")),
        ("exp", json!(-1)),
        ("ep", json!(99)),
        ("ver", json!(i64::MIN)),
    ] {
        let mut claims = claims.clone();
        claims[claim] = value.clone();
        forged.push((
            format!("{claim} {value}"),
            format!("{}.{}", signed_part(&header, &claims), signature(token)),
        ));
    }
    let cut = token.rsplit_once('.').unwrap().0;
    for (what, text) in [
        ("cut signature", cut.to_owned()),
        ("empty signature", format!("{cut}.")),
        ("padded signature", format!("{token}==")),
        ("four parts", format!("{token}.AAAA")),
        ("dots", "...".to_owned()),
        ("garbage", "\u{7f}garbage".replace('\u{7f}', "~")),
        ("deep nesting", format!("{}.{}.AAAA", BASE64.encode("[".repeat(5_000)), BASE64.encode("{}"))),
        (
            "duplicate alg",
            format!(
                "{}.{}.AAAA",
                BASE64.encode(r#"{"alg":"EdDSA","alg":"none","typ":"at+jwt"}"#),
                BASE64.encode("{}")
            ),
        ),
        ("too long", format!("{token}{}", "A".repeat(9_000))),
        ("upper case", token.to_uppercase()),
    ] {
        forged.push((what.to_owned(), text));
    }
    forged
}

/// A refresh token's body with the checksum that fits it.
pub(crate) fn with_checksum(body: &str) -> String {
    format!("{body}_{}", to_base62(crc32fast::hash(body.as_bytes()).to_be_bytes(), 6))
}

/// An API key with the checksum that fits it.
pub(crate) fn api_key(env: &str, id: u128, secret: &str) -> String {
    let body = format!("bwk_{env}_{}{secret}", to_base62(id.to_be_bytes(), 22));
    let crc = to_base62(crc32fast::hash(body.as_bytes()).to_be_bytes(), 6);
    body + &crc
}
