//! T18: what the server keeps is not set by sending its name.
//!
//! Seen to fail: with `deny_unknown_fields` taken from the request for an API key, all its columns are accepted.

use std::{collections::BTreeSet, fs, path::Path};

use axum::http::Method;
use serde_json::json;

use crate::{
    api_keys::{KEYS, make},
    app::TestApp,
    bad_input::sample,
    both,
    contract::operations,
};

/// The name of every column of every table.
fn columns() -> BTreeSet<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations/sqlite");
    let mut columns = BTreeSet::new();
    for file in fs::read_dir(folder).unwrap() {
        let text = fs::read_to_string(file.unwrap().path()).unwrap();
        let named = text.lines().filter(|line| line.starts_with("    ")).filter_map(|line| {
            let mut words = line.split_whitespace();
            let (name, kind) = (words.next()?, words.next()?);
            ["TEXT", "INTEGER", "BLOB"].contains(&kind.trim_end_matches(',')).then(|| name.to_owned())
        });
        columns.extend(named);
    }
    columns
}

both! {
    async fn t18_no_write_takes_the_name_of_a_column(backend: Backend) {
        let Some(test) = TestApp::spawn(backend).await else { return };
        let root = test.administrator().await;
        let (id, _) = make(&test, &root, json!({"name": "k"})).await;
        let before = test.get(&format!("{KEYS}/{id}"), &root.token).await.expect(200);
        let columns = columns();
        assert!(columns.len() > 60 && columns.contains("email_verified") && columns.contains("secret_hash"));
        let mut tried = 0;
        for operation in operations() {
            let Some(fields) = operation.body().and_then(|body| body["properties"].as_object()) else { continue };
            // Where any name may be sent, such as an entity's attributes, nothing of ours is named.
            let path = operation.path.replace("{key_id}", &id);
            if path.contains('{') {
                continue;
            }
            let method: Method = operation.method.to_uppercase().parse().unwrap();
            for column in columns.iter().filter(|column| !fields.contains_key(*column)) {
                let mut body = sample(&operation);
                body[column] = json!("x");
                let reply = test.send(method.clone(), &path, Some(&root.token), Some(body)).await;
                assert_eq!(reply.status.as_u16(), 422, "{method} {path} {column}: {}", reply.text);
                assert_eq!(reply.pointers(), [format!("/{column}")], "{method} {path}: {}", reply.text);
                tried += 1;
            }
        }
        assert!(tried > 500, "{tried}");
        // What a tenant's server tells of a user is not what the user is.
        let known = ["name", "email", "avatar", "locale", "metadata"];
        for column in columns.iter().filter(|column| !known.contains(&column.as_str())) {
            let mut body = json!({"user_external_id": "1", "user_data": {}});
            body["user_data"][column] = json!("x");
            let reply = test.post("/v1/sdk/session", &root.token, body).await;
            assert_eq!(reply.pointers(), [format!("/user_data/{column}")], "{}", reply.text);
            reply.expect_problem(422, "validation_failed");
        }
        assert_eq!(test.get(&format!("{KEYS}/{id}"), &root.token).await.expect(200), before);
    }
}
