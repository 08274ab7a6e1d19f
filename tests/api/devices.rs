//! Tag `devices`: what the caller signs in from.

use std::time::Duration;

use axum::http::Method;
use serde_json::{Value, json};

use crate::{
    app::{Actor, PASSWORD, TestApp},
    both,
};

const X: &str = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";

/// Signs ann in with what her device says of itself; answers the whole body.
async fn sign_in(test: &TestApp, device: Value) -> Value {
    let body = json!({"identifier": "ann@example.com", "password": PASSWORD, "device": device});
    test.post_open("/v1/auth/login", body).await.expect(200)
}

async fn devices(test: &TestApp, by: &Actor) -> Vec<Value> {
    test.get("/v1/devices", &by.token).await.expect(200)["data"].as_array().unwrap().clone()
}

async fn change(test: &TestApp, by: &Actor, id: &str, body: Value) -> u16 {
    let path = format!("/v1/devices/{id}");
    test.send(Method::PATCH, &path, Some(&by.token), Some(body)).await.status.as_u16()
}

both! {
    async fn a_device_is_the_same_at_the_next_sign_in(backend: Backend) {
        let Some(test) = TestApp::spawn(backend).await else { return };
        test.user("ann").await;
        let key = json!({"kty": "OKP", "crv": "Ed25519", "x": X});
        let first = sign_in(&test, json!({"name": "Phone", "platform": "ios", "public_key": key})).await;
        test.advance(Duration::from_mins(1));
        let second = sign_in(&test, json!({"token": first["device_token"]})).await;
        assert_eq!(first["device_id"], second["device_id"]);
        assert_ne!(first["session_id"], second["session_id"]);
        let stranger = sign_in(&test, json!({"token": "bwk_dt_dev_019aa2c5b8f07d3c9f0b6f2f3c1d9e47.AAAAAAAAAAAAAAAAAAAAAA"})).await;
        assert_ne!(stranger["device_id"], first["device_id"]);

        let ann = Actor::from(second);
        let listed = devices(&test, &ann).await;
        assert_eq!(listed.len(), 3, "sign-up's own too: {listed:?}");
        let phone = listed.iter().find(|device| device["id"] == first["device_id"]).unwrap();
        assert_eq!((&phone["name"], &phone["platform"], &phone["public_key"]), (&json!("Phone"), &json!("ios"), &key));
        assert_eq!((&phone["current"], &phone["sessions"]), (&json!(true), &json!(2)));
        assert!(phone["created_at"].as_str().unwrap() < phone["last_seen_at"].as_str().unwrap());
    }

    async fn a_device_is_named_trusted_and_removed(backend: Backend) {
        let Some(test) = TestApp::spawn(backend).await else { return };
        test.user("ann").await;
        let first = sign_in(&test, json!({"name": "Phone"})).await;
        let (other, phone) = (Actor::from(sign_in(&test, json!({})).await), Actor::from(first.clone()));
        let id = first["device_id"].as_str().unwrap();
        let shown = async || devices(&test, &other).await.into_iter().find(|device| device["id"] == json!(id));

        assert_eq!(change(&test, &phone, id, json!({"trusted": true})).await, 204);
        let trusted = shown().await.unwrap();
        assert!(trusted["trusted_at"].is_string() && trusted["name"] == "Phone", "{trusted}");
        assert_eq!(change(&test, &phone, id, json!({"name": null, "trusted": false})).await, 204);
        let plain = shown().await.unwrap();
        assert!(plain["trusted_at"].is_null() && plain["name"].is_null(), "{plain}");
        assert_eq!(change(&test, &phone, id, json!({"name": "Old\u{7}phone"})).await, 204);
        assert_eq!(shown().await.unwrap()["name"], "Oldphone");

        let path = format!("/v1/devices/{id}");
        assert_eq!(test.delete(&path, &other.token).await.status, 204);
        assert!(shown().await.is_none());
        test.whoami(&phone.token).await.expect_problem(401, "token_revoked");
        test.refresh(&phone.refresh).await.expect_problem(401, "token_revoked");
        test.whoami(&other.token).await.expect(200);
        test.delete(&path, &other.token).await.expect_problem(404, "not_found");
        let again = sign_in(&test, json!({"token": first["device_token"]})).await;
        assert_ne!(again["device_id"], first["device_id"], "it is not known any more");
    }

    async fn devices_are_their_users_own(backend: Backend) {
        let Some(test) = TestApp::spawn(backend).await else { return };
        test.user("ann").await;
        let ann = Actor::from(sign_in(&test, json!({})).await);
        let bob = test.user("bob").await;
        let id = devices(&test, &ann).await[0]["id"].as_str().unwrap().to_owned();
        assert!(devices(&test, &bob).await.iter().all(|device| device["id"] != json!(id)));
        assert_eq!(change(&test, &bob, &id, json!({"name": "mine"})).await, 404);
        let path = format!("/v1/devices/{id}");
        test.delete(&path, &bob.token).await.expect_problem(404, "not_found");
        test.whoami(&ann.token).await.expect(200);
    }

    async fn a_wrong_key_is_refused_at_its_place(backend: Backend) {
        let Some(test) = TestApp::spawn(backend).await else { return };
        test.user("ann").await;
        for key in [json!({"kty": "OKP", "crv": "Ed25519", "x": X, "d": X}), json!("x"), json!({}), json!({"kty": "RSA"})] {
            let device = json!({"public_key": key});
            let body = json!({"identifier": "ann@example.com", "password": PASSWORD, "device": device});
            let reply = test.post_open("/v1/auth/login", body).await;
            assert_eq!(reply.pointers(), ["/device/public_key"], "{key}");
            reply.expect_problem(422, "validation_failed");
        }
    }
}
