//! The page at `/docs`, as a person uses it.

use std::{fs, path::Path, time::Duration};

use serde_json::{Value, json};

use crate::{client::handbook, server::Installation, support::skip, turn::Turn, wait, webdriver::Browser};

/// How long the page may take for anything.
const LIMIT: Duration = Duration::from_mins(1);
/// The operation that asks for a decision.
const OPERATION: &str = "#operations-authorize-authorize";

#[test]
fn a_decision_is_made_from_the_page() {
    let _turn = Turn::shared();
    let Some(browser) = Browser::start() else {
        return skip("there is no `chromium` with a `chromedriver`");
    };
    let server = Installation::new(&[]).start();
    let alice = server.public.user("alice");

    browser.go(&server.docs);
    browser.wait_for(OPERATION);
    let shown = browser.script("return document.querySelectorAll('.opblock').length").as_u64();
    let document = server.public.get("/openapi.json").expect(200);
    let items = document["paths"].as_object().unwrap().values();
    let operations: usize = items.filter_map(Value::as_object).map(serde_json::Map::len).sum();
    assert_eq!(shown, Some(operations as u64), "every operation is shown");

    browser.click(".auth-wrapper .authorize");
    browser.type_into("#auth-bearer-value", &alice.token);
    browser.click(".modal-ux .auth-container:has(#auth-bearer-value) .authorize");
    browser.click(".modal-ux .btn-done");

    browser.click(&format!("{OPERATION} .opblock-summary-control"));
    let try_out = format!("{OPERATION} .try-out__btn:not(.cancel)");
    browser.wait_for(&format!("{OPERATION} .try-out__btn"));
    if browser.has(&try_out) {
        browser.click(&try_out);
    }
    let question = serde_json::to_string(&handbook("view")).unwrap();
    browser.type_into(&format!("{OPERATION} textarea.body-param__text"), &question);
    browser.click(&format!("{OPERATION} .btn.execute"));
    let answer = format!("{OPERATION} .live-responses-table .response");
    browser.wait_for(&answer);
    let text = wait::until("the live response", LIMIT, || {
        let text = browser.text(&answer);
        text.contains("decision").then_some(text)
    })
    .0;
    let seen = format!(
        "document.querySelector({}).scrollIntoView()",
        json!(format!("{OPERATION} .responses-wrapper"))
    );
    browser.script(&seen);
    keep(&browser.screenshot());
    assert!(text.contains("\"decision\": \"allow\""), "{text}");
    assert!(text.contains("\"policy_id\": \"public-documents\""), "{text}");
    assert!(text.starts_with("200"), "{text}");

    // Chromium has advice on the page's fields for passwords, which is not ours.
    let mut complaints = browser.console();
    complaints.retain(|line| !line.contains("DEBUG"));
    assert!(complaints.is_empty(), "{complaints:#?}");
    let elsewhere = "return performance.getEntriesByType('resource').map(e => e.name)\
                     .filter(name => !name.startsWith(location.origin) && !name.startsWith('data:'))";
    assert_eq!(browser.script(elsewhere), json!([]), "the page needs nothing from elsewhere");
}

/// Keeps what was seen for people to look at.
fn keep(image: &[u8]) {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap().join("screenshots");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("docs.png"), image).unwrap();
}
