use super::*;

fn answer(decision: &str) -> String {
    format!(
        r#"{{"decision":{decision},"decision_id":"dec_1","policy_store":"app","policy_version":7,
            "determining_policies":[{{"policy_id":"own","effect":"permit"}}],"errors":[],"unknown":1}}"#
    )
}

fn judged(status: u16, body: &str) -> Result<Allowed, NotAllowed> {
    judge(StatusCode::from_u16(status).unwrap(), body.as_bytes(), Some("app"))
}

#[test]
fn a_well_formed_allow_is_an_allow() {
    let allowed = judged(200, &answer(r#""allow""#)).unwrap();
    assert_eq!((allowed.answer().policy_version, allowed.answer().decision_id.as_str()), (7, "dec_1"));
    assert_eq!(allowed.answer().determining_policies[0].policy_id, "own");
}

#[test]
fn nothing_else_is() {
    let allow = answer(r#""allow""#);
    let bodies = [
        String::new(),
        "allow".to_owned(),
        r#""allow""#.to_owned(),
        r#"{"decision":"allow"}"#.to_owned(),
        answer("true"),
        answer(r#""Allow""#),
        answer(r#""ALLOW""#),
        answer(r#"["allow"]"#),
        answer("null"),
        answer(r#""allow","decision":"deny""#),
        answer(r#""deny","decision":"allow""#),
        allow.replace("dec_1", ""),
        allow.replace(r#""app""#, r#""other""#),
        allow.replace('7', "\"7\""),
        format!("{allow}x"),
        allow[..allow.len() - 1].to_owned(),
    ];
    for body in bodies {
        assert!(matches!(judged(200, &body), Err(NotAllowed::Malformed(_))), "{body}");
    }
    for status in (100..=999).filter(|status| *status != 200) {
        assert!(judged(status, &allow).is_err(), "{status}");
    }
}

#[test]
fn each_failure_has_its_status() {
    for (status, body, answered) in [
        (200, answer(r#""deny""#).as_str(), 403),
        (401, "", 401),
        (403, r#"{"code":"insufficient_permissions"}"#, 403),
        (404, "<html>", 500),
        (422, r#"{"code":"unknown_action"}"#, 500),
        (429, "", 503),
        (500, "", 503),
        (503, r#"{"code":"no_active_version"}"#, 503),
        (302, "", 503),
        (204, "", 503),
    ] {
        let error = judged(status, body).unwrap_err();
        assert_eq!(error.status().as_u16(), answered, "{status}: {error}");
    }
    let wrong = judged(422, r#"{"code":"unknown_action"}"#).unwrap_err();
    assert_eq!(wrong.to_string(), "the server refused the question: status 422, code `unknown_action`");
    let denied = judged(200, &answer(r#""deny""#)).unwrap_err();
    assert_eq!(denied.to_string(), "denied by version 7 of the policy store `app`");
    let response: Response<String> = denied.response("/photo");
    assert!(!response.body().contains("own"), "tells of the policies: {}", response.body());
}

#[test]
fn only_a_url_is_taken() {
    let send = |_: Request<String>| async { Err::<Response<Vec<u8>>, _>("offline") };
    for wrong in ["", "id.example", "/v1", "ftp://id.example", "http://", "https://id example"] {
        assert!(DecisionClient::new(wrong, send).is_err(), "{wrong}");
    }
    let client = DecisionClient::new("https://id.example/", send).unwrap();
    assert_eq!(client.uri, "https://id.example/v1/authorize");
}
