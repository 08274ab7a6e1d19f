//! T48: a stolen database or backup. Only digests, and what is sealed opens in its own row only.

use bailiwick::{
    app::{App, Overrides},
    audit::Actor,
    base::MasterKey,
    storage::Db,
};
use base64::{
    Engine,
    prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD},
};
use serde_json::Value;
use sqlx::AssertSqlSafe;

use crate::{
    app::{MASTER_KEY, PASSWORD, TestApp},
    both,
};

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

fn unhex(text: &str) -> [u8; 32] {
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

/// Checks that `secret` is nowhere in `dump`, in no usual spelling.
#[track_caller]
pub(crate) fn absent(dump: &[u8], what: &str, secret: &[u8]) {
    let spellings = [
        secret.to_vec(),
        hex(secret).into_bytes(),
        BASE64_STANDARD.encode(secret).into_bytes(),
        BASE64_URL_SAFE_NO_PAD.encode(secret).into_bytes(),
    ];
    for spelling in spellings {
        let found = dump.windows(spelling.len()).any(|window| window == spelling);
        assert!(!found, "{what} stands in the database");
    }
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
        let Some(test) = TestApp::spawn(backend).await else { return };
        let setup = test.setup_token();
        let root = test.administrator().await;
        let ann = test.user("ann").await;
        let refreshed = test.refresh(&ann.refresh).await.expect(200);
        test.post("/v1/admin/keys/rotate", &root.token, Value::Null).await.expect(200);
        let dump = dump(&test).await;
        assert!(String::from_utf8_lossy(&dump).contains("ann@example.com"), "this is the dump");

        let next = refreshed["refresh_token"].as_str().unwrap();
        for (what, secret) in [
            ("the set-up token", setup.as_str()),
            ("a password", PASSWORD),
            ("an access token", &ann.token),
            ("a refresh token", &ann.refresh),
            ("the current refresh token", next),
            ("the secret of a refresh token", &next[36..79]),
            ("the master key", MASTER_KEY),
        ] {
            absent(&dump, what, secret.as_bytes());
        }
        absent(&dump, "the master key", &unhex(MASTER_KEY));
        let keys = private_keys(&test).await;
        assert_eq!(keys.len(), 2);
        for key in keys {
            absent(&dump, "a private key", &key);
        }
    }

    /// Two rows' sealed parts, exchanged by who can write but not read.
    async fn t48_swapped_rows_do_not_open(backend: Backend) {
        let Some(test) = TestApp::spawn(backend).await else { return };
        test.app.tokens.rotate(Actor::named("test")).await.unwrap();
        let rows: Vec<(String, Vec<u8>)> =
            test.app.db.sql("SELECT kid, private_sealed FROM signing_keys ORDER BY kid").all().await.unwrap();
        let [(one, sealed_one), (two, sealed_two)] = &rows[..] else { panic!("two keys") };
        let key = MasterKey::new(unhex(MASTER_KEY)).sealing_key("signing-keys");
        assert!(key.open(&format!("signing_keys:private_sealed:{one}"), sealed_one).is_ok());
        assert!(key.open(&format!("signing_keys:private_sealed:{one}"), sealed_two).is_err());

        let mut tx = test.app.db.begin_write().await.unwrap();
        for (kid, sealed) in [(one, sealed_two), (two, sealed_one)] {
            use bailiwick::storage::Run;
            let update = tx.sql("UPDATE signing_keys SET private_sealed = $2 WHERE kid = $1");
            assert_eq!(update.bind(kid.as_str()).bind(sealed.as_slice()).run().await.unwrap(), 1);
        }
        tx.commit().await.unwrap();
        let again = App::start(test.config.clone(), Overrides::default()).await;
        let told = format!("{:#}", again.map(drop).unwrap_err());
        assert!(told.contains("cannot be used with this master key"), "{told}");
    }
}
