//! T48: a stolen database or backup has only digests and sealed values. (What is sealed: `t48_sealed_rows`.)
//!
//! Seen to fail: with the secret of a client stored as it is, the search of the dump. That the search finds a secret in
//! every spelling is a test of its own.

use std::collections::HashMap;

use bailiwick::{
    base::{MasterKey, OsEntropy, PlainToken},
    storage::Db,
};
use base64::{
    Engine,
    prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD},
};
use serde_json::{Value, json};
use sqlx::AssertSqlSafe;

use super::t43_second_factor::enrol;
use crate::{
    api_keys::make,
    app::{MASTER_KEY, PASSWORD, TestApp},
    both,
    mailbox::Mailbox,
};

/// Bytes by which the search finds a place to look at more closely.
const HEAD: usize = 8;

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

pub(super) fn unhex(text: &str) -> [u8; 32] {
    let byte = |at: usize| u8::from_str_radix(&text[2 * at..2 * at + 2], 16).unwrap();
    std::array::from_fn(byte)
}

/// Everything that the database holds, as who has stolen it would see it.
pub(crate) async fn dump(test: &TestApp) -> Vec<u8> {
    match &test.app.db {
        Db::Sqlite { .. } => {
            let path = test.config.database_path();
            let mut all = std::fs::read(&path).unwrap();
            all.extend(std::fs::read(path.with_extension("db-wal")).unwrap_or_default());
            all
        }
        Db::Postgres(pool) => {
            let tables: Vec<String> = sqlx::query_scalar(
                "SELECT table_name::text FROM information_schema.tables WHERE table_schema = 'public'",
            )
            .fetch_all(pool)
            .await
            .unwrap();
            let mut all = Vec::new();
            for table in tables {
                let rows = AssertSqlSafe(format!("SELECT t::text FROM \"{table}\" t"));
                let rows: Vec<String> = sqlx::query_scalar(rows).fetch_all(pool).await.unwrap();
                all.extend(rows.join("\n").into_bytes());
            }
            all
        }
    }
}

/// How a secret might be written down: as it is, encoded, or as the bytes that it encodes.
fn spellings(secret: &[u8]) -> Vec<Vec<u8>> {
    let encoded = [
        hex(secret),
        hex(secret).to_uppercase(),
        BASE64_STANDARD.encode(secret),
        BASE64_URL_SAFE_NO_PAD.encode(secret),
        form_urlencoded::byte_serialize(secret).collect(),
    ];
    let mut all = vec![secret.to_vec()];
    all.extend(encoded.map(String::into_bytes));
    if let Ok(bytes) = BASE64_URL_SAFE_NO_PAD.decode(secret) {
        all.extend([hex(&bytes).into_bytes(), BASE64_STANDARD.encode(&bytes).into_bytes(), bytes]);
    }
    all
}

/// How a secret may be hidden, and how to write it so.
type Way = (&'static str, fn(&str) -> String);

/// Which of these secrets are somewhere in `dump`, in whatever spelling. Looks at each place once.
fn found<'a>(dump: &[u8], secrets: &[(&'a str, Vec<u8>)]) -> Vec<&'a str> {
    let mut by_head: HashMap<[u8; HEAD], Vec<(&str, Vec<u8>)>> = HashMap::new();
    for (what, secret) in secrets {
        for spelling in spellings(secret) {
            let head = spelling.first_chunk().unwrap(); // what is so short would be found by chance
            by_head.entry(*head).or_default().push((what, spelling));
        }
    }
    let is_here = |at: usize, spelling: &[u8]| dump[at..].starts_with(spelling);
    let mut found: Vec<&str> = Vec::new();
    for (at, head) in dump.windows(HEAD).enumerate() {
        let Some(candidates) = by_head.get(head) else { continue };
        found.extend(candidates.iter().filter(|(_, spelling)| is_here(at, spelling)).map(|(what, _)| what));
    }
    found.sort_unstable();
    found.dedup();
    found
}

/// Checks that `secret` is nowhere in `dump`, in no usual spelling.
#[track_caller]
pub(crate) fn absent(dump: &[u8], what: &str, secret: &[u8]) {
    assert!(found(dump, &[(what, secret.to_vec())]).is_empty(), "{what} stands in the database");
}

/// The private parts of the signing keys, opened with the master key.
async fn private_keys(test: &TestApp) -> Vec<Vec<u8>> {
    let rows: Vec<(String, Vec<u8>)> = test
        .app
        .db
        .sql("SELECT kid, private_sealed FROM signing_keys WHERE state <> 'retired'")
        .all()
        .await
        .unwrap();
    let key = MasterKey::new(unhex(MASTER_KEY)).sealing_key("signing-keys");
    rows.iter()
        .map(|(kid, sealed)| key.open(&format!("signing_keys:private_sealed:{kid}"), sealed).unwrap())
        .collect()
}

both! {
    async fn t48_a_dump_has_no_secret(backend: Backend) {
        let mailbox = Mailbox::open().await;
        let Some(test) = mailbox.app(backend, |_| ()).await else { return };
        let mut secrets: Vec<(&str, Vec<u8>)> = Vec::new();
        let mut keep = |what: &'static str, secret: &str| secrets.push((what, secret.as_bytes().to_vec()));
        let told = |value: &Value| value.as_str().unwrap().to_owned();
        keep("the set-up token", &test.setup_token());
        keep("the master key", MASTER_KEY);
        keep("a password", PASSWORD);
        let root = test.administrator().await;
        let ann = test.user("ann").await;
        keep("an access token", &ann.token);
        keep("a refresh token", &ann.refresh);
        let refreshed = test.refresh(&ann.refresh).await.expect(200);
        let next = told(&refreshed["refresh_token"]);
        keep("the current refresh token", &next);
        keep("the secret of a refresh token", &next[36..79]);
        keep("a refreshed access token", &told(&refreshed["access_token"]));
        // Programs.
        let (_, key) = make(&test, &root, json!({"name": "k"})).await;
        keep("an API key", &key);
        keep("the secret of an API key", &key[31..74]);
        let client = test.service(&root, json!({"name": "c", "grants": ["client_credentials"]})).await;
        keep("the secret of a client", &client.secret);
        keep("the random part of the secret of a client", client.secret.strip_prefix("bwk_cs_").unwrap());
        keep("the token of a client", &test.own_token(&client).await);
        // Second factor, devices, links.
        let bob = test.user("bob").await;
        let (app, codes) = enrol(&test, &bob).await;
        for code in codes {
            keep("a recovery code", &code);
            keep("a recovery code as it is compared", &code.replace('-', ""));
        }
        let half = test.try_login("bob@example.com", PASSWORD).await.expect_problem(401, "mfa_required");
        keep("a token for the second factor", &told(&half["mfa_token"]));
        let login = json!({"identifier": "ann@example.com", "password": PASSWORD});
        let signed_in = test.post_open("/v1/auth/login", login).await.expect(200);
        keep("a device token", &told(&signed_in["device_token"]));
        for path in ["/v1/auth/password/forgot", "/v1/auth/verify-email/resend"] {
            test.post_open(path, json!({"email": "ann@example.com"})).await.expect(202);
        }
        let mails = mailbox.collect(&test).await;
        let links: Vec<_> = mails.iter().filter(|mail| mail.text.contains("#token=")).collect();
        assert!(links.len() >= 4, "{mails:?}");
        for mail in links {
            keep("the token of a link", mail.token());
        }
        let handed = test.post(&format!("/v1/admin/users/{}/reset-link", ann.id), &root.token, json!({})).await.expect(200);
        keep("the token of a link that was handed over", handed["link"].as_str().unwrap().split_once("#token=").unwrap().1);
        secrets.push(("the secret of a second factor", app.secret().to_vec()));
        // Keys that sign.
        test.post("/v1/admin/keys/rotate", &root.token, Value::Null).await.expect(200);
        let keys = private_keys(&test).await;
        assert_eq!(keys.len(), 2);
        secrets.extend(keys.into_iter().map(|key| ("a private key", key)));
        secrets.push(("the master key", unhex(MASTER_KEY).to_vec()));

        let dump = dump(&test).await;
        assert_eq!(found(&dump, &[("an address", b"ann@example.com".to_vec())]), ["an address"], "this is the dump");
        assert!(secrets.len() > 40);
        assert_eq!(found(&dump, &secrets), Vec::<&str>::new());
    }

    /// The search finds what is stored plain, however it is written down.
    async fn t48_the_search_finds_what_is_there(backend: Backend) {
        use bailiwick::storage::Run;
        let Some(test) = TestApp::spawn(backend).await else { return };
        let ways: [Way; 5] = [
            ("as it is", str::to_owned),
            ("within others", |secret| format!("{{\"token\":\"{secret}\"}}")),
            ("in hexadecimal", |secret| hex(secret.as_bytes())),
            ("encoded once more", |secret| BASE64_URL_SAFE_NO_PAD.encode(secret)),
            ("what it encodes", |secret| BASE64_STANDARD.encode(BASE64_URL_SAFE_NO_PAD.decode(secret).unwrap())),
        ];
        let mut secrets = Vec::new();
        for (at, (what, write)) in ways.into_iter().enumerate() {
            let user = test.user(&format!("user-{at}")).await;
            let secret = PlainToken::random(&OsEntropy).unwrap();
            let mut tx = test.app.db.begin_write().await.unwrap();
            let update = tx.sql("UPDATE users SET name = $2 WHERE id = $1");
            update.bind(&*user.id).bind(write(secret.expose())).run().await.unwrap();
            secrets.push((what, secret.expose().as_bytes().to_vec()));
            tx.commit().await.unwrap();
        }
        let secret = PlainToken::random(&OsEntropy).unwrap();
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(secret.expose()).unwrap();
        let mut tx = test.app.db.begin_write().await.unwrap();
        tx.sql("UPDATE sessions SET rt_hash = $1").bind(&bytes[..]).run().await.unwrap();
        tx.commit().await.unwrap();
        secrets.push(("bytes in the place of a digest", secret.expose().as_bytes().to_vec()));
        let dump = dump(&test).await;
        absent(&dump, "what nobody stored", PlainToken::random(&OsEntropy).unwrap().expose().as_bytes());
        assert_eq!(found(&dump, &secrets), ["as it is", "bytes in the place of a digest", "encoded once more", "in hexadecimal", "what it encodes", "within others"]);
    }
}
